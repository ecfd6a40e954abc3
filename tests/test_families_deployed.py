"""Families beside SpikingSSM on a chip: equal integers from every engine, near the float ones."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from family_cases import Case, cases, deployed
from synthetic import checkpoint_of
from tiny_families import H, tiny_silif, tiny_spiking_s4d

import snn_deploy
from snn_deploy.checkpoint import Checkpoint
from snn_deploy.converters.registry import to_float_network
from snn_deploy.data.inputs import check_data
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import ConfigError


@pytest.mark.parametrize("case", cases("relatives/longspike"))
def test_longspike(case: Case) -> None:
    test, oracle = case.arrays("test"), case.arrays("oracle")
    given = {"inputs": test["inputs"], "lengths": test.get("lengths")}
    data = check_data(case.network(), **given)
    deployment = snn_deploy.convert(case.checkpoint(), target="loihi2", calibration=data)
    native, reference = (deployment.simulate(data, backend=e) for e in ("native", "reference"))
    np.testing.assert_array_equal(native.logits, reference.logits)
    expected = oracle["logits_bptt_f64"]
    np.testing.assert_array_equal(native.predictions, expected.argmax(-1))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(native.logits, expected, rtol=0, atol=0.02 * scale)


EVERY = [
    *cases("stan_rhodes"),
    *(c for name in ("longspike", "prf", "pspike", "silif") for c in cases(f"relatives/{name}")),
]
FROM_THE_END, OF_A_LENGTH = "reads its sequence from the end", "weights are those for sequences of"
WHOLE = {
    **dict.fromkeys(("binary_s4d_bi", "bi_prenorm_bn", "bi_trainB", "tok_lengths"), FROM_THE_END),
    **dict.fromkeys(("causal_nplr", "listops_shipped", "pathfinder_shipped"), OF_A_LENGTH),
}
"""Those of which a stream is refused, and why."""


@pytest.mark.parametrize("case", [c for c in EVERY if c.id in WHOLE])
def test_streams_of_what_needs_whole_sequences_are_refused(case: Case) -> None:
    with pytest.raises(ConfigError, match=WHOLE[case.folder.name]):
        deployed(case).stream(3)


@pytest.mark.parametrize("case", [c for c in EVERY if c.id not in WHOLE])
def test_streams_in_chunks_answer_as_the_reference_does_at_once(case: Case) -> None:
    """Every causal network, at every step of every node that spikes."""
    deployment = deployed(case)
    data = check_data(deployment.network, inputs=case.inputs()[:3, :60].astype(float))
    names = [node.name for node in deployment.network.spiking]
    expected = deployment.simulate(data, backend="reference", trace=names)
    stream = deployment.stream(3, trace=names)
    ends = [0, 1, 8, 40, data.inputs.shape[1]]
    parts = [stream.step(data.inputs[:, a:b]) for a, b in pairwise(ends)]
    for name in names:
        steps = np.concatenate([part.trace[name] for part in parts], axis=1)
        np.testing.assert_array_equal(steps, expected.trace[name])
    if deployment.network.answer.steps == "one":
        np.testing.assert_array_equal(stream.answer(), expected.logits)


SILIF = cases("relatives/silif")
# two of whose classes are 0.07% apart in two sequences, which is below what 22 bits of weight tell
NEAR_TIES = {"ref_SSC_CadLIF": 1}


@pytest.mark.parametrize("case", SILIF)
def test_silif(case: Case) -> None:
    """At default formats 63 of the 64 given sequences are predicted as in float: 98%."""
    inputs, expected = case.arrays("test")["inputs"], case.arrays("oracle")["logits_zero_init_f64"]
    data = check_data(case.network(), inputs)
    deployment = snn_deploy.convert(case.checkpoint(), target="loihi2", calibration=data)
    neurons = [f"layers.{layer}.lif" for layer in range(2)]
    native = deployment.simulate(data, backend="native", trace=neurons)
    result = deployment.simulate(data.first(4), backend="reference", trace=neurons)
    np.testing.assert_array_equal(native.logits[:4], result.logits)
    for layer, name in enumerate(neurons):
        np.testing.assert_array_equal(native.trace[name][:4], result.trace[name])
        fired = case.arrays("oracle")[f"spikes_zero_init_layer{layer}"]
        assert (native.trace[name] != fired).sum() < (0.005, 0.08)[layer] * fired.sum()
        assert native.saturated[name] == 0
    np.testing.assert_allclose(native.logits.sum(-1), inputs.shape[1])
    others = (native.predictions != expected.argmax(-1)).sum()
    assert others <= NEAR_TIES.get(case.folder.name, 0)
    np.testing.assert_allclose(native.logits, expected, rtol=0, atol=0.03 * expected.max())


@pytest.mark.parametrize("words", [1, 2, 3])
def test_a_setting_limits_the_words_of_weights_that_the_family_gives(words: int) -> None:
    """Words shifted and added, times their gain, are the trained weights, to half a unit."""
    checkpoint = lively("silif", 0)
    inputs = np.random.default_rng(0).poisson(0.7, (8, 30, 5)).astype(float)
    found = snn_deploy.convert(
        checkpoint, target="loihi2", calibration=inputs, settings={"weight_words": words}
    )
    native, reference = (found.simulate(inputs, backend=e) for e in ("native", "reference"))
    np.testing.assert_array_equal(native.logits, reference.logits)
    network: Any = found.network
    assert [node.weight_bits for node in network if node.synaptic] == [8] * 3 * words
    current, exact = network["layers.1.current"], to_float_network(checkpoint)["layers.1.current"]
    parts = [network[edge.source] for edge in current.inputs]
    assert len(parts) == words
    whole = sum(part.weight.astype(np.int64) << 7 * word for word, part in enumerate(parts))
    unit = current.rescale.mantissa * 2.0 ** (-current.rescale.shift - current.output.exponents(H))
    rounded = whole * unit[:, None]
    # a single word's errors make each other good, and may be larger
    allowed = 2.0**-6 if words == 1 else 0.52 * 2.0 ** (-7 * words)
    largest = np.abs(exact.weight).max(axis=1, keepdims=True)  # type: ignore[attr-defined]
    assert (np.abs(rounded - exact.weight) <= allowed * largest).all()  # type: ignore[attr-defined]


def lively(kind: str, seed: int) -> Checkpoint:
    """Give a small network whose neurons all fire, and not always."""
    tensors = tiny_silif(kind, seed)
    for layer in range(2):
        keys = f"snn.{layer}."
        tensors[f"{keys}norm.weight"] = np.full(H, 3.0)
        tensors[f"{keys}norm.bias"] = np.full(H, 1.0)
        tensors[f"{keys}norm.running_mean"] *= 0
        for name in {"dt", "log_dt", "alpha", "beta"} & {key.removeprefix(keys) for key in tensors}:
            tensors[f"{keys}{name}"] = tensors[f"{keys}{name}"] / 2 - 0.7
        if kind == "rf":
            tensors[f"{keys}alpha_real"] = -np.abs(tensors[f"{keys}alpha_real"])
    return checkpoint_of(tensors, {"model": {"dt": 0.3}} if kind == "rf" else None)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["silif", "csilif", "rf"])
def test_small_silif_networks_answer_nearly_as_in_float(kind: str, seed: int) -> None:
    checkpoint = lively(kind, seed)
    inputs = np.random.default_rng(seed).poisson(0.7, (16, 60, 5)).astype(float)
    expected = run_float(to_float_network(checkpoint), inputs).logits
    deployment = snn_deploy.convert(checkpoint, target="loihi2", calibration=inputs)
    answer = deployment.simulate(inputs, backend="reference").logits
    assert (answer.argmax(-1) != expected.argmax(-1)).sum() <= 1
    apart = np.abs(answer - expected).mean() / np.abs(expected - expected.mean(axis=0)).mean()
    assert apart < 0.1


@pytest.mark.parametrize("neuron", ["bptt", "ternary", "leaky_ternary"])
def test_spikingssm_reimplemented(neuron: str) -> None:
    """Its keys are ``body.layers.i``; its neurons send spikes of either sign where they say so."""
    tensors = tiny_spiking_s4d(leaky=neuron == "leaky_ternary")
    model = {"model": {"_name_": "spiking_s4d", "neuron_type": neuron}}
    checkpoint = checkpoint_of(tensors, model)
    network = to_float_network(checkpoint, "all")
    tokens = np.random.default_rng(0).integers(0, 6, (8, 40))
    deployment = snn_deploy.convert(
        checkpoint, target="loihi2", calibration=tokens, output_steps="all"
    )
    names = [node.name for node in network if node.spikes]
    exact = run_float(network, tokens, record=names)
    result = deployment.simulate(tokens, backend="reference", trace=names)
    for name in names:
        assert (result.trace[name] != exact.signals[name]).mean() < 0.005
        assert (exact.signals[name].min() < 0) == ("ternary" in neuron)
    off = np.abs(result.logits - exact.logits)
    assert np.quantile(off, 0.95) < 0.02 * np.abs(exact.logits).max()
    native = deployment.simulate(tokens, backend="native")
    np.testing.assert_array_equal(native.logits, result.logits)
