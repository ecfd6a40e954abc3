"""Train, measure and describe the zoo's networks.

    python -m snn_deploy.examples.zoo                     # all that is not there yet
    python -m snn_deploy.examples.zoo digits-spikingssm --fresh

An entry whose checkpoint was trained with its present settings is not trained again. Needs torch,
and for some tasks the packages that their data come with: ``pip install 'snn-deploy[zoo]'``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from snn_deploy.errors import ConfigError, SnnDeployError
from snn_deploy.examples.zoo.entries import ENTRIES, Entry
from snn_deploy.examples.zoo.measuring import is_measured, measure_entry, read_facts
from snn_deploy.examples.zoo.pages import write_pages
from snn_deploy.examples.zoo.training import is_trained, train_entry
from snn_deploy.plugins import unknown_name

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line says; leave with an error's exit code."""
    given = _options().parse_args(arguments)
    try:
        for entry in _named(given.names):
            _make(entry, given.folder / entry.name, given.fresh)
        if given.docs is not None:
            _describe(given.folder, given.docs)
    except SnnDeployError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m snn_deploy.examples.zoo", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME", help="entries; all, if none is named")
    parser.add_argument("--folder", type=Path, default=Path("build/zoo"), help="where they go")
    parser.add_argument("--fresh", action="store_true", help="train what is trained already")
    parser.add_argument("--docs", type=Path, help="write the page and the cards into this folder")
    return parser


def _named(names: list[str]) -> list[Entry]:
    entries = {entry.name: entry for entry in ENTRIES}
    if not names or names == ["all"]:
        return list(ENTRIES)
    for name in names:
        if name not in entries:
            raise ConfigError(unknown_name("entry", name, entries))
    return [entries[name] for name in names]


def _make(entry: Entry, folder: Path, fresh: bool) -> None:
    trained = not fresh and is_trained(entry, folder)
    if not trained:
        train_entry(entry, folder, _tell)
    if not trained or not is_measured(entry, folder):
        measure_entry(entry, folder, _tell)
    _tell(f"{entry.name}: in {folder}")


def _describe(folder: Path, docs: Path) -> None:
    missing = [entry.name for entry in ENTRIES if not is_measured(entry, folder / entry.name)]
    if missing:
        _tell(f"{docs}: left as it is, since these are not there yet: {', '.join(missing)}")
        return
    facts = {entry.name: read_facts(folder / entry.name) or {} for entry in ENTRIES}
    write_pages(facts, docs)
    _tell(f"wrote {docs / 'zoo.md'} and {len(facts)} cards")


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
