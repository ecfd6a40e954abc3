"""A report as plain data for JSON; the schema is in ``docs/report.md``."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from snn_deploy.mapping.cost import Memory
from snn_deploy.mapping.mesh import site_of
from snn_deploy.reports.energy import EnergyItem, Range
from snn_deploy.reports.report import REPORT_SCHEMA, LayerReport, Report

__all__ = ["report_to_json"]


def report_to_json(report: Report) -> dict[str, Any]:
    """Give a report as dictionaries, lists, strings and numbers."""
    activity, profile = report.activity, report.profile
    return {
        "schema_version": REPORT_SCHEMA,
        "target": {
            "name": profile.name,
            "version": profile.version,
            "summary": profile.summary,
            "overrides": list(profile.overrides),
        },
        "data": {
            "sequences": activity.sequences,
            "steps_per_sequence": activity.steps,
            "assumed_to_send_always": list(activity.bounded),
        },
        "answers": None if report.answers is None else report.answers.scores(),
        "neurobench": _neurobench(report),
        "layers": [_layer(layer) for layer in report.layers],
        "total": _layer(report.total),
        "placement": _placement(report),
        "time": _time(report),
        "energy_per_sequence": _energy(report),
        "as_papers_count": None if report.paper is None else asdict(report.paper),
        "lowerings": [asdict(cost) for cost in report.lowerings],
        "sensitivity": [asdict(influence) for influence in report.influences],
        "saturation": [
            {**asdict(judged), "can_exceed": list(judged.can_exceed)}
            for judged in report.saturation
        ],
        "dendrite_rounding": {
            "odd": list(report.rounding.odd),
            "nearest": list(report.rounding.nearest),
        },
        "buffer_bytes": report.buffer_bytes,
        "host": [asdict(work) for work in report.host],
        "constants": _constants(report),
        "notes": list(report.notes),
    }


def _neurobench(report: Report) -> dict[str, Any]:
    """The figures that NeuroBench defines, under its names; counts of events are per sequence."""
    total, sequences = report.total, report.activity.sequences
    return {
        "footprint": total.memory.bytes,
        "connection_sparsity": total.connection_sparsity,
        "activation_sparsity": total.activation_sparsity,
        "synaptic_operations": {
            "dense": total.events.dense / sequences,
            "effective_macs": total.events.effective_macs / sequences,
            "effective_acs": total.events.effective_acs / sequences,
        },
        "membrane_updates": total.events.membrane_updates / sequences,
    }


def _layer(layer: LayerReport) -> dict[str, Any]:
    plain = ("neurons", "compartments", "synapses", "nonzero_synapses", "cores", "spike_rate")
    more = ("activation_sparsity", "connection_sparsity")
    extremes = ("silent_neurons", "always_firing_neurons")
    return {
        "name": layer.name,
        "nodes": list(layer.nodes),
        **{key: getattr(layer, key) for key in (*plain, *more, *extremes)},
        "memory_bytes": _memory(layer.memory),
        "events": asdict(layer.events),
        "dynamic_energy_j": asdict(layer.dynamic_j),
        "energy": [_item(item) for item in layer.energy],
    }


def _memory(memory: Memory) -> dict[str, float]:
    parts = {field.name: getattr(memory, field.name) / 8 for field in fields(memory)}
    return {**parts, "total": memory.bytes}


def _item(item: EnergyItem) -> dict[str, Any]:
    return {**asdict(item), "energy_j": asdict(item.energy_j)}


def _placement(report: Report) -> dict[str, Any] | None:
    if report.placement is None:
        return None
    placement = report.placement
    loads = report.timing.cores if report.timing else (None,) * len(placement.cores)
    return {
        "chips": placement.chips,
        "least_cores": placement.least_cores,
        "lowering": placement.lowering,
        "objective": placement.objective,
        "cores": [
            {
                "chip": core.chip,
                "core": core.index,
                **asdict(site_of(core.chip, core.index, report.profile)),
                "neurons": core.load.neurons,
                "memory_bytes": _memory(core.load.memory),
                "mean_load_ns": None if load is None else asdict(load),
                "holds": [asdict(part) for part in core.slices],
            }
            for core, load in zip(placement.cores, loads, strict=True)
        ],
    }


def _time(report: Report) -> dict[str, Any] | None:
    timing = report.timing
    if timing is None:
        return None
    return {
        "step_s": asdict(timing.step_s),
        "slowest_step_s": timing.slowest_step_s,
        "sampled_steps": timing.sampled_steps,
        "limited_by": dict(timing.limited_by),
        "passes": timing.passes,
        "pipeline_steps": timing.pipeline_steps,
        "token_s": _range(timing.token_s),
        "sequence_s": asdict(timing.sequence_s),
        "sequences_per_second": 1.0 / timing.sequence_s.typical,
        "balance": timing.balance,
    }


def _energy(report: Report) -> dict[str, Any]:
    return {
        "dynamic_j": asdict(report.dynamic_j) if report.total.energy else None,
        "static_j": _range(report.static.energy_j if report.static else None),
        "total_j": _range(report.total_j),
        "delay_product_js": _delay_product(report),
        "known": list(report.known),
    }


def _delay_product(report: Report) -> dict[str, float] | None:
    """Energy times delay of a sequence, joule seconds."""
    energy, timing = report.total_j, report.timing
    if energy is None or timing is None:
        return None
    bounds = ("low", "typical", "high")
    return {bound: getattr(energy, bound) * getattr(timing.sequence_s, bound) for bound in bounds}


def _range(value: Range | None) -> dict[str, float] | None:
    return None if value is None else asdict(value)


def _constants(report: Report) -> dict[str, Any]:
    sources = report.profile.sources
    return {
        key: {**number.model_dump(exclude_none=True), "source": sources[number.source]}
        for key, number in report.profile.constants()
    }
