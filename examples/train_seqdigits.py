"""Train the bundled example from scratch: sequential digits, on a CPU, in a few minutes.

    python examples/train_seqdigits.py -o seqdigits.ckpt
    python examples/train_seqdigits.py --family s4d -o binary_s4d.ckpt
    python examples/train_seqdigits.py --family s4d_gsu -o gsu.ckpt

The float network is trained with its exact neurons, all steps of a sequence at once: the
state-space models by FFT, the resets by repetition until nothing changes (see
``snn_deploy/training/neuron.py``). What comes out is a checkpoint for ``snn-deploy convert``, and
``snn-deploy finetune`` is the same training with a chip's integers in the forward pass.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from snn_deploy.api import load_float_network
from snn_deploy.cli.console import percent
from snn_deploy.data.inputs import Data, load_data
from snn_deploy.engines.floating import run_float
from snn_deploy.training.availability import require_torch

__all__ = ["main"]

DATA = Path(__file__).parent / "seqdigits_uni"
CHANNELS, LAYERS, MODES, CLASSES = 64, 2, 32, 10


def main() -> None:
    """Train, write the checkpoint, and test what was written."""
    options = _options()
    require_torch()
    from snn_deploy.training.initialise import new_network
    from snn_deploy.training.loop import Schedule, train
    from snn_deploy.training.model import Model
    from snn_deploy.training.writing import check_output, write_checkpoint

    check_output(options.output, {})
    sizes = (1, CLASSES, CHANNELS, LAYERS, MODES)
    model = Model.read(new_network(*sizes, options.seed, options.family))
    training = load_data(DATA / "train.npz", model.network)
    schedule = Schedule(
        options.epochs,
        learning_rate=options.learning_rate,
        batch_size=40,
        seed=options.seed,
        weight_decay=0.01,
        warmup=100,
    )
    started = time.perf_counter()
    for epoch in train(model, model.forward, training, schedule):
        print(
            f"epoch {epoch.number}/{options.epochs}: loss {epoch.loss:.4f}, "
            f"{percent(epoch.accuracy)} right; {time.perf_counter() - started:.0f} s"
        )
    write_checkpoint(options.output, model.checkpoint(), {"seed": options.seed})
    print(f"{options.output}: {_test(options.output):.2%} of the test sequences right")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the bundled example from scratch.")
    parser.add_argument("-o", "--output", type=Path, default=Path("seqdigits.ckpt"))
    parser.add_argument(
        "--family",
        choices=("spikingssm", "s4d", "s4d_gsu", "spikingblockgate"),
        default="spikingssm",
        help="SpikingSSM, Binary S4D (s4d), Gated Spiking Units (s4d_gsu), PRF (spikingblockgate)",
    )
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _test(checkpoint: Path) -> float:
    network = load_float_network(checkpoint)
    data: Data = load_data(DATA / "test.npz", network)
    right = run_float(network, data.inputs).logits.argmax(axis=-1) == data.labels
    return float(right.mean())


if __name__ == "__main__":
    main()
