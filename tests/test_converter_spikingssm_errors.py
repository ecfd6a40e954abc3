"""What the SpikingSSM converter refuses, and whether it says what, where and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from synthetic import Tensors, checkpoint_of, set_option, tiny_spikingssm_state

from snn_deploy.converters.registry import to_float_network
from snn_deploy.errors import (
    CheckpointError,
    ConfigError,
    SnnDeployWarning,
    UnsupportedNetworkError,
)
from snn_deploy.ir.network import OutputSteps
from snn_deploy.ir.stability import unstable_nodes
from snn_deploy.nodes.float_lif import Lif

KERNEL = "model.s4_layers.1.kernel."


def convert(
    tensors: Tensors, config: dict[str, Any] | None, output_steps: OutputSteps = "one"
) -> Any:
    return to_float_network(checkpoint_of(tensors, config), output_steps)


def changed(key: str, value: Any) -> Callable[[Tensors], None]:
    """Give a damage: one tensor replaced, or set in one place by a function of it."""

    def damage(tensors: Tensors) -> None:
        tensors[key] = value(tensors[key].copy()) if callable(value) else value

    return damage


def at(index: tuple[int, ...], value: float) -> Callable[[Any], Any]:
    """Give a function that puts ``value`` into an array."""

    def put(array: Any) -> Any:
        array[index] = value
        return array

    return put


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda tensors: tensors.pop(f"{KERNEL}C"),
            r"tiny\.ckpt: missing 'model\.s4_layers\.1\.kernel\.C'",
        ),
        (
            lambda tensors: [tensors.pop(f"{KERNEL}{name}") for name in ("log_dt", "A_imag")],
            r"missing 'model\.s4_layers\.1\.kernel\.log_dt', '.*A_imag'",
        ),
        (
            lambda tensors: tensors.pop("decoder.0.output_transform.bias"),
            r"missing 'decoder\.0\.output_transform\.bias'",
        ),
        (
            lambda tensors: tensors.update(
                {
                    "decoder.0.output_transform.weight_v": tensors.pop(
                        "decoder.0.output_transform.weight"
                    )
                }
            ),
            r"'decoder\.0\.output_transform\.weight_v' are .*remove_weight_norm",
        ),
        (
            lambda tensors: tensors.update(
                {
                    "encoder.0.parametrizations.weight.original1": tensors.pop("encoder.0.weight"),
                }
            ),
            r"original1' are weights under weight normalisation.*remove_parametrizations",
        ),
        (
            changed("model.s4_layers.2.D", np.zeros((1, 8), np.float32)),
            r"1 tensors have no place .* 'model\.s4_layers\.2\.D'",
        ),
        (
            changed(f"{KERNEL}log_dt", np.zeros(7, np.float32)),
            r"'model\.s4_layers\.1\.kernel\.log_dt' has shape \(7\), expected \(8\)",
        ),
        (
            changed("encoder.0.weight", np.zeros((9, 1), np.float32)),
            r"'encoder\.0\.weight' has shape \(9, 1\), expected \(8, any\)",
        ),
        (
            changed("model.s4_layers.0.D", np.ones((1, 8), np.int8)),
            r"'model\.s4_layers\.0\.D' holds int8 numbers, expected floating-point",
        ),
        (
            changed(f"{KERNEL}C", at((0, 3, 2, 1), np.nan)),
            r"'.*kernel\.C' holds 1 NaN or infinite values, the first at index \(0, 3, 2, 1\)",
        ),
        (
            changed("model.s4_layers.0.ln_vth", lambda x: np.full_like(x, np.inf)),
            r"'.*ln_vth' holds 8 NaN or infinite values, the first at index \(0, 0\)",
        ),
        (
            changed("model.s4_layers.0.ln_vth", at((5, 0), 1000.0)),
            r"'.*ln_vth' gives channel 5 the threshold inf",
        ),
        (
            changed(f"{KERNEL}log_A_real", at((4, 1), 2000.0)),
            r"1\.kernel has no finite discretisation: b = .*nan.* in channel 4, mode 1 \(1 such",
        ),
        (
            changed("model.norms.1.running_var", at((2,), -0.5)),
            r"'model\.norms\.1\.running_var' holds 1 negative variances, the first -0\.5 in",
        ),
        (
            changed("module.encoder.0.bias", np.zeros(8, np.float32)),
            r"holds 'encoder\.0\.bias' twice, under different prefixes",
        ),
    ],
)
def test_damaged_weights(damage: Callable[[Tensors], None], message: str) -> None:
    tensors, config = tiny_spikingssm_state(prenorm=True, norm="batch")
    damage(tensors)
    with pytest.raises(CheckpointError, match=message):
        convert(tensors, config)


def test_an_unstable_discretisation_is_told_of_with_channel_mode_and_value() -> None:
    tensors, config = tiny_spikingssm_state(trainable_b=True)
    set_option(config, ("model", "layer", "real_transform"), "none")
    tensors[f"{KERNEL}A_real"][3, 2] = -0.25
    tensors[f"{KERNEL}A_real"][tensors[f"{KERNEL}A_real"] != -0.25] = 0.5
    tensors["model.s4_layers.0.kernel.A_real"][:] = 0.5
    tensors[f"{KERNEL}inv_dt"][3] = np.log(0.1)
    (found,) = unstable_nodes(convert(tensors, config))
    assert str(found).startswith("'layers.1.ssm' (1 of ")
    assert (found.channel, found.mode) == (3, 2)
    assert found.largest == pytest.approx(np.exp(0.1 * 0.25))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        (("model", "layer", "neuron"), "plif", r"'model\.layer\.neuron' is 'plif'"),
        (("model", "layer", "channels"), 2, r"'model\.layer\.channels' is 2"),
        (("model", "layer", "disc"), "foh", r"'model\.layer\.disc' is 'foh'"),
        (("model", "layer", "mode"), "dplr", r"unknown options in model\.layer: mode"),
        (("model", "layer", "init"), "legs", r"unknown options in model\.layer: init"),
        (
            ("model", "layer", "disc"),
            "bilinear",
            r"model\.layer has disc with trainable_B false",
        ),
        (("encoder",), "time", r"encoder 'time' as stage 0 is not known; first stages: conv1d"),
        (("encoder",), ["linear", "linear"], r"encoder 'linear' as stage 1 is not known"),
        (("encoder",), {"kernel_size": 3}, r"section 'encoder' has \{'kernel_size': 3\}"),
        (
            ("encoder",),
            {"_name_": "linear", "gain": 2},
            r"encoder 'linear' has unknown options gain",
        ),
        (
            ("encoder",),
            {"_name_": "conv1d", "kernel_size": 3, "stride": 2},
            r"stride 2 and padding 'same' changes the number of steps",
        ),
        (
            ("encoder",),
            ["linear", {"_name_": "position", "pe_init": 0.1}],
            r"position with pe_init is 0\.1",
        ),
        (("decoder",), "state", r"decoder 'state' is not known; known: sequence, retrieval"),
        (("decoder", "mode"), "ragged", r"decoder mode 'ragged' is not known; known: pool, sum"),
        (("decoder", "scale"), 3, r"decoder 'sequence' has unknown options scale"),
        (("decoder",), {"_name_": "nd", "mode": "max"}, r"decoder 'nd' has mode 'max'"),
        (
            ("decoder",),
            {"_name_": "retrieval", "activation": "tanh"},
            r"activation 'tanh'; known: relu, gelu",
        ),
        (("task", "_name_"), "forecasting", r"task 'forecasting' with decoder"),
        (("task", "_name_"), "lm", r"task 'lm' brings its own encoder"),
    ],
)
def test_configurations_that_cannot_be_expressed(
    option: tuple[str, ...], value: Any, message: str
) -> None:
    tensors, config = tiny_spikingssm_state()
    set_option(config, option, value)
    with pytest.raises(UnsupportedNetworkError, match=message):
        convert(tensors, config)


def test_bandlimit_with_shared_ssms_cannot_be_run_by_the_authors_either() -> None:
    tensors, config = tiny_spikingssm_state(trainable_b=True)
    config["model"]["layer"] |= {"bandlimit": 0.1, "n_ssm": 2}
    with pytest.raises(UnsupportedNetworkError, match="bandlimit together with n_ssm 2"):
        convert(tensors, config)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        (("model", "d_model"), "${width}", r"'model\.d_model' is '\$\{width\}'.*interpolation"),
        (("model", "layer", "d_state"), "many", r"option 'model\.layer\.d_state' is 'many'"),
        (("model", "n_layers"), -1, r"option 'model\.n_layers' is -1"),
        (("model", "n_layers"), 1, r"tensors have no place .* 'model\.s4_layers\.1\.D'"),
        (("model", "n_layers"), 3, r"missing 'model\.s4_layers\.2\."),
        (("model", "layer", "bidirectional"), True, r"has shape \(1, 8, 4, 2\), expected \(2, 8"),
        (("model", "layer", "n_ssm"), 3, r"n_ssm is 3, which does not divide model\.d_model 8"),
        (("model", "layer", "learnable_vth"), False, r"no place .*ln_vth"),
        (("model", "layer", "neuron"), "bptt", r"no place .*neuron\.model\.conv1\.weight"),
    ],
)
def test_configurations_that_contradict_the_weights(
    option: tuple[str, ...], value: Any, message: str
) -> None:
    tensors, config = tiny_spikingssm_state(trainable_b=True)
    set_option(config, option, value)
    with pytest.raises(CheckpointError, match=message):
        convert(tensors, config)


def test_weights_without_configuration_ask_for_one() -> None:
    tensors, _ = tiny_spikingssm_state()
    with pytest.raises(CheckpointError, match=r"no configuration.*--config FILE"):
        convert(tensors, None)


def test_partial_configuration_asks_for_the_whole() -> None:
    tensors, _ = tiny_spikingssm_state()
    with pytest.raises(CheckpointError, match=r"no section 'model'.*--config FILE"):
        convert(tensors, {"encoder": "linear"})


@pytest.mark.parametrize(
    ("decoder", "steps", "message"),
    [
        ({"_name_": "sequence", "mode": "pool"}, "all", r"mode 'pool' with output steps all"),
        ({"_name_": "sequence", "mode": "pool"}, 3, r"exactly d_model = 8 steps"),
        ({"_name_": "nd"}, "all", r"decoder 'nd' gives one vector a sequence"),
        ({"_name_": "retrieval"}, 2, r"decoder 'retrieval' gives one vector a sequence"),
        ({"_name_": "sequence"}, 0, r"at least 1, not 0"),
    ],
)
def test_output_steps_that_the_decoder_cannot_give(
    decoder: dict[str, Any], steps: OutputSteps, message: str
) -> None:
    tensors, config = tiny_spikingssm_state()
    config["decoder"] = decoder
    with pytest.raises(ConfigError, match=message):
        convert(tensors, config, steps)


@pytest.mark.parametrize(
    ("task", "error", "message"),
    [
        ({"div_val": 2}, CheckpointError, r"option 'task\.cutoffs': Field required"),
        ({"cutoffs": [4, 2]}, CheckpointError, r"task\.cutoffs must rise from above 0"),
        ({"tie_projs": [True]}, CheckpointError, r"tie_projs has 1 entries for 2 cutoffs"),
        (
            {"div_val": 1, "tie_projs": [True, False]},
            UnsupportedNetworkError,
            r"div_val 1 and tie_projs \[True, False\]",
        ),
    ],
)
def test_adaptive_language_models(
    task: dict[str, Any], error: type[Exception], message: str
) -> None:
    tensors, config = tiny_spikingssm_state()
    whole = {"cutoffs": [2, 4], "div_val": 2, "tie_weights": True, "tie_projs": [True, True]}
    if "cutoffs" not in task and task == {"div_val": 2}:
        del whole["cutoffs"]
    config |= {"encoder": None, "task": {"_name_": "adaptivelm", **whole, **task}}
    with pytest.raises(error, match=message):
        convert(tensors, config)


def test_a_network_without_norms_runs_no_layer_and_says_so() -> None:
    tensors, config = tiny_spikingssm_state(norm=None)
    with pytest.warns(SnnDeployWarning, match=r"norm None .* runs none of the 2 layers"):
        network = convert(tensors, config)
    assert not network.of_kind(Lif)
