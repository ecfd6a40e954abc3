"""Writes the files of this folder: networks that SLAYER makes, and what netx answers on Lava.

What netx does not run, SLAYER answers itself, with its quantised neurons; where both do, they must
agree.

    uv venv -p 3.10 netx
    uv pip install --python netx lava-dl==0.6.0 lava-nc==0.10.0 setuptools torch==2.3.1
    netx/bin/python tests/data/lava_dl/make.py
    netx/bin/python tests/data/lava_dl/make.py --check FOLDER   # netx's answers to files of ours

Each network has random weights, as its seed gives them. It is exported by SLAYER's own
``export_hdf5`` and run by ``netx.hdf5.Network``, sequence after sequence, with its layers' states
reset between them where netx can; inputs and outputs are put away, (sequences, steps, channels),
maps before rows and columns, and the output without the steps that it takes to get through.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from lava.lib.dl import netx, slayer
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc import io

HERE = Path(__file__).resolve().parent
SEQUENCES, STEPS = 3, 30
GRADED = ("sigma_delta",)
SLAYER_ONLY = ("adaptive",)  # netx runs none of it
BOTH = ("resonators",)
CUBA = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03, "requires_grad": False}


def weights(block: Any, scale: float, seed: int) -> None:
    """Draw a block's weights, in units of 2/64, as SLAYER rounds them."""
    generator = torch.Generator().manual_seed(seed)
    for name in ("synapse", "input_synapse", "recurrent_synapse"):
        if hasattr(block, name):
            whole = getattr(block, name)
            for synapse in (whole.real, whole.imag) if hasattr(whole, "imag") else (whole,):
                drawn = torch.randn(synapse.weight.shape, generator=generator)
                synapse.weight.data = drawn * scale


def dense() -> tuple[list[Any], tuple[int, ...]]:
    first = slayer.block.cuba.Dense(CUBA, 12, 16)
    second = slayer.block.cuba.Dense({**CUBA, "current_decay": 1.0}, 16, 5)
    weights(first, 0.6, 1)
    weights(second, 0.7, 2)
    return [first, second], (12,)


def excitatory() -> tuple[list[Any], tuple[int, ...]]:
    """Weights of one sign, up to the highest that Loihi holds."""
    first = slayer.block.cuba.Dense(CUBA, 12, 8)
    weights(first, 0.5, 3)
    first.synapse.weight.data = first.synapse.weight.data.abs()
    first.synapse.weight.data[0, 0] = 127 * 2 / 64
    second = slayer.block.cuba.Dense(CUBA, 8, 4)
    weights(second, 0.9, 4)
    second.synapse.weight.data[0, 0] = -128 * 2 / 64
    return [first, second], (12,)


def recurrent() -> tuple[list[Any], tuple[int, ...]]:
    first = slayer.block.cuba.Recurrent(CUBA, 10, 10)
    weights(first, 0.5, 5)
    second = slayer.block.cuba.Dense(CUBA, 10, 4)
    weights(second, 0.8, 6)
    return [first, second], (10,)


def delays() -> tuple[list[Any], tuple[int, ...]]:
    first = slayer.block.cuba.Dense(CUBA, 10, 8, delay=True)
    weights(first, 0.6, 7)
    second = slayer.block.cuba.Dense(CUBA, 8, 4, delay=True)
    weights(second, 0.9, 8)
    return [first, second], (10,)


def bias() -> tuple[list[Any], tuple[int, ...]]:
    """Neurons that a bias drives, before anything comes in, too."""
    normed = {**CUBA, "norm": slayer.neuron.norm.MeanOnlyBatchNorm}
    first = slayer.block.cuba.Conv(normed, 2, 3, 3)
    weights(first, 0.6, 12)
    second = slayer.block.cuba.Dense(normed, 3 * 4 * 3, 6)
    weights(second, 0.4, 13)
    return [first, slayer.block.cuba.Flatten(), second], (2, 6, 5)


def resonators() -> tuple[list[Any], tuple[int, ...]]:
    """Both of netx's kinds; it keeps these decays, as it does not keep all."""
    first = slayer.block.rf.Dense({"threshold": 1.0, "period": 9, "decay": 0.06}, 12, 16)
    second = slayer.block.rf_iz.Dense({"threshold": 1.5, "period": 7, "decay": 0.1}, 16, 12)
    third = slayer.block.cuba.Dense({**CUBA, "current_decay": 1.0}, 12, 5)
    weights(first, 0.7, 16)
    weights(second, 0.8, 17)
    weights(third, 0.9, 18)
    return [first, second, third], (12,)


def adaptive() -> tuple[list[Any], tuple[int, ...]]:
    params = {"threshold": 1.25, "threshold_step": 0.4, "requires_grad": False}
    params |= {"current_decay": 0.3, "voltage_decay": 0.2}
    params |= {"threshold_decay": 0.05, "refractory_decay": 0.15}
    normed = {**params, "norm": slayer.neuron.norm.MeanOnlyBatchNorm}
    first = slayer.block.alif.Dense(normed, 12, 16)
    second = slayer.block.alif.Recurrent(params, 16, 8)
    third = slayer.block.alif.Dense({**params, "shared_param": False}, 8, 6)
    weights(first, 0.6, 19)
    weights(second, 0.8, 20)
    weights(third, 1.1, 23)
    return [first, second, third], (12,)


def convolution() -> tuple[list[Any], tuple[int, ...]]:
    first = slayer.block.cuba.Conv(CUBA, 2, 4, (3, 2), stride=(2, 1), padding=(1, 1))
    weights(first, 0.5, 9)
    second = slayer.block.cuba.Conv(CUBA, 4, 6, 3, padding=1, groups=2)
    weights(second, 0.6, 10)
    third = slayer.block.cuba.Dense(CUBA, 6 * 4 * 6, 5)
    weights(third, 0.25, 11)
    return [first, second, slayer.block.cuba.Flatten(), third], (2, 7, 5)


def sigma_delta() -> tuple[list[Any], tuple[int, ...]]:
    params = {"threshold": 1 / 64, "activation": torch.nn.functional.relu}
    first = slayer.block.sigma_delta.Dense(params, 12, 10)
    second = slayer.block.sigma_delta.Dense(params, 10, 5)
    weights(first, 0.6, 14)
    weights(second, 0.6, 15)
    return [first, second], (12,)


NETWORKS: dict[str, Callable[[], tuple[list[Any], tuple[int, ...]]]] = {
    "dense": dense,
    "excitatory": excitatory,
    "recurrent": recurrent,
    "delays": delays,
    "bias": bias,
    "convolution": convolution,
    "sigma_delta": sigma_delta,
    "resonators": resonators,
    "adaptive": adaptive,
}


def export(name: str) -> tuple[Path, list[Any], tuple[int, ...]]:
    """Write a network's ``.net``; give its path, its blocks and the shape of its input."""
    blocks, shape = NETWORKS[name]()
    x = torch.zeros(1, *shape, 4)
    for number, block in enumerate(blocks):
        with torch.no_grad():
            x = block(x)  # tells it its shape
        generator = torch.Generator().manual_seed(number)
        if getattr(block, "delay", None) is not None:
            block.delay.delay.data = torch.rand(x.shape[1], generator=generator) * 9
        if getattr(getattr(block, "neuron", None), "norm", None) is not None:
            block.neuron.norm.running_mean = torch.randn(x.shape[1], generator=generator) * 9 / 64
    path = HERE / f"{name}.net"
    with h5py.File(path, "w", track_order=False) as file:
        layers = file.create_group("layer")
        for index, block in enumerate(blocks):
            block.export_hdf5(layers.create_group(f"{index}"))
    return path, blocks, shape


def slayer_run(blocks: list[Any], shape: tuple[int, ...], inputs: np.ndarray) -> np.ndarray:
    """Run SLAYER's quantised network on sequences (B, L, channels); each layer is a step late."""
    late = len(blocks)
    x = torch.tensor(np.moveaxis(inputs, 1, -1), dtype=torch.float32)
    x = torch.nn.functional.pad(x, (0, late)).reshape(len(inputs), *shape, -1)
    with torch.no_grad():
        for block in blocks:
            x = block.eval()(x)
    heard = x.reshape(len(inputs), -1, x.shape[-1])[..., late:]
    return np.moveaxis(heard.numpy(), -1, 1).astype(np.int64)


def run(path: Path, shape: tuple[int, ...], inputs: np.ndarray, bits: int) -> np.ndarray:
    """Run netx on sequences (B, L, channels); give what the last layer says, likewise."""
    given = shape if len(shape) == 1 else shape[::-1]
    sequences, steps, _ = inputs.shape
    found = []
    for sequence in range(sequences):
        net = netx.hdf5.Network(
            net_config=str(path),
            input_shape=given,
            input_message_bits=bits,
            reset_interval=10_000,
            reset_offset=1,  # a layer hears the first step one step after its synapses
        )
        late = len(net.layers)
        frames = inputs[sequence].reshape(steps, *shape)
        frames = frames if len(shape) == 1 else frames.transpose(0, 3, 2, 1)
        padded = np.concatenate([frames, np.zeros((late + 1, *frames.shape[1:]))])
        source = io.source.RingBuffer(data=np.moveaxis(padded, 0, -1).astype(int))
        sink = io.sink.RingBuffer(shape=net.out.shape, buffer=len(padded))
        source.s_out.connect(net.inp)
        net.out.connect(sink.a_in)
        net.run(RunSteps(num_steps=len(padded)), Loihi2SimCfg(select_tag="fixed_pt"))
        heard = np.moveaxis(sink.data.get().copy(), -1, 0)[late : late + steps]
        net.stop()
        heard = heard if heard.ndim == 2 else heard.transpose(0, 3, 2, 1)
        found.append(heard.reshape(steps, -1))
    return np.stack(found).astype(np.int64)


def check(folder: Path) -> None:
    """Run netx on the same networks as ``export --format lava-dl`` wrote them."""
    for path in sorted(folder.glob("*.net")):
        known = np.load(HERE / f"{path.stem}.npz")
        shape = NETWORKS[path.stem]()[1]
        found = run(path, shape, known["inputs"], 16 if path.stem in GRADED else 0)
        same = np.array_equal(found, known["outputs"])
        print(f"{path.stem}: {found.size} messages, {'equal' if same else 'NOT equal'}")


def main() -> None:
    if sys.argv[1:2] == ["--check"]:
        check(Path(sys.argv[2]))
        return
    for name in sys.argv[1:] or NETWORKS:
        path, blocks, shape = export(name)
        rng = np.random.default_rng(len(name))
        size = (SEQUENCES, STEPS, int(np.prod(shape)))
        inputs = (rng.random(size) < 0.2).astype(np.int64)
        bits = 16 if name in GRADED else 0
        if bits:
            inputs *= rng.integers(-150, 151, size)
        theirs = slayer_run(blocks, shape, inputs) if name in (*SLAYER_ONLY, *BOTH) else None
        outputs = theirs if name in SLAYER_ONLY else run(path, shape, inputs, bits)
        if name in BOTH and not np.array_equal(theirs, outputs):
            raise SystemExit(f"{name}: netx and SLAYER differ")
        np.savez_compressed(path.with_suffix(".npz"), inputs=inputs, outputs=outputs)
        print(name, path.stat().st_size, outputs.mean(axis=(1, 2)))


if __name__ == "__main__":
    main()
