"""``snn-deploy finetune``: train a checkpoint further, for the formats it will be deployed with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snn_deploy.cli.console import echo, percent, progress_bar
from snn_deploy.cli.data_options import data_forms
from snn_deploy.cli.options import (
    checkpoint_options,
    config_file,
    gathered,
    parse_pairs,
    target_option,
)

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint
    from snn_deploy.training.finetune import Evaluation, FineTuned

__all__ = ["FinetuneRequest", "finetune"]


@dataclass(frozen=True)
class FinetuneRequest:
    """What was asked for, by the names of the options."""

    checkpoint: str
    data: str
    target: str
    settings: dict[str, str]
    formats: str | None
    epochs: int
    learning_rate: float
    batch_size: int
    validation: str | None
    seed: int
    reading: dict[str, Any]
    output: str

    def chosen(self) -> dict[str, Any]:
        """All settings; those of the command line go before those of a file."""
        from snn_deploy.quantize.config import read_formats

        return {**(read_formats(self.formats) if self.formats else {}), **self.settings}

    def check(self) -> None:
        """Refuse an output that is one of the inputs, or cannot be."""
        from snn_deploy.training.writing import check_output

        inputs = {"checkpoint": self.checkpoint, "configuration": config_file(self.reading)}
        data = {"training data": self.data, "validation data": self.validation}
        check_output(Path(self.output), {**inputs, **data})

    def convert_command(self) -> str:
        """The command that deploys what comes out."""
        pairs = [f"--set {key}={value}" for key, value in self.settings.items()]
        words = [f"--formats {self.formats}"] if self.formats else []
        command = f"snn-deploy convert {Path(self.output)} --target {self.target}"
        return " ".join([f"{command} --calibration {self.data}", *words, *pairs])


@click.command(short_help="Train a checkpoint for its number formats (needs torch).")
@click.argument("checkpoint")
@click.option(
    "--data", metavar="TRAIN.npz", required=True, help="Labelled training data; also calibrates."
)
@data_forms("data", "validation")
@target_option
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parse_pairs,
    help="A quantisation setting to train for, e.g. weight_bits=4.",
)
@click.option(
    "--formats", metavar="FILE.toml", help="Settings from a file, as for convert; --set goes first."
)
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True)
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=2e-3,
    show_default=True,
    help="At the start; it falls to 0.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=48, show_default=True)
@click.option(
    "--validation",
    metavar="DATA.npz",
    help="Labelled data that tells the best epoch; default: a tenth of --data, held out.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@checkpoint_options
@click.option(
    "-o",
    "--output",
    metavar="OUT.ckpt|.safetensors",
    required=True,
    help="The best epoch's checkpoint, for convert.",
)
@gathered(FinetuneRequest)
def finetune(asked: FinetuneRequest) -> None:
    """Train CHECKPOINT further with the target's own integers in the forward pass.

    OUT is written whenever an epoch is the best so far, so that Ctrl-C leaves the best one.
    """
    from snn_deploy.training.availability import require_torch

    require_torch()
    from snn_deploy.training.finetune import prepare_finetuning
    from snn_deploy.training.loop import Schedule

    asked.check()
    out, chosen = Path(asked.output), asked.chosen()
    job = prepare_finetuning(
        asked.checkpoint,
        asked.data,
        asked.target,
        settings=chosen,
        schedule=Schedule(asked.epochs, asked.learning_rate, asked.batch_size, asked.seed),
        validation=asked.validation,
        **asked.reading,
    )
    origin = {"checkpoint": Path(asked.checkpoint).name, "target": asked.target}
    report = _Report(out, asked.epochs, {**origin, "settings": chosen, "seed": asked.seed})
    try:
        with progress_bar("training", asked.epochs * len(job.training)) as progress:
            tuned = job.run(report, progress)
    except KeyboardInterrupt:
        if report.saved is not None:
            echo(f"{out} holds epoch {report.saved}, the best so far", err=True)
        raise
    if tuned.best.epoch == 0:
        report.save(tuned.best, tuned.checkpoint)
        echo("warning: no epoch was better than the checkpoint as it was", err=True)
    _print_summary(out, tuned, len(job.held_out))
    echo(f"convert it with: {asked.convert_command()}")


class _Report:
    """Prints a line an epoch, and saves the best one so far."""

    def __init__(self, out: Path, epochs: int, origin: dict[str, Any]) -> None:
        self.out, self.epochs, self.origin = out, epochs, origin
        self.started = time.perf_counter()
        self.saved: int | None = None  # the epoch that the file holds

    def __call__(self, evaluation: Evaluation, checkpoint: Checkpoint | None) -> None:
        done = "before training"
        if evaluation.training is not None:
            epoch = evaluation.training
            done = f"epoch {epoch.number}/{self.epochs}: loss {epoch.loss:.4f}"
            done += f", {percent(epoch.accuracy)} of the training sequences"
        seconds = time.perf_counter() - self.started
        found = f"deployed {percent(evaluation.deployed.accuracy)}"
        found += f" of the validation sequences, loss {evaluation.deployed.loss:.4f}"
        echo(f"{done}; {found}; {seconds:.0f} s", err=True)
        if checkpoint is not None:
            self.save(evaluation, checkpoint)

    def save(self, evaluation: Evaluation, checkpoint: Checkpoint) -> None:
        """Write the checkpoint, with where it comes from."""
        from snn_deploy.training.writing import write_checkpoint

        record = {**self.origin, "checkpoint_sha256": checkpoint.sha256, "epoch": evaluation.epoch}
        write_checkpoint(self.out, checkpoint, record)
        self.saved = evaluation.epoch


def _print_summary(out: Path, tuned: FineTuned, sequences: int) -> None:
    echo(f"on {sequences} validation sequences")
    echo(f"  float, exact LIF   {percent(tuned.original.accuracy)}")
    echo(f"  deployed, before   {percent(tuned.start.deployed.accuracy)}")
    echo(f"  deployed, after    {percent(tuned.best.deployed.accuracy)}")
    echo(f"{out}: the network of epoch {tuned.best.epoch}")
