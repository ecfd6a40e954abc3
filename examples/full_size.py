"""The SpikingSSM authors' eleven configurations at full size: checkpoints with random weights.

    python examples/full_size.py pathx -o networks          pathx.ckpt, calibration.npz, test.npz
    python examples/full_size.py --measure [NAMES]          convert and run each; a table

Nobody has published trained weights of these sizes. Random ones take the same time and memory, as
long as neurons spike as often: the state-space models' outputs are scaled, channel by channel, so
that 5 to 20 % of neurons do in each step.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.examples.random_spikingssm import RandomSpikingSSM, Tensors
from snn_deploy.examples.torch_file import state_dict, write_zip
from snn_deploy.examples.tuning import tune_to_spike
from snn_deploy.io.files import atomic_write

__all__ = ["CONFIGURATIONS", "Configuration", "main", "make_checkpoint", "make_data", "write"]

Array = npt.NDArray[Any]

# of WikiText-103 and its adaptive softmax, as S4's task has them
WT103_VOCABULARY, WT103_CUTOFFS, WT103_DIVISOR = 267_735, (20_000, 40_000, 200_000), 4


MIXING = 3.0  # a tenth of all neurons spike: then a layer adds about as much as it reads


@dataclass(frozen=True)
class Configuration:
    """One of the authors' experiments.

    Parameters
    ----------
    channels, modes, layers
        Sizes: H, complex modes a channel N, and depth.
    steps
        Length of a sequence, padding included.
    classes
        What the decoder tells apart.
    vocabulary, inputs
        Tokens it reads; or, where that is 0, numbers a step.
    bidirectional, trainable_b, prenorm, norm
        The layout.
    decoder
        One answer a sequence, one a pair of documents, or a distribution over tokens a step.
    use_lengths
        The mean heeds padding.
    dt_min
        Smallest step size of a mode.
    target
        The smallest system that holds it.
    calibration
        Sequences to calibrate with: a few, or one where it has thousands of tokens.
    calibration_steps
        Their length, where it is not ``steps``: a causal network's ranges need no full length.
    assumed
        What its published configuration does not say, or was not to be had.
    """

    channels: int
    modes: int
    layers: int
    steps: int
    classes: int
    vocabulary: int = 0
    inputs: int = 1
    bidirectional: bool = True
    trainable_b: bool = False
    prenorm: bool = False
    norm: Literal["batch", "layer"] = "layer"
    decoder: Literal["sequence", "retrieval", "adaptive"] = "sequence"
    use_lengths: bool = False
    dt_min: float = 0.001
    target: str = "loihi2"
    calibration: int = 4
    calibration_steps: int = 0
    assumed: str = ""


# Sizes and switches from configs/experiment/spikingssm of the authors' code (copy in
# github.com/tzjs2015II/s4, commit e4e6fb0); lengths and vocabularies from S4's data sets.
CONFIGURATIONS = {
    "mnist": Configuration(400, 32, 2, steps=784, classes=10, bidirectional=False),
    "pmnist": Configuration(256, 32, 4, steps=784, classes=10, bidirectional=False),
    "cifar": Configuration(512, 32, 6, steps=1024, classes=10),
    "listops": Configuration(
        256, 2, 6, steps=2048, classes=10, vocabulary=18, trainable_b=True, norm="batch",
        use_lengths=True,
    ),
    "imdb": Configuration(
        256, 2, 6, steps=4096, classes=2, vocabulary=135, trainable_b=True, prenorm=True,
        norm="batch", use_lengths=True,
    ),
    "aan": Configuration(
        256, 32, 6, steps=4000, classes=2, vocabulary=100, prenorm=True, norm="batch",
        decoder="retrieval", use_lengths=True,
    ),
    "pathfinder": Configuration(256, 32, 6, steps=1024, classes=2, prenorm=True, norm="batch"),
    "pathx": Configuration(
        256, 32, 6, steps=16_384, classes=2, trainable_b=True, prenorm=True, norm="batch",
        dt_min=0.0001,
    ),
    "sc": Configuration(
        128, 32, 6, steps=16_000, classes=35, trainable_b=True, prenorm=True, norm="batch",
        assumed="sizes, as in S4's experiment on the same task",
    ),
    "dvs128gesture": Configuration(
        256, 4, 2, steps=1024, classes=11, inputs=256, trainable_b=True,
        assumed="sizes, and frames of 16 × 16 pixels",
    ),
    "wt103": Configuration(
        1024, 32, 16, steps=8192, classes=WT103_VOCABULARY, vocabulary=WT103_VOCABULARY,
        bidirectional=False, prenorm=True, decoder="adaptive", target="kapoho_point",
        calibration=1, calibration_steps=2048,
    ),
}  # fmt: skip


def make_checkpoint(name: str, seed: int = 0) -> tuple[Tensors, dict[str, Any]]:
    """Give a state dict and its configuration; the same seed gives the same."""
    form = CONFIGURATIONS[name]
    tensors, config = RandomSpikingSSM(
        d_model=form.channels,
        n_layers=form.layers,
        d_state=2 * form.modes,
        bidirectional=form.bidirectional,
        trainable_b=form.trainable_b,
        prenorm=form.prenorm,
        norm=form.norm,
        d_input=form.inputs,
        vocabulary=None if form.decoder == "adaptive" else form.vocabulary or None,
        classes=1 if form.decoder == "adaptive" else form.classes,
        use_lengths=form.use_lengths,
        dt_min=form.dt_min,
        seed=seed,
    ).make()
    rng = np.random.default_rng([seed, 1])
    if not form.vocabulary:
        tensors["encoder.0.weight"] *= np.float32(form.inputs**-0.5)
    for layer in range(form.layers):
        tensors[f"model.s4_layers.{layer}.output_linear.0.weight"] *= np.float32(MIXING)
    if form.decoder == "retrieval":
        _compare_documents(tensors, config, form, rng)
    elif form.decoder == "adaptive":
        _predict_tokens(tensors, config, form, rng)
    tune_to_spike(tensors, config, make_data(name, 1, seed)["inputs"], rng)
    return tensors, config


def make_data(name: str, sequences: int, seed: int = 0) -> dict[str, Array]:
    """Give the contents of a DATA.npz: smooth noise or tokens, and lengths where they matter.

    For pairs of documents twice as many sequences, first documents before second ones.
    """
    form = CONFIGURATIONS[name]
    rng = np.random.default_rng([seed, 2, sequences])
    count = 2 * sequences if form.decoder == "retrieval" else sequences
    if form.vocabulary:
        # natural texts hold few words often and many rarely
        ranks = rng.zipf(1.2, (count, form.steps))
        data: dict[str, Array] = {"inputs": (ranks - 1) % form.vocabulary}
    else:
        noise = rng.normal(size=(count, form.steps + 8, form.inputs)).cumsum(axis=1)
        smooth = (noise[:, 8:] - noise[:, :-8]) / np.sqrt(8)
        # bounded as pixels are, so that calibration sees their whole range
        data = {"inputs": smooth.clip(-2.5, 2.5).astype(np.float32)}
    if form.use_lengths:
        data["lengths"] = rng.integers(form.steps // 2, form.steps + 1, count)
    return data


def write(
    name: str, folder: Path, calibration: int | None = None, test: int = 2, seed: int = 0
) -> Path:
    """Write NAME.ckpt, calibration.npz and test.npz into a folder; give the checkpoint's path."""
    folder.mkdir(parents=True, exist_ok=True)
    form = CONFIGURATIONS[name]
    calibrating = make_data(name, calibration or form.calibration, seed + 1)
    calibrating["inputs"] = calibrating["inputs"][:, : form.calibration_steps or form.steps]
    tensors, config = make_checkpoint(name, seed)
    path = folder / f"{name}.ckpt"
    write_zip(path, {"state_dict": state_dict(tensors), "hyper_parameters": config})
    parts = {"calibration.npz": calibrating, "test.npz": make_data(name, test, seed + 2)}
    for file_name, data in parts.items():
        with atomic_write(folder / file_name) as file:
            np.savez(file, **data)
    return path


def _compare_documents(
    tensors: Tensors, config: dict[str, Any], form: Configuration, rng: np.random.Generator
) -> None:
    """Exchange the decoder for one that compares two documents."""
    _drop(tensors, "decoder.")
    for index, rows, columns in ((0, form.channels, 4 * form.channels), (2, 2, form.channels)):
        key = f"decoder.0.retrieval.classifier.{index}."
        tensors[f"{key}weight"] = _normal(rng, rows, columns, scale=columns**-0.5)
        tensors[f"{key}bias"] = _normal(rng, rows, scale=0.1)
    config["decoder"] = {
        "_name_": "retrieval",
        "mode": "pool",
        "use_lengths": form.use_lengths,
        "nli": True,
        "activation": "gelu",
    }


def _predict_tokens(
    tensors: Tensors, config: dict[str, Any], form: Configuration, rng: np.random.Generator
) -> None:
    """Exchange both ends for S4's adaptive embedding and softmax, whose tables are shared."""
    _drop(tensors, "decoder.")
    _drop(tensors, "encoder.")
    bounds = (0, *WT103_CUTOFFS, form.vocabulary)
    for k, (first, last) in enumerate(itertools.pairwise(bounds)):
        width = form.channels // WT103_DIVISOR**k
        tensors[f"encoder.0.emb_layers.{k}.weight"] = _normal(
            rng, last - first, width, scale=width**-0.5
        )
        projection = _normal(rng, form.channels, width, scale=form.channels**-0.5)
        tensors[f"encoder.0.emb_projs.{k}"] = projection
        tensors[f"loss.out_layers_biases.{k}"] = _normal(rng, last - first, scale=0.1)
        tensors[f"loss.shared_out_projs.{k}"] = projection
    tensors["loss.out_projs.0"] = _normal(
        rng, form.channels, form.channels, scale=form.channels**-0.5
    )
    clusters = len(WT103_CUTOFFS)
    tensors["loss.cluster_weight"] = _normal(rng, clusters, form.channels, scale=0.1)
    tensors["loss.cluster_bias"] = np.zeros(clusters, np.float32)
    config["encoder"], config["decoder"] = None, "sequence"
    config["task"] = {
        "_name_": "adaptivelm",
        "div_val": WT103_DIVISOR,
        "cutoffs": list(WT103_CUTOFFS),
        "tie_weights": True,
        "tie_projs": [True] * clusters,
    }


def _drop(tensors: Tensors, prefix: str) -> None:
    for key in [key for key in tensors if key.startswith(prefix)]:
        del tensors[key]


def _normal(rng: np.random.Generator, *shape: int, scale: float) -> npt.NDArray[np.float32]:
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def main() -> None:
    """Write one configuration, or measure several."""
    parser = argparse.ArgumentParser(description="The authors' configurations at full size.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CONFIGURATIONS))
    parser.add_argument("-o", "--output", type=Path, help="folder to write into")
    parser.add_argument("--measure", action="store_true", help="convert and run; default: all")
    options = parser.parse_args()
    unknown = set(options.names) - set(CONFIGURATIONS)
    if unknown or not (options.names or options.measure):
        parser.error(f"name one or more of {', '.join(CONFIGURATIONS)}")
    if options.measure:
        from snn_deploy.examples.measuring import measure

        for line in measure(options.names or list(CONFIGURATIONS), options.output):
            print(line, flush=True)
        return
    for name in options.names:
        print(write(name, (options.output or Path()) / name))


if __name__ == "__main__":
    main()
