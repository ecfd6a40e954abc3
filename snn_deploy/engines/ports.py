"""Networks of several inputs or outputs, on engines that take one of each.

What the host computes of each input is computed here. The signals that enter the chip are put side
by side into one, which nodes of kind ``Part`` take apart again under their own names; the outputs
are traced, and each answer is taken from its signal. So every engine takes such networks, and
computes no other integers for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from snn_deploy.engines.host import (
    Host,
    HostSignals,
    HostStream,
    check_mantissas,
    check_range,
)
from snn_deploy.engines.result import IntArray, Ports, Result, Values, alone, by_name, senders
from snn_deploy.engines.session import RECENT, Session, Snapshot, Watch
from snn_deploy.errors import DataError
from snn_deploy.ir.answer import Answer
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.part import Part

__all__ = ["PortsSession", "joined"]

JOINED = "inputs"


@lru_cache(maxsize=8)  # engines know a network that they have planned or built by its identity
def joined(network: Network) -> Network:
    """Give the chip's part as a network of one input and one output; its nodes keep their names."""
    answers = (Answer("one", next(iter(network.outputs))),)
    if len(network.inputs) == 1:
        return replace(network, answers=answers)
    network = replace(chip_part(network), answers=answers)
    inputs: dict[str, Any] = dict(network.inputs)
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


def _host_chains(network: Network) -> dict[str, Network]:
    """Give what the host computes of each of several inputs, by the input's name.

    A network of one input has none: its engine runs the host's part.
    """
    chains: dict[str, list[Node]] = {}
    if len(network.inputs) > 1:
        for node in network.placed("host"):
            if node.is_input:
                chains[node.name] = [node]
            else:
                (edge,) = node.inputs
                next(c for c in chains.values() if c[-1].name == edge.source).append(node)
    return {
        name: replace(network, nodes=tuple(chain), answers=(Answer("one", chain[-1].name),))
        for name, chain in chains.items()
        if len(chain) > 1
    }


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
        self._hosts = {name: Host(chain) for name, chain in _host_chains(network).items()}
        self._streams = {
            name: HostStream(host, watch.samples)
            for name, host in self._hosts.items()
            if watch.steps is None
        }
        self._clipped: Counter[str] = Counter()
        at_host = {node.name for host in self._hosts.values() for node in host.nodes}
        # traced signals come back from the one run, so that outputs can be taken from them
        names = sorted({*watch.trace, *network.outputs} - (at_host - set(self._joined.names)))
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
        entering: list[IntArray] = []
        seen: dict[str, Values] = {}
        for name, array in inputs.items():
            if name in self._hosts:
                computed = self._computed(name, array)
                self._clipped.update(computed.saturated)
                seen.update(computed.signals)
                entering.append(computed.entering)
            else:
                check_range(self._network[name], array)
                entering.append(array)
        signals = {**seen, **self._session.step(np.concatenate(entering, axis=2))}
        for name, before in self._recent.items():
            kept = self._kept(name, before.shape[1] + signals[name].shape[1])
            both = np.concatenate([before, signals[name]], axis=1)
            self._recent[name] = both[:, both.shape[1] - kept :]
        wanted = {n: signals[n] for n in self._watch.trace if n in signals}
        return self._watch.give(first, wanted)

    def _computed(self, name: str, inputs: IntArray) -> HostSignals:
        """Run the host's part of one input over its next steps, or over all of them."""
        host = self._hosts[name]
        check_mantissas(host.network, inputs, self._watch.samples, self.steps)
        stream = self._streams.get(name)
        return host.compute(inputs) if stream is None else stream.advance(self.steps, inputs)

    def _kept(self, name: str, there: int) -> int:
        """How many last steps of an output are kept: of a stream, as many as its answer has."""
        if self._watch.steps is not None:
            return there
        return min(there, self._network.outputs[name].length)

    def finish(self) -> Result:
        """Give the answers and all counts."""
        result = self._session.finish()
        counted = set(senders(self._network))
        # an engine that counts no clips gives none; the host's would stand there alone
        saturated = {**result.saturated, **(self._clipped if result.saturated else {})}
        return replace(
            result,
            output=alone({name: self._answer(name, result) for name in self._network.outputs}),
            messages={name: sent for name, sent in result.messages.items() if name in counted},
            saturated={n: saturated[n] for n in self._network.names if n in saturated},
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
        past = {k: v for stream in self._streams.values() for k, v in stream.state().items()}
        return replace(
            state,
            arrays={**state.arrays, **recent, **past},
            saturated={**state.saturated, **self._clipped},
        )

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
        for name, stream in self._streams.items():
            stream.restore(arrays)
            for past in stream.state():
                del arrays[past]
            for node in self._hosts[name].nodes:
                if node.name in state.saturated:
                    self._clipped[node.name] = state.saturated[node.name]
        # the one run answers with one step of the first output
        last = self._recent.get(self._joined.output.name)
        arrays[RECENT] = state.arrays[RECENT] if last is None else last[:, -1:]
        self._session.restore(replace(state, arrays=arrays))

    def _called(self, name: str) -> str:
        """What a state calls the last steps of an output: as any engine does those of the first."""
        return RECENT if name == self._joined.output.name else f"{name}/{RECENT}"
