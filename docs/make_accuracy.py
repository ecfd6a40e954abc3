"""Writes the tables in docs/accuracy.md: what conversion changes, and what narrower formats cost.

Run it from the repository's root after changing the quantisation; it takes a few minutes, and all
but the bundled network need the real checkpoints beside the repository::

    .venv/bin/python docs/make_accuracy.py
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snn_deploy import Deployment, convert
from snn_deploy.api import search
from snn_deploy.cli.console import percent
from snn_deploy.compare.accuracy import AccuracyComparison
from snn_deploy.data.inputs import Data, load_data
from snn_deploy.io.files import atomic_write
from snn_deploy.reports.rounding import dendrite_rounding

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "accuracy.md"
SHARED = ROOT.parent / "shared" / "checkpoints"
BUNDLED = "seqdigits_uni"
FOLDERS = {
    BUNDLED: ROOT / "examples" / BUNDLED,
    "seqdigits_bi": SHARED / "seqdigits_bi",
    "listops_bi": SHARED / "listops_bi",
}
WIDTHS = (8, 6, 5, 4, 3, 2)
METHODS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("max", {}),
    ("percentile", {"calibration_percentile": 99.9}),
    ("mse", {}),
)
ROUNDINGS = ("auto", "odd", "nearest")
STATES = (24, 20, 16, 14, 12)
NARROW = {"residual_bits": 7, "norm_bits": 7, "input_bits": 5}


def main() -> None:
    """Measure, and put every table into the page."""
    there = [name for name in FOLDERS if FOLDERS[name].is_dir()]
    tables = {
        "networks": _networks(there),
        "widths": _widths(there[:2]),
        "methods": _methods(),
        "rounding": _rounding(there[:2]),
        "sums": _sums(there[:2]),
        "search": _search(),
    }
    page = PAGE.read_text(encoding="utf-8")
    for name, table in tables.items():
        before, rest = page.split(f"<!-- {name} -->\n")
        after = rest.split(f"<!-- end of {name} -->\n")[1]
        page = f"{before}<!-- {name} -->\n{table}<!-- end of {name} -->\n{after}"
    with atomic_write(PAGE) as file:
        file.write(page.encode())


def _checkpoint(name: str) -> Path:
    return FOLDERS[name] / f"{name}.ckpt"


def _convert(name: str, settings: Mapping[str, Any], target: str = "loihi2") -> Deployment:
    calibration = FOLDERS[name] / "train.npz"
    return convert(_checkpoint(name), target=target, calibration=calibration, settings=settings)


def _compare(name: str, settings: Mapping[str, Any], target: str = "loihi2") -> AccuracyComparison:
    """Convert with settings, and compare with the float network on the whole test set."""
    deployment = _convert(name, settings, target)
    data: Data = load_data(FOLDERS[name] / "test.npz", deployment.network)
    accuracy = deployment.verify(data, backends=["native"], against=_checkpoint(name)).accuracy
    assert accuracy is not None  # there is a checkpoint to compare with
    return accuracy


def _shares(found: AccuracyComparison) -> list[str]:
    """Give integer accuracy, equal predictions, and differing spikes layer by layer."""
    mismatches = [s.mismatch for s in found.signals if s.mismatch is not None]
    spikes = ", ".join(f"{100 * share:.3f}" for share in mismatches)
    return [percent(found.integer_accuracy), percent(found.agreement), spikes]


def _networks(names: list[str]) -> str:
    head = (
        "network",
        "test sequences",
        "surrogate float",
        "exact-LIF float",
        "integer",
        "same predictions as exact",
        "spikes that differ, % of neuron-steps, by layer",
    )
    rows = []
    for name in names:
        found = _compare(name, {})
        floats = [percent(found.surrogate_accuracy), percent(found.exact_accuracy)]
        rows.append([name, f"{found.sequences:,}", *floats, *_shares(found)])
    return _table(head, rows)


def _widths(names: list[str]) -> str:
    head = ("network", "bits a synapse", "accuracy", "same predictions", "spikes that differ, %")
    rows = [
        [name, str(bits), *_shares(_compare(name, {"weight_bits": bits}))]
        for name in names
        for bits in WIDTHS
    ]
    return _table(head, rows)


def _methods() -> str:
    head = ("`calibration_method`", "accuracy", "same predictions", "spikes that differ, %")
    rows = []
    for method, more in METHODS:
        settings = {**NARROW, "calibration_method": method, **more}
        rows.append([method, *_shares(_compare(BUNDLED, settings))])
    return _table(head, rows)


def _rounding(names: list[str]) -> str:
    head = (
        "network",
        "`dendrite_rounding`",
        "layers rounded odd",
        "accuracy",
        "same predictions",
        "spikes that differ, %",
    )
    rows = []
    for name in names:
        for rounding in ROUNDINGS:
            settings = {"dendrite_rounding": rounding}
            found = dendrite_rounding(_convert(name, settings).network)
            odd = f"{len(found.odd)} of {len(found.odd) + len(found.nearest)}"
            rows.append([name, f"`{rounding}`", odd, *_shares(_compare(name, settings))])
    return _table(head, rows)


def _sums(names: list[str]) -> str:
    head = (
        "network",
        "`state_bits`",
        "`dendrite_sums`",
        "accuracy",
        "same predictions",
        "spikes that differ, %",
        "what each layer's dendrites add: signal to noise, dB",
    )
    rows = []
    for name in names:
        for bits, sums in itertools.product(STATES, ("each", "once")):
            settings = {"state_bits": bits, "dendrite_sums": sums, "dendrite_rounding": "nearest"}
            found = _compare(name, settings, "cpu")
            own = [s.local_signal_to_noise_db for s in found.signals if s.node.endswith(".ssm")]
            told = ", ".join("–" if noise is None else f"{noise:.1f}" for noise in own)
            rows.append([name, str(bits), f"`{sums}`", *_shares(found), told])
    return _table(head, rows)


def _search() -> str:
    folder = FOLDERS[BUNDLED]
    found = search(folder / f"{BUNDLED}.ckpt", folder / "train.npz")
    tested = _compare(BUNDLED, found.config.model_dump())
    head = (
        "bits a synapse, mean",
        "chip memory before",
        "after",
        "trials",
        "test accuracy",
        "float",
    )
    row = [
        f"{found.mean_weight_bits:.2f}",
        f"{found.before:,} bytes",
        f"{found.after:,} bytes",
        str(len(found.trials)),
        percent(tested.integer_accuracy),
        percent(tested.exact_accuracy),
    ]
    return _table(head, [row])


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [head, ("---", *["--:"] * (len(head) - 1)), *rows]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    print(text, flush=True)
    return text


if __name__ == "__main__":
    main()
