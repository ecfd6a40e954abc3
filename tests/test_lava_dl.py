"""lava-dl's files: the same integers as netx gives on Lava, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lowered
import numpy as np
import pytest
from networks import run_reference

import snn_deploy
from snn_deploy.cli.main import main
from snn_deploy.errors import CheckpointError, ConfigError, SnnDeployError
from snn_deploy.formats.registry import get_format
from snn_deploy.readers.lava_dl.fields import Fields
from snn_deploy.readers.lava_dl.weights import planes_of

h5py = pytest.importorskip("h5py")

FOLDER = Path(__file__).resolve().parent / "data" / "lava_dl"
SHAPES = {"bias": [2, 6, 5], "convolution": [2, 7, 5]}
NETX = ("dense", "excitatory", "recurrent", "delays", "bias", "convolution", "resonators")
NETWORKS = (*NETX, "adaptive")  # netx runs no ALIF: SLAYER's own quantised neurons do


def deployed(name: str, **options: Any) -> snn_deploy.Deployment:
    if name in SHAPES:
        options = {"config": {"input_shape": SHAPES[name]}, **options}
    return snn_deploy.convert(FOLDER / f"{name}.net", **options)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_spike_is_lava_dl_s(name: str, backend: str) -> None:
    deployment = deployed(name, output_steps="all")
    known = np.load(FOLDER / f"{name}.npz")
    inputs, outputs = known["inputs"], known["outputs"]
    found = deployment.simulate(inputs.astype(np.float64), backend=backend)
    np.testing.assert_array_equal(found.logits, outputs)
    assert 0.01 < outputs.mean() < 0.9
    assert not any(found.saturated.values())


def test_sigma_delta_s_every_message_is_netx_s(backend: str) -> None:
    options = {"config": {"input_message_bits": 12}}
    deployment = deployed("sigma_delta", output_steps="all", **options)
    known = np.load(FOLDER / "sigma_delta.npz")
    inputs, outputs = known["inputs"].astype(np.float64), known["outputs"]
    found = deployment.simulate(inputs, backend=backend)
    np.testing.assert_array_equal(found.logits * 64, outputs)
    assert 0.05 < np.mean(outputs != 0) < 0.9
    assert not any(found.saturated.values())
    last = deployed("sigma_delta", **options).simulate(inputs, backend=backend)
    np.testing.assert_array_equal(last.logits * 64, outputs.sum(axis=1))


def test_messages_are_as_wide_as_their_readers_leave_them() -> None:
    network = deployed("sigma_delta", config={"input_message_bits": 12}).network
    first, second = (network[name].output.bits for name in ("layers.0", "layers.1"))
    weight = np.abs(network["layers.1.synapses"].weight.astype(int)).sum(axis=1).max()
    assert weight * (2 ** (first - 1) - 1) < 2**23 <= weight * (2**first - 1)
    assert second == 16


def test_a_bias_is_one() -> None:
    """The files' biases are not 0, and matter."""
    for name in ("bias", "adaptive"):
        network = deployed(name, output_steps="all").network
        first: Any = network["layers.0"]
        known = np.load(FOLDER / f"{name}.npz")
        mute = network.rewrite({first.name: (replace(first, bias=first.bias * 0),)})
        found = run_reference(mute, known["inputs"]).output
        assert first.bias.any()
        assert found.shape == known["outputs"].shape
        assert not np.array_equal(found, known["outputs"])


@pytest.mark.parametrize("name", NETWORKS)
def test_one_answer_counts_the_spikes(name: str) -> None:
    known = np.load(FOLDER / f"{name}.npz")
    found = deployed(name).simulate(known["inputs"].astype(np.float64), backend="native")
    np.testing.assert_array_equal(found.logits, known["outputs"].sum(axis=1))


def test_delays_are_of_the_layer_that_listens() -> None:
    network = deployed("delays").network
    names = [node.name for node in network if node.synaptic]
    assert len(names) > 4
    assert all(".delay" in name for name in names)


def test_a_deployment_says_that_its_numbers_were_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = deployed("dense")
    assert deployment.origin.calibration == {"source": "given"}
    assert deployment.origin.source["reader"] == "lava-dl"
    with pytest.raises(ConfigError, match="holds integers already, so that no weight_bits can be"):
        deployed("dense", settings={"weight_bits": 4})
    with pytest.raises(ConfigError, match="leave the calibration data out"):
        deployed("dense", calibration=np.zeros((1, 2, 12)))
    with pytest.raises(ConfigError, match="holds integers, and no float network"):
        snn_deploy.load_float_network(FOLDER / "dense.net")
    deployment.save(tmp_path / "dense.safetensors")
    assert run("inspect", str(tmp_path / "dense.safetensors")) == 0
    assert "none: the numbers were given" in capsys.readouterr().out


def test_targets_are_checked() -> None:
    found = snn_deploy.check(FOLDER / "dense.net", output_steps="all")
    grades = {target.target: target.grade for target in found}
    assert grades["loihi1"] == grades["loihi2"] == "exact"


def run(*words: str) -> int:
    """Give the exit code of a command line."""
    with pytest.raises(SystemExit) as left:
        main(list(words))
    return int(left.value.code or 0)


def test_the_command_line_converts_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, made = str(FOLDER / "convolution.net"), str(tmp_path / "made.safetensors")
    assert run("convert", path, "-o", made, "--set-model", "input_shape=2,7,5") == 0
    assert run("convert", path, "-o", made) == 2
    told = capsys.readouterr().err
    assert "reads maps of rows and columns, where nothing is known of the input" in told


# --- written


@pytest.mark.parametrize("name", [*NETWORKS, "sigma_delta"])
def test_what_is_written_comes_back_to_the_same_integers(name: str, tmp_path: Path) -> None:
    options = {"config": {"input_message_bits": 12}} if name == "sigma_delta" else {}
    deployment = deployed(name, output_steps="all", **options)
    path = tmp_path / "written.net"
    written = get_format("lava-dl").write(deployment, path)
    assert written.paths == (path,)
    again = snn_deploy.convert(path, output_steps="all", **options)
    assert len(again.network) == len(deployment.network)
    known = np.load(FOLDER / f"{name}.npz")["inputs"].astype(np.float64)
    one, other = (d.simulate(known, backend="native").logits for d in (deployment, again))
    np.testing.assert_array_equal(one, other)
    weights = [[n.stored_weights for n in d.network if n.synaptic] for d in (deployment, again)]
    for mine, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_what_a_net_file_cannot_hold_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gated = lowered.network(channels=4)
    example = replace(deployed("dense"), network=gated)
    example.save(tmp_path / "example.safetensors")
    out = str(tmp_path / "example.net")
    told = ("export", str(tmp_path / "example.safetensors"), "--format", "lava-dl", "-o", out)
    assert run(*told) == 2
    assert "write onnx or nir instead" in capsys.readouterr().err
    assert not Path(out).exists()
    deployed("dense").save(tmp_path / "dense.safetensors")
    told = ("export", str(tmp_path / "dense.safetensors"), "--format", "lava-dl", "-o", out)
    assert run(*told) == 0
    assert "'decoder.pool' is left out" in capsys.readouterr().out


# --- weights


@pytest.mark.parametrize(
    ("weight", "exponents"),
    [
        ([[0, 0]], [0]),
        ([[127, -127]], [0]),
        ([[254, -254]], [1]),
        ([[255, 0]], [7, 0]),
        ([[-256, 2]], [7, 0]),
        ([[-256, -4]], [2]),
        ([[1000, 999]], [7, 0]),
    ],
)
def test_weights_beyond_eight_bits_lose_nothing(weight: Any, exponents: list[int]) -> None:
    planes = planes_of(np.array(weight), Fields({}, "here"))
    assert [plane.exponent for plane in planes] == exponents
    total = sum(plane.weight.astype(np.int64) << plane.exponent for plane in planes)
    np.testing.assert_array_equal(total, weight)
    for plane in planes:
        assert np.abs(plane.weight.astype(np.int64)).max() < 1 << (plane.bits - 1)


def test_weights_of_one_sign_beyond_netx_s_range_stay(tmp_path: Path) -> None:
    path = network_file(tmp_path, weight=np.full((3, 2), 300))
    deployment = snn_deploy.convert(path, output_steps="all")
    names = [node.name for node in deployment.network if node.spikes]
    spikes = deployment.simulate(np.ones((1, 4, 2)), backend="reference", trace=names)
    assert spikes.logits.all()  # netx makes zeros of them


def test_weights_of_zeros_are_no_error(tmp_path: Path) -> None:
    path = network_file(tmp_path, weight=np.zeros((3, 2)))
    found = snn_deploy.convert(path, output_steps="all").simulate(np.ones((1, 4, 2)))
    assert not found.logits.any()


def test_a_pool_adds_up_every_map(tmp_path: Path) -> None:
    """One weight for all taps; netx reads no pools."""
    path = tmp_path / "pool.net"
    with h5py.File(path, "w") as file:
        write_input(file, [2, 4, 4])
        pool = file.create_group("layer/1")
        pool["type"], pool["shape"] = np.array([b"pool"]), [2, 2, 2]
        pool["kernelSize"], pool["stride"] = [2, 2], [2, 2]
        pool["padding"], pool["dilation"] = [0, 0], [1, 1]
        pool["weight"] = np.full((1, 1, 2, 2), 70.0)
        write_neuron(pool, threshold=69)
    found = snn_deploy.convert(path, output_steps="all")
    x = (np.random.default_rng(0).random((2, 5, 32)) < 0.15).astype(float)
    blocks = x.reshape(2, 5, 2, 2, 2, 2, 2).sum(axis=(4, 6)).reshape(2, 5, 8)
    np.testing.assert_array_equal(found.simulate(x).logits, blocks > 0)


def test_an_input_layer_s_neuron_is_driven_by_what_comes_in(tmp_path: Path) -> None:
    path = tmp_path / "input.net"
    with h5py.File(path, "w") as file:
        layer = write_input(file, [3])
        layer["weight"], layer["bias"] = 2.0, -1.0
        write_neuron(layer, threshold=9)
    deployment = snn_deploy.convert(path, output_steps="all", config={"input_message_bits": 8})
    x = np.array([[[5.0, 6.0, -7.0]]])
    np.testing.assert_array_equal(deployment.simulate(x).logits, [[[0, 1, 0]]])  # 2 x - 1 > 9


# --- what is refused


def write_input(file: Any, shape: list[int]) -> Any:
    layer = file.create_group("layer/0")
    layer["type"], layer["shape"] = np.array([b"input"]), shape
    return layer


def write_neuron(layer: Any, threshold: int = 64, kind: bytes = b"CUBA", **more: Any) -> None:
    neuron = layer.create_group("neuron")
    values = {"iDecay": 4096, "vDecay": 4096, "vThMant": threshold, "refDelay": 1, **more}
    neuron["type"] = np.array([kind])
    for name, value in values.items():
        neuron[name] = value


def network_file(folder: Path, change: Callable[[Any], None] | None = None, **fields: Any) -> Path:
    """Write a file of one dense layer of 2 inputs and 3 neurons, with ``fields`` changed."""
    path = folder / "made.net"
    with h5py.File(path, "w") as file:
        layer = file.create_group("layer/0")
        fields = {"type": np.array([b"dense"]), "shape": [3], "weight": np.ones((3, 2)), **fields}
        for name, value in fields.items():
            layer[name] = value
        write_neuron(layer)
        if change is not None:
            change(file)
    return path


def rename(file: Any) -> None:
    file.move("layer/0", "layer/one")


def without(name: str) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[f"layer/0/{name}"]

    return change


def neuron_of(kind: bytes, **more: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file["layer/0/neuron"]
        write_neuron(file["layer/0"], kind=kind, **more)

    return change


def resonators_of(**parts: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        layer = file["layer/0"]
        del layer["neuron"], layer["weight"]
        write_neuron(layer, kind=b"RF_IZHIKEVICH", sinDecay=1000, cosDecay=2000)
        for name, part in parts.items():
            layer[f"weight/{name}"] = part

    return change


REFUSED: dict[str, tuple[dict[str, Any], Callable[[Any], None] | None, str]] = {
    "layers by other names": ({}, rename, "its layers are called 'one', not 0, 1, 2"),
    "no neuron": (
        {},
        without("neuron"),
        "'neuron' is missing (there is: 'shape, type",
    ),
    "no weights": ({}, without("weight"), "layer 0: 'weight' is missing"),
    "an unknown layer": (
        {"type": np.array([b"concat"])},
        None,
        "layers of type 'concat' are not read, and netx has none; input, flatten, dense",
    ),
    "another neuron": (
        {},
        neuron_of(b"GLIF"),
        "layer 0, neuron: neurons of type 'GLIF' are not read, and netx runs none; CUBA, LOIHI",
    ),
    "a resonator that adapts": (
        {},
        neuron_of(b"ADRF_PHASE"),
        "'ADRF_PHASE' are not read, and netx runs them as if they did not adapt; CUBA, LOIHI",
    ),
    "graded ALIF": ({}, neuron_of(b"ALIF", gradedSpike=True), "graded spikes of ALIF neurons are"),
    "scaled ALIF": (
        {},
        neuron_of(b"ALIF", weight_exp=2),
        "drives that a norm scales (weight_exp) of ALIF neurons are not read",
    ),
    "real weights of a resonator": (
        {},
        neuron_of(b"RF_PHASE", sinDecay=1, cosDecay=1),
        "layer 0: its weights are real, and its neuron's are complex",
    ),
    "half a weight": (
        {},
        resonators_of(real=np.ones((3, 2))),
        "layer 0, weight: 'imag' is missing",
    ),
    "parts of other shapes": (
        {},
        resonators_of(real=np.ones((3, 2)), imag=np.ones((3, 1))),
        "layer 0, weight: 'imag' has shape (3, 1), for 2 inputs",
    ),
    "a delay of a resonator": (
        {"delay": 1},
        resonators_of(real=np.ones((3, 2)), imag=np.ones((3, 2))),
        "layer 0: delay of a layer of complex weights: not read, and netx itself drops them",
    ),
    "a resonator that hears itself": (
        {"type": np.array([b"dense_rec"])},
        resonators_of(real=np.ones((3, 2)), imag=np.ones((3, 2))),
        "layer 0: recurrent weights of a layer of complex weights: not read",
    ),
    "another activation": (
        {},
        neuron_of(b"SDNN", activation=np.array([b"tanh"])),
        "activation 'tanh' is not read; relu is",
    ),
    "a refractory delay": ({}, neuron_of(b"CUBA", refDelay=3), "a refractory delay of 3 steps"),
    "decays of others": (
        {},
        neuron_of(b"CUBA", iDecay=[1, 2]),
        "'iDecay' has 2 numbers, for (3,) neurons",
    ),
    "a decay too large": ({}, neuron_of(b"CUBA", iDecay=5000), "fade is outside 0 … 4096"),
    "weights of others": (
        {"weight": np.ones((4, 2))},
        None,
        "'weight' has shape (4, 2), for 3",
    ),
    "no numbers": ({"weight": np.full((3, 2), np.nan)}, None, "'weight' holds NaN, or numbers of"),
    "huge numbers": ({"weight": np.full((3, 2), 1e30)}, None, "'weight' holds NaN, or numbers of"),
    "a huge weight": (
        {"weight": np.full((3, 2), 1 << 20)},
        None,
        "a weight of 1,048,576, over",
    ),
    "a group of weights": (
        {},
        lambda file: (without("weight")(file), file.create_group("layer/0/weight"))[1],
        "layer 0: its weights are complex, and its neuron is not",
    ),
    "no shape": ({"shape": [0]}, None, "its shape is (0,)"),
    "a delay too long": ({"delay": [1, 2, 63]}, None, "delays of 1 … 63 steps; Loihi's are 0 … 62"),
    "delays of others": ({"delay": [1, 2, 3, 4]}, None, "delays of shape (4,) for 3 × 2 synapses"),
    "biases of others": ({"bias": [1, 2]}, None, "'bias' has 2 numbers, for (3,) neurons"),
    "a huge bias": ({"bias": [1e9]}, None, "bias exceeds 24 bits"),
    "a link elsewhere": (
        {},
        lambda file: file.__setitem__("layer/0/x", h5py.ExternalLink("other.net", "/layer")),
        "points elsewhere (an external or a soft link), which is not followed",
    ),
    "more than it holds": (
        {},
        lambda file: file.create_dataset(
            "layer/0/x", (1 << 20, 1 << 20), "f8", chunks=(1, 1 << 10)
        ),
        "it cannot hold so many",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_in_one_message(
    case: tuple[dict[str, Any], Callable[[Any], None] | None, str], tmp_path: Path
) -> None:
    fields, change, told = case
    path = network_file(tmp_path, change, **fields)
    with pytest.raises(SnnDeployError) as caught:
        snn_deploy.convert(path)
    assert told in str(caught.value)
    assert run("convert", str(path), "-o", str(tmp_path / "x.safetensors")) == 2
    assert not (tmp_path / "x.safetensors").exists()


def test_a_geometry_that_cannot_be(tmp_path: Path) -> None:
    def convolution(file: Any, **fields: Any) -> None:
        write_input(file, [2, 4, 4])
        layer = file.create_group("layer/1")
        layer["type"] = np.array([b"conv"])
        given = {
            "shape": [3, 2, 2], "weight": np.ones((3, 2, 3, 3)), "stride": [1, 1],
            "padding": [0, 0], "dilation": [1, 1], "groups": 1, **fields,
        }  # fmt: skip
        for name, value in given.items():
            if value is not None:
                layer[name] = value
        write_neuron(layer)

    cases = {
        "its shape is (3, 3, 2), but a kernel of (3, 2, 3, 3) on (2, 4, 4) gives (3, 2, 2)": {
            "shape": [3, 3, 2]
        },
        "has a number outside 1": {"stride": [0, 1]},
        "3 filters cannot be dealt out to 2 groups": {
            "groups": 2,
            "weight": np.ones((3, 1, 3, 3)),
        },
        "larger than its frame": {"weight": np.ones((3, 2, 5, 5))},
        "'stride' has 3 numbers, for 2 axes": {"stride": [1, 1, 1]},
        "delays of a convolution are not read": {"delay": [1, 2, 3]},
        "complex weights are read of dense layers alone": {"weight": None, "weight/real": 1},
    }
    for told, fields in cases.items():
        path = tmp_path / "made.net"
        with h5py.File(path, "w") as file:
            convolution(file, **fields)
        with pytest.raises(SnnDeployError) as caught:
            snn_deploy.convert(path)
        assert told in str(caught.value)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    content = (FOLDER / "dense.net").read_bytes()
    path = tmp_path / "damaged.net"
    for size in (0, 7, 8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(CheckpointError, match="HDF5"):
            snn_deploy.convert(path)
    path.write_bytes(b"PK" + content)
    with pytest.raises(CheckpointError, match="not an HDF5 file, as lava-dl's"):
        snn_deploy.convert(path)
    with pytest.raises(CheckpointError, match="No such file"):
        snn_deploy.convert(tmp_path / "none.net")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"bits": 3}, "a .net file takes no 'bits'; there are: input_message_bits, input_shape"),
        ({"input_message_bits": 1}, "input_message_bits is 0, for spikes, or 2 … 24, not 1"),
        ({"input_message_bits": "many"}, "input_message_bits is 0, for spikes, or 2 … 24, not"),
        ({"input_shape": "2,x"}, "input_shape is channels, or maps, rows and columns, not"),
        ({"input_shape": [0]}, "input_shape is channels, or maps, rows and columns, not"),
    ],
)
def test_options_that_cannot_be(config: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        snn_deploy.convert(FOLDER / "dense.net", config=config)


@pytest.mark.parametrize("phase", [False, True])
def test_a_resonator_turns_and_fires(phase: bool, tmp_path: Path, backend: str) -> None:
    """Either kind, by hand: about a quarter of a turn a step."""
    kind = b"RF_PHASE" if phase else b"RF_IZHIKEVICH"

    def change(file: Any) -> None:
        layer = file["layer/0"]
        del layer["neuron"], layer["weight"]
        write_neuron(layer, threshold=90, kind=kind, sinDecay=4095, cosDecay=0)
        layer["weight/real"], layer["weight/imag"] = [[100]], [[3]]

    path = network_file(tmp_path, change, shape=[1])
    x = np.zeros((1, 8, 1))
    x[0, 0] = 1
    found = snn_deploy.convert(path, output_steps="all").simulate(x, backend=backend)
    # about (100, 3), (-3, 100), (-100, -3), (3, -100), (100, 3): the imaginary part rises through 0
    # in step 4; above 90 in step 1 it fires, and what that leaves behind stays below 90
    np.testing.assert_array_equal(np.flatnonzero(found.logits), [4] if phase else [1])


def test_fractions_are_cut_off_as_netx_does_and_told(tmp_path: Path) -> None:
    path = network_file(tmp_path, weight=np.full((3, 2), 1.9))
    source = snn_deploy.read_source(path)
    (synapses,) = (node for node in source.network if node.synaptic)
    assert (synapses.weight == 1).all()  # type: ignore[attr-defined]
    assert source.provenance.notes == (
        f"{path}: layer 0: fractions of 'weight' are cut off, as netx does",
    )
