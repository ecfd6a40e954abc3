"""What a report must say, counted a second time: message by message, in plain loops.

Takes a lowered network's arrays, the signals of a run, a profile's constants and, as the placement
decides it, which channels each core holds. It shares nothing with the code that it checks: neither
``snn_deploy.reports`` nor what prices and splits a network in ``snn_deploy.mapping``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from snn_deploy.ir.network import Network

__all__ = ["PlainCount"]

HOST = {"Input", "EmbeddingTable", "Positions", "Window"}
BITS = ("weights", "coefficients", "tables", "state", "accumulators", "delays")
BOUNDS = ("low", "typical", "high")
SHIFT = 6  # bits of a shift's count
ONE_UPDATE = 7  # operations of a LIF update: what neurons' time and energy are given for
CLIP = ["minimum", "maximum"]
PRICES = {  # which count each constant prices
    "ac_pj": "acs",
    "mac_pj": "macs",
    "neuron_update_pj": "lif_updates",
    "neuron_mac_pj": "neuron_macs",
    "spike_out_pj": "neuron_messages",
    "message_out_pj": "neuron_deliveries",
    "message_in_pj": "deliveries",
    "within_tile_pj": "deliveries",
    "hop_east_west_pj": "hops_east_west",
    "hop_north_south_pj": "hops_north_south",
}


@dataclass
class Facts:
    """What one channel of a node is: its program's operations, its neurons, its bits."""

    operations: list[str] = field(default_factory=list)
    neurons: int = 0
    compartments: int = 0
    synapses: int = 0
    own_messages: int = 0
    own_synops: int = 0
    bits: Counter[str] = field(default_factory=Counter)
    shared_bits: Counter[str] = field(default_factory=Counter)
    """Bits of every core that holds at least one channel."""
    filter_bits: int = 0
    places: int = 1
    """Bits of weights that so many neighbouring channels share."""


def facts_of(network: Network, node: Any, modes_are_neurons: bool) -> Facts:
    """Read a node's docstring: its equation, operation by operation."""
    made: Facts = globals()[f"_{node.kind.lower()}"](node)
    if node.kind == "Dendrite" and modes_are_neurons:
        (source,) = network.sources(node)
        made.neurons = modes = node.bank.modes
        made.own_messages, made.own_synops = 1 + modes, 2 * modes
        made.bits["weights"] += 2 * modes * 8
        made.bits["accumulators"] += 2 * source.output.bits * modes + 2 * node.sum_bits  # type: ignore[attr-defined]
    if not is_synaptic(node):
        for edge, source in zip(node.inputs, network.sources(node), strict=True):
            made.bits["delays"] += waiting(node, edge) * source.output.bits  # type: ignore[attr-defined]
    return made


def waiting(node: Any, edge: Any) -> int:
    """Steps that a message takes beyond those in which a norm's neuron holds its value."""
    return int(edge.delay) - (6 if node.kind == "Normalize" else 0)


def connections(node: Any) -> dict[int, list[tuple[int, int]]]:
    """By channel that a message comes from: the channels that it reaches, and with what weight."""
    if node.kind == "Synapses":
        return {j: list(enumerate(column)) for j, column in enumerate(node.weight.T.tolist())}
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    w = node.windows
    frame = np.arange(w.maps * int(np.prod(w.size))).reshape(w.maps, *w.size)
    for number, (filter_, *place) in enumerate(np.ndindex(len(node.kernel), *w.outer)):
        for channel, *tap in np.ndindex(*node.kernel.shape[1:]):
            at = [
                p * s + k * d - b
                for p, s, k, d, b in zip(place, w.stride, tap, w.dilation, w.before, strict=True)
            ]
            if all(0 <= x < size for x, size in zip(at, w.size, strict=True)):
                map_ = filter_ // (len(node.kernel) // w.groups) * node.kernel.shape[1] + channel
                weight = int(node.kernel[(filter_, channel, *tap)])
                found[int(frame[(map_, *at)])].append((number, weight))
    return found


def is_synaptic(node: Any) -> bool:
    return node.kind in ("Synapses", "SharedSynapses")


def _sharedsynapses(node: Any) -> Facts:
    slots = 1 + node.inputs[0].delay
    made = Facts(bits=Counter(accumulators=slots * node.output.bits))
    made.filter_bits = node.kernel[0].size * node.weight_bits
    made.places = int(np.prod(node.windows.outer))
    return made


def _synapses(node: Any) -> Facts:
    fan_in = node.weight.shape[1]
    slots = 1 + node.inputs[0].delay
    bits = Counter(weights=fan_in * node.weight_bits, accumulators=slots * node.output.bits)
    return Facts(synapses=fan_in, bits=bits)


def _requantize(node: Any) -> Facts:
    inputs = len(node.inputs)
    made = Facts(["add"] * (inputs - 1) + CLIP, neurons=1)
    if node.align is not None:
        made.operations += ["shift"] * inputs
        made.bits["coefficients"] += SHIFT * inputs
    if node.rescale is not None:
        made.operations += ["multiply", "add"]
        made.bits["coefficients"] += node.rescale.bits + SHIFT + node.output.bits
    return made


def _dendrite(node: Any) -> Facts:
    bank = node.bank
    turn = [*["multiply"] * 4, "add", "add", "shift", "add", *CLIP, *CLIP]  # u and v, and the input
    read = ["multiply", "multiply", "add", "add"]
    made = Facts([*(turn + read) * bank.modes, "shift", *CLIP], compartments=2 * bank.modes)
    made.bits["coefficients"] += bank.modes * (4 * bank.coefficient_bits + 2 * SHIFT)
    made.bits["state"] += bank.modes * 2 * bank.state_bits
    made.shared_bits["coefficients"] += 2 * SHIFT  # of the decays, of the drive
    if node.skip_mantissa.any():
        made.operations += ["multiply", "add"]
        made.bits["coefficients"] += bank.coefficient_bits + SHIFT
    return made


def _lifsoma(node: Any) -> Facts:
    operations = ["multiply", "shift", "add", *CLIP, "compare", "select"]
    return Facts(
        operations,
        neurons=1,
        bits=Counter(state=24),
        shared_bits=Counter(coefficients=17 + 12),  # threshold, decay
    )


def _gate(node: Any) -> Facts:
    half = ["multiply", "add", *CLIP]
    index = ["shift", "add", *CLIP, "look up"]
    gains = 2 * (node.rescale.bits + SHIFT + node.value_bits)
    table = len(node.sigmoid.table) * node.sigmoid.table_bits
    return Facts(
        [*half, *half, *index, "multiply", *CLIP],
        neurons=1,
        bits=Counter(coefficients=gains + SHIFT),
        shared_bits=Counter(tables=table, coefficients=SHIFT),
    )


def _normalize(node: Any) -> Facts:
    """A value and its square travel to the core's adder in half words; mean and root come back."""
    word = node.state_bits
    square = 2 * (word - 1) - node.square_shift
    halves = 2 + -(-square // (word // 2))
    operations = ["shift", "subtract", *["multiply", "shift", "add"] * 3]
    operations += ["shift", "cut"] * halves + ["multiply", "multiply", "add", *CLIP]
    return Facts(
        operations,
        neurons=1,
        own_messages=halves,
        own_synops=halves + 2,
        bits=Counter(
            weights=(halves + 2) * 8,
            coefficients=SHIFT + node.rescale.bits + SHIFT + node.output.bits,
            accumulators=2 * 2 * word,
            delays=6 * word,
        ),
        shared_bits=Counter(
            coefficients=node.reciprocal_bits + 2 * word + 3 * SHIFT,
            tables=384 * 16,
            accumulators=halves * 2 * word,
        ),
    )


def _accumulator(node: Any) -> Facts:
    return Facts(
        ["add", "add"],  # two words
        neurons=1,
        bits=Counter(state=48),
        shared_bits=Counter(coefficients=node.reciprocal_bits + 2 * SHIFT, state=24),
    )


@dataclass(frozen=True)
class Site:
    """A core's chip, and its router's column and row."""

    chip: int
    column: int
    row: int


def way(start: Site, end: Site) -> Iterator[tuple[str, tuple[Site, Site]]]:
    """Every hop: along the row, then the column; to another chip by both chips' first routers."""
    here = start
    while here != end:
        goal = end if here.chip == end.chip else Site(here.chip, 0, 0)
        if here.column != goal.column:
            there = Site(
                here.chip, here.column + (1 if goal.column > here.column else -1), here.row
            )
            kind = "hops_east_west"
        elif here.row != goal.row:
            row = here.row + (1 if goal.row > here.row else -1)
            there = Site(here.chip, here.column, row)
            kind = "hops_north_south"
        else:
            there = Site(here.chip + (1 if end.chip > here.chip else -1), 0, 0)
            kind = "hops_chips"
        yield kind, (here, there)
        here = there


class PlainCount:
    """A run of a network, counted.

    Parameters
    ----------
    network
        Lowered, whole.
    trace
        Every node's signal, (B, L, width).
    profile
        The target's constants.
    cores
        For each core in use its chip, its index there and what it ``holds``, as the report's JSON
        has them; empty for a target without cores.
    modes_are_neurons
        How dendrites are lowered.
    """

    def __init__(
        self,
        network: Network,
        trace: dict[str, Any],
        profile: Any,
        cores: list[dict[str, Any]],
        modes_are_neurons: bool = False,
    ) -> None:
        last = max(i for i, node in enumerate(network) if node.kind in HOST)
        self.entry = network.names[last]
        self.network, self.nodes = network, network.nodes[last + 1 :]
        self.order = network.names[last:]
        self.trace, self.profile, self.cores = trace, profile, cores
        self.sequences, self.steps, _ = trace[self.entry].shape
        self.facts = {node.name: facts_of(network, node, modes_are_neurons) for node in self.nodes}
        self.stage = self._stages()
        self.groups = self._groups()

    # --- structure

    def width(self, name: str) -> int:
        return self.network[name].width

    def readers(self, name: str) -> list[Any]:
        return [node for node in self.nodes if any(edge.source == name for edge in node.inputs)]

    def _stages(self) -> dict[str, int]:
        """How many dendrites that run backwards a node has to wait for."""
        stage = {self.entry: 0}
        for node in self.nodes:
            stage[node.name] = max(
                stage[s.name] + getattr(s, "reversed_time", False)
                for s in self.network.sources(node)
            )
        for node in self.nodes:  # a dendrite runs with what reads it: its input can be read again
            if node.kind == "Dendrite" and not node.reversed_time and self.readers(node.name):
                stage[node.name] = min(stage[reader.name] for reader in self.readers(node.name))
        return stage

    def _groups(self) -> dict[str, list[str]]:
        """Nodes that are one neuron, since nothing delays what they tell each other; by the first
        of each.
        """
        group = {node.name: {node.name} for node in self.nodes}
        for node in self.nodes:
            for edge in node.inputs:
                if waiting(node, edge) == 0 and edge.source != self.entry:
                    joined = group[node.name] | group[edge.source]
                    for name in joined:
                        group[name] = joined
        found = {}
        for node in self.nodes:
            members = [name for name in self.order if name in group[node.name]]
            found[members[0]] = members
        return found

    def channels(self, group: str) -> int:
        """Neurons of a group: synapses of a gate have two rows a neuron."""
        members = self.groups[group]
        return min(
            [self.width(n) for n in members if not is_synaptic(self.network[n])]
            or [self.width(members[-1])]
        )

    def crosses(self, node: Any, edge: Any) -> bool:
        """Whether an input comes in messages, rather than from within the neuron."""
        return is_synaptic(node) or waiting(node, edge) > 0 or edge.source == self.entry

    def is_late(self, node: Any, edge: Any) -> bool:
        """Whether a message is wanted in a later pass, one to one: it waits in a buffer."""
        later = self.stage[node.name] > self.stage[edge.source]
        return bool(self.cores) and later and not is_synaptic(node)

    @cached_property
    def buffered(self) -> dict[str, list[str]]:
        """Who reads each signal from a buffer. The host has its own signal anyway."""
        found = {}
        for name in self.order[1:]:
            readers = [
                reader.name
                for reader in self.readers(name)
                if self.stage[reader.name] > self.stage[name]
                or getattr(reader, "reversed_time", False)
            ]
            if readers:
                found[name] = readers
        return found

    def sends(self, name: str) -> bool:
        """Whether a node sends messages as it computes: not through a buffer."""
        if name != self.entry and self.network[name].kind == "LifSoma":
            return True
        return any(
            self.crosses(reader, edge) and not self.is_late(reader, edge)
            for reader in self.readers(name)
            for edge in reader.inputs
            if edge.source == name
        )

    @cached_property
    def homes(self) -> dict[tuple[str, int], int]:
        """The core of each channel of each node."""
        return {
            (name, channel): index
            for index, core in enumerate(self.cores)
            for part in core["holds"]
            for name in self.groups[part["population"]]
            for channel in range(self.width(name))
            if part["start"] <= channel % self.channels(part["population"]) < part["stop"]
        }

    @cached_property
    def sites(self) -> list[Site]:
        per_router = self.profile.mesh.cores_per_router.value
        columns = self.profile.mesh.router_columns.value
        routers = [(core["chip"], core["core"] // per_router) for core in self.cores]
        return [Site(chip, router % columns, router // columns) for chip, router in routers]

    # --- events

    @cached_property
    def events(self) -> dict[str, Counter[str]]:
        """Events of each node over all sequences."""
        events = {name: Counter(dict.fromkeys(EVENTS, 0)) for name in self.order}
        steps = self.sequences * self.steps
        for node in self.nodes:
            facts, count = self.facts[node.name], events[node.name]
            for _ in range(node.width * steps):
                if not facts.compartments:
                    count["neuron_updates"] += facts.neurons
                    count["membrane_updates"] += node.kind == "LifSoma"
                count["compartment_updates"] += facts.compartments
                count["operations"] += len(facts.operations)
                count["neuron_macs"] += facts.operations.count("multiply")
                if self.cores:
                    count["macs"] += facts.own_synops
                    for kind in ("messages", "deliveries", "neuron_messages", "neuron_deliveries"):
                        count[kind] += facts.own_messages
            for edge in node.inputs:
                if self.crosses(node, edge):
                    self._count_path(events, node, edge)
        for name in self.order:
            self._count_sent(events[name], name)
        return events

    def _count_sent(self, count: Counter[str], name: str) -> None:
        if self.sends(name):
            sent = int(np.count_nonzero(self.trace[name]))
            count["messages"] += sent
            count["neuron_messages"] += 0 if name == self.entry else sent
        if not self.cores:
            return
        for _ in range(self.sequences * self.steps):
            for _ in range(self.width(name) if name in self.buffered else 0):
                for kind in ("messages", "deliveries", "neuron_messages", "neuron_deliveries"):
                    count[kind] += 1  # into the buffer, whatever it is
                for _ in self.buffered[name]:
                    for kind in ("messages", "deliveries", "macs"):
                        count[kind] += 1  # and back

    def _count_path(self, events: dict[str, Counter[str]], node: Any, edge: Any) -> None:
        """Follow each message of an input."""
        source, count = edge.source, events[node.name]
        kind = "acs" if self.network[source].kind == "LifSoma" else "macs"
        for signal in self.trace[source]:
            spoke = 0
            for channels in (np.flatnonzero(step) for step in signal):
                spoke += len(channels) > 0
                for channel in channels:
                    self._count_message(events[source], count, kind, node, edge, int(channel))
            if is_synaptic(node):  # one message a sequence can come out of a pool
                pooled = source != self.entry and self.network[source].kind == "Accumulator"
                wired = sum(map(len, self.wired[node.name].values()))
                count["dense"] += wired * (1 if pooled else self.steps)

    def _count_message(
        self,
        sender: Counter[str],
        receiver: Counter[str],
        kind: str,
        node: Any,
        edge: Any,
        channel: int,
    ) -> None:
        targets = self.targets(node, channel)
        if is_synaptic(node):
            receiver[kind] += len(targets)
            weights = [weight for _, weight in self.wired[node.name].get(channel, ())]
            receiver[f"effective_{kind}"] += int(np.count_nonzero(weights))
        elif self.cores and not self.is_late(node, edge):
            receiver[kind] += 1
        if not self.cores or self.is_late(node, edge):
            return
        for core in {self.homes[node.name, target] for target in targets}:
            sender["deliveries"] += 1
            sender["neuron_deliveries"] += edge.source != self.entry
            for hop, _ in way(self._start(edge.source, channel), self.sites[core]):
                sender[hop] += 1

    def targets(self, node: Any, channel: int) -> list[int]:
        """The channels that a message reaches."""
        if is_synaptic(node):
            return [target for target, _ in self.wired[node.name].get(channel, ())]
        return [channel]

    @cached_property
    def wired(self) -> dict[str, dict[int, list[tuple[int, int]]]]:
        """What each channel that synapses read reaches."""
        return {node.name: connections(node) for node in self.nodes if is_synaptic(node)}

    def _start(self, source: str, channel: int) -> Site:
        return Site(0, 0, 0) if source == self.entry else self.sites[self.homes[source, channel]]

    # --- layers

    def layers(self) -> list[dict[str, Any]]:
        """Each layer, in the network's order, as in the report's JSON."""
        names: dict[str, list[str]] = {}
        for name in self.order:
            first, _, rest = name.partition(".")
            layer = f"{first}.{rest.partition('.')[0]}" if first == "layers" else first
            names.setdefault(layer, []).append(name)
        return [self.layer(name, members) for name, members in names.items()]

    def total(self) -> dict[str, Any]:
        return self.layer("total", list(self.order))

    def layer(self, name: str, members: list[str]) -> dict[str, Any]:
        own = [node for node in self.nodes if node.name in members]
        somas = [node.name for node in own if node.kind == "LifSoma"]
        spikes = [np.count_nonzero(self.trace[soma], axis=(0, 1)) for soma in somas]
        weights = [
            weight
            for node in own
            for reached in self.wired.get(node.name, {}).values()
            for _, weight in reached
        ]
        zeros, synapses = weights.count(0), len(weights)
        events = self._events_of(members)
        steps = self.sequences * self.steps
        senders = [n for n in members if any(is_synaptic(r) for r in self.readers(n))]
        return {
            "name": name,
            "nodes": members,
            "neurons": sum(self.facts[n.name].neurons * n.width for n in own),
            "compartments": sum(self.facts[n.name].compartments * n.width for n in own),
            "synapses": synapses,
            "nonzero_synapses": synapses - zeros,
            "cores": self._cores_of(members) if self.cores else None,
            "spike_rate": self._rate(somas),
            "activation_sparsity": 1 - self._rate(senders) if senders else None,  # type: ignore[operator]
            "connection_sparsity": zeros / synapses if synapses else None,
            "silent_neurons": sum(int(np.sum(count == 0)) for count in spikes),
            "always_firing_neurons": sum(int(np.sum(count == steps)) for count in spikes),
            "memory_bytes": in_bytes(sum((self._bits_of(n) for n in own), Counter())),
            "events": events,
            "dynamic_energy_j": self._priced(events),
        }

    def _rate(self, names: list[str]) -> float | None:
        sent = possible = 0
        for name in names:
            sent += int(np.count_nonzero(self.trace[name]))
            pooled = name != self.entry and self.network[name].kind == "Accumulator"
            possible += self.width(name) * self.sequences * (1 if pooled else self.steps)
        return sent / possible if possible else None

    def _events_of(self, members: list[str]) -> dict[str, float]:
        counted: Counter[str] = Counter(dict.fromkeys(EVENTS, 0))
        for name in members:
            counted.update(self.events[name])
        lif_updates = counted.pop("operations") / ONE_UPDATE
        return {**counted, "lif_updates": lif_updates}

    def _cores_of(self, members: list[str]) -> int:
        return sum(
            any(set(self.groups[part["population"]]) & set(members) for part in core["holds"])
            for core in self.cores
        )

    def _bits_of(self, node: Any) -> Counter[str]:
        bits = Counter(self.facts[node.name].shared_bits)
        for _ in range(node.width):
            bits.update(self.facts[node.name].bits)
        bits.update(self._filters_of(node.name, range(node.width)))
        return bits

    def _filters_of(self, name: str, channels: Iterable[int]) -> dict[str, int]:
        """Bits of the filters, each once, that some channels of a node have."""
        facts = self.facts[name]
        return {"weights": facts.filter_bits * len({c // facts.places for c in channels})}

    def _priced(self, events: dict[str, float]) -> dict[str, float]:
        joules = dict.fromkeys(BOUNDS, 0.0)
        for constant, kind in PRICES.items():
            price = getattr(self.profile.energy, constant)
            for bound in BOUNDS if price is not None else ():
                joules[bound] += getattr(price, bound) * 1e-12 * events[kind]
        return joules

    def core_sizes(self) -> list[dict[str, Any]]:
        """Neurons and memory of each core."""
        sizes = []
        for core in self.cores:
            neurons, bits = 0, Counter()
            for part in core["holds"]:
                group, channels = part["population"], part["stop"] - part["start"]
                for name in self.groups[group]:
                    facts = self.facts[name]
                    times = channels * (self.width(name) // self.channels(group))
                    neurons += facts.neurons * times
                    bits.update(facts.shared_bits)
                    for kind, each in facts.bits.items():
                        bits[kind] += each * times
                    held = [
                        channel
                        for channel in range(self.width(name))
                        if part["start"] <= channel % self.channels(group) < part["stop"]
                    ]
                    bits.update(self._filters_of(name, held))
            sizes.append({"neurons": neurons, "memory_bytes": in_bytes(bits)})
        return sizes

    def buffer_bytes(self) -> int:
        """What layers that run backwards keep of a sequence."""
        bits = sum(self.width(n) * self.network[n].output.bits for n in self.buffered)  # type: ignore[attr-defined]
        return -(-bits * self.steps // 8)

    # --- time

    def constants(self, bound: str = "typical", **changed: float) -> dict[str, float]:
        """Nanoseconds by key."""
        given = {
            key: getattr(self.profile.time, key) for key in type(self.profile.time).model_fields
        }
        found = {k: 0.0 if v is None else float(getattr(v, bound)) for k, v in given.items()}
        return {**found, **changed}

    def pipeline_steps(self) -> int:
        """Steps from an input to the answer to it."""
        latency = {self.entry: 0}
        for node in self.nodes:
            arrived = max(latency[edge.source] + edge.delay for edge in node.inputs)
            in_modes = (
                2 if self.facts[node.name].compartments and self.facts[node.name].neurons else 0
            )
            latency[node.name] = arrived + in_modes
        return latency[self.order[-1]]

    @cached_property
    def passes(self) -> list[list[Step]]:
        """Every pass over a sequence, step by step; one step stands for all of a reversed one."""
        found = []
        for stage in range(max(self.stage.values()) + 1):
            members = {
                node.name
                for node in self.nodes
                if self.stage[node.name] == stage and not getattr(node, "reversed_time", False)
            }
            found.append(
                [
                    self._step(members, (sequence, step))
                    for sequence in range(self.sequences)
                    for step in range(self.steps)
                ]
            )
        backwards = [node.name for node in self.nodes if getattr(node, "reversed_time", False)]
        return found + [[self._step({name}, None)] for name in backwards]

    def _step(self, members: set[str], at: tuple[int, int] | None) -> Step:
        step = Step()
        for name in sorted(members):
            node, facts = self.network[name], self.facts[name]
            for channel in range(node.width):
                core = self.homes[name, channel]
                step.neurons[core]["operations"] += len(facts.operations)
                step.synapses[core]["mac_ns"] += facts.own_synops
                for _ in range(facts.own_messages):
                    step.neurons[core].update(("spike_out_ns", "message_out_ns"))
                    self._arrive(step, core)
                for readers in self.buffered.values():
                    for _ in range(readers.count(name)):
                        step.synapses[core]["mac_ns"] += 1
                        self._arrive(step, core)
                if name in self.buffered:
                    step.neurons[core].update(("spike_out_ns", "message_out_ns"))
                if at and self.sends(name) and self.trace[name][at][channel]:
                    step.neurons[core]["spike_out_ns"] += 1
            for edge in node.inputs:
                if at and self.crosses(node, edge) and not self.is_late(node, edge):
                    for channel in np.flatnonzero(self.trace[edge.source][at]):
                        self._carry(step, node, edge.source, int(channel))
        return step

    def _carry(self, step: Step, node: Any, source: str, channel: int) -> None:
        kind = "ac_ns" if self.network[source].kind == "LifSoma" else "mac_ns"
        targets = self.targets(node, channel)
        for target in targets:
            step.synapses[self.homes[node.name, target]][kind] += 1
        for core in {self.homes[node.name, target] for target in targets}:
            if source != self.entry:
                step.neurons[self.homes[source, channel]]["message_out_ns"] += 1
            self._arrive(step, core)
            for hop, link in way(self._start(source, channel), self.sites[core]):
                step.links[link][hop.removeprefix("hops_")] += 1

    def _arrive(self, step: Step, core: int) -> None:
        step.synapses[core]["message_in_ns"] += 1
        step.routers[self.sites[core]] += 1

    def pass_steps(self) -> float:
        """Steps of each pass: the sequence's, and its share of what fills the pipeline."""
        return self.steps + self.pipeline_steps() / len(self.passes)

    def sequence_s(self, constants: dict[str, float]) -> float:
        means = [
            np.mean([max(step.parts(constants).values()) for step in steps])
            for steps in self.passes
        ]
        return float(sum(means)) * self.pass_steps() * 1e-9

    def time(self) -> dict[str, Any]:
        """The report's ``time``."""
        typical = self.constants()
        whole = {bound: self.sequence_s(self.constants(bound)) for bound in BOUNDS}
        run = self.pass_steps() * len(self.passes)
        step = {bound: seconds / run for bound, seconds in whole.items()}
        parts = [[step.parts(typical) for step in steps] for steps in self.passes]
        waits = 1 + self.pipeline_steps()
        slowest = max(max(each.values()) for steps in parts for each in steps)
        loads = [max(load.values()) for load in self.core_loads()]
        return {
            "step_s": step,
            "slowest_step_s": slowest * 1e-9,
            "sampled_steps": len(self.passes[0]),
            "limited_by": _shares(parts),
            "passes": len(self.passes),
            "pipeline_steps": self.pipeline_steps(),
            "token_s": {b: s * waits for b, s in step.items()} if len(self.passes) == 1 else None,
            "sequence_s": whole,
            "sequences_per_second": 1 / whole["typical"],
            "balance": max(loads) / np.mean(loads),
        }

    def core_loads(self) -> list[dict[str, float]]:
        """Mean nanoseconds a step that each core's two stages take, over all passes."""
        t, loads = self.constants(), []
        for core in range(len(self.cores)):
            neurons = [np.mean([s.neurons_ns(core, t) for s in steps]) for steps in self.passes]
            synapses = [np.mean([s.synapses_ns(core, t) for s in steps]) for steps in self.passes]
            loads.append({"neurons_ns": float(sum(neurons)), "synapses_ns": float(sum(synapses))})
        return loads

    # --- energy

    def energy(self) -> dict[str, Any]:
        """The report's ``energy_per_sequence``, of a target with idle power."""
        power = self.profile.power.static_per_chip_mw
        chips = len({core["chip"] for core in self.cores})
        dynamic = {b: j / self.sequences for b, j in self.total()["dynamic_energy_j"].items()}
        seconds = {bound: self.sequence_s(self.constants(bound)) for bound in BOUNDS}
        static = {b: getattr(power, b) * 1e-3 * chips * seconds[b] for b in BOUNDS}
        total = {b: dynamic[b] + static[b] for b in BOUNDS}
        return {
            "dynamic_j": dynamic,
            "static_j": static,
            "total_j": total,
            "delay_product_js": {b: total[b] * seconds[b] for b in BOUNDS},
        }

    def as_papers_count(self) -> dict[str, float]:
        """Spiking layers as artificial ones, with spikes, and what such counts leave out."""
        spiking = [
            node.name
            for node in self.nodes
            if is_synaptic(node) and self.network[node.inputs[0].source].kind == "LifSoma"
        ]
        ann = sum(int(self.events[name]["dense"]) for name in spiking)
        snn = sum(int(self.events[name]["acs"]) for name in spiking)
        modes = sum(n.width * n.bank.modes for n in self.nodes if n.kind == "Dendrite")
        recurrence = 6 * modes * self.sequences * self.steps
        price = self.profile.energy
        everything = self.total()["events"]
        return {
            "ann_macs": ann,
            "ann_j": ann * price.mac_pj.typical * 1e-12,
            "snn_acs": snn,
            "snn_j": snn * price.ac_pj.typical * 1e-12,
            "recurrence_macs": recurrence,
            "recurrence_j": recurrence * price.neuron_mac_pj.typical * 1e-12,
            "everything_j": 1e-12
            * (
                everything["acs"] * price.ac_pj.typical
                + everything["macs"] * price.mac_pj.typical
                + everything["neuron_macs"] * price.neuron_mac_pj.typical
            ),
        }


EVENTS = (
    "dense", "effective_acs", "effective_macs", "acs", "macs", "neuron_updates",
    "compartment_updates", "membrane_updates", "operations", "neuron_macs", "messages",
    "deliveries", "neuron_messages", "neuron_deliveries", "hops_east_west", "hops_north_south",
    "hops_chips",
)  # fmt: skip


class Step:
    """What one step has each core, router and link do, by the constant that times it."""

    def __init__(self) -> None:
        self.neurons: dict[int, Counter[str]] = defaultdict(Counter)
        self.synapses: dict[int, Counter[str]] = defaultdict(Counter)
        self.links: dict[tuple[Site, Site], Counter[str]] = defaultdict(Counter)
        self.routers: Counter[Site] = Counter()

    def neurons_ns(self, core: int, t: dict[str, float]) -> float:
        done = self.neurons[core]
        sending = sum(done[key] * t[key] for key in ("spike_out_ns", "message_out_ns"))
        return sending + done["operations"] / ONE_UPDATE * t["neuron_update_ns"]

    def synapses_ns(self, core: int, t: dict[str, float]) -> float:
        return sum(count * t[key] for key, count in self.synapses[core].items())

    def parts(self, t: dict[str, float]) -> dict[str, float]:
        """The longest of each kind, nanoseconds. From chip to chip there is no figure."""
        links = [
            count * t[f"hop_{kind}_ns"]
            for each in self.links.values()
            for kind, count in each.items()
            if kind != "chips"
        ]
        routers = [count * t["within_tile_ns"] for count in self.routers.values()]
        return {
            "neurons": max(self.neurons_ns(core, t) for core in list(self.neurons)),
            "synapses": max([self.synapses_ns(core, t) for core in list(self.synapses)] or [0.0]),
            "links": max([*links, *routers] or [0.0]),
            "barrier": t["barrier_ns"],
        }


def _shares(parts: list[list[dict[str, float]]]) -> dict[str, float]:
    """In what share of the steps each part took longest."""
    shares: Counter[str] = Counter()
    for steps in parts:
        for each in steps:
            shares[max(each, key=lambda kind: each[kind])] += 1 / len(steps) / len(parts)  # type: ignore[assignment]
    return dict(shares)


def in_bytes(bits: Counter[str]) -> dict[str, float]:
    """Give memory as the report's JSON does."""
    return {**{kind: bits[kind] / 8 for kind in BITS}, "total": -(-sum(bits.values()) // 8)}
