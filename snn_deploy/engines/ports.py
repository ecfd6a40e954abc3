"""Networks of several inputs or outputs, on engines that take one of each.

The inputs are put side by side into one, which nodes of kind ``Part`` take apart again under the
inputs' own names; the outputs are traced, and each answer is taken from its signal. So every engine
takes such networks, and computes no other integers for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from snn_deploy.engines.host import check_range
from snn_deploy.engines.result import IntArray, Ports, Result, Values, alone, by_name, senders
from snn_deploy.engines.session import RECENT, Session, Snapshot, Watch
from snn_deploy.errors import BackendError, DataError
from snn_deploy.ir.answer import Answer
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.part import Part

__all__ = ["PortsSession", "joined"]

JOINED = "inputs"


@lru_cache(maxsize=8)  # engines know a network that they have planned or built by its identity
def joined(network: Network) -> Network:
    """Give a network of one input and one output; its nodes keep their names.

    Raises
    ------
    BackendError
        If the host computes more of an input than its mantissas.
    """
    answers = (Answer("one", next(iter(network.outputs))),)
    network = replace(network, answers=answers)
    inputs: dict[str, Any] = dict(network.inputs)
    if len(inputs) == 1:
        return network
    beyond = [node.name for node in network.placed("host") if not node.is_input]
    if beyond:
        raise BackendError(
            f"node '{beyond[0]}' is computed by the host, and the network has the inputs "
            f"{', '.join(inputs)}: use the backend reference"
        )
    name = JOINED
    while name in network.names:
        name += "_"
    widths = [node.width for node in inputs.values()]
    whole, first = sum(widths), np.cumsum([0, *widths])
    parts = {
        node.name: Part(
            name=node.name,
            inputs=(Edge(name),),
            output=node.output,
            first=int(start),
            channels=node.width,
            whole=whole,
        )
        for node, start in zip(inputs.values(), first, strict=False)
    }
    entry = Input(name=name, output=_covering(inputs), channels=whole)
    nodes = tuple(parts.get(node.name, node) for node in network)
    return replace(network, nodes=(entry, *nodes))


def _covering(inputs: Mapping[str, Any]) -> Format:
    """Give a signed format that holds every input's mantissas, by their own exponents."""
    forms = [node.output for node in inputs.values()]
    exponents = [e for node in inputs.values() for e in node.output.exponents(node.width).tolist()]
    return Format(max(form.bits + (not form.signed) for form in forms), tuple(exponents))


class PortsSession:
    """Runs a network of several inputs or outputs on what runs one of each.

    Parameters
    ----------
    open_one
        Begins a run of a network of one input and one output.
    network, watch
        As an engine's ``open`` takes them.
    """

    def __init__(
        self, open_one: Callable[[Network, Watch], Session], network: Network, watch: Watch
    ) -> None:
        self._network, self._watch = network, watch
        self._joined = joined(network)
        # traced signals come back from the one run, so that outputs can be taken from them
        names = sorted({*watch.trace, *network.outputs})
        self._session = open_one(self._joined, replace(watch, trace=names, record=None))
        late = self._session.late
        self.late: Collection[str] = tuple(name for name in watch.trace if name in late)
        self._recent: dict[str, Values] = {
            name: np.zeros((watch.samples, 0, network[name].width), dtype=np.int64)
            for name in network.outputs
            if name not in late
        }

    @property
    def steps(self) -> int:
        """How many steps came so far."""
        return self._session.steps

    def step(self, chunk: Ports) -> Mapping[str, Values]:
        """Take the next steps in: see :class:`~snn_deploy.engines.session.Session`."""
        first, inputs = self.steps, by_name(self._network, chunk)
        if len({array.shape[:2] for array in inputs.values()}) != 1:
            told = ", ".join(f"{name} {array.shape}" for name, array in inputs.items())
            raise DataError(f"inputs of as many sequences and steps are needed, not {told}")
        for name, array in inputs.items():
            check_range(self._network[name], array)
        signals = self._session.step(np.concatenate(list(inputs.values()), axis=2))
        for name, before in self._recent.items():
            kept = self._kept(name, before.shape[1] + signals[name].shape[1])
            both = np.concatenate([before, signals[name]], axis=1)
            self._recent[name] = both[:, both.shape[1] - kept :]
        wanted = {n: signals[n] for n in self._watch.trace if n in signals}
        return self._watch.give(first, wanted)

    def _kept(self, name: str, there: int) -> int:
        """How many last steps of an output are kept: of a stream, as many as its answer has."""
        if self._watch.steps is not None:
            return there
        return min(there, self._network.outputs[name].length)

    def finish(self) -> Result:
        """Give the answers and all counts."""
        result = self._session.finish()
        counted = set(senders(self._network))
        return replace(
            result,
            output=alone({name: self._answer(name, result) for name in self._network.outputs}),
            messages={name: sent for name, sent in result.messages.items() if name in counted},
            saturated={n: k for n, k in result.saturated.items() if n in self._network.names},
            late={name: result.late[name] for name in self.late},
        )

    def _answer(self, name: str, result: Result) -> Values:
        answer, steps = self._network.outputs[name], self.steps
        signal = self._recent.get(name)
        if signal is None:
            signal = result.late[name](max(steps - answer.length, 0) if answer.length else 0, steps)
        if self._watch.steps is None:
            return signal[:, -1] if answer.steps == "one" else signal
        lengths = self._watch.lengths
        every: IntArray = np.full(self._watch.samples, steps, dtype=np.int64)
        return answer.take(signal, every if lengths is None else lengths)

    def state(self) -> Snapshot:
        """Copy the stream's state, and the last steps of each output."""
        state = self._session.state()
        recent = {self._called(name): array.copy() for name, array in self._recent.items()}
        return replace(state, arrays={**state.arrays, **recent})

    def restore(self, state: Snapshot) -> None:
        """Go on, before the first step of this session, from where a state was taken."""
        arrays = dict(state.arrays)
        for name, before in self._recent.items():
            found = arrays.pop(self._called(name), None)
            shape = (len(before), self._kept(name, state.steps), before.shape[2])
            if found is None or found.shape != shape or found.dtype != before.dtype:
                raise DataError(
                    f"this state is not one of {len(before)} sequences through this network"
                )
            self._recent[name] = found.copy()
        # the one run answers with one step of the first output
        last = self._recent.get(self._joined.output.name)
        arrays[RECENT] = state.arrays[RECENT] if last is None else last[:, -1:]
        self._session.restore(replace(state, arrays=arrays))

    def _called(self, name: str) -> str:
        """What a state calls the last steps of an output: as any engine does those of the first."""
        return RECENT if name == self._joined.output.name else f"{name}/{RECENT}"
