"""What the converters of the other families refuse, and whether they say what and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from synthetic import Tensors, checkpoint_of, tiny_spikingssm_state
from tiny_families import (
    H,
    tiny_backbone,
    tiny_longspike,
    tiny_prf_neuron,
    tiny_pspikessm,
    tiny_silif,
    tiny_spiking_s4d,
)

from snn_deploy.cli.main import main
from snn_deploy.converters.overrides import Overridden, override_model
from snn_deploy.converters.registry import recognise, to_float_network
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import (
    BackendError,
    CheckpointError,
    ConfigError,
    DataError,
    UnsupportedNetworkError,
)
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.stability import unstable_nodes
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_node import Channelwise
from snn_deploy.nodes.registry import with_kind
from snn_deploy.nodes.stochastic_spikes import StochasticSpikes
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.readers import ReadOptions, read_source

BACKBONES = (
    *("s4d", "s4block", "s4d_gsu", "spikingblockgate", "spikingblock", "drf"),
    "s4d_refractory",
)
# what may be missing, or is what tells how many layers there are
OPTIONAL = re.compile(r"ln_vth$|body\.layers\.\d\.D$|W\.weight$")
# what plays no part
DEAD = re.compile(r"num_batches_tracked|layer\.norm\.norm|model\.norms\.")
Made = tuple[Tensors, dict[str, Any] | None]


def convert(made: Made, **said: Any) -> Network:
    return to_float_network(override_model(checkpoint_of(*made), said))


def makers() -> dict[str, Callable[[], tuple[Tensors, dict[str, Any] | None, dict[str, Any]]]]:
    """Give a tiny network of every family, with what must be said besides."""
    return {
        **{name: lambda name=name: (*tiny_backbone(name), {}) for name in BACKBONES},
        **{
            kind: lambda kind=kind: (tiny_silif(kind), None, {"neuron": kind})
            for kind in ("silif", "csilif", "rf", "cadlif")
        },
        "adlif": lambda: (tiny_silif("cadlif"), None, {"neuron": "adlif"}),
        "pSpikeSSM": lambda: (*tiny_pspikessm(), {}),
        "pSpikeSSM of two branches": lambda: (*tiny_pspikessm(two=True), {}),
        "loongspikingssm": lambda: (*tiny_longspike(), {}),
        "prf_neuron": lambda: (tiny_prf_neuron(), {"model": {"_name_": "prf_neuron"}}, {}),
        "spiking_s4d": lambda: (tiny_spiking_s4d(), None, {"neuron_type": "ternary"}),
    }


@pytest.mark.parametrize("family", makers())
def test_keys_that_are_missing_misshapen_or_left_over(family: str) -> None:
    tensors, config, said = makers()[family]()
    convert((tensors, config), **said)
    for key in [key for key in tensors if not DEAD.search(key)]:
        if not OPTIONAL.search(key):
            without = {name: value for name, value in tensors.items() if name != key}
            with pytest.raises(CheckpointError, match=re.escape(key)):
                convert((without, config), **said)
        wrong = tensors | {key: np.zeros((2, 3, 5, 7, 1))}
        with pytest.raises(CheckpointError):
            convert((wrong, config), **said)
        broken = tensors | {key: np.full(tensors[key].shape, np.nan)}
        with pytest.raises(CheckpointError, match="NaN or infinite"):
            convert((broken, config), **said)
    extra = tensors | {"model.other.weight": np.zeros(3)}
    with pytest.raises(CheckpointError, match=r"no place .*'model\.other\.weight'"):
        convert((extra, config), **said)


@pytest.mark.parametrize("family", BACKBONES)
def test_unknown_options_are_named(family: str) -> None:
    with pytest.raises(UnsupportedNetworkError, match=r"options in model\.layer: strange; they"):
        convert(tiny_backbone(family, strange=1))
    with pytest.raises(UnsupportedNetworkError, match=r"unknown options in model: strange"):
        convert(tiny_backbone(family, model={"strange": 1}))


@pytest.mark.parametrize("family", makers())
def test_options_that_no_family_has(family: str) -> None:
    tensors, config, said = makers()[family]()
    config = config or {"model": {}}
    named = {"_name_": "spiking_s4d"} if family == "spiking_s4d" else {}
    wrong = config | {"model": config["model"] | named | {"strange": 1}}
    if family == "loongspikingssm":  # whose model, as SpikingSSM's, swallows options; layers do not
        tensors, wrong = tiny_longspike()
        wrong["model"]["layer"] |= {"strange": 1}
    with pytest.raises(UnsupportedNetworkError, match=r"options in model(\.layer)?: strange"):
        convert((tensors, wrong), **said)


@pytest.mark.parametrize("family", makers())
def test_weights_of_another_family_are_refused(family: str) -> None:
    tensors, *_ = makers()[family]()
    for other, make in makers().items():
        _, config, said = make()
        if config is not None and other != family:
            with pytest.raises(CheckpointError, match=r"missing|no place|expected"):
                convert((tensors, config), **said)


@pytest.mark.parametrize("family", ["silif", "csilif", "rf", "cadlif"])
def test_neurons_of_another_kind_are_refused(family: str) -> None:
    """Only cAdLIF and adLIF share their keys; SiLIF's are those and one more."""
    for other in {"silif", "csilif", "rf", "cadlif"} - {family}:
        with pytest.raises(CheckpointError, match=r"missing|no place"):
            convert((tiny_silif(family), None), neuron=other)


@pytest.mark.parametrize("kind", ["rf", "silif", "cadlif"])
def test_recurrent_weights_are_named(kind: str) -> None:
    tensors = tiny_silif(kind) | {"snn.0.V.weight": np.zeros((H, H))}
    with pytest.raises(UnsupportedNetworkError, match=r"'snn\.0\.V\.weight'.* to each other"):
        convert((tensors, None), neuron=kind)


@pytest.mark.parametrize(
    ("family", "model", "layer", "message"),
    [
        ("s4d", {"pool": {"_name_": "pool", "stride": 4}}, {}, r"model\.pool.*number of steps"),
        ("s4d", {"residual": "H"}, {}, r"model\.residual 'H' is not known; known: N"),
        ("s4d", {"residual": {"_name_": "R", "gamma": 1}}, {}, r"in model\.residual: gamma"),
        ("s4d", {"norm": "group"}, {}, r"'model\.norm' is 'group'"),
        ("s4d", {"bidirectional": True}, {}, r"model\.bidirectional gives every block a second"),
        ("s4d", {"n_repeat": 2}, {}, r"'model\.n_repeat' is 2"),
        ("s4d", {}, {"activation": "tanh"}, r"'model\.layer\.activation' is 'tanh'"),
        ("s4d", {}, {"bidirectional": True}, r"'model\.layer\.bidirectional' is True"),
        ("s4block", {}, {"gate": 4}, r"'model\.layer\.gate' is 4"),
        ("s4block", {}, {"weight_norm": True}, r"'model\.layer\.weight_norm' is True"),
        ("s4block", {}, {"mode": "conv"}, r"'model\.layer\.mode' is 'conv'"),
        ("s4d_gsu", {}, {"ternary_over": "tensor"}, r"is 'tensor': .*depends on the batch or on"),
        ("s4d_gsu", {}, {"ternary_over": "sequence"}, r"steps to come, which no chip knows"),
        ("spikingblockgate", {}, {"temporal": "psn"}, r"'model\.layer\.temporal' is 'psn'"),
        ("spikingblockgate", {}, {"spatial": "GSU"}, r"'model\.layer\.spatial' is 'GSU'"),
        ("spikingblockgate", {}, {"tau": 1.0}, r"'model\.layer\.tau' is 1\.0"),
        ("drf", {}, {"dendrites": 0}, r"'model\.layer\.dendrites' is 0"),
        ("s4d_refractory", {}, {"final_act": None}, r"'model\.layer\.final_act' is None"),
    ],
)
def test_options_that_cannot_be(
    family: str, model: dict[str, Any], layer: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        convert(tiny_backbone(family, model=model, **layer))


def test_both_directions_of_a_neuron_that_has_one() -> None:
    made = tiny_backbone("spikingblockgate", temporal="lif", bidirectional=True)
    with pytest.raises(UnsupportedNetworkError, match=r"bidirectional with temporal 'lif'"):
        convert(made)


def test_a_transposed_layer_norm() -> None:
    tensors, config = tiny_backbone("s4d", model={"norm": "layer"})
    tensors["model.layers.1.norm.norm.m"] = np.zeros(1)
    with pytest.raises(UnsupportedNetworkError, match=r"norm\.m' belongs to S4's transposed"):
        convert((tensors, config))


def test_an_unstable_resonator_is_told_of() -> None:
    tensors, config = tiny_backbone("drf")
    tensors["model.layers.1.layer.log_tau"][2, 1] = 80
    (found,) = unstable_nodes(convert((tensors, config)))
    assert (found.node, found.channel, found.mode, found.largest) == ("layers.1.dendrites", 2, 1, 1)


def test_a_resonator_that_has_overflowed() -> None:
    tensors, config = tiny_backbone("spikingblockgate")
    name = next(name for name in tensors if name.endswith("neuron1.theta_log"))
    tensors[name][...] = 1e4
    with pytest.raises(CheckpointError, match=r"no finite discretisation: a = .*(nan|inf)"):
        convert((tensors, config))


@pytest.mark.parametrize("family", ["s4d_gsu", "spikingblockgate", "drf", "s4d_refractory"])
def test_a_state_dict_alone_is_recognised_and_asks_for_its_configuration(family: str) -> None:
    tensors, _ = tiny_backbone(family)
    assert recognise(checkpoint_of(tensors, None)) == family
    with pytest.raises(CheckpointError, match=r"no configuration.*--config FILE"):
        convert((tensors, None))
    with pytest.raises(ConfigError, match=r"no configuration whose options could be set"):
        convert((tensors, None), n_layers=2)


def test_averaged_weights_are_spikingssms_alone() -> None:
    for family in BACKBONES:
        with pytest.raises(UnsupportedNetworkError, match="averaged weights"):
            to_float_network(checkpoint_of(*tiny_backbone(family)), weights="ema")


def test_adlif_or_cadlif_must_be_said() -> None:
    with pytest.raises(CheckpointError, match=r"--family cadlif or --family adlif \(or --set"):
        convert((tiny_silif("cadlif"), None))


def test_silif_has_one_vector_a_sequence() -> None:
    with pytest.raises(ConfigError, match=r"output steps all cannot be had: use --output"):
        to_float_network(checkpoint_of(tiny_silif("rf"), None), "all")


def test_a_neuron_of_nobody() -> None:
    tensors = tiny_silif("rf")
    tensors["snn.0.tau"] = tensors.pop("snn.0.alpha_real")
    with pytest.raises(UnsupportedNetworkError, match=r"'snn\.0\.' are those of no neuron"):
        convert((tensors, None))


def test_a_complex_pole_that_has_overflowed() -> None:
    tensors = tiny_silif("csilif")
    tensors["snn.1.log_dt"][2], tensors["snn.1.log_log_alpha"][2] = 2000, -2000
    with pytest.raises(CheckpointError, match=r"snn\.1\..*no finite .* channel 2"):
        convert((tensors, None))


def test_binary_or_ternary_must_be_said() -> None:
    with pytest.raises(CheckpointError, match=r"--set-model neuron_type=bptt \(or sltt, ternary"):
        convert((tiny_spiking_s4d(), None))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("layer.use_loop", "true", r"no option 'layer\.use_loop' .* none of: d_state"),
        ("d_modell", 8, r"no option 'd_modell' .* none of: d_model, n_layers"),
        ("d_model.size", 8, r"'d_model\.size' cannot be set: 'd_model' is 8"),
        ("_name_", "s4d", r"'_name_' cannot be set; .*a family by --family"),
        ("layer.", "1", r"'layer\.' cannot be set; give the name"),
        ("prenorm", "perhaps", r"'model\.prenorm' is 'perhaps'"),
        ("n_layers", "2.5", r"'model\.n_layers' is 2\.5"),
    ],
)
def test_options_that_cannot_be_set(option: str, value: Any, message: str) -> None:
    with pytest.raises((ConfigError, CheckpointError), match=message):
        convert(tiny_spikingssm_state(), **{option: value})


def test_options_are_set_over_the_configuration_and_leave_it_alone() -> None:
    tensors, config = tiny_spikingssm_state(prenorm=False)
    before = str(config)
    network = convert((tensors, config), prenorm="true")
    assert "layers.0.norm" in network.names
    assert str(config) == before
    assert "layers.0.norm" not in convert((tensors, config)).names


class Novel(Channelwise):
    """A kind that says nothing of integers."""


def test_neuron_kinds_without_an_integer_form_are_named() -> None:
    nodes = (FloatInput(name="input", channels=H), Novel(name="novel", channels=H))
    network = Network("float", nodes, "all")
    message = r"'novel': Novel has no integer form yet; the float backends"
    with with_kind(Novel), pytest.raises(UnsupportedNetworkError, match=message):
        compile_network(network, QuantizationConfig(), None)


def test_these_neurons_have_no_surrogate() -> None:
    network = convert(tiny_backbone("s4d"))
    with pytest.raises(BackendError, match=r"layers\.0\.spike \(Threshold\) has no surrogate"):
        run_float(network, np.zeros((1, 4, 1)), neuron="surrogate")


def test_recorded_draws_must_fit() -> None:
    spikes = StochasticSpikes(name="spike", inputs=(Edge("input"),), channels=H, draw=1)
    nodes = (FloatInput(name="input", channels=H), spikes)
    network = Network(stage="float", nodes=nodes, answers="all")
    x = np.full((5, 3, H), 0.5)
    with pytest.raises(DataError, match=r"draws have shape \(2, 4, 3, 4\); expected \(draws, 5"):
        run_float(network, x, draws=np.zeros((2, 4, 3, H)))
    with pytest.raises(DataError, match=r"spike needs draw 1 of shape \(sequences, 3, 4\)"):
        run_float(network, x, draws=np.zeros((1, 5, 3, H)))
    assert run_float(network, x, draws=np.zeros((2, 5, 3, H))).logits.all()


def test_draws_do_not_depend_on_the_batch() -> None:
    spikes = StochasticSpikes(name="spike", inputs=(Edge("input"),), channels=H, draw=0)
    nodes = (FloatInput(name="input", channels=H), spikes)
    network = Network(stage="float", nodes=nodes, answers="all")
    x = np.full((5, 30, H), 0.3)
    whole, part = run_float(network, x).logits, run_float(network, x[:2]).logits
    np.testing.assert_array_equal(whole[:2], part)
    assert not np.array_equal(whole[0], whole[1])
    assert not np.array_equal(whole, run_float(network, x, draws=1).logits)
    assert 0.2 < whole.mean() < 0.4


def written(folder: Path, made: Made) -> str:
    """Write a state dict as safetensors, with its configuration beside it where it has one."""
    tensors, config = made
    path = folder / "model.safetensors"
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, path)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return str(path)


def left_with(words: list[str]) -> object:
    """Run a command; give its exit code."""
    with pytest.raises(SystemExit) as left:
        main(words)
    return left.value.code


def test_set_model_on_the_command_line(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, (tiny_silif("cadlif"), None))
    assert left_with(["inspect", path]) == 2
    assert "--set-model neuron=cadlif" in capsys.readouterr().err
    assert left_with(["inspect", path, "--set-model", "neuron=cadlif"]) == 0
    told = capsys.readouterr().out
    assert "model.neuron" in told
    assert "AdaptiveLif" in told
    assert left_with(["inspect", path, "--family", "adlif"]) == 0

    counts = np.random.default_rng(0).integers(0, 3, (2, 9, 5)).astype(np.uint8)
    np.savez(tmp_path / "data.npz", inputs=counts)
    data = ["--data", str(tmp_path / "data.npz"), "--backend", "float"]
    capsys.readouterr()
    assert left_with(["simulate", path, *data, "--set-model", "neuron=cadlif"]) == 0
    assert "spike rate layers.1" in capsys.readouterr().out
    assert left_with(["simulate", path, *data[:2], "--set-model", "neuron=cadlif"]) == 2
    assert "--set-model belongs to a CHECKPOINT" in capsys.readouterr().err


def test_set_model_with_a_configuration_beside(tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, tiny_backbone("s4d"))
    assert left_with(["inspect", path, "--set-model", "layer.activation=relu"]) == 0
    assert "Relu" in capsys.readouterr().out
    assert left_with(["inspect", path, "--set-model", "layer.activatoin=relu"]) == 2
    assert "unknown options in model.layer: activatoin" in capsys.readouterr().err
    assert left_with(["inspect", path, "--set-model", "layer.activation"]) == 2
    assert "write KEY=VALUE" in capsys.readouterr().err


def test_set_model_says_how_a_network_was_converted() -> None:
    said = Overridden(tiny_backbone("s4d")[1], {"n_layers": 1})
    tensors = {k: v for k, v in tiny_backbone("s4d")[0].items() if "layers.1." not in k}
    source = read_source(checkpoint_of(tensors, None), ReadOptions(said))
    assert source.provenance.chosen["model.n_layers"] == "1"
    assert "layers.1.ssm" not in source.network.names


def test_gains_that_two_bits_a_word_would_cut_off_are_refused() -> None:
    """Cut off, they would leave weights that their words do not hold."""
    network = to_float_network(checkpoint_of(tiny_silif("silif"), None))
    inputs = np.random.default_rng(0).poisson(1.0, (8, 20, 5)).astype(np.float32)
    coarse = QuantizationConfig(weight_bits=2)
    with pytest.raises(ConfigError, match=r"'layers\.1\.current': channel 0 needs a gain of 1\.68"):
        compile_network(network, coarse, Calibration(inputs))
    compile_network(network, QuantizationConfig(weight_bits=2, gain_bits=24), Calibration(inputs))
