"""Other people's ONNX models: the same numbers as onnxruntime's, then deployed; or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snn_deploy
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import CheckpointError, ConfigError, SnnDeployError
from snn_deploy.ir.network import Network
from snn_deploy.readers import ReadOptions, read_source

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

DATA = Path(__file__).parent / "data" / "onnx"
HEAD = '<ir_version: 8, opset_import: ["" : 18, "qonnx.custom_op.general" : 1]>'
rng = np.random.default_rng(2)
W = rng.normal(size=(3, 6)).astype(np.float32)
FRAME = "float[batch, 2, 6, 6] x"
FLAT = "float[batch, 6] x"
MAPS = rng.normal(size=(4, 2, 3, 3)).astype(np.float32)
EACH = rng.uniform(0.5, 2, 2).astype(np.float32)
FOUR = rng.normal(size=4).astype(np.float32)
STEPS = np.float32(0.05)


def model(body: str, inputs: str = FLAT, **arrays: Any) -> Any:
    """A model of one output y, whose body may name ``arrays``."""
    made = onnx.parser.parse_model(f"{HEAD} g ({inputs}) => (float[n] y) {{ {body} }}")
    del made.graph.output[0].type.tensor_type.shape.dim[:]
    made.graph.output[0].type.tensor_type.ClearField("shape")
    made.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()
    )
    return made


def computed(network: Network, x: Any) -> Any:
    """What the float network gives for samples, each of which is a sequence of one step."""
    steps = x.reshape(len(x), 1, -1).astype(np.float64)
    return run_float(network, steps, np.ones(len(x), np.int64)).logits


GOOD = {
    "gemm": model("y = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (x, w, b)", w=W, b=W[:, 0]),
    "matmul": model("h = MatMul (x, w) y = Add (h, b)", w=W.T, b=W[:, 0]),
    "matmul with a transposed weight": model(
        "t = Transpose <perm = [1, 0]> (w) h = MatMul (x, t) y = Add (b, h)", w=W, b=W[:, 0]
    ),
    "an offset that is read twice": model(
        "h = MatMul (x, w) z = Add (h, b) y = Add (h, z)", w=W.T, b=W[:, 0]
    ),
    "gains": model(
        "a = Mul (x, w) b = Sub (a, w) c = Sub (w, b) d = Div (c, w) y = Add (d, x)", w=W[0]
    ),
    "a product": model("h = Relu (x) y = Mul (h, x)"),
    "relu": model("h = Identity (x) y = Relu (h)"),
    "convolution": model(
        "y = Conv <pads = [1, 0, 2, 1], strides = [2, 1], dilations = [1, 2]> (x, w, b)",
        FRAME,
        w=MAPS,
        b=FOUR,
    ),
    "groups": model("y = Conv <group = 2> (x, w)", FRAME, w=MAPS[:, :1]),
    "an offset of filters": model(
        "h = Conv (x, w) y = Add (h, b)", FRAME, w=MAPS, b=FOUR[None, :, None, None]
    ),
    "pool": model("y = AveragePool <kernel_shape = [2, 3], strides = [2, 3]> (x)", FRAME),
    "padded pool": model(
        "y = AveragePool <kernel_shape = [2, 2], pads = [1, 1, 0, 0], count_include_pad = 1> (x)",
        FRAME,
    ),
    "mean of maps": model("h = GlobalAveragePool (x) y = Flatten (h)", FRAME),
    "reduced": model("y = ReduceMean <keepdims = 0> (x, a)", FRAME, a=np.array([-2, -1])),
    "batch norm": model("y = BatchNormalization <epsilon = 0.1> (x, s, s, s, s)", FRAME, s=EACH),
    "layer norm": model("y = LayerNormalization <axis = -1> (x, s, b)", s=W[0], b=W[1]),
    "a dynamic flatten": model(
        "s = Shape (x) i = Constant <value = int64 {0}> () n = Gather <axis = 0> (s, i)"
        " a = Constant <value = int64[1] {0}> () u = Unsqueeze (n, a)"
        " m = Constant <value = int64[1] {-1}> () t = Concat <axis = 0> (u, m)"
        " h = Reshape (x, t) y = MatMul (h, w)",
        FRAME,
        w=rng.normal(size=(72, 3)).astype(np.float32),
    ),
    "axes of size 1": model(
        "h = Unsqueeze (x, a) i = Squeeze (h, a) y = MatMul (i, w)", w=W.T, a=np.array([1])
    ),
    "gelu": model(
        "s = Constant <value = float {1.4142135}> () a = Div (x, s) b = Erf (a)"
        " o = Constant <value = float {1.0}> () c = Add (b, o) d = Mul (x, c)"
        " h = Constant <value = float {0.5}> () y = Mul (d, h)"
    ),
    "quantised weights": model(
        "w = DequantizeLinear <axis = 0> (q, s, z) y = Gemm <transB = 1> (x, w)",
        q=rng.integers(-127, 128, (3, 6)).astype(np.int8),
        s=np.array([0.01, 0.02, 0.03], np.float32),
        z=np.array([1, 0, -3], np.int8),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_onnxruntime_computes_the_same(name: str) -> None:
    made = GOOD[name]
    network = snn_deploy.load_float_network(made)
    shape = [axis.dim_value for axis in made.graph.input[0].type.tensor_type.shape.dim][1:]
    x = np.random.default_rng(1).normal(size=(5, *shape)).astype(np.float32)
    session = runtime.InferenceSession(made.SerializeToString())
    (expected,) = session.run(None, {"x": x})
    np.testing.assert_allclose(computed(network, x), expected.reshape(5, -1), atol=2e-5)


@pytest.mark.parametrize("what", ["dense", "convolutional"])
@pytest.mark.parametrize("exporter", ["script", "dynamo"])
def test_torch_computes_the_same(exporter: str, what: str, tmp_path: Path) -> None:
    path = DATA / f"torch_{exporter}_{what}.onnx"
    with np.load(DATA / f"torch_{what}.npz") as data:
        x, y = data["x"], data["y"]
    np.testing.assert_allclose(computed(snn_deploy.load_float_network(path), x), y, atol=1e-6)
    steps = np.random.default_rng(0).normal(size=(64, 1, x[0].size))
    deployment = snn_deploy.convert(path, calibration=np.concatenate([steps, x.reshape(4, 1, -1)]))
    answer = deployment.simulate(x.reshape(4, 1, -1)).answer
    assert np.abs(answer - y).max() < 0.05 * np.abs(y).max()
    assert deployment.origin.source["reader"] == "onnx"
    assert deployment.origin.source["producer"].startswith("pytorch")


def test_steps_are_a_third_axis() -> None:
    made = model("h = MatMul (x, w) y = Relu (h)", "float[batch, steps, 6] x", w=W.T)
    x = np.random.default_rng(1).normal(size=(2, 7, 6)).astype(np.float32)
    (expected,) = runtime.InferenceSession(made.SerializeToString()).run(None, {"x": x})
    network = snn_deploy.load_float_network(made, output_steps="all")
    given = run_float(network, x.astype(np.float64), np.full(2, 7)).logits
    np.testing.assert_allclose(given, expected, atol=1e-5)
    mean = snn_deploy.load_float_network(made)
    given = run_float(mean, x.astype(np.float64), np.full(2, 7)).logits
    np.testing.assert_allclose(given, expected.mean(axis=1), atol=1e-5)
    last = snn_deploy.load_float_network(made, {"readout": "last"})
    given = run_float(last, x.astype(np.float64), np.full(2, 7)).logits
    np.testing.assert_allclose(given, expected[:, -1], atol=1e-5)


def test_quantisers_of_signals_are_left_out() -> None:
    """What an unsigned one cuts off below 0 is kept; the rest is within a step of it."""
    made = model(
        "q = QuantizeLinear (x, s, u) a = DequantizeLinear (q, s, u) h = Gemm <transB = 1> (a, w)"
        " r = Relu (h) p = QuantizeLinear (r, s, u) y = DequantizeLinear (p, s, u)",
        s=STEPS,
        u=np.uint8(0),
        w=W,
    )
    source = read_source(made)
    assert "2 quantisers of signals are left out, 'q' first" in source.provenance.notes[1]
    kinds = [node.kind for node in source.network]
    assert kinds.count("Relu") == 2
    x = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
    (expected,) = runtime.InferenceSession(made.SerializeToString()).run(None, {"x": x})
    away = np.abs(computed(source.network, x) - expected).max()
    assert 0 < away < STEPS * (1 + np.abs(W).sum(axis=1).max())


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("what", ["dense", "convolutional"])
def test_what_onnxruntime_quantised(what: str, per_channel: bool, tmp_path: Path) -> None:
    """It joins each Relu with the quantiser behind it, whose zero point is its lowest integer."""
    tools = pytest.importorskip("onnxruntime.quantization")
    with np.load(DATA / f"torch_{what}.npz") as data:
        shape = data["x"].shape[1:]
    draws = np.random.default_rng(0)
    samples = draws.normal(size=(16, 8, *shape)).astype(np.float32)

    class Reader(tools.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.left = iter(samples)

        def get_next(self) -> Any:
            found = next(self.left, None)
            return None if found is None else {"x": found}

    path = tmp_path / "quantised.onnx"
    tools.quantize_static(
        DATA / f"torch_dynamo_{what}.onnx",
        path,
        Reader(),
        quant_format=tools.QuantFormat.QDQ,
        per_channel=per_channel,
        weight_type=tools.QuantType.QInt8,
    )
    x = draws.normal(size=(50, *shape)).astype(np.float32)
    # as the file says: fused, sums of 8-bit products saturate at 16 bits on CPUs without VNNI
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (expected,) = runtime.InferenceSession(path, options).run(None, {"x": x})
    given = computed(snn_deploy.load_float_network(path), x)
    assert np.abs(given - expected).max() < 0.1 * np.abs(expected).max()


def test_qonnx_quantises_weights() -> None:
    quant = 'Quant <signed = 1, narrow = 1, rounding_mode = "ROUND"> (w, s, z, b)'
    made = model(
        f"q = qonnx.custom_op.general.{quant} y = Gemm <transB = 1> (x, q)",
        w=W,
        s=np.float32(0.25),
        z=np.float32(0.0),
        b=np.float32(4.0),
    )
    x = np.random.default_rng(1).normal(size=(5, 6))
    expected = x @ (np.clip(np.rint(W / 0.25), -7, 7) * 0.25).T
    np.testing.assert_allclose(computed(snn_deploy.load_float_network(made), x), expected)


def circle() -> Any:
    return model("a = Add (x, b) b = Relu (a) y = Relu (b)")


def outside() -> Any:
    made = model("y = MatMul (x, w)", w=W.T)
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"
    return made


def huge() -> Any:
    made = model("y = MatMul (x, w)", w=W.T)
    made.graph.initializer[0].dims[:] = [2**40, 2**40]
    return made


def custom() -> Any:
    made = model("y = Relu (x)")
    made.graph.node[0].domain = "com.example"
    return made


def branching() -> Any:
    made = model("y = Relu (x)")
    branch = onnx.helper.make_graph([], "g", [], [])
    made.graph.node[0].attribute.append(onnx.helper.make_attribute("then_branch", branch))
    return made


def functions() -> Any:
    made = model("y = Relu (x)")
    made.functions.add().name = "Own"
    return made


def sparse() -> Any:
    made = model("y = Relu (x)")
    made.graph.sparse_initializer.add()
    return made


def twice() -> Any:
    return model("y = Relu (x) y = Relu (x)")


def whole_numbers() -> Any:
    return model("y = Relu (x)", "int64[batch, 6] x")


def unsized() -> Any:
    return model("y = Relu (x)", "float[batch, features] x")


BIG = np.ones((2**15, 1), np.float32)
BAD: dict[str, tuple[Any, str]] = {
    "circle": (circle(), "which comes later: its operators are in a circle, or not in order"),
    "missing": (model("y = Add (x, nothing)"), "reads 'nothing', which nothing gives"),
    "outside": (outside(), "its numbers are in another file, which is not opened; write the model"),
    "huge": (huge(), "takes 4,835,703,278,458,516,698,824,704 bytes, and there are 72"),
    "custom": (custom(), "a custom operator, of 'com.example'"),
    "branching": (branching(), "its attribute 'then_branch' holds graphs or objects"),
    "functions": (functions(), "it has functions of its own, such as 'Own'"),
    "sparse": (sparse(), "it has sparse initialisers"),
    "twice": (twice(), "gives 'y', which is there already"),
    "whole numbers": (whole_numbers(), "input 'x' takes no real numbers"),
    "unsized": (unsized(), "those of a step must be stated"),
    "over the steps": (
        model("d = Constant <value = int64 {1}> () y = CumSum (x, d)"),
        "(CumSum): it works over the steps, and only what works within one is read from ONNX",
    ),
    "unknown": (model("y = Softmax (x)"), "this operator cannot be expressed; there are: Add"),
    "mismatch": (model("y = MatMul (x, w)", w=W), "weights for 3 channels, and (6,) arrive"),
    "a weight that arrives": (model("y = MatMul (x, x)"), "is a signal, where numbers are wanted"),
    "a bias": (model("y = Gemm (x, w, b)", w=W.T, b=W[:, :2]), "an array of shape (3, 2)"),
    "infinite": (model("y = Mul (x, w)", w=W[0] * np.inf), "is not all finite"),
    "division by 0": (model("y = Div (x, w)", w=0 * W[0]), "a division by a signal, or by 0"),
    "division": (model("h = Relu (x) y = Div (h, x)"), "a division by a signal"),
    "difference": (model("h = Relu (x) y = Sub (h, x)"), "a difference of two signals"),
    "repeated": (
        model("h = MatMul (x, w) y = Add (h, x)", w=W.T),
        "it reads (3,) and (6,), and nothing is repeated",
    ),
    "large": (
        model("t = Transpose (w) h = Mul (w, t) y = MatMul (x, h)", w=BIG),
        "an array of 1,073,741,824 numbers",
    ),
    "an array that does not fit": (
        model("r = Reshape (w, s) y = MatMul (x, r)", w=W, s=np.array([5, 5])),
        "cannot work on (3, 6), (2,)",
    ),
    "mixing": (model("y = Reshape (x, s)", s=np.array([2, -1])), "it mixes sequences or steps"),
    "filters": (model("y = Conv (x, w)", FRAME, w=MAPS[:, :1]), "1 groups of 1 maps, and 2 arrive"),
    "kernel": (
        model("y = Conv (x, w)", FRAME, w=np.ones((1, 2, 7, 7), np.float32)),
        "is larger than its frame",
    ),
    "automatic": (model('y = Conv <auto_pad = "SAME_UPPER"> (x, w)', FRAME, w=MAPS), "auto_pad"),
    "pads": (model("y = Conv <pads = [1]> (x, w)", FRAME, w=MAPS), "pads is not 4 whole numbers"),
    "pool": (
        model("y = AveragePool <kernel_shape = [2, 2], pads = [1, 1, 1, 1]> (x)", FRAME),
        "zeros around the frame must count",
    ),
    "variance": (
        model("y = BatchNormalization (x, s, s, s, v)", FRAME, s=EACH, v=-EACH),
        "a variance that is not positive",
    ),
    "another quantiser": (
        model(
            "q = QuantizeLinear (x, s, u) y = DequantizeLinear (q, t, u)",
            s=STEPS,
            t=2 * STEPS,
            u=np.uint8(3),
        ),
        "is not that of the quantiser before it",
    ),
    "work on integers": (
        model("q = QuantizeLinear (x, s, u) y = Relu (q)", s=STEPS, u=np.uint8(3)),
        "it works on quantised numbers",
    ),
    "answer of integers": (
        model("y = QuantizeLinear (x, s, u)", s=STEPS, u=np.uint8(3)),
        "output 'y' is no signal of real numbers",
    ),
    "an answer that is known": (model("y = Identity (w)", w=W), "output 'y' is no signal"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    """In one message that names the file, whatever is in it; no other file is opened."""
    made, message = BAD[name]
    path = tmp_path / "given.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(CheckpointError) as caught:
        snn_deploy.load_float_network(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith("given.onnx: ")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "given.onnx"
    content = GOOD["convolution"].SerializeToString()
    for size in (1, 50, len(content) // 2):
        path.write_bytes(content[:size])
        with pytest.raises(SnnDeployError):
            snn_deploy.load_float_network(path)


def test_a_deployment_is_no_source(tmp_path: Path) -> None:
    from snn_deploy.formats.registry import get_format

    example = Path(snn_deploy.__file__).parent / "examples" / "seqdigits_uni"
    made = snn_deploy.convert(example / "seqdigits_uni.ckpt", calibration=example / "train.npz")
    get_format("onnx").write(made, tmp_path / "d.onnx")
    with pytest.raises(CheckpointError, match=r"d.onnx: a deployment already"):
        snn_deploy.load_float_network(tmp_path / "d.onnx")


def test_options_without_use() -> None:
    with pytest.raises(ConfigError, match="an ONNX model takes no family"):
        read_source(GOOD["relu"], ReadOptions(family="spikingssm"))
    with pytest.raises(ConfigError, match="takes no width"):
        snn_deploy.load_float_network(GOOD["relu"], {"width": 3})
    with pytest.raises(ConfigError, match="readout=median is not one of mean, sum, last"):
        snn_deploy.load_float_network(GOOD["relu"], {"readout": "median"})
