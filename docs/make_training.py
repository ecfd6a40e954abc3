"""Writes the table in docs/training.md: accuracy at few bits a synapse, before and after.

Run it from the repository's root after changing the training or the quantisation; it takes about
two minutes a row, and all but the bundled example need the real checkpoints beside the repository.
Names of checkpoints make their rows alone::

    .venv/bin/python docs/make_training.py
    .venv/bin/python docs/make_training.py gsu
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from snn_deploy import convert
from snn_deploy.api import load_float_network
from snn_deploy.cli.console import percent
from snn_deploy.data.inputs import Data, load_data
from snn_deploy.engines.floating import run_float
from snn_deploy.io.files import atomic_write
from snn_deploy.training.availability import require_torch

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "training.md"
MARKS = ("<!-- accuracy -->\n", "<!-- end of accuracy -->\n")
SHARED = ROOT.parent / "shared" / "checkpoints"
FOLDERS = {
    "seqdigits_uni": ROOT / "examples" / "seqdigits_uni",
    "seqdigits_bi": SHARED / "seqdigits_bi",
    "binary_s4d": SHARED / "stan_rhodes" / "binary_s4d",
    "gsu": SHARED / "stan_rhodes" / "gsu",
}
BITS = (4, 3, 2)
HEAD = """\
| checkpoint | synapses | float, exact LIF | converted as it is | after fine-tuning | time |
|---|--:|--:|--:|--:|--:|
"""


def main(names: Collection[str] = ()) -> None:
    """Fine-tune with the default options, test, and put the rows into the page's table."""
    require_torch()
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(MARKS[0])
    table, after = rest.split(MARKS[1])
    rows: list[str] = []
    for name, folder in FOLDERS.items():
        if folder.is_dir() and name in (names or FOLDERS):
            rows += [row(name, bits) for bits in BITS]
        else:
            lines = table.removeprefix(HEAD).splitlines(keepends=True)
            rows += [line for line in lines if line.startswith(f"| {name} |")]
    with atomic_write(PAGE) as file:
        file.write((before + MARKS[0] + HEAD + "".join(rows) + MARKS[1] + after).encode())


def row(name: str, bits: int) -> str:
    """Give the table's row for one checkpoint and width; accuracies on its test set."""
    from snn_deploy.training.finetune import prepare_finetuning
    from snn_deploy.training.writing import write_checkpoint

    folder, settings = FOLDERS[name], {"weight_bits": bits}
    source, train = folder / f"{name}.ckpt", folder / "train.npz"
    network = load_float_network(source)
    test = load_data(folder / "test.npz", network)
    exact = float((run_float(network, test.inputs).logits.argmax(axis=-1) == test.labels).mean())
    started = time.perf_counter()
    tuned = prepare_finetuning(source, train, settings=settings).run()
    seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as temporary:
        result = Path(temporary) / "tuned.ckpt"
        write_checkpoint(result, tuned.checkpoint, {})
        shares = [deployed(path, train, test, settings) for path in (source, result)]
    cells = [name, f"{bits} bits", *(percent(x) for x in (exact, *shares)), f"{seconds:.0f} s"]
    line = f"| {' | '.join(cells)} |\n"
    print(line, end="", flush=True)
    return line


def deployed(checkpoint: Path, train: Path, test: Data, settings: dict[str, int]) -> float:
    """Give the share of right answers after ``snn-deploy convert``."""
    deployment = convert(checkpoint, calibration=train, settings=settings)
    return float((deployment.simulate(test).predictions == test.labels).mean())


if __name__ == "__main__":
    main(sys.argv[1:])
