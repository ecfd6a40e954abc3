"""What is carried from chunk to chunk: where, in which form, and as integers in the nodes' order.

The forms depend on how wide this machine's vectors are, on how modes were sorted, and on whether
doubles hold the network's numbers; what is read does not, so that any machine can go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.dendrite_layout import DendriteLayout
from snn_deploy.engines.native.library import lanes_of_doubles
from snn_deploy.engines.native.packing import fill_up, pitch_of
from snn_deploy.engines.native.program_code import word_shapes, words_size
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.program import Program

__all__ = ["Carried", "Compartments", "Form", "Past", "Rows", "Words"]

Numbers = npt.NDArray[Any]  # doubles or int64, from where it begins
State = Mapping[str, IntArray]


class Form(Protocol):
    """How words of some samples are packed: their names, and how many numbers a sample has."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def size(self) -> int: ...

    def read(self, packed: Numbers, samples: int) -> dict[str, IntArray]:
        """Copy the words, (samples, …) each, by their names."""
        ...

    def write(self, packed: Numbers, samples: int, state: State) -> None:
        """Write what :meth:`read` gave."""
        ...


@dataclass(frozen=True)
class Carried:
    """Something that a node carries, and its ``place``: in numbers a sample.

    ``start`` is what it begins with, (1, …) each, if not with zeros.
    """

    owner: str
    place: int
    form: Form
    start: State | None = None


@dataclass(frozen=True)
class Rows:
    """Words of a number a channel, vector by vector."""

    width: int
    names: tuple[str, ...]

    @cached_property
    def _shape(self) -> tuple[int, int, int]:
        """Of a sample: (vectors, words, lanes)."""
        lanes = max(lanes_of_doubles(), 1)
        return pitch_of(self.width) // lanes, len(self.names), lanes

    @cached_property
    def size(self) -> int:
        return int(np.prod(self._shape))

    def _words(self, packed: Numbers, samples: int) -> dict[str, Numbers]:
        """Give views, (samples, vectors, lanes) each."""
        whole = packed[: samples * self.size].reshape(samples, *self._shape)
        return {name: whole[:, :, number] for number, name in enumerate(self.names)}

    def read(self, packed: Numbers, samples: int) -> dict[str, IntArray]:
        return {
            name: word.reshape(samples, -1)[:, : self.width].astype(np.int64)
            for name, word in self._words(packed, samples).items()
        }

    def write(self, packed: Numbers, samples: int, state: State) -> None:
        for name, word in self._words(packed, samples).items():
            word[...] = fill_up(state[name]).reshape(-1, *word.shape[1:])


@dataclass(frozen=True)
class Words:
    """A program's words as it has them, int64."""

    program: Program

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.program.words)

    @cached_property
    def size(self) -> int:
        return pitch_of(words_size(self.program))

    def _words(self, packed: Numbers, samples: int) -> dict[str, IntArray]:
        """Give views, (samples, …) each."""
        start, words = 0, {}
        rows = packed[: samples * self.size].view(np.int64).reshape(samples, self.size)
        for name, shape in word_shapes(self.program).items():
            stop = start + int(np.prod(shape))
            words[name] = rows[:, start:stop].reshape(samples, *shape)
            start = stop
        return words

    def read(self, packed: Numbers, samples: int) -> dict[str, IntArray]:
        return {name: word.copy() for name, word in self._words(packed, samples).items()}

    def write(self, packed: Numbers, samples: int, state: State) -> None:
        for name, word in self._words(packed, samples).items():
            word[...] = state[name]


@dataclass(frozen=True)
class Past:
    """The last ``reach`` steps of a signal, ``past`` (samples, reach, width), the oldest first."""

    width: int
    reach: int
    names: tuple[str, ...] = ("past",)

    @property
    def size(self) -> int:
        return self.reach * pitch_of(self.width)

    def _steps(self, packed: Numbers, samples: int) -> Numbers:
        rows = packed[: samples * self.size].reshape(samples, self.reach, -1)
        return rows[:, :, : self.width]

    def read(self, packed: Numbers, samples: int) -> dict[str, IntArray]:
        return {"past": self._steps(packed, samples).astype(np.int64)}

    def write(self, packed: Numbers, samples: int, state: State) -> None:
        self._steps(packed, samples)[...] = state["past"]


@dataclass(frozen=True)
class Compartments:
    """A dendrite's u and v, (samples, width, modes) each in the bank's order, as its layout has
    them.
    """

    layout: DendriteLayout
    width: int
    modes: int
    names: tuple[str, ...] = ("u", "v")

    @property
    def size(self) -> int:
        numbers = pitch_of(self.width) * (2 * self.layout.order.shape[1] + 1)
        return numbers * self.layout.numbers.itemsize // 8

    def _lanes(self, packed: Numbers, samples: int) -> Numbers:
        """Give a view, (groups, samples, modes, u and v, lanes)."""
        groups, modes = len(self.layout.numbers), self.layout.order.shape[1]
        shape = (groups, samples, modes, 2, self.layout.lanes)
        return packed.view(self.layout.numbers.dtype)[: int(np.prod(shape))].reshape(shape)

    def read(self, packed: Numbers, samples: int) -> dict[str, IntArray]:
        lanes = self._lanes(packed, samples).transpose(3, 1, 0, 4, 2)
        order = self.layout.order
        recorded = lanes.reshape(2, samples, -1, order.shape[1])[:, :, : self.width]
        values = np.empty(recorded.shape, dtype=np.int64)
        order = np.broadcast_to(order, values.shape)
        np.put_along_axis(values, order, recorded.astype(np.int64), axis=3)
        u, v = values[..., : self.modes]
        return {"u": u, "v": v}

    def write(self, packed: Numbers, samples: int, state: State) -> None:
        missing = self.layout.order.shape[1] - self.modes
        values = np.pad(np.stack([state["u"], state["v"]]), [(0, 0)] * 3 + [(0, missing)])
        order = np.broadcast_to(self.layout.order, values.shape)
        recorded = fill_up(np.take_along_axis(values, order, axis=3).swapaxes(2, 3))
        lanes = recorded.reshape(2, samples, order.shape[3], -1, self.layout.lanes)
        self._lanes(packed, samples)[...] = lanes.transpose(3, 1, 2, 0, 4)
