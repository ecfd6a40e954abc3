"""Results as tables of pandas, which is imported only here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from snn_deploy.errors import BackendUnavailableError

if TYPE_CHECKING:
    import pandas as pd

    from snn_deploy.compare.accuracy import AccuracyComparison
    from snn_deploy.reports.compare import Comparison
    from snn_deploy.reports.report import Report
    from snn_deploy.run.simulation import Simulation

__all__ = ["comparison_frame", "frame", "report_frame", "signals_frame", "simulation_frame"]


def frame(rows: Sequence[dict[str, Any]], index: str) -> pd.DataFrame:
    """Make a table of rows, with one of their columns as its index.

    Raises
    ------
    BackendUnavailableError
        Without pandas.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise BackendUnavailableError(
            "tables need pandas, which is not installed: pip install 'snn-deploy[notebook]'"
        ) from error
    return pd.DataFrame(list(rows)).set_index(index)


def report_frame(report: Report) -> pd.DataFrame:
    """A row a layer, and the total: size, activity, and energy of one sequence in joules."""
    each = 1.0 / report.activity.sequences
    rows = []
    for layer in (*report.layers, report.total):
        plain = ("neurons", "compartments", "synapses", "nonzero_synapses", "cores", "spike_rate")
        more = ("activation_sparsity", "connection_sparsity", "silent_neurons")
        energy = layer.dynamic_j * each
        rows.append(
            {
                "layer": layer.name,
                **{key: getattr(layer, key) for key in (*plain, *more, "always_firing_neurons")},
                "memory_bytes": layer.memory.bytes,
                "synaptic_operations": layer.events.effective * each,
                "energy_low_j": energy.low,
                "energy_typical_j": energy.typical,
                "energy_high_j": energy.high,
            }
        )
    return frame(rows, "layer")


def signals_frame(compared: AccuracyComparison) -> pd.DataFrame:
    """A row a signal: its errors against the float network, without those of single steps."""
    left_out = ("error_by_step", "error_by_channel", "worst_channels")
    rows = [
        {key: value for key, value in vars(error).items() if key not in left_out}
        for error in compared.signals
    ]
    return frame(rows, "node")


def simulation_frame(simulation: Simulation) -> pd.DataFrame:
    """A row a sequence, or a pair: prediction or answers, what is right, and spikes by layer.

    Of networks that answer at several steps, the spikes alone.
    """
    columns: dict[str, Any] = {}
    rows = len(next(iter(simulation.spike_counts.values()), simulation.answer))
    if simulation.network.answer.once:
        rows = len(simulation.logits)
        if simulation.regresses:
            columns |= {f"answer_{i}": part for i, part in enumerate(simulation.logits.T)}
            if simulation.targets is not None:
                columns |= {f"target_{i}": part for i, part in enumerate(simulation.targets.T)}
        else:
            columns["prediction"] = simulation.predictions
            if simulation.labels is not None:
                columns["label"] = simulation.labels
    for layer, counts in simulation.spike_counts.items():
        if len(counts) == rows:  # of pairs, each has two sequences
            columns[f"spikes {layer}"] = counts.sum(axis=1)
    named = {name: values.tolist() for name, values in columns.items()}
    table = [{"sequence": i, **{n: v[i] for n, v in named.items()}} for i in range(rows)]
    return frame(table, "sequence")


def comparison_frame(comparison: Comparison) -> pd.DataFrame:
    """A row a deployment: how it answers, and what a sequence costs, typically."""
    rows = []
    for candidate in comparison.candidates:
        report, timing = candidate.report, candidate.report.timing
        energy = (report.total_j or report.dynamic_j) if report.total.energy else None
        regression = candidate.regression.figures() if candidate.regression else {}
        rows.append(
            {
                "deployment": candidate.name,
                "target": report.profile.name,
                "accuracy": candidate.accuracy,
                **{key: value for key, value in regression.items() if key != "values"},
                "same_as_first": candidate.same_as_first,
                "same_as_float": candidate.same_as_float,
                "memory_bytes": report.total.memory.bytes,
                "spike_rate": report.total.spike_rate,
                "cores": len(report.placement.cores) if report.placement else None,
                "sequence_s": None if timing is None else timing.sequence_s.typical,
                "energy_j": None if energy is None else energy.typical,
                "arithmetic_45nm_j": candidate.arithmetic.snn_everything_j,
            }
        )
    return frame(rows, "deployment")
