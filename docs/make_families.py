"""Writes the tables in docs/families.md: every family on its own test data, in float and deployed.

Run it from the repository's root after changing a converter, a node or how it is quantised; it
takes minutes, and needs the real checkpoints beside the repository. Names of tables make those
alone::

    .venv/bin/python docs/make_families.py
    .venv/bin/python docs/make_families.py needs
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snn_deploy.api import CALIBRATION_SEQUENCES, convert
from snn_deploy.checkpoint import Checkpoint, read_checkpoint
from snn_deploy.converters.overrides import override_model
from snn_deploy.converters.registry import to_float_network
from snn_deploy.data.inputs import Data, check_data
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import SnnDeployWarning, UnsupportedNetworkError
from snn_deploy.io.files import atomic_write
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.ternary import Ternary
from snn_deploy.reports.quantities import count, percent, quantity
from snn_deploy.tune.ternary_maxima import fix_maxima

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "families.md"
SHARED = ROOT.parent / "shared" / "checkpoints"

NEEDS = {
    "AdaptiveThreshold": "a line of past crossings",
    "Gelu": "table: GELU",
    "Glu": "table: sigmoid; product of two halves",
    "LayerNorm": "mean and variance over a layer",
    "NplrSsm": "a dense state matrix a channel",
    "PaddingMask": "each sequence's length",
    "Product": "product of two streams",
    "Silu": "table: SiLU",
    "SoftmaxSum": "host: softmax of every step",
    "StochasticSpikes": "random numbers",
    "Ternary": "maximum over a layer",
}
"""What a node kind needs of a chip besides sums, multiplications by constants and comparisons."""


def _modes(node: Any) -> int:
    return 2 * int(node.modes) * (1 if node.c_reverse is None else 2)


WORDS = {
    "DiagonalSsm": _modes,
    "NplrSsm": lambda node: int(node.a.shape[1]) * (1 if node.c_reverse is None else 2),
    "Lif": lambda node: 1,
    "TernaryLif": lambda node: 1,
    "SoftReset": lambda node: 1,
    "AdaptiveLif": lambda node: 2,
    "ResonateAndFire": lambda node: 2,
    "RefractoryLif": lambda node: 2,
}
"""How many numbers a channel of a node kind remembers from step to step."""


@dataclass(frozen=True)
class Case:
    """One checkpoint: its folder, what is told besides, and the oracle's logits and draws."""

    family: str
    folder: str
    said: tuple[tuple[str, str], ...] = ()
    logits: str = "logits_f64"
    draws: bool = False

    @property
    def name(self) -> str:
        """The folder's own name."""
        return Path(self.folder).name

    def arrays(self, name: str) -> dict[str, Any]:
        """Read ``test`` or ``oracle``."""
        with np.load(SHARED / self.folder / f"{name}.npz") as file:
            return dict(file)

    def checkpoint(self) -> Checkpoint:
        """Read the checkpoint, with what is told besides."""
        files = (SHARED / self.folder).iterdir()
        (path,) = (file for file in files if file.suffix in (".ckpt", ".pth"))
        return override_model(read_checkpoint(path), dict(self.said))

    def network(self) -> Network:
        """Convert the checkpoint."""
        return to_float_network(self.checkpoint())

    def calibration(self, data: Data) -> Data:
        """Give training sequences; where there are none, the test data itself."""
        if not (SHARED / self.folder / "train.npz").exists():
            return data
        return check_data(self.network(), self.arrays("train")["inputs"][:CALIBRATION_SEQUENCES])


DIGITS = (
    Case("SpikingSSM", "seqdigits_uni"),
    Case("SpikingSSM", "seqdigits_bi"),
    *(
        Case(family, f"stan_rhodes/{name}", logits="logits_all_f64")
        for family, name in (
            ("Binary S4D", "binary_s4d"),
            ("Binary S4D", "binary_s4d_bi"),
            ("Gated Spiking Unit", "gsu"),
            ("PRF", "prf"),
            ("D-RF", "drf"),
            ("refractory LIF", "spike_ssm"),
        )
    ),
)
OTHERS = (
    *(
        Case(name, f"relatives/silif/ref_SSC_{name}", said, "logits_zero_init_f64")
        for name, said in (
            ("SiLIF", ()),
            ("CSiLIF", ()),
            ("CadLIF", (("neuron", "cadlif"),)),
            ("RF", ()),
        )
    ),
    *(
        Case("LongSpike", f"relatives/longspike/{name}", logits="logits_bptt_f64")
        for name in (
            "uni",
            "uni_prenorm_bn_M4_fixed",
            "uni_trainB_loop",
            "bi_prenorm_bn",
            "bi_trainB",
            "tok_lengths",
        )
    ),
    *(
        Case("P-SpikeSSM", f"relatives/pspike/{name}", draws=True)
        for name in (
            "causal_nplr",
            "causal_two_branch_diag",
            "listops_shipped",
            "pathfinder_shipped",
        )
    ),
)


def main(names: Collection[str] = ()) -> None:
    """Measure, and put every table, or those named, into the page."""
    tables: dict[str, Callable[[], str]] = {
        "needs": lambda: _needs((*DIGITS, *OTHERS)),
        "digits": lambda: _measured(DIGITS, accuracy=True),
        "maxima": _maxima,
        "others": lambda: _measured(OTHERS, accuracy=False),
    }
    page = PAGE.read_text(encoding="utf-8")
    for name in names or tables:
        before, rest = page.split(f"<!-- {name} -->\n")
        after = rest.split(f"<!-- end of {name} -->\n")[1]
        page = f"{before}<!-- {name} -->\n{tables[name]()}<!-- end of {name} -->\n{after}"
    with atomic_write(PAGE) as file:
        file.write(page.encode())


def _spiking(network: Network) -> list[Node]:
    return [node for node in network if node.spikes]


def _needs(cases: Iterable[Case]) -> str:
    head = ["network", "what spikes", "graded messages", "causal", "words a channel", "needs"]
    head += ["approximated, besides rounding"]
    rows = []
    for case in cases:
        network = case.network()
        spikes = sorted({node.kind for node in _spiking(network)})
        graded = [
            node.name.removeprefix("layers.0.")
            for node in network
            if node.kind == "Linear"
            and node.name.startswith("layers.0.")
            and not network.sources(node)[0].spikes
        ]
        first = [node for node in network if node.name.startswith("layers.0.")]
        words = sum(WORDS[node.kind](node) for node in first if node.kind in WORDS)
        ahead = any(getattr(node, "c_reverse", None) is not None for node in network)
        needs = sorted({NEEDS[node.kind] for node in network if node.kind in NEEDS})
        cells = (", ".join(spikes), ", ".join(graded) or "none", "no" if ahead else "yes")
        instead = "; ".join(sorted({_instead(node) for node in network} - {""})) or "nothing"
        row = [f"{case.family}: {case.name}", *cells, str(words), "; ".join(needs), instead]
        rows.append(row)
    return _table(head, rows)


def _instead(node: Any) -> str:
    """Say what a node's integer form approximates by default."""
    told = node.approximation or ("a constant for the maximum" if node.follows_maximum else "")
    return f"{node.kind}: {told}" if told else ""


def _measured(cases: Iterable[Case], accuracy: bool) -> str:
    """Measure networks in float and deployed; ``accuracy`` where the labels mean something."""
    head = ["network", "sequences", "off the oracle's logits", "spike rates"]
    head += [*(["float", "integer"] if accuracy else []), "same predictions"]
    head += ["synaptic operations", "energy"]
    rows = []
    for case in cases:
        network, test, oracle = case.network(), case.arrays("test"), case.arrays("oracle")
        rates: dict[str, list[float]] = {node.name: [] for node in _spiking(network)}

        def count_spikes(
            name: str, sample: int, step: int, signal: Any, rates: dict[str, list[float]] = rates
        ) -> None:
            if name in rates:
                rates[name] += list(np.count_nonzero(signal, axis=(1, 2)) / signal[0].size)

        draws = oracle["draws"] if case.draws else 0
        lengths = test.get("lengths")
        with warnings.catch_warnings():  # of RF's growing states, which the page tells
            warnings.simplefilter("ignore", SnnDeployWarning)
            result = run_float(network, test["inputs"], lengths, record=count_spikes, draws=draws)
        expected = oracle.get(case.logits)
        off = "–"
        if expected is not None and len(expected) == len(result.logits):
            worst = np.abs(result.logits - expected).max() / np.abs(expected).max()
            off = "below 1e-14" if worst < 1e-14 else f"{worst:.0e}"
        told = ", ".join(f"{np.mean(rate):.3f}" for rate in rates.values())
        row = [f"{case.family}: {case.name}", str(len(result.logits)), off, told]
        found = result.logits.argmax(-1)
        if accuracy:
            row.append(percent((found == test["labels"]).mean()))
        rows.append(row + _deployed(case, found, accuracy))
    return _table(head, rows)


def _deployed(case: Case, expected: Any, accuracy: bool, maxima: str = "constant") -> list[str]:
    """Tell what a network does on ``loihi2``, a sequence; without an integer form, only that."""
    test = case.arrays("test")
    data = check_data(case.network(), test["inputs"], lengths=test.get("lengths"))
    try:
        with warnings.catch_warnings():  # of constants for maxima, which the page tells
            warnings.simplefilter("ignore", SnnDeployWarning)
            deployment = convert(
                case.checkpoint(),
                target="loihi2",
                calibration=case.calibration(data),
                settings={"ternary_maxima": maxima},
            )
            report = deployment.report(data)
    except UnsupportedNetworkError:
        return ["float only"] + ["–"] * (3 if accuracy else 2)
    predictions = deployment.simulate(data).logits.argmax(-1)
    right = [percent((predictions == test["labels"]).mean())] if accuracy else []
    same = "–" if case.draws else str(int((predictions == expected).sum()))
    events = report.total.events
    synops = (events.acs + events.macs) / report.activity.sequences
    return [*right, same, count(synops), quantity(report.dynamic_j.typical, "J")]


def _maxima() -> str:
    """Compare run-time maxima with constants, chosen on 256 training sequences."""
    (case,) = (case for case in DIGITS if case.name == "gsu")
    network, test = case.network(), case.arrays("test")
    fixed = fix_maxima(network, case.arrays("train")["inputs"][:CALIBRATION_SEQUENCES])
    constants = [node.maximum for node in fixed.network.of_kind(Ternary)]
    rows = []
    for name, setting, one, cells in (
        ("of every step", "every_step", network, ("–", "–")),
        (
            "constants",
            "constant",
            fixed.network,
            (
                ", ".join(f"{constant:.3f}" for constant in constants),
                ", ".join(percent(share) for share in fixed.changed.values()),
            ),
        ),
    ):
        found = run_float(one, test["inputs"]).logits.argmax(-1)
        right = percent((found == test["labels"]).mean())
        exact = run_float(network, test["inputs"]).logits.argmax(-1)
        rows.append([name, right, *_deployed(case, exact, True, setting), *cells])
    head = ("maxima", "float", "integer", "same predictions", "synaptic operations", "energy")
    return _table((*head, "by layer", "ternary messages that they change"), rows)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main(sys.argv[1:])
