"""Is a network legal on a target? Every rule that it breaks, in one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from snn_deploy.errors import TargetError
from snn_deploy.ir.formats import SPIKE
from snn_deploy.ir.host import chip_part, entering
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.timing import path_delay
from snn_deploy.mapping.host import host_work
from snn_deploy.mapping.placement import place_network
from snn_deploy.mapping.populations import find_populations, state_per_neuron_bytes
from snn_deploy.mapping.profile import Profile

__all__ = ["Violation", "check_target", "find_notices", "find_violations", "grouped"]

SUCH_AS = "choose a target that can, such as loihi2"
_LACKS = {
    "programmable_neurons": (
        "it runs as a neuron program, and the target has no programmable neurons",
        SUCH_AS,
    ),
    "lif_neurons": ("the target has no such neuron", SUCH_AS),
    "tables": ("its neurons cannot look a table up", SUCH_AS),
    "reversed_time": (
        "the target cannot run a dendrite backwards over a buffered sequence",
        "convert a causal network (bidirectional: false)",
    ),
    "product_sums": (
        "it rounds the sum of two products once, the target's neurons shift each product",
        "convert with --set dendrite_sums=each",
    ),
}
"""By capability: what a target lacks without it, and what to do."""
MOST_NODES_NAMED = 3


@dataclass(frozen=True)
class Violation:
    """One rule that one node breaks.

    Parameters
    ----------
    rule
        The profile's key, e.g. ``limits.sum_bits``.
    node
        Name of the node.
    problem
        What the node asks for against what the target has.
    advice
        What to change.
    kind
        Of the node, where no node of its kind can do what is asked for.
    """

    rule: str
    node: str
    problem: str
    advice: str
    kind: str = ""


def check_target(network: Network, profile: Profile) -> tuple[str, ...]:
    """Check a lowered network against every rule of a target, and that it fits.

    Returns
    -------
    What is allowed but worth saying, see :func:`find_notices`.

    Raises
    ------
    TargetError
        With every broken rule: which nodes, their value against the limit, and what to change.
    """
    violations = find_violations(network, profile)
    chip = chip_part(network)
    if violations:
        lines = "".join(f"\n  {line}" for line in grouped(violations))
        raise TargetError(f"target '{profile.name}' cannot run this network:{lines}")
    if profile.cores is not None:
        place_network(chip, profile, objective="cores")
    return find_notices(network, profile)


def find_violations(network: Network, profile: Profile) -> tuple[Violation, ...]:
    """List the rules that single nodes break, and what keeps all from a board or an FPGA; whether
    all fit onto a chip's cores is the placement's matter.
    """
    entries = {node.name: node for node in entering(network)}
    on_board = _check_board(network, profile)
    network = chip_part(network)
    # what no setting can change comes first
    most_telling_first = sorted(network, key=lambda node: node.modes is None)
    return (
        *(v for node in most_telling_first for v in _check_kind(node, profile)),
        *(v for node in network for v in _check_messages(network, node, profile)),
        *(v for node in network for v in _check_widths(network, node, entries, profile)),
        *_check_state(network, profile),
        *on_board,
    )


def find_notices(network: Network, profile: Profile) -> tuple[str, ...]:
    """Say what the target allows but the user should know."""
    told = []
    at_host = host_work(network)
    if at_host:
        told.append(f"on the host: {', '.join(map(str, at_host))}")
    backwards = [node.name for node in network if node.runs_backwards]
    if backwards:
        told.append(
            f"{_name_some(backwards)}: run backwards in time, so the network cannot stream; "
            "each sequence is buffered and these layers take two passes over it"
        )
    reducing = [node.name for node in network if node.reductions]  # type: ignore[attr-defined]
    if reducing and profile.cores is not None:
        told.append(
            f"{_name_some(reducing)}: that layer norms and maxima can run as neuron programs, with "
            "what is found over channels as messages, is assumed: none is known to have run on "
            f"{profile.name}"
        )
    return tuple(told)


def grouped(violations: tuple[Violation, ...]) -> Iterator[str]:
    """One line for each problem, naming the nodes that share it."""
    shared: dict[tuple[str, str, str], list[Violation]] = {}
    for v in violations:
        shared.setdefault((v.rule, v.problem, v.advice), []).append(v)
    for (rule, problem, advice), group in shared.items():
        kinds = ", ".join(dict.fromkeys(v.kind for v in group if v.kind))
        named = _name_some([v.node for v in group]) + (f" ({kinds})" if kinds else "")
        yield f"{rule}: {named}: {problem}; {advice}"


def _name_some(names: list[str]) -> str:
    told = ", ".join(f"'{name}'" for name in names[:MOST_NODES_NAMED])
    more = len(names) - MOST_NODES_NAMED
    return f"{told} and {more} more" if more > 0 else told


def _check_kind(node: Any, profile: Profile) -> Iterator[Violation]:
    for capability in node.needs:
        if not getattr(profile.supports, capability):
            told, advice = _LACKS[capability]
            yield Violation(f"supports.{capability}", node.name, told, advice, node.kind)
            return
    made_for, there = node.lif_registers, profile.lif.registers
    if made_for is not None and made_for != there:
        problem = f"its LIF has {made_for}; the target's has {there}"
        yield Violation("lif", node.name, problem, "convert for this target")


def _check_messages(network: Network, node: Any, profile: Profile) -> Iterator[Violation]:
    if profile.supports.graded_messages or not _sends(network, node) or node.output == SPIKE:
        return
    yield Violation(
        "supports.graded_messages",
        node.name,
        "sends numbers, the target only bare spikes",
        SUCH_AS,
    )


def _check_widths(
    network: Network, node: Any, entries: Mapping[str, Node], profile: Profile
) -> Iterator[Violation]:
    for rule, settings, bits in _widths(network, node, entries):
        limit = profile.limits.get(rule)
        if rule == "message_bits" and not profile.supports.graded_messages:
            continue  # has its own rule
        if limit is not None and bits > limit:
            what = rule.removesuffix("_bits")
            yield Violation(
                f"limits.{rule}",
                node.name,
                f"a {what} of {bits} bits, the target has {limit}",
                "convert with " + " ".join(f"--set {name}={limit}" for name in settings.split()),
            )


def _widths(
    network: Network, node: Any, entries: Mapping[str, Node]
) -> Iterator[tuple[str, str, int]]:
    """Give each width that a limit is set for: the limit, the settings that chose it, the bits.

    ``entries`` are, by name, the nodes that the host computes the chip's inputs by.
    """
    if _sends(network, node) and node.output != SPIKE:
        setting = "message_bits"
        if node.is_input:
            entry = entries[node.name]
            encodes = entry.is_input or not entry.clips  # type: ignore[attr-defined]  # integer
            setting = "input_bits" if encodes else "residual_bits"
        yield "message_bits", setting, node.output.bits
    yield from node.widths(network)


def _sends(network: Network, node: Any) -> bool:
    """Whether a node's output leaves its neuron, so that its width is a message's."""
    return any(
        edge.source == node.name and (reader.synaptic or path_delay(reader, edge) > 0)
        for reader in network.consumers(node.name)
        for edge in reader.inputs
    )


def _check_board(network: Network, profile: Profile) -> tuple[Violation, ...]:
    if any(limit for _, limit in profile.board):
        from snn_deploy.targets.c.fit import board_violations

        return tuple(board_violations(network, profile))
    if any(limit for _, limit in profile.fpga):
        from snn_deploy.targets.verilog.fit import part_violations

        return tuple(part_violations(network, profile))
    return ()


def _check_state(network: Network, profile: Profile) -> Iterator[Violation]:
    """A neuron's own state; a dendrite may still give each of its modes a neuron."""
    limit = profile.limits.get("state_per_neuron_bytes")
    if limit is None:
        return
    for population in find_populations(network, "mode"):
        for name, cost in population.costs.items():
            size = state_per_neuron_bytes(cost)
            if size > limit:
                yield Violation(
                    "limits.state_per_neuron_bytes",
                    name,
                    f"{size:,} bytes of state a neuron, the target has {limit:,}",
                    "choose narrower formats, such as a smaller state_bits",
                )
