"""Every figure that a report publishes, against an independent count; and no figure may be off.

``plain_count`` counts message by message. That it would see a figure off by one is shown, too:
each figure is changed where the code counts it, and the check must fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import lowered
import numpy as np
import pytest
from host_makers import token_input
from plain_count import PlainCount

from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Result, Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.mapping import cost, populations
from snn_deploy.mapping.cost import Memory, NodeCost
from snn_deploy.mapping.profile import Profile, load_profile
from snn_deploy.nodes.embedding_table import Cluster, EmbeddingTable
from snn_deploy.reports import energy, events, report, timing
from snn_deploy.reports.events import Events
from snn_deploy.reports.loads import PassLoads
from snn_deploy.reports.report import build_report

SEQUENCES, STEPS = 2, 12
TOKENS = 9


def token_network() -> Network:
    """As ``lowered.network``, behind a table of tokens that the host holds."""
    made = lowered.network(channels=7, layers=2)
    table = np.random.default_rng(4).integers(-60, 61, (TOKENS, 7)).astype(np.int16)
    stages = (
        token_input(TOKENS),
        EmbeddingTable(
            name="encoder",
            inputs=(Edge("input"),),
            output=lowered.S16,
            channels=7,
            clusters=(Cluster(table),),
        ),
    )
    network = replace(made, nodes=(*stages, *made.nodes[3:]))
    verify_network(network)
    return network


NETWORKS: dict[str, Callable[[], Network]] = {
    "causal": lambda: lowered.network(channels=7, layers=2),
    "bidirectional": lambda: lowered.network(channels=5, layers=2, reverse=True),
    "tokens": token_network,
    "layer norm": lambda: lowered.network(channels=5, layers=2, normed=True),
    "convolution": lowered.convolutional,
}
SMALL_CHIPS = {  # so small that the networks take several of them
    "limits.chips": 40,
    "limits.cores_per_chip": 4,
    "limits.neurons_per_core": 12,
    "mesh.cores_per_router": 1,
    "mesh.router_columns": 2,
    "mesh.router_rows": 2,
}
GIVEN = {"time.message_in_ns": 2.5, "time.barrier_ns": 1.0, "energy.message_in_pj": 1.5}


@dataclass(frozen=True, eq=False)
class Case:
    """A network, a target, and a run."""

    network: Network
    profile: Profile
    result: Result

    def document(self, lowering: Any = None, both: bool = False) -> dict[str, Any]:
        """Give the report's JSON, with ``both`` lowerings side by side."""
        made = build_report(
            self.network, self.profile, [self.result], STEPS, lowering=lowering, compare=both
        )
        return made.to_json()

    def count(self, document: dict[str, Any]) -> PlainCount:
        """Count anew what a report counted, on the cores that it chose."""
        placed = document["placement"] or {"cores": [], "lowering": "channel"}
        in_modes = placed["lowering"] == "mode"
        trace = dict(self.result.trace)
        return PlainCount(self.network, trace, self.profile, placed["cores"], in_modes)


def check(document: dict[str, Any], plain: PlainCount) -> None:
    """Compare all that a report says with the plain count.

    Raises
    ------
    AssertionError
        If any figure differs.
    """
    for key, value in expected_document(plain).items():
        compare(document[key], value, key)
    for each in document["lowerings"]:
        if each["lowering"] == document["placement"]["lowering"]:
            compare(each, lowering_of(plain), "lowerings")
    if plain.cores:
        check_influences(document["sensitivity"], plain)


@cache
def expected_document(plain: PlainCount) -> dict[str, Any]:
    """What the JSON must hold, but for names and words."""
    total = plain.total()
    per_sequence = 1 / plain.sequences
    found = {
        "layers": plain.layers(),
        "total": total,
        "buffer_bytes": plain.buffer_bytes(),
        "neurobench": {
            "footprint": total["memory_bytes"]["total"],
            "connection_sparsity": total["connection_sparsity"],
            "activation_sparsity": total["activation_sparsity"],
            "synaptic_operations": {
                key: total["events"][key] * per_sequence
                for key in ("dense", "effective_macs", "effective_acs")
            },
            "membrane_updates": total["events"]["membrane_updates"] * per_sequence,
        },
    }
    if not plain.cores:
        return {**found, "as_papers_count": plain.as_papers_count()}
    sizes = [
        {**size, "mean_load_ns": load, "column": site.column, "row": site.row}
        for size, load, site in zip(
            plain.core_sizes(), plain.core_loads(), plain.sites, strict=True
        )
    ]
    return {
        **found,
        "placement": {"cores": sizes, "chips": len({core["chip"] for core in plain.cores})},
        "time": plain.time(),
        "energy_per_sequence": plain.energy(),
    }


def lowering_of(plain: PlainCount) -> dict[str, Any]:
    return {
        "neurons": plain.total()["neurons"],
        "memory_bytes": sum(size["memory_bytes"]["total"] for size in plain.core_sizes()),
        "dynamic_j": plain.energy()["dynamic_j"],
    }


def check_influences(influences: list[dict[str, Any]], plain: PlainCount) -> None:
    """What each constant of time does, timed anew with it alone at either end."""
    joules = plain.energy()
    dynamic, static = (joules[key]["typical"] for key in ("dynamic_j", "static_j"))
    seconds = plain.sequence_s(plain.constants())
    for influence in influences:
        section, _, key = influence["constant"].partition(".")
        if section == "time":
            for bound in ("low", "high"):
                moved = getattr(getattr(plain.profile.time, key), bound)
                taken = plain.sequence_s(plain.constants(**{key: moved}))
                total = dynamic + static * taken / seconds
                compare(influence[f"{bound}_s"], taken, influence["constant"])
                compare(influence[f"{bound}_j"], total, influence["constant"])


def compare(found: Any, expected: Any, where: str) -> None:
    """Compare what is expected, to the last integer; real numbers as far as floats go."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            compare(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            compare(one, other, f"{where}[{index}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-30), where
    else:
        assert found == expected, where


@cache
def case(name: str, target: str = "loihi2", small: bool = False, **settings: float) -> Case:
    network = NETWORKS[name]()
    profile = load_profile(target)
    if target == "loihi2":
        more = SMALL_CHIPS if small else {}
        profile = profile.with_overrides({**GIVEN, **more, **dotted(settings)})
    random = np.random.default_rng(3)
    shape = (SEQUENCES, STEPS, network.input.width)
    tokens = name == "tokens"
    inputs = random.integers(0, TOKENS, shape) if tokens else random.integers(-60, 61, shape)
    run = Run(inputs.astype(np.int64), np.full(SEQUENCES, STEPS), network.names)
    return Case(network, profile, run_whole(ReferenceEngine(), network, run))


def dotted(settings: dict[str, float]) -> dict[str, float]:
    return {key.replace("__", "."): value for key, value in settings.items()}


@pytest.mark.parametrize("small", [False, True], ids=["one chip", "small chips"])
@pytest.mark.parametrize("lowering", ["channel", "mode"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_figure_is_the_plain_count_s(name: str, lowering: str, small: bool) -> None:
    one = case(name, small=small)
    document = one.document(lowering, both=True)
    has_modes = any(node.modes is not None for node in one.network)
    assert len(document["lowerings"]) == (2 if has_modes else 0)
    assert (document["placement"]["chips"] > 1) == small
    check(document, one.count(document))


@pytest.mark.parametrize("name", NETWORKS)
def test_arithmetic_alone_is_the_plain_count_s(name: str) -> None:
    one = case(name, "algorithm_45nm")
    document = one.document()
    check(document, one.count(document))


# --- and if a figure were off?


@cache
def expected(one: Case) -> PlainCount:
    """What is right: before anything is spoilt."""
    document = one.document("channel")
    plain = one.count(document)
    check(document, plain)
    return plain


def assert_seen(one: Case, spoil: Callable[[], None]) -> None:
    plain = expected(one)
    spoil()
    with pytest.raises(AssertionError):
        check(one.document("channel"), plain)


EVENTS = [field.name for field in fields(Events)]


@pytest.mark.parametrize("target", ["loihi2", "algorithm_45nm"])
@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_too_many_is_seen(monkeypatch: pytest.MonkeyPatch, kind: str, target: str) -> None:
    def spoilt(network: Network, *rest: Any) -> dict[str, Events]:
        counted = count_events(network, *rest)
        counted["layers.1.lif"] += Events(**{kind: 1})
        return counted

    count_events = report.count_events
    one = case("causal", target)
    assert_seen(one, lambda: monkeypatch.setattr(report, "count_events", spoilt))


COSTS = [field.name for field in fields(NodeCost) if field.type == "int"][1:]
BITS = [(where, field.name) for where in ("memory", "shared", "runs") for field in fields(Memory)]
KINDS = {
    "SharedSynapses": "layers.1.mix.synapses",
    "Synapses": "layers.0.mix.synapses",
    "Requantize": "layers.1.residual",
    "Dendrite": "layers.0.ssm",
    "LifSoma": "layers.1.lif",
    "Gate": "layers.0.glu",
    "Normalize": "layers.1.norm",
    "Accumulator": "decoder.pool",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "figure", [*COSTS, *BITS], ids=lambda f: f if type(f) is str else ".".join(f)
)
def test_a_node_that_costs_one_more_is_seen(
    monkeypatch: pytest.MonkeyPatch, figure: str | tuple[str, str], kind: str
) -> None:
    def spoilt(network: Network, node: Any, *rest: Any) -> NodeCost:
        found = cost_node(network, node, *rest)
        if node.name != KINDS[kind]:
            return found
        if isinstance(figure, str):
            return replace(found, **{figure: getattr(found, figure) + 1})
        where, part = figure
        more = Memory(**{part: 1})
        if where == "runs":
            return replace(found, runs=replace(found.runs, memory=found.runs.memory + more))
        return replace(found, **{where: getattr(found, where) + more})

    def spoil() -> None:
        monkeypatch.setattr(cost, "cost_node", spoilt)
        monkeypatch.setattr(populations, "cost_node", spoilt)

    cost_node = cost.cost_node
    assert_seen(case("convolution" if kind == "SharedSynapses" else "layer norm"), spoil)


@pytest.mark.parametrize("figure", ["messages", "chances", "by_step", "silent", "always"])
def test_activity_that_is_off_is_seen(monkeypatch: pytest.MonkeyPatch, figure: str) -> None:
    def spoilt(*given: Any) -> Any:
        found = gather_activity(*given)
        counts = dict(getattr(found, figure))
        changed = np.array(counts["layers.0.lif"])
        changed[(0,) * changed.ndim] += 1
        counts["layers.0.lif"] = changed
        return replace(found, **{figure: counts})

    gather_activity = report.gather_activity
    one = case("causal")
    assert_seen(one, lambda: monkeypatch.setattr(report, "gather_activity", spoilt))


DECISIVE = {
    "routers": "time__within_tile_ns",
    "links_east_west": "time__hop_east_west_ns",
    "links_north_south": "time__hop_north_south_ns",
}


@pytest.mark.parametrize("name", ["causal", "bidirectional"])
@pytest.mark.parametrize("figure", [field.name for field in fields(PassLoads)])
def test_a_load_that_is_off_is_seen(
    monkeypatch: pytest.MonkeyPatch, figure: str, name: str
) -> None:
    """Of what only the slowest counts, it must be that which is off: all of a kind are."""

    def spoilt(*given: Any) -> list[PassLoads]:
        found = count_loads(*given)
        changed = getattr(found[0], figure) + 1
        return [replace(found[0], **{figure: changed}), *found[1:]]

    count_loads = timing.count_loads
    dear = {DECISIVE[figure]: 500.0} if figure in DECISIVE else {}
    one = case(name, small="north" in figure, **dear)
    assert_seen(one, lambda: monkeypatch.setattr(timing, "count_loads", spoilt))


@pytest.mark.parametrize("key", [key for _, key, _ in energy.PRICED])
def test_a_price_left_out_is_seen(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    kept = tuple(entry for entry in energy.PRICED if entry[1] != key)
    one = case(
        "causal", "algorithm_45nm" if key == "neuron_mac_pj" else "loihi2", small="north" in key
    )
    assert_seen(one, lambda: monkeypatch.setattr(energy, "PRICED", kept))


OTHERS: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
    "steps through the pipeline": (timing, "pipeline_steps", lambda steps: steps + 1),
    "hops": (events, "count_hops", lambda hops: replace(hops, east_west=hops.east_west + 1)),
    "what one chip draws": (
        report,
        "static_energy",
        lambda item: replace(item, energy_j=item.energy_j * 2),
    ),
    "bits in a buffer": (
        report,
        "buffered_signals",
        lambda signals: tuple(replace(signal, bits=signal.bits + 1) for signal in signals),
    ),
    "layers": (report, "layer_of", lambda name: "layers.0" if name == "layers.1" else name),
    "what papers leave out": (
        report,
        "count_as_papers_do",
        lambda paper: paper and replace(paper, recurrence_macs=paper.recurrence_macs + 1),
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_anything_else_that_is_off_is_seen(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    where, name, change = OTHERS[what]
    right = getattr(where, name)
    papers = name == "count_as_papers_do"
    one = case("causal", "algorithm_45nm") if papers else case("bidirectional")

    def spoilt(*given: Any) -> Any:
        return change(right(*given))

    assert_seen(one, lambda: monkeypatch.setattr(where, name, spoilt))
