"""Is a network legal on a target: every broken rule, told once."""

from __future__ import annotations

import dataclasses
from typing import Any

import lowered
import placement_audit as audit
import pytest

from snn_deploy.errors import NetworkError, TargetError
from snn_deploy.ir.formats import Format
from snn_deploy.ir.network import Network
from snn_deploy.mapping.check import check_target
from snn_deploy.mapping.cost import cost_network
from snn_deploy.mapping.profile import list_profiles, load_profile, parse_profile
from snn_deploy.nodes.base import IntegerNode
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.registry import legal_kinds


def changed(network: Network, name: str, **fields: Any) -> Network:
    node = dataclasses.replace(network[name], **fields)
    return network.rewrite({name: (node,)})


def test_spikingssm_runs_on_loihi2_and_the_cpu() -> None:
    for target in ("loihi2", "kapoho_point", "cpu"):
        assert check_target(lowered.network(), load_profile(target)) == ()


@pytest.mark.parametrize("target", [n for n in list_profiles() if n.startswith("loihi1")])
def test_loihi1_cannot_run_dendrites_and_says_why(target: str) -> None:
    with pytest.raises(TargetError) as caught:
        check_target(lowered.network(), load_profile(target))
    first, *lines = str(caught.value).splitlines()
    assert first == f"target '{target}' cannot run this network:"
    assert "'layers.0.ssm', 'encoder', 'layers.0.glu' and " in lines[0]
    assert " (Dendrite, Requantize, Gate" in lines[0]
    assert "): it runs as a neuron program, and the target" in lines[0]
    assert sum("no programmable neurons" in line for line in lines) == 1
    assert "has no programmable neurons; choose a target that can" in lines[0]
    assert any("sends numbers, the target only bare spikes" in line for line in lines)


def test_plain_spiking_network_runs_on_loihi1() -> None:
    check_target(lowered.spiking_network((5, 8, 4)), load_profile("loihi1"))


def test_reversed_time_is_allowed_but_told() -> None:
    network = lowered.network(reverse=True)
    (notice,) = check_target(network, load_profile("loihi2"))
    assert "'layers.0.ssm.reverse'" in notice
    assert "cannot stream" in notice
    assert "two passes" in notice


WIDE = lowered.bank(6, 3)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("layers.0.ssm", {"sum_bits": 32}, "a sum of 32 bits, the target has 24; convert"),
        ("layers.0.mix.synapses", {"output": Format(32, 0)}, "limits.sum_bits: "),
        ("layers.0.ssm", {"bank": dataclasses.replace(WIDE, coefficient_bits=18)},
         "a coefficient of 18 bits, the target has 16; convert with --set decay_bits=16"),
        ("layers.0.ssm", {"bank": dataclasses.replace(WIDE, state_bits=32)},
         "limits.state_bits: 'layers.0.ssm': a state of 32 bits, the target has 24"),
        ("layers.0.ssm", {"output": Format(20, 0)},
         "limits.drive_bits: 'layers.0.lif': a drive of 20 bits, the target has 18"),
        ("encoder", {"rescale": lowered.rescale(6, 20)}, "--set gain_bits=16"),
        ("encoder", {"output": Format(30, 0)}, "a message of 30 bits, the target has 24"),
        ("input", {"output": Format(28, 0)}, "--set input_bits=24"),
    ],
)  # fmt: skip
def test_width_over_the_limit(name: str, fields: dict[str, Any], message: str) -> None:
    network = changed(lowered.network(), name, **fields)
    with pytest.raises(TargetError) as caught:
        check_target(network, load_profile("loihi2"))
    assert message in str(caught.value)


def test_nodes_that_break_the_same_rule_share_a_line() -> None:
    network = lowered.network(layers=5)
    for index in range(5):
        network = changed(network, f"layers.{index}.ssm", sum_bits=30)
    with pytest.raises(TargetError) as caught:
        check_target(network, load_profile("loihi2"))
    (line,) = str(caught.value).splitlines()[1:]
    assert "'layers.0.ssm', 'layers.1.ssm', 'layers.2.ssm' and 2 more: a sum of 30 bits" in line


def test_a_limit_that_is_set_lower_is_obeyed() -> None:
    profile = load_profile("loihi2").with_overrides({"limits.weight_bits": 4})
    with pytest.raises(TargetError, match=r"a weight of 8 bits, the target has 4.*weight_bits=4"):
        check_target(lowered.network(), profile)


def test_too_large_for_the_target_says_by_how_much() -> None:
    profile = load_profile("loihi2").with_overrides(
        {"limits.cores_per_chip": 2, "limits.memory_per_core_bytes": 200}
    )
    with pytest.raises(
        TargetError,
        match=r"limits\.cores_per_chip: .* needs \d+ cores, \d+ more than the target's 2",
    ):
        check_target(lowered.network(), profile)


def test_one_channel_too_large_for_a_core() -> None:
    profile = load_profile("loihi2").with_overrides({"limits.memory_per_core_bytes": 40})
    with pytest.raises(
        TargetError, match=r"one channel of '.*' .* limits\.memory_per_core_bytes: \d+ of 40"
    ):
        check_target(lowered.network(), profile)


def test_state_of_a_neuron() -> None:
    profile = load_profile("loihi2").with_overrides({"limits.state_per_neuron_bytes": 5})
    with pytest.raises(TargetError, match=r"'layers.0.ssm'.*: 6 bytes of state a neuron"):
        check_target(lowered.network(), profile)


def test_float_network_has_no_cost() -> None:
    network = Network("float", (FloatInput(name="input", channels=1),))
    with pytest.raises(NetworkError, match="has no cost: lower the network first"):
        cost_network(network)


def test_every_process_is_recounted() -> None:
    """Kinds whose cost is not their program's alone need a recount in the audit."""
    lowered_kinds = legal_kinds("lowered").values()
    kinds = {kind for kind in lowered_kinds if "chip" in kind.places} | {Input}
    assert set(audit.BITS) <= kinds - {Input}
    own = {kind for kind in kinds if kind.cost is not IntegerNode.cost}
    assert own - {Input} <= set(audit.BITS)


def test_a_profile_of_before_schema_3_is_read() -> None:
    """It named kinds of node where today's names capabilities."""
    data = load_profile("loihi1").to_dict()
    data["supports"] = {
        "nodes": ["Input", "Synapses", "LifSoma"],
        "graded_messages": False,
        "reversed_time": False,
    }
    assert parse_profile(data, "old").supports == load_profile("loihi1").supports
