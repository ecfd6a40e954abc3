"""A network as the library runs it: operations, and where all that they work on lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.abi import SweepTask, address
from snn_deploy.engines.native.carried import Carried

__all__ = ["Assembly", "Heard", "SweepProgram"]

Heard = tuple[str, int]
"""A node's signal, as it was some steps before."""


@dataclass(frozen=True)
class SweepProgram:
    """What is done to a chunk in one sweep.

    Parameters
    ----------
    operations
        What is done.
    slots
        By node, and how many steps before: where its signal is, in numbers a row; ``~place`` if it
        is one of a tile's.
    entering
        What comes in, in order: an input's name and None, or a node's and one of its clocks'.
    leaving
        Names of the nodes whose signals are given, in order; their ports come after those.
    backwards
        Steps are taken from the last to the first.
    clipping
        Numbers of the operations that say how many values were clipped, and their nodes.
    """

    operations: npt.NDArray[np.void]
    slots: Mapping[Heard, int]
    entering: tuple[tuple[str, str | None], ...]
    leaving: tuple[str, ...]
    backwards: bool
    clipping: tuple[tuple[int, str], ...]

    @cached_property
    def clocked(self) -> bool:
        """Whether words of the sequence come in."""
        return any(word is not None for _, word in self.entering)


@dataclass(frozen=True, eq=False)
class Assembly:
    """A plan as the library takes it.

    Parameters
    ----------
    integers
        Whether its numbers are int64, and not doubles.
    sweeps
        One for each of the plan's.
    params, floats, weights, tables, values
        What operations refer to; the last is where programs work, with their constants in it.
    carried
        What is carried from chunk to chunk: nodes' states, the counts of their messages, their last
        steps.
    row_size, passing_size, state_size, work_size
        How many numbers a row of a block, one of a tile, a sample, and a core need.
    effort
        What a step of a sample takes, in numbers that are computed.
    kept_size
        How many numbers each step of the kept sequences needs: int32, or int64 if ``integers``.
    """

    integers: bool
    sweeps: tuple[SweepProgram, ...]
    params: npt.NDArray[np.float64]
    floats: npt.NDArray[np.float32]
    weights: npt.NDArray[np.int8]
    tables: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]
    carried: tuple[Carried, ...]
    row_size: int
    passing_size: int
    kept_size: int
    state_size: int
    work_size: int
    effort: int

    @cached_property
    def tasks(self) -> tuple[SweepTask, ...]:
        """What every run of it has in common, by sweep."""
        shared = {
            name: address(getattr(self, name)) for name in ("params", "floats", "weights", "tables")
        }
        return tuple(
            SweepTask(
                operations=address(sweep.operations),
                count=len(sweep.operations),
                backwards=sweep.backwards,
                integers=self.integers,
                **shared,
            )
            for sweep in self.sweeps
        )

    @property
    def number(self) -> npt.DTypeLike:
        """What its signals are made of."""
        return np.int64 if self.integers else np.float64

    @property
    def kept_number(self) -> npt.DTypeLike:
        """What sequences that are kept are made of."""
        return np.int64 if self.integers else np.int32

    @property
    def widest(self) -> int:
        """How many numbers a row of any signal needs at most."""
        return max(int(sweep.operations["x_pitch"].max()) for sweep in self.sweeps)
