"""NIR graphs by hand: every primitive's equation in plain loops, loops, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from nir_files import chain, graph, write_nir

import snn_deploy
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import SnnDeployError

pytest.importorskip("h5py")

Real = npt.NDArray[np.float64]
H, STEPS, DT = 3, 40, 1e-3
TAU = np.array([0.002, 0.01, 0.05])
SYN = np.array([0.004, 0.002, 0.008])
R, W_IN = np.array([4.0, 2.0, 9.0]), np.array([3.0, 1.0, 2.0])
REST, LEVEL, RESET = np.array([0.1, 0.0, -0.3]), np.array([0.5, 0.8, 0.4]), np.array([0.2, 0, -0.5])
R_IF = 30 * R
LEAKY = {"tau": TAU, "r": R, "v_leak": REST}
CUBA = {"tau_mem": TAU, "tau_syn": SYN, "r": R, "v_leak": REST, "w_in": W_IN}
FIRES = {"v_threshold": LEVEL, "v_reset": RESET}


def inputs() -> Real:
    return np.random.default_rng(3).normal(0.3, 0.6, (2, STEPS, H))


def answer(path: Path, tree: dict[str, Any], x: Real | None = None, **config: Any) -> Real:
    """Give what a graph answers at every step."""
    write_nir(path / "a.nir", tree)
    given = {"dt": DT, **config}
    network = snn_deploy.load_float_network(path / "a.nir", given, "all")
    return np.asarray(run_float(network, inputs() if x is None else x).logits)


def by_euler(x: Real, fires: bool, synapse: bool, leak: bool = True, **how: Any) -> Real:
    """NIR's equations, Euler steps in their order, one number after another."""
    start = np.where(leak, REST, RESET if fires and how.get("reset", "value") == "value" else 0.0)
    v, i, late = np.tile(start, (len(x), 1)), np.zeros((len(x), H)), np.zeros((len(x), H))
    y = np.zeros_like(x)
    for t in range(x.shape[1]):
        current = x[:, t]
        if synapse:
            before, i = i, i + DT / SYN * (W_IN * x[:, t] - i)
            current = before if how.get("current") == "old" else i
        v = v + (DT / TAU * (REST - v + R * current) if leak else DT * R_IF * current) - late
        if not fires:
            y[:, t] = v
            continue
        fired = v >= LEVEL if how.get("spike") == "at" else v > LEVEL
        y[:, t] = fired
        late = 0 * late
        if how.get("reset") == "subtract":
            v = np.where(fired, v - LEVEL, v)
        elif how.get("reset") == "subtract-late":
            late = np.where(fired, LEVEL, 0)
        else:
            v = np.where(fired, RESET, v)
    return y


PRIMITIVES: dict[str, tuple[dict[str, Any], dict[str, bool]]] = {
    "LI": ({"type": "LI", **LEAKY}, {"fires": False, "synapse": False}),
    "CubaLI": ({"type": "CubaLI", **CUBA}, {"fires": False, "synapse": True}),
    "I": ({"type": "I", "r": R_IF}, {"fires": False, "synapse": False, "leak": False}),
    "LIF": ({"type": "LIF", **LEAKY, **FIRES}, {"fires": True, "synapse": False}),
    "CubaLIF": ({"type": "CubaLIF", **CUBA, **FIRES}, {"fires": True, "synapse": True}),
    "IF": (
        {"type": "IF", "r": R_IF, **FIRES},
        {"fires": True, "synapse": False, "leak": False},
    ),
}
CONVENTIONS: tuple[dict[str, str], ...] = (
    {},
    {"reset": "subtract"},
    {"reset": "subtract-late"},
    {"spike": "at", "current": "old"},
)


@pytest.mark.filterwarnings("ignore:unstable")
@pytest.mark.parametrize("how", CONVENTIONS, ids=str)
@pytest.mark.parametrize("name", PRIMITIVES)
def test_neurons(tmp_path: Path, name: str, how: dict[str, str]) -> None:
    node, facts = PRIMITIVES[name]
    x = inputs()
    expected = by_euler(x, **facts, **how)
    found = answer(tmp_path, chain(H, node), x, **how)
    if facts["fires"]:
        assert 0.05 < expected.mean() < 0.9
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_what_keeps_nothing(tmp_path: Path) -> None:
    weight, bias, scale = np.array([[1.0, -2, 0], [0.5, 0, 3]]), np.array([0.1, -1]), 2.5
    tree = chain(
        H,
        {"type": "Affine", "weight": weight, "bias": bias},
        {"type": "Scale", "scale": scale},
        {"type": "Linear", "weight": weight.T},
        {"type": "Delay", "delay": np.full(H, 3 * DT)},
        {"type": "Threshold", "threshold": np.array([0.5, 0, 2])},
    )
    x = inputs()
    graded = (x @ weight.T + bias) * scale @ weight
    late = np.concatenate([np.zeros((2, 3, H)), graded[:, :-3]], axis=1)
    np.testing.assert_array_equal(answer(tmp_path, tree), late > [0.5, 0, 2])


def lif(**changes: Any) -> dict[str, Any]:
    return {**PRIMITIVES["LIF"][0], **changes}


def test_graphs_in_graphs_loops_and_sums(tmp_path: Path) -> None:
    """A layer in a graph of its own hears itself a step later; two branches meet behind it."""
    rng = np.random.default_rng(0)
    back, bias = rng.normal(0, 0.5, (H, H)), rng.normal(0, 0.3, H)
    layer = graph(
        {
            "input": {"type": "Input", "shape": [H]},
            "lif": lif(),
            "w_rec": {"type": "Affine", "weight": back, "bias": bias},
            "output": {"type": "Output", "shape": [H]},
        },
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )
    tree = graph(
        {
            "in": {"type": "Input", "shape": [H]},
            "first": {"type": "Linear", "weight": np.eye(H)},
            "layer": layer,
            "out": {"type": "Output", "shape": [H]},
            "unused": lif(),
        },
        [("in", "first"), ("first", "layer"), ("layer", "out"), ("in", "out"), ("in", "unused")],
    )
    x = inputs()
    v, spikes = np.tile(REST, (2, 1)), np.zeros_like(x)
    for t in range(STEPS):
        heard = spikes[:, t - 1] @ back.T if t else 0.0
        v = v + DT / TAU * (REST - v + R * (x[:, t] + heard + bias))
        spikes[:, t] = v > LEVEL
        v = np.where(v > LEVEL, RESET, v)
    assert 0.05 < spikes.mean() < 0.9
    np.testing.assert_allclose(answer(tmp_path, tree), spikes + x, rtol=0, atol=1e-12)


def test_frames_lie_flat(tmp_path: Path) -> None:
    tree = chain(
        12,
        {"type": "Flatten", "start_dim": 0, "end_dim": -1},
        {"type": "Linear", "weight": np.arange(24.0).reshape(2, 12)},
        outputs=2,
    )
    tree["nodes"]["input"]["shape"] = [1, 3, 4]
    x = np.random.default_rng(0).normal(size=(2, 5, 12))
    expected = x @ np.arange(24.0).reshape(2, 12).T
    np.testing.assert_allclose(answer(tmp_path, tree, x), expected)


def by_loops(x: Real, weight: Real, stride: int, pad: tuple[int, int], step: int) -> Real:
    """A convolution of frames (…, maps, rows, columns), padded with ``pad`` zeros at the ends."""
    x = np.pad(x, ((0, 0), (0, 0), (0, 0), pad, pad))
    (_, _, rows, columns), size = weight.shape, x.shape[-2:]
    places = [
        (n - (k - 1) * step - 1) // stride + 1 for n, k in zip(size, (rows, columns), strict=True)
    ]
    y = np.zeros((*x.shape[:2], len(weight), *places))
    for i, j in np.ndindex(*places):
        part = x[
            ...,
            i * stride : i * stride + (rows - 1) * step + 1 : step,
            j * stride : j * stride + (columns - 1) * step + 1 : step,
        ]
        y[..., i, j] = np.einsum("blmrc,fmrc->blf", part, weight)
    return y


@pytest.mark.parametrize(
    ("padding", "stride", "dilation", "pad"),
    [(1, 2, 1, (1, 1)), ("same", 1, 2, (2, 2)), ("valid", 2, 1, (0, 0)), ([1, 1], 1, 1, (1, 1))],
)
def test_convolutions_and_pools(
    tmp_path: Path, padding: Any, stride: int, dilation: int, pad: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(4, 2, 3, 3)), rng.normal(size=4)
    tree = chain(
        2 * 8 * 8,
        {
            "type": "Conv2d",
            "weight": weight,
            "bias": bias,
            "stride": stride,
            "dilation": dilation,
            "padding": padding,
            "groups": 1,
        },
        {"type": "SumPool2d", "kernel_size": [2, 2], "stride": [1, 1], "padding": [0, 0]},
        {"type": "AvgPool2d", "kernel_size": [2, 2], "stride": [2, 2], "padding": [1, 1]},
        {"type": "Flatten", "start_dim": 0, "end_dim": -1},
    )
    tree["nodes"]["input"]["shape"] = [1, 2, 8, 8]
    x = rng.normal(size=(2, 3, 2, 8, 8))
    y = by_loops(x, weight, stride, pad, dilation) + bias[:, None, None]
    each = np.eye(4)[:, :, None, None] * np.ones((2, 2))
    y = by_loops(by_loops(y, each, 1, (0, 0), 1), each / 4, 2, (1, 1), 1)
    found = answer(tmp_path, tree, x.reshape(2, 3, -1))
    np.testing.assert_allclose(found, y.reshape(2, 3, -1), rtol=0, atol=1e-12)


def test_convolutions_of_one_axis_in_groups(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, 1, 3))
    node = {"type": "Conv1d", "weight": weight, "bias": np.zeros(4), "groups": 2}
    node |= {"stride": 2, "padding": 1, "dilation": 1}
    tree = chain(10, node)
    tree["nodes"]["input"]["shape"] = [2, 5]
    x = rng.normal(size=(1, 4, 2, 5))
    y = np.zeros((1, 4, 4, 3))
    padded = np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 1)))
    for f, place in np.ndindex(4, 3):
        part = padded[:, :, f // 2, 2 * place : 2 * place + 3]
        y[:, :, f, place] = part @ weight[f, 0]
    np.testing.assert_allclose(answer(tmp_path, tree, x.reshape(1, 4, 10)), y.reshape(1, 4, 12))


@pytest.mark.parametrize("readout", ["mean", "sum", "last"])
def test_one_vector_a_sequence(tmp_path: Path, readout: str) -> None:
    path = write_nir(tmp_path / "a.nir", chain(H, lif()))
    every = run_float(snn_deploy.load_float_network(path, {"dt": DT}, "all"), inputs()).logits
    network = snn_deploy.load_float_network(path, {"dt": DT, "readout": readout})
    assert isinstance(every, np.ndarray)
    wanted = {"mean": every.mean(1), "sum": every.sum(1), "last": every[:, -1]}[readout]
    np.testing.assert_allclose(run_float(network, inputs()).logits, wanted)


def test_metadata_name_the_writer(tmp_path: Path) -> None:
    tree = {
        **chain(H, lif(tau=TAU * 1000)),
        "metadata": {"conventions": {"writer": "Sinabs", "dt": 2.0}},
    }
    path = write_nir(tmp_path / "a.nir", tree)
    source = snn_deploy.readers.read_source(path)
    assert source.provenance.chosen["writer"] == "sinabs"
    assert source.provenance.chosen["decay"] == "exponential"
    assert source.provenance.chosen["dt"] == "2.0"


def broken(*nodes: dict[str, Any], **changes: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {**chain(H, *nodes), **changes}


LOOP = {"type": "Scale", "scale": np.ones(H)}
REFUSED: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "no graph": (lif, "holds no NIR graph"),
    "no nodes": (lambda: graph({}, []), "has no nodes"),
    "no edges": (broken(lif(), edges=[]), r"'output' \(Output\): no input reaches it"),
    "an edge to nowhere": (
        broken(lif(), edges=[("input", "n1")]),
        "an edge names 'n1', which is no node",
    ),
    "a node without a type": (broken({"tau": TAU}), "node 'n0' has no type"),
    "an unknown primitive": (
        broken({"type": "read", "filename": "/etc/passwd"}),
        r"'n0' \(read\): this primitive cannot be expressed; there are: Affine, ",
    ),
    "a frame of other maps": (
        broken({"type": "Conv1d", "weight": np.ones((2, 2, 3))}),
        r"reads \(3,\), where it wants 2 maps of 1 axes",
    ),
    "a kernel larger than its frame": (
        broken({"type": "Conv1d", "weight": np.ones((2, 1, 5))}),
        "is larger than its frame",
    ),
    "half a step": (
        broken({"type": "Conv1d", "weight": np.ones((2, 1, 3)), "stride": 1.5}),
        "stride .* is no whole number",
    ),
    "another padding": (
        broken({"type": "Conv1d", "weight": np.ones((2, 1, 3)), "padding": "reflect"}),
        "padding 'reflect' is neither 'same' nor 'valid'",
    ),
    "filters that are not dealt out": (
        lambda: graph(
            {
                "i": {"type": "Input", "shape": [2, 4]},
                "c": {"type": "Conv1d", "weight": np.ones((3, 1, 3)), "groups": 2},
                "o": {"type": "Output"},
            },
            [("i", "c"), ("c", "o")],
        ),
        "3 filters in 2 groups",
    ),
    "no output": (
        lambda: graph({"input": {"type": "Input", "shape": [H]}}, []),
        "the graph has no Output node",
    ),
    "a loop of weights": (
        lambda: graph(
            {"i": {"type": "Input", "shape": [H]}, "a": LOOP, "b": LOOP, "o": {"type": "Output"}},
            [("i", "a"), ("a", "b"), ("b", "a"), ("b", "o")],
        ),
        "the loop 'a' → 'b' has no neuron and no delay in it",
    ),
    "a loop of nothing": (
        lambda: graph(
            {"i": {"type": "Input", "shape": [H]}, "a": LOOP, "o": {"type": "Output"}},
            [("i", "a"), ("a", "a"), ("a", "o")],
        ),
        "the loop 'a' has no neuron",
    ),
    "weights that do not fit": (
        broken({"type": "Linear", "weight": np.ones((2, 4))}),
        r"'n0' \(Linear\): weight has shape \(2, 4\), but 'input' gives 3 channels",
    ),
    "weights of a wrong kind": (
        broken({"type": "Linear", "weight": "heavy"}),
        "weight is not an array of numbers",
    ),
    "weights that are none": (
        broken({"type": "Linear", "weight": np.full((H, H), np.nan)}),
        "weight holds NaN or infinity",
    ),
    "a parameter too many": (
        broken(lif(tau=np.ones(4))),
        r"'n0' \(LIF\): tau has shape \(4,\), where \(3,\) neurons are",
    ),
    "no time constant": (broken({"type": "LIF", **FIRES}), "has no tau"),
    "time constants of 0": (broken(lif(tau=0 * TAU)), "a time constant of 0 s, not above 0"),
    "time constants below a step": (
        broken(lif(tau=TAU / 10)),
        r"0.0002 s is shorter than the step, 0.001 s.*--set-model writer=NAME",
    ),
    "half a step of delay": (
        broken({"type": "Delay", "delay": np.full(H, DT / 2)}),
        "a delay of 0.5 steps of 0.001 s is no whole number of them",
    ),
    "delays of a neuron each": (
        broken({"type": "Delay", "delay": DT * np.arange(3)}),
        "delays of 0 to 2 steps in one node",
    ),
    "branches that do not fit": (
        lambda: graph(
            {
                "i": {"type": "Input", "shape": [H]},
                "a": {"type": "Linear", "weight": np.ones((2, H))},
                "o": {"type": "Output", "shape": [2]},
            },
            [("i", "a"), ("a", "o"), ("i", "o")],
        ),
        "which cannot be added",
    ),
    "an input of a huge shape": (
        lambda: graph(
            {"i": {"type": "Input", "shape": [1 << 40, 1 << 40]}, "o": {"type": "Output"}},
            [("i", "o")],
        ),
        "over 16,777,216 channels",
    ),
    "an input of no shape": (
        lambda: graph(
            {"i": {"type": "Input", "shape": [2.5]}, "o": {"type": "Output"}}, [("i", "o")]
        ),
        "is no shape",
    ),
    "a graph of two inputs in a graph": (
        lambda: graph(
            {
                "i": {"type": "Input", "shape": [H]},
                "g": graph({"a": {"type": "Input"}, "b": {"type": "Input"}}, []),
                "o": {"type": "Output"},
            },
            [("i", "g"), ("g", "o")],
        ),
        "the part 'g' has not one input and one output",
    ),
    "a name of many lines": (
        lambda: graph({"a\nb": LOOP}, []),
        "a node's name is not plain text",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_no_network_is_refused(tmp_path: Path, case: Any) -> None:
    make, told = case
    path = write_nir(tmp_path / "a.nir", make())
    with pytest.raises(SnnDeployError, match=told) as refusal:
        snn_deploy.load_float_network(path, {"dt": DT})
    assert refusal.value.exit_code == 2
    assert str(refusal.value).startswith("a.nir: ")


def test_graphs_nested_too_deep_are_refused(tmp_path: Path) -> None:
    tree = chain(H, lif())
    for _ in range(18):
        tree = chain(H, tree)
    write_nir(tmp_path / "a.nir", tree)
    with pytest.raises(SnnDeployError, match="nested"):
        snn_deploy.load_float_network(tmp_path / "a.nir", {"dt": DT})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"writer": "brian"}, "unknown writer 'brian'; there are: nir, snntorch"),
        ({"writer": "snntorc"}, "did you mean 'snntorch'"),
        ({"tau": 1}, "unknown option 'tau'; there are: writer, dt, decay"),
        ({"dt": "soon"}, "dt=soon is no number of seconds above 0"),
        ({"dt": "-1"}, "dt=-1 is no number of seconds above 0"),
        ({"reset": "hard"}, "reset=hard is not one of value, subtract, subtract-late"),
        ({"dt": 1e-3, "readout": "max"}, "readout=max is not one of mean, sum, last"),
    ],
)
def test_options_that_are_none(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    path = write_nir(tmp_path / "a.nir", chain(H, lif()))
    with pytest.raises(SnnDeployError, match=told):
        snn_deploy.load_float_network(path, options)


def test_options_of_checkpoints_have_no_use(tmp_path: Path) -> None:
    path = write_nir(tmp_path / "a.nir", chain(H, lif()))
    with pytest.raises(SnnDeployError, match="a NIR graph takes no family"):
        snn_deploy.load_float_network(path, family="s4d")


def test_live_graphs() -> None:
    nir = pytest.importorskip("nir")
    live = nir.NIRGraph(
        nodes={
            "input": nir.Input(np.array([H])),
            "lif": nir.LIF(tau=TAU, r=R, v_leak=REST, v_threshold=LEVEL, v_reset=RESET),
            "output": nir.Output(np.array([H])),
        },
        edges=[("input", "lif"), ("lif", "output")],
    )
    source = snn_deploy.readers.read_source(
        live, snn_deploy.readers.ReadOptions(config={"dt": DT}, output_steps="all")
    )
    expected = by_euler(inputs(), fires=True, synapse=False)
    np.testing.assert_array_equal(run_float(source.network, inputs()).logits, expected)
    again = snn_deploy.readers.read_source(
        live, snn_deploy.readers.ReadOptions(config={"dt": DT}, output_steps="all")
    )
    assert again.provenance.sha256 == source.provenance.sha256
