"""A model card: all that was measured of one network, as a page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from snn_deploy.examples.zoo.entries import FAMILIES, Entry
from snn_deploy.examples.zoo.measuring import Facts
from snn_deploy.reports.energy import Range
from snn_deploy.reports.quantities import count, fraction, percent, quantity, quantity_range

__all__ = ["advice", "card", "paragraph", "scores", "table"]

_MHZ = 100  # of the FPGA: what the bundled example reached when it was placed
_CYCLES_EACH = (1, 2)  # of an instruction on a microcontroller: assumed


def card(entry: Entry, facts: Facts) -> str:
    """Give an entry's card, in Markdown."""
    return "\n".join(
        [
            f"# {entry.what.title}: {FAMILIES[entry.family]}",
            "",
            *_what_it_is(entry, facts),
            "",
            "## How right it is",
            "",
            *_how_right(entry, facts),
            "",
            "## Activity",
            "",
            *_activity(facts),
            "",
            "## Time and energy",
            "",
            *_costs(facts),
            "",
            "## Make it again",
            "",
            f"    make zoo ARGS={entry.name}",
            "",
            paragraph(
                "or, where torch is installed,",
                f"`python -m snn_deploy.examples.zoo {entry.name}`.",
                "The same seed gives the same weights on the same machine with the same torch;",
                "elsewhere sums are rounded otherwise.",
                "This card was made by `examples/zoo/cards.py`; see [the zoo](../zoo.md).",
            ),
            "",
        ]
    )


def paragraph(*sentences: str) -> str:
    """Give sentences as a paragraph."""
    return textwrap.fill(" ".join(sentences), 100, break_on_hyphens=False)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Give a Markdown table, the first column to the left."""
    head = list(head)
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *map(list, rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def scores(entry: Entry, facts: Facts) -> list[tuple[str, str, str]]:
    """Give what answers are judged by: its name, in float, and in integers."""
    found = facts["scores"]
    told = found["float"], found["integer"]
    if not entry.what.regression:
        n = facts["data"]["test"]
        exact, integer = (
            f"{percent(x['accuracy'])} ± {_deviation(x['accuracy'], n)}" for x in told
        )
        return [("accuracy", exact, integer)]
    rows = [("R²", *(f"{x['r2']:.4f}" for x in told))]
    if entry.what.positive:
        rows.append(("sMAPE", *(f"{found[f'smape_{k}']:.2f}%" for k in ("float", "integer"))))
    rows.append(("mean squared error", *(f"{x['mean_squared_error']:.3g}" for x in told)))
    rows.append(("SI-SNR", *(f"{x['si_snr_db']:.2f} dB" for x in told)))
    return [(name, a, b) for name, a, b in rows]


def _deviation(share: float, n: int) -> str:
    """Give the standard error of a share of n sequences, in percent; by Agresti & Coull (1998),
    since it is not zero where all are right.
    """
    near = (share * n + 2) / (n + 4)
    return f"{100 * math.sqrt(near * (1 - near) / (n + 4)):.2f}"


def _what_it_is(entry: Entry, facts: Facts) -> Iterator[str]:
    data = facts["data"]
    modes = f" with {entry.modes} complex mode{'s' if entry.modes > 1 else ''} each"
    modes = modes if entry.modes else ""
    rows = {
        "task": entry.what.about,
        "data": f"{data['train']:,} sequences to train on, {data['test']:,} to test with; "
        f"{data['steps']} steps of {data['width']} number{'s' if data['width'] > 1 else ''}",
        "family": FAMILIES[entry.family],
        "size": f"{entry.layers} layers of {entry.channels} channels{modes}; "
        f"{facts['parameters']:,} parameters",
        "training": f"{entry.epochs} epochs in float, learning rate {entry.learning_rate:g}, "
        f"batches of {entry.batch_size}, seed {entry.seed}; {facts['seconds']} s of one core",
        "settings": f"`{entry.digest}`",
    }
    yield from table(("", ""), rows.items())


def _how_right(entry: Entry, facts: Facts) -> Iterator[str]:
    found = facts["scores"]
    head = ("test set", "float, exact neurons", "integer, as deployed")
    yield from table(head, scores(entry, facts))
    yield ""
    told = []
    if found["agreement"] is not None:
        every = entry.what.output_steps == "all"
        told += [
            f"In {percent(found['agreement'])} of all answers",
            "(of all steps, those that do not count, too)" if every else "",
            "the integer network predicts what the float one does.",
            "One seed was trained; ± is the standard error over the test set.",
        ]
    if found["answer_snr_db"] is not None:
        level = f"{found['answer_snr_db']:.1f} dB"
        told.append(f"Float answers are {level} above what the integer ones differ from them.")
    yield paragraph(*filter(None, told), advice(facts))


def advice(facts: Facts) -> str:
    """Say where most error enters, and what other settings gave."""
    tried = facts["tried_too"]
    if tried is None:
        return str(facts["advice"])
    settings = " ".join(f"{key}={value}" for key, value in tried["settings"].items())
    accuracy, agreement = percent(tried["accuracy"]), percent(tried["agreement"])
    reached = f"With `--set {settings}` the integers reach {accuracy}, {agreement} as in float."
    return f"{facts['advice']} {tried['why']} {reached}"


def _activity(facts: Facts) -> Iterator[str]:
    bench = facts["neurobench"]
    layers = [
        (layer["name"], fraction(layer["spike_rate"]), fraction(layer["activation_sparsity"]))
        for layer in facts["layers"]
    ]
    yield from table(("layer", "spike rate", "activation sparsity"), layers)
    yield ""
    operations = bench["synaptic_operations"]
    yield from table(
        ("NeuroBench, of one sequence", ""),
        (
            ("footprint", f"{bench['footprint'] / 1024:,.1f} KiB"),
            ("connection sparsity", fraction(bench["connection_sparsity"])),
            ("activation sparsity", fraction(bench["activation_sparsity"])),
            ("synaptic operations, dense", count(operations["dense"])),
            ("effective MACs", count(operations["effective_macs"])),
            ("effective ACs", count(operations["effective_acs"])),
            ("membrane updates", count(bench["membrane_updates"])),
        ),
    )


def _costs(facts: Facts) -> Iterator[str]:
    steps = facts["data"]["steps"]
    head = ("target", "a step", "a sequence", "energy a sequence")
    yield from table(head, (_loihi(facts), *_boards(facts, steps), _fpga(facts, steps)))
    yield ""
    energy = quantity(facts["arithmetic_45nm_j"], "J")
    step = facts["loihi2"]["time"]["step_s"]
    alone = (
        "Time has one figure, since links take longest, whose constants are Loihi 1's, unscaled."
    )
    yield paragraph(
        "Loihi 2: low, typical and high ends of constants scaled from Loihi 1; none was measured",
        "on Loihi 2 ([energy](../energy.md)), and no hardware was run.",
        *([alone] if step["low"] == step["high"] else []),
        "Microcontrollers: instructions of exported C99, counted in QEMU, at one to two cycles",
        "each, which is assumed.",
        "FPGA: cycles as estimated at export, from silence to every neuron speaking, at",
        f"{_MHZ} MHz, which the bundled example reached; this network was not placed.",
        "No open tool gives its energy.",
        "Arithmetic alone at 45 nm, as papers count it, but of the whole network:",
        f"{energy} a sequence.",
    )


def _loihi(facts: Facts) -> tuple[str, ...]:
    loihi = facts["loihi2"]
    step, sequence = (_range(loihi["time"][key], "s") for key in ("step_s", "sequence_s"))
    dynamic, static = (_range(loihi["energy"][key], "J") for key in ("dynamic_j", "static_j"))
    spread, held = f"{loihi['cores']:,}", f"{loihi['least_cores']:,}"
    name = f"Loihi 2, {spread} {'core' if spread == '1' else 'cores'}"
    if spread != held:
        name = f"Loihi 2, spread over {spread} cores for speed ({held} would hold it)"
    return name, step, sequence, f"{dynamic} dynamic, {static} static"


def _boards(facts: Facts, steps: int) -> Iterator[tuple[str, ...]]:
    for board in facts["boards"]:
        if "refused" in board:
            yield board["summary"], "refused", board["refused"], "–"
            continue
        size = sum(board["sizes"].values())
        name = f"{board['summary']} ({size / 1024:,.0f} KiB)"
        if board["instructions"] is None:
            yield name, "not counted", "not counted", "–"
            continue
        each = [n * board["instructions"] / (board["clock_mhz"] * 1e6) for n in _CYCLES_EACH]
        yield name, _between([x / steps for x in each]), _between(each), "not modelled"


def _fpga(facts: Facts, steps: int) -> tuple[str, ...]:
    fpga = facts["fpga"]
    if "refused" in fpga:
        return fpga["device"], "refused", fpga["refused"], "–"
    cycles = fpga["least_cycles"], fpga["most_cycles"]
    each = [n / (_MHZ * 1e6) for n in cycles]
    fits = "" if fpga["fits"] else ", too small"
    name = f"{fpga['device']}{fits} ({cycles[0]:,} – {cycles[1]:,} cycles)"
    return name, _between(each), _between([x * steps for x in each]), "not modelled"


def _range(value: dict[str, Any], unit: str) -> str:
    return quantity_range(Range(**value), unit)


def _between(seconds: list[float]) -> str:
    return " – ".join(quantity(x, "s") for x in seconds)
