"""The zoo's page and cards in the documentation, written from what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from snn_deploy.examples.zoo.cards import advice, card, paragraph, scores, table
from snn_deploy.examples.zoo.entries import ENTRIES, FAMILIES, Entry
from snn_deploy.examples.zoo.measuring import Facts
from snn_deploy.io.files import atomic_write
from snn_deploy.reports.energy import Range
from snn_deploy.reports.quantities import count, fraction, quantity_range

__all__ = ["write_pages"]

_TITLE = "# The zoo"
_INTRODUCTION = (
    "Small trained networks, a family and a task each, trained from scratch in minutes on one",
    "core. All data come with packages or from generators, so that anyone can make them again:",
)
_MAKING = (
    "trains what is not trained yet into `build/zoo`, converts it for Loihi 2 with default",
    "formats, tests it in float and in integers, and writes this page and the cards.",
    '`make zoo ARGS="NAME --fresh"` does one of them anew; `make release` puts the weights beside',
    "the wheel, never into it. The table of networks is `examples/zoo/entries.py`; a task is a",
    "file in `examples/zoo/tasks/`.",
)
_INSTALLING = (
    "With uv, PyTorch comes without its several gigabytes for GPUs, which networks so small gain",
    "nothing by (`UV_TORCH_BACKEND`, `cpu` where it is not set); pip takes what its index has, so",
    "without uv set `PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu`.",
)
_LIMITS = (
    "These are examples, not records: one seed each, no search for sizes or rates, no fine-tuning",
    "for the integers ([`finetune`](training.md) does that). `snn_deploy/training` trained them,",
    "not their authors' code.",
)
_COUNTS = (
    "Events are those of one sequence; *dense* is what they would be if everything spoke at every",
    "step. Scores are those of the whole test set.",
)
_INTEGERS = (
    "Float is the network with exact neurons in float64, integer the deployed network. The advice",
    "is what `verify` says: where most error enters, and what to widen.",
)

_HEAD = (
    "network",
    "family",
    "footprint, KiB",
    "connection sparsity",
    "activation sparsity",
    "dense",
    "effective MACs",
    "effective ACs",
    "score",
    "float",
    "integer",
    "Loihi 2, dynamic",
)


def write_pages(facts: Mapping[str, Facts], docs: Path) -> None:
    """Write ``zoo.md`` and a card for each entry; ``facts`` are by the entries' names."""
    measured = [(entry, facts[entry.name]) for entry in ENTRIES]
    (docs / "zoo").mkdir(exist_ok=True)
    pages = {f"zoo/{entry.name}.md": card(entry, found) for entry, found in measured}
    pages["zoo.md"] = "\n".join(_page(measured))
    for name, text in pages.items():
        with atomic_write(docs / name) as file:
            file.write(text.encode())


def _page(measured: list[tuple[Entry, Facts]]) -> Iterator[str]:
    yield from (_TITLE, "", paragraph(*_INTRODUCTION), "", "    make zoo", "", paragraph(*_MAKING))
    yield from (
        "",
        paragraph(*_INSTALLING),
        "",
        paragraph(*_LIMITS),
        "",
        "## In NeuroBench's terms",
        "",
        paragraph(*_COUNTS),
        "",
    )
    yield from table(_HEAD, (_row(entry, found) for entry, found in measured))
    yield from ("", "## Where integers lose", "", paragraph(*_INTEGERS), "")
    rows = ((entry.name, _lost(entry, found), advice(found)) for entry, found in measured)
    yield from table(("network", "difference", "advice"), rows)
    yield ""


def _row(entry: Entry, facts: Facts) -> list[str]:
    bench, operations = facts["neurobench"], facts["neurobench"]["synaptic_operations"]
    name, exact, integer = scores(entry, facts)[0]
    return [
        f"[{entry.name}](zoo/{entry.name}.md)",
        FAMILIES[entry.family],
        f"{bench['footprint'] / 1024:,.1f}",
        fraction(bench["connection_sparsity"]),
        fraction(bench["activation_sparsity"]),
        count(operations["dense"]),
        count(operations["effective_macs"]),
        count(operations["effective_acs"]),
        name,
        exact,
        integer,
        quantity_range(Range(**facts["loihi2"]["energy"]["dynamic_j"]), "J"),
    ]


def _lost(entry: Entry, facts: Facts) -> str:
    found = facts["scores"]
    if entry.what.regression:
        off = found["integer"]["r2"] - found["float"]["r2"]
        return f"R² {off:+.4f}, answers {found['answer_snr_db']:.1f} dB apart"
    off = 100 * (found["integer"]["accuracy"] - found["float"]["accuracy"])
    return f"{off:+.2f} points, {fraction(found['agreement'])} of answers the same"
