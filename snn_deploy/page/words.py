"""The first screen's words: does it fit, is it right, how sparse, how fast, how much energy."""

from __future__ import annotations

import math

from snn_deploy.mapping.placement import Placement
from snn_deploy.page.charts import range_bar
from snn_deploy.page.data import PageData
from snn_deploy.page.fact import Fact
from snn_deploy.page.regressions import regression_fact, regression_sentence
from snn_deploy.page.svg import render
from snn_deploy.reports.energy import Range
from snn_deploy.reports.quantities import (
    count,
    fraction,
    kibibytes,
    percent,
    quantity,
    quantity_range,
)
from snn_deploy.reports.report import Report

__all__ = ["energy_range", "facts", "plural", "verdict"]


def facts(page: PageData) -> tuple[Fact, ...]:
    """Answer the first screen's questions in order; what has no constants says so."""
    return (_fit(page), _accuracy(page), _sparsity(page), _latency(page), _energy(page))


def energy_range(report: Report) -> Range | None:
    """All energy of one sequence, joules, or None where the target prices nothing."""
    if not report.total.energy:
        return None
    return report.total_j or report.dynamic_j


def plural(number: int, thing: str) -> str:
    """``1 step``, ``1,024 steps``."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def verdict(page: PageData) -> tuple[str, ...]:
    """Say the same in a few sentences."""
    told = [_fit_sentence(page), _accuracy_sentence(page)]
    timing, energy = page.report.timing, energy_range(page.report)
    if timing is not None:
        took = f"about {quantity(timing.sequence_s.typical, 's')}"
        used = f" and {quantity(energy.typical, 'J')}" if energy else ""
        told.append(
            f"A sequence of {plural(page.steps, 'step')} takes {took}{used}; the ranges below say "
            "how uncertain the chip's constants leave these figures."
        )
    return tuple(told)


def _fit_sentence(page: PageData) -> str:
    placement, profile = page.report.placement, page.report.profile
    if placement is None or profile.cores is None:
        return f"{profile.name} sets no limit on cores, so the network fits."
    used = f"{len(placement.cores):,} of the {profile.cores:,} cores of {profile.name}"
    return f"The network fits: it takes {used}{_spread(placement)}."


def _spread(placement: Placement) -> str:
    """Say that fewer cores would do, where more than those were taken."""
    if len(placement.cores) == placement.least_cores:
        return ""
    return f", spread for speed; {placement.least_cores:,} would hold it"


def _accuracy_sentence(page: PageData) -> str:
    compared = page.comparison
    if page.answers.regresses:
        return regression_sentence(page.answers.regression, compared)
    if page.correct is None:
        if compared is None:
            return "The data holds no labels to tell its accuracy by."
        return f"It predicts what the float network does in {percent(compared.agreement)} of cases."
    share, what = percent(page.correct / page.labelled), _what_is_answered(page)
    told = f"In integers it answers {share} of {what} correctly"
    if compared is None or compared.exact_accuracy is None:
        return told + "."
    return f"{told}, the float network {percent(compared.exact_accuracy)}."


def _what_is_answered(page: PageData) -> str:
    return "pairs of sequences" if page.paired else "sequences"


def _fit(page: PageData) -> Fact:
    report = page.report
    total, profile = report.total, report.profile
    size = (
        f"{total.neurons:,} neurons",
        f"{total.compartments:,} dendrite compartments",
        f"{total.synapses:,} synapses, {kibibytes(total.memory.bytes)} in all",
    )
    if report.placement is None or profile.cores is None:
        return Fact("Fits", "yes", "the target sets no limit on cores", size)
    placement = report.placement
    chips = profile.limits.get("chips") or 1
    of = f"of {profile.cores:,} cores, {placement.chips:,} of {chips:,} chip{'s' * (chips > 1)}"
    details = list(size)
    if placement.least_cores < len(placement.cores):
        held = plural(placement.least_cores, "core")
        details.append(f"spread for speed: {held} would hold it")
    full = _fullest(page)
    if full is not None:
        details.append(f"the fullest uses {fraction(full)} of its memory")
    return Fact("Cores", f"{len(placement.cores):,}", of, tuple(details))


def _fullest(page: PageData) -> float | None:
    limit = page.report.profile.limits.get("memory_per_core_bytes")
    if limit is None or page.report.placement is None:
        return None
    return max(core.load.memory.bytes for core in page.report.placement.cores) / limit


def _accuracy(page: PageData) -> Fact:
    compared = page.comparison
    if page.answers.regresses:
        clipped = _clipped(page)
        return regression_fact(page.answers.regression, compared, clipped)
    details = []
    if compared is None:
        details.append("float: not compared (report --against CHECKPOINT)")
    else:
        if compared.exact_accuracy is not None:
            details.append(f"float, exact LIF: {percent(compared.exact_accuracy)}")
        if compared.surrogate_accuracy is not None:
            details.append(f"float, surrogate: {percent(compared.surrogate_accuracy)}")
        details.append(f"same prediction: {percent(compared.agreement)}")
    if page.correct is None:
        return Fact("Accuracy", "–", "no labels in the data", tuple(details))
    details.append(_clipped(page))
    low, high = _wilson(page.correct, page.labelled)
    between = f"95% interval {100 * low:.1f} – {100 * high:.1f}%"
    of = f"integer, {page.correct:,} of {page.labelled:,} {_what_is_answered(page)}"
    figure = percent(page.correct / page.labelled)
    return Fact("Accuracy", figure, of, (*details, between))


def _clipped(page: PageData) -> str:
    judged = page.report.saturation
    if any(saturation.status == "not counted" for saturation in judged):
        return "clipped values were not counted"
    clipped = sum(saturation.count for saturation in judged)
    where = sum(saturation.count > 0 for saturation in judged)
    if not clipped:
        return "no value was clipped"
    return f"{clipped:,} values clipped, in {where} of {len(page.network)} processes"


def _wilson(hits: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share."""
    share = hits / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = (
        z
        / (1 + z * z / trials)
        * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    )
    return max(0.0, middle - half), min(1.0, middle + half)


def _sparsity(page: PageData) -> Fact:
    total = page.report.total
    events = total.events
    done = events.effective / events.dense if events.dense else None
    details = (
        f"{fraction(done)} of dense synaptic operations happen",
        f"{fraction(total.activation_sparsity)} of all messages unsent",
    )
    if total.spike_rate is None:
        return Fact("Sparsity", fraction(total.activation_sparsity), "of messages unsent", details)
    never, always = total.silent_neurons, total.always_firing_neurons
    silent = percent(1.0 - total.spike_rate)
    extremes = f"{plural(never, 'neuron')} never spiking, {always:,} always"
    return Fact("Sparsity", silent, "of neuron steps without a spike", (*details, extremes))


def _latency(page: PageData) -> Fact:
    timing = page.report.timing
    if timing is None:
        return Fact("Latency", "–", f"{page.report.profile.name} has no times")
    sequence = timing.sequence_s
    details = [quantity_range(sequence, "s"), f"a step: {quantity_range(timing.step_s, 's')}"]
    if timing.token_s is not None:
        details.append(f"input to answer: {quantity_range(timing.token_s, 's')}")
        details.append(f"keeps up with {count(1.0 / timing.step_s.typical)} steps a second")
    else:
        details.append(f"{timing.passes} passes, as it runs backwards, too")
    what, share = timing.limited_by[0]
    details.append(f"set by the {what} in {fraction(share)} of steps")
    figure = quantity(sequence.typical, "s")
    drawn = render(range_bar(sequence, "s", "Latency of a sequence"))
    of = f"a sequence of {plural(page.steps, 'step')}"
    return Fact("Latency", figure, of, tuple(details), drawn)


def _energy(page: PageData) -> Fact:
    report, total = page.report, energy_range(page.report)
    if total is None:
        return Fact("Energy", "–", f"{report.profile.name} has no energies")
    details = [quantity_range(total, "J"), f"dynamic: {quantity_range(report.dynamic_j, 'J')}"]
    if report.static is not None:
        details.append(f"idle chips: {quantity_range(report.static.energy_j, 'J')}")
    details.append(f"constants are {' and '.join(report.known)}")
    drawn = render(range_bar(total, "J", "Energy of a sequence"))
    return Fact("Energy", quantity(total.typical, "J"), "a sequence", tuple(details), drawn)
