"""``snn-deploy evaluate``: accuracy and activity over a whole test set, resumable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from snn_deploy.cli.console import echo, percent, progress_bar
from snn_deploy.cli.data_options import data_forms
from snn_deploy.cli.options import EngineType, gathered

if TYPE_CHECKING:
    from snn_deploy.evaluation.workers import Cluster

__all__ = ["EvaluateRequest", "evaluate"]

CONFUSION_SHOWN = 12  # classes up to which the terminal shows the confusion matrix


@dataclass(frozen=True)
class EvaluateRequest:
    """What was asked for, by the names of the options."""

    deployment_file: str
    data_path: str
    output: str
    backend: str
    shard_size: int
    workers: int | None
    cluster: str | None
    tls_ca: str | None
    tls_cert: str | None
    tls_key: str | None
    fresh: bool

    def check(self) -> None:
        """Refuse what does not go together."""
        from snn_deploy.errors import ConfigError

        if self.workers is not None and self.cluster is not None:
            raise ConfigError(
                "--workers and --cluster exclude each other: a cluster has its workers"
            )
        if self.cluster is None and any((self.tls_ca, self.tls_cert, self.tls_key)):
            raise ConfigError("--tls-ca, --tls-cert and --tls-key need --cluster ADDRESS")

    def place(self) -> int | Cluster | None:
        """Where to run: local workers, a cluster, or here."""
        from snn_deploy.evaluation.workers import Cluster

        if self.cluster is None:
            return self.workers
        return Cluster(self.cluster, self.tls_ca, self.tls_cert, self.tls_key)


@click.command(short_help="Evaluate a whole test set, resumably.")
@click.argument("deployment_file", metavar="DEPLOYMENT")
@click.option(
    "--data",
    "data_path",
    metavar="DATA.npz|DIR|.npy",
    required=True,
    help="DATA.npz, or inputs.npy, which stays on disk, or a folder of it, its labels.npy or "
    "targets.npy, and lengths.npy.",
)
@data_forms("data_path")
@click.option("-o", "--output", metavar="OUT.json", default="evaluation.json", show_default=True)
@click.option(
    "--backend",
    default="native",
    show_default=True,
    type=EngineType(),
)
@click.option("--shard-size", default=256, show_default=True, type=click.IntRange(min=1))
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Local worker processes.")
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="A dask scheduler, e.g. tls://host:8786; without TLS whoever reaches it can run code.",
)
@click.option("--tls-ca", metavar="FILE", help="With --cluster: the authority that it trusts.")
@click.option("--tls-cert", metavar="FILE", help="With --cluster: our certificate.")
@click.option("--tls-key", metavar="FILE", help="With --cluster: our certificate's key.")
@click.option("--fresh", is_flag=True, help="Forget what an unfinished earlier run left.")
@gathered(EvaluateRequest)
def evaluate(asked: EvaluateRequest) -> None:
    """Run a whole test set; killed at any moment, the same command goes on where it was."""
    asked.check()
    from snn_deploy.deployment import load
    from snn_deploy.evaluation import evaluate as run
    from snn_deploy.evaluation.dataset import open_dataset

    total = len(open_dataset(asked.data_path, load(asked.deployment_file).network))
    with progress_bar("evaluating", total) as progress:
        outcome = run(
            asked.deployment_file,
            asked.data_path,
            asked.output,
            backend=asked.backend,
            shard_size=asked.shard_size,
            workers=asked.place(),
            fresh=asked.fresh,
            progress=progress,
        )
    _print(outcome)
    echo(f"wrote {asked.output}")


def _print(outcome: Any) -> None:
    tally = outcome.tally
    correct = "" if tally.correct is None else f", accuracy {percent(outcome.accuracy)}"
    if tally.labelled > tally.sequences and outcome.perplexity is not None:
        correct += f" of {tally.labelled:,} steps, perplexity {outcome.perplexity:.2f}"
    echo(f"{tally.sequences:,} sequences, {tally.steps:,} steps{correct}")
    if tally.regression is not None:
        echo(f"  {tally.regression}")
    for layer in outcome.layers():
        odd = f"{layer['silent_neurons']} silent, {layer['always_firing_neurons']} always firing"
        echo(f"  {layer['layer']}: spike rate {percent(layer['spike_rate'])}, {odd}")
    for node, clipped in tally.saturated.items():
        echo(f"  saturated {node}: {clipped:,} values clipped")
    _print_confusion(tally.confusion)


def _print_confusion(confusion: dict[str, int]) -> None:
    pairs = {tuple(map(int, key.split(">"))): n for key, n in confusion.items()}
    classes = sorted({c for pair in pairs for c in pair})
    if not 0 < len(classes) <= CONFUSION_SHOWN:
        return
    width = max(len(str(n)) for n in (*pairs.values(), *classes)) + 1
    echo("  confusion, a row a label, a column a prediction")
    echo("  " + " " * width + "".join(f"{c:>{width}}" for c in classes))
    for label in classes:
        row = "".join(f"{pairs.get((label, c), 0):>{width}}" for c in classes)
        echo(f"  {label:>{width}}{row}")
