"""The SpikingSSM converter on small random networks, against the formulas written out directly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from direct_spikingssm import direct_logits
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import checkpoint_of, random_inputs, tiny_spikingssm_state

from snn_deploy.converters.registry import FAMILIES, to_float_network
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import CheckpointError, UnsupportedNetworkError
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.glu import Glu
from snn_deploy.nodes.layer_norm import LayerNorm
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.ssm import DiagonalSsm

layouts = st.fixed_dictionaries(
    {
        "d_model": st.integers(1, 5),
        "n_layers": st.integers(0, 3),
        "d_state": st.integers(2, 7),
        "bidirectional": st.booleans(),
        "trainable_b": st.booleans(),
        "prenorm": st.booleans(),
        "norm": st.sampled_from(["batch", "layer"]),
        "threshold": st.sampled_from(["channel", "shared", "none"]),
        "vocabulary": st.sampled_from([None, 7]),
        "d_input": st.integers(1, 3),
        "mode": st.sampled_from(["pool", "last", "first", "sum"]),
        "use_lengths": st.booleans(),
        "seed": st.integers(0, 1000),
    }
)


@settings(max_examples=40)
@given(layout=layouts, steps=st.integers(1, 19), neuron=st.sampled_from(["exact", "surrogate"]))
def test_float_network_computes_the_formulas(
    layout: dict[str, Any], steps: int, neuron: Any
) -> None:
    tensors, config = tiny_spikingssm_state(**layout)
    inputs = random_inputs(config, tensors, batch=2, steps=steps)
    lengths = np.array([steps, (steps + 1) // 2])

    network = to_float_network(checkpoint_of(tensors, config))
    logits = run_float(network, inputs, lengths, neuron=neuron).logits

    expected = direct_logits(tensors, config, inputs, lengths, neuron)
    np.testing.assert_allclose(logits, expected, rtol=1e-9, atol=1e-9)


def test_nodes_have_the_names_and_edges_that_later_stages_rely_on() -> None:
    tensors, config = tiny_spikingssm_state(n_layers=2, prenorm=True, norm="batch")

    network = to_float_network(checkpoint_of(tensors, config))

    described = [
        (node.name, type(node), [(edge.source, edge.delay) for edge in node.inputs])
        for node in network
    ]
    layers = []
    stream = "encoder"
    for name in ("layers.0", "layers.1"):
        layers += [
            (f"{name}.norm", Affine, [(stream, 0)]),
            (f"{name}.ssm", DiagonalSsm, [(f"{name}.norm", 0)]),
            (f"{name}.lif", Lif, [(f"{name}.ssm", 0)]),
            (f"{name}.mix", Linear, [(f"{name}.lif", 0)]),
            (f"{name}.glu", Glu, [(f"{name}.mix", 0)]),
            (f"{name}.residual", Residual, [(stream, 0), (f"{name}.glu", 0)]),
        ]
        stream = f"{name}.residual"
    assert described == [
        ("input", FloatInput, []),
        ("encoder", Linear, [("input", 0)]),
        *layers,
        ("decoder", Readout, [(stream, 0)]),
    ]


def test_layer_norm_is_live_only_before_the_layer() -> None:
    tensors, config = tiny_spikingssm_state(prenorm=True, norm="layer")
    live = to_float_network(checkpoint_of(tensors, config))
    assert len(live.of_kind(LayerNorm)) == 2

    config["model"]["prenorm"] = False
    assert not to_float_network(checkpoint_of(tensors, config)).of_kind(LayerNorm, Affine)


def test_thresholds_stay_with_the_neuron() -> None:
    tensors, config = tiny_spikingssm_state(d_model=3)
    tensors["model.s4_layers.0.ln_vth"] = np.log([[1.0], [2.0], [0.5]])

    lif = to_float_network(checkpoint_of(tensors, config))["layers.0.lif"]

    assert isinstance(lif, Lif)
    np.testing.assert_allclose(lif.threshold, [1.0, 2.0, 0.5])


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module."]
)
def test_prefixes_of_wrappers_are_taken_off(prefix: str) -> None:
    tensors, config = tiny_spikingssm_state()
    inputs = random_inputs(config, tensors)
    wrapped = {f"{prefix}{key}": value for key, value in tensors.items()}
    wrapped["n_averaged"] = np.array(3)

    logits = [
        run_float(to_float_network(checkpoint_of(t, config)), inputs).logits
        for t in (tensors, wrapped)
    ]

    np.testing.assert_array_equal(logits[0], logits[1])


def test_family_is_recognised_by_keys_where_the_configuration_has_no_name() -> None:
    tensors, config = tiny_spikingssm_state()
    del config["model"]["_name_"]
    assert to_float_network(checkpoint_of(tensors, config)).stage == "float"


def test_half_precision_weights_are_widened_exactly() -> None:
    tensors, config = tiny_spikingssm_state()
    halves = {key: value.astype(np.float16) for key, value in tensors.items()}
    doubles = {key: value.astype(np.float64) for key, value in halves.items()}
    inputs = random_inputs(config, tensors)

    logits = [
        run_float(to_float_network(checkpoint_of(t, config)), inputs).logits
        for t in (halves, doubles)
    ]

    np.testing.assert_array_equal(logits[0], logits[1])


def test_averaged_weights_replace_the_trained_ones() -> None:
    tensors, config = tiny_spikingssm_state(trainable_b=True, prenorm=True, norm="batch")
    config["model"]["layer"]["lr"] = {"dt": 0.001, "A": 0.002, "B": 0.0}
    config["train"]["optimizer_param_grouping"] = {
        "bias_weight_decay": False,
        "normalization_weight_decay": False,
    }
    expected = dict(tensors)
    parts: list[tuple[dict[str, float], list[str]]] = [
        ({"lr": 0.01, "weight_decay": 0.05}, _keys(tensors, "general")),
        ({"lr": 0.002, "weight_decay": 0.0}, _keys(tensors, "A_real", "A_imag")),
        ({"lr": 0.01, "weight_decay": 0.05}, _keys(tensors, "C")),
        ({"lr": 0.001, "weight_decay": 0.0}, _keys(tensors, "inv_dt")),
        ({"lr": 0.01, "weight_decay": 0.0}, _keys(tensors, "bias and norm")),
    ]
    optimizer: dict[str, Any] = {"state": {}, "param_groups": []}
    for hyper_parameters, keys in parts:
        start = len(optimizer["state"])
        numbers = range(start, start + len(keys))
        optimizer["param_groups"].append({**hyper_parameters, "params": list(numbers)})
        for number, key in zip(numbers, keys, strict=True):
            expected[key] = tensors[key] * np.float32(0.9)
            optimizer["state"][number] = {"ema": expected[key]}
    inputs = random_inputs(config, tensors)

    checkpoint = checkpoint_of(tensors, config, {"optimizer_states": [optimizer]})
    averaged = to_float_network(checkpoint, weights="ema")

    np.testing.assert_allclose(
        run_float(averaged, inputs).logits, direct_logits(expected, config, inputs), rtol=1e-9
    )


def _keys(tensors: dict[str, Any], part: str, *more: str) -> list[str]:
    """Sort the keys of a network with trainable B, batch norms and B frozen, as S4 groups them."""

    def part_of(key: str) -> str:
        last = key.rsplit(".", maxsplit=1)[-1]
        if key.endswith(("running_mean", "running_var", "num_batches_tracked", "kernel.B")):
            return "buffer"
        if ".kernel." in key:
            return last
        inside = key.startswith("model.")
        return "bias and norm" if inside and (last == "bias" or "norms" in key) else "general"

    return [key for key in tensors if part_of(key) in (part, *more)]


def test_missing_averages_are_refused() -> None:
    tensors, config = tiny_spikingssm_state()
    with pytest.raises(CheckpointError, match=r"holds no averaged weights .* train\.ema"):
        to_float_network(checkpoint_of(tensors, config), weights="ema")


def test_averages_that_fit_no_parameter_are_refused() -> None:
    tensors, config = tiny_spikingssm_state()
    optimizer = {
        "state": {0: {"ema": np.zeros(3)}},
        "param_groups": [{"params": [0], "lr": 0.01, "weight_decay": 0.0}],
    }
    checkpoint = checkpoint_of(tensors, config, {"optimizer_states": [optimizer]})
    with pytest.raises(CheckpointError, match="cannot tell which averaged weight"):
        to_float_network(checkpoint, weights="ema")


@pytest.mark.parametrize("name", ["s4", "loongspike", "pspikessm"])
def test_other_families_are_named(name: str) -> None:
    tensors, config = tiny_spikingssm_state()
    config["model"]["_name_"] = name
    with pytest.raises(UnsupportedNetworkError, match=f"'{name}'; known families: spikingssm"):
        to_float_network(checkpoint_of(tensors, config))


def test_unknown_keys_without_configuration_are_named() -> None:
    with pytest.raises(UnsupportedNetworkError, match=r"'fc\.weight'; known families: spikingssm"):
        to_float_network(checkpoint_of({"fc.weight": np.zeros((2, 2))}, None))


def test_every_family_resolves() -> None:
    import importlib

    for path in FAMILIES.values():
        module, function = path.split(":")
        assert callable(getattr(importlib.import_module(module), function))
