"""Writes docs/energy.md: the cost model, held against everything that has been published.

Run it from the repository's root after changing a profile or the model::

    pip install -e '.[test,crosscheck]'
    python docs/make_energy.py

A test compares the committed page with what this script gives.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # the tests' hand-made networks

import lowered  # noqa: E402
import sanafe_cases  # noqa: E402
from placement_audit import audit_placement  # noqa: E402

from snn_deploy.examples.full_size import CONFIGURATIONS  # noqa: E402
from snn_deploy.io.files import atomic_write  # noqa: E402
from snn_deploy.mapping.placement import place_network  # noqa: E402
from snn_deploy.mapping.populations import find_populations  # noqa: E402
from snn_deploy.mapping.profile import load_profile  # noqa: E402
from snn_deploy.mapping.step_time import step_time  # noqa: E402
from snn_deploy.reports.activity import Activity, message_sources  # noqa: E402
from snn_deploy.reports.energy import Range, add_ranges, dynamic_energy, static_energy  # noqa: E402
from snn_deploy.reports.events import Events, count_events  # noqa: E402
from snn_deploy.reports.paper import PaperCount, count_as_papers_do  # noqa: E402
from snn_deploy.reports.quantities import quantity, quantity_range  # noqa: E402

PAGE = ROOT / "docs" / "energy.md"

FRADY_MEASURED_J = 1.33e-3
FRADY_SYNOPS = (5.12e7, 5.76e7)
FRADY_UPDATES = 4.608e6

PILOTNET_MEASURED_J = 1.094e-3
PILOTNET_STEPS = 10_000
PILOTNET_FRAME_STEPS = 16
PILOTNET_SYNOPS = 2.29e10
PILOTNET_UPDATES = 3.71e9

VPX_CHIPS, VPX_SECONDS = 16, 48.3e-6
VPX_STATIC_J, VPX_DYNAMIC_J = 0.816e-3 - 0.0406e-3, 0.0406e-3

WT103 = {"channels": 1024, "modes": 32, "layers": 16, "normed": True}
WT103_STEPS, WT103_RATE = 8192, 1 - 0.736
WT103_PAPER = {"ann_macs": 274.9e9, "ann_j": 1.265, "snn_acs": 72.66e9, "snn_j": 65.4e-3}

# what the page calls configurations of the same size -> one of them
FULL_SIZE = {
    "ListOps, IMDB": "listops",
    "AAN, Pathfinder, Path-X": "pathx",
    "CIFAR": "cifar",
    "speech commands": "sc",
    "sequential MNIST": "mnist",
    "permuted MNIST": "pmnist",
    "DVS128 gesture": "dvs128gesture",
    "WikiText-103": "wt103",
}


def frady() -> Range:
    """One query on Loihi 1: both ends of the published count of synaptic operations."""
    profile = load_profile("loihi1")
    ends = [
        _total(Events(acs=int(n), lif_updates=FRADY_UPDATES), profile.name) for n in FRADY_SYNOPS
    ]
    middle = _total(Events(acs=int(sum(FRADY_SYNOPS) / 2), lif_updates=FRADY_UPDATES), profile.name)
    return Range(ends[0].low, middle.typical, ends[1].high)


def pilotnet() -> Range:
    """One frame on Loihi 2."""
    frames = PILOTNET_STEPS / PILOTNET_FRAME_STEPS
    events = Events(acs=int(PILOTNET_SYNOPS), lif_updates=PILOTNET_UPDATES)
    return _total(events, "loihi2") * (1 / frames)


def _total(events: Events, target: str) -> Range:
    return add_ranges(item.energy_j for item in dynamic_energy(events, load_profile(target)))


def vpx_static() -> Range:
    """Static energy of one inference on the 16-chip board."""
    seconds = Range(VPX_SECONDS, VPX_SECONDS, VPX_SECONDS)
    item = static_energy(VPX_CHIPS, seconds, load_profile("loihi2"))
    assert item is not None
    return item.energy_j


def wikitext() -> PaperCount:
    """One sequence of a network of WikiText-103's shape, at the paper's sparsity."""
    network = lowered.network(**WT103)
    spikes = round(WT103_RATE * WT103_STEPS)
    sources = message_sources(network)
    sent = {
        node.name: np.full(node.width, spikes if node.name.endswith(".lif") else WT103_STEPS)
        for node in sources
    }
    activity = Activity(
        sequences=1,
        steps=WT103_STEPS,
        messages=sent,
        chances={node.name: WT103_STEPS for node in sources},
        bounded=(),
        by_step={},
        silent={},
        always={},
        saturated=None,
    )
    profile = load_profile("algorithm_45nm")
    placement = place_network(network, profile, objective="cores")
    events = count_events(network, placement, profile, activity)
    counted = count_as_papers_do(network, events, WT103_STEPS, profile)
    assert counted is not None
    return counted


def full_size_row(name: str) -> list[str]:
    """Place one of the authors' configurations at full size."""
    size = CONFIGURATIONS[FULL_SIZE[name]]
    network = lowered.network(
        size.channels,
        size.modes,
        layers=size.layers,
        reverse=size.bidirectional,
        normed=size.prenorm and size.norm == "layer",
    )
    profile = load_profile(size.target)
    placement = place_network(network, profile)
    least = place_network(network, profile, objective="cores")
    uses = audit_placement(network, placement, profile)
    packed = audit_placement(network, least, profile)
    populations = {p.name: p for p in placement.populations}
    busiest = max(
        sum(step_time(populations[s.population], profile) * s.channels for s in core.slices)
        for core in placement.cores
    )
    total = sum(p.load(p.channels).memory.bytes for p in find_populations(network))
    return [
        name + (" *" if size.assumed else ""),
        f"{size.layers} × {size.channels} × {size.modes}" + (" ×2" if size.bidirectional else ""),
        f"{total / 2**20:.2f}",
        f"{placement.least_cores}",
        f"{max(use.bytes for use in packed.values()) / 2**10:.0f}",
        f"{len(placement.cores)} / {placement.chips}",
        f"{max(use.bytes for use in uses.values()) / 2**10:.0f}",
        quantity(busiest * 1e-9, "s"),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _off(predicted: float, measured: float) -> str:
    percent = round(100 * (predicted / measured - 1), 1)
    return f"{percent:+.1f}%" if percent else "0.0%"


def measured_section() -> str:
    """Predictions beside measurements on silicon."""
    cases = [
        ("Frady et al. 2020: one query over 76,800 patterns, Loihi 1", frady(), FRADY_MEASURED_J),
        ("PilotNet, one frame, Loihi 2 (lava-dl's notebook)", pilotnet(), PILOTNET_MEASURED_J),
        ("autoencoder, static energy, 16 Loihi 2 (arXiv 2608.18341)", vpx_static(), VPX_STATIC_J),
    ]
    rows = [
        [case, quantity_range(told, "J"), quantity(found, "J"), _off(told.typical, found)]
        for case, told, found in cases
    ]
    return _table(["case", "predicted: low – typical – high", "measured", "typical"], rows)


def wikitext_section() -> str:
    """The paper's table, and what it leaves out."""
    found = wikitext()
    rows = [
        [
            "mixing layers as an ANN",
            f"{found.ann_macs / 1e9:.1f} GMAC",
            quantity(found.ann_j, "J"),
            "274.9 GMAC, 1.265 J",
            _off(found.ann_j, WT103_PAPER["ann_j"]),
        ],
        [
            "mixing layers with spikes",
            f"{found.snn_acs / 1e9:.2f} GAC",
            quantity(found.snn_j, "J"),
            "72.66 GAC, 65.4 mJ",
            _off(found.snn_j, WT103_PAPER["snn_j"]),
        ],
        [
            "the recurrence",
            f"{found.recurrence_macs / 1e9:.1f} GMAC",
            quantity(found.recurrence_j, "J"),
            "left out",
            "",
        ],
        ["everything on the chip", "", quantity(found.everything_j, "J"), "left out", ""],
    ]
    return _table(["", "operations", "energy", "in the paper", "difference"], rows)


def placement_section() -> str:
    """All configurations at full size."""
    head = [
        "configuration",
        "layers × channels × modes",
        "memory, MiB",
        "fewest cores",
        "fullest, KiB",
        "spread: cores / chips",
        "fullest, KiB",
        "busiest core, a step",
    ]
    return _table(head, [full_size_row(name) for name in FULL_SIZE])


def sanafe_section() -> str:
    """The same placed network and spikes in both programs."""
    ours, theirs = sanafe_cases.compare()
    rows = [
        [
            unit,
            quantity(ours[unit], "J"),
            quantity(theirs[unit], "J"),
            _off(ours[unit], theirs[unit]),
        ]
        for unit in ours
    ]
    return _table(["energy", "here", "SANA-FE", "difference"], rows)


SECTIONS = {
    "measured": measured_section,
    "wikitext": wikitext_section,
    "placement": placement_section,
    "sanafe": sanafe_section,
}


def fill(page: str, name: str, table: str) -> str:
    """Put a table between its marks; the text around it is written by hand."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    if page.count(start) != 1 or page.count(end) != 1:
        raise ValueError(f"{PAGE} must hold the marks of '{name}' once each")
    before, _, rest = page.partition(start)
    return before + start + table + "\n" + end + rest.partition(end)[2]


def main() -> None:
    """Renew all tables of the page."""
    page = PAGE.read_text(encoding="utf-8")
    for name, make in SECTIONS.items():
        page = fill(page, name, make())
    with atomic_write(PAGE) as file:
        file.write(page.encode())


if __name__ == "__main__":
    main()
