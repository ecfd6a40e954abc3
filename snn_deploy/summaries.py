"""What a notebook and the interactive interpreter show of a result: a few lines that matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from snn_deploy.compare.accuracy import AccuracyComparison
    from snn_deploy.compare.verification import Verification
    from snn_deploy.deployment import Deployment
    from snn_deploy.evaluation.run import Evaluation
    from snn_deploy.ir.network import Network
    from snn_deploy.reports.compare import Comparison
    from snn_deploy.reports.report import Report
    from snn_deploy.run.simulation import Simulation
    from snn_deploy.run.streaming import Stream

__all__ = [
    "comparison_summary",
    "deployment_summary",
    "evaluation_summary",
    "network_summary",
    "report_summary",
    "report_text",
    "simulation_summary",
    "stream_summary",
    "verification_summary",
]

_MOST = 8  # layers, or nodes, that are listed


def network_summary(network: Network) -> str:
    """Say what a network takes and gives, and how large it is."""
    spiking = network.spiking
    neurons = sum(node.width for node in spiking)
    return (
        f"<Network, {network.stage}: {len(network)} nodes, {len(spiking)} spiking layers of "
        f"{neurons:,} neurons; takes {_taken(network)}, answers with {_given(network)}>"
    )


def _taken(network: Network) -> str:
    several = len(network.inputs) > 1
    widths = (
        f"{n.width} ({name})" if several else f"{n.width}" for name, n in network.inputs.items()
    )
    return _a_step(" and ".join(widths))


def _a_step(values: str) -> str:
    return f"{values} value{'' if values == '1' else 's'} a step"


def _given(network: Network) -> str:
    told = {"one": "once", "all": "at every step"}
    return " and ".join(
        f"{a.width} {told.get(str(a.steps), f'at the last {a.steps} steps')}"
        for a in network.outputs.values()
    )


def deployment_summary(deployment: Deployment) -> str:
    """Say where a deployment came from, for what, and how large it is."""
    network, origin = deployment.network, deployment.origin
    spiking = network.spiking
    neurons = sum(node.width for node in spiking)
    size = f"{len(network)} processes, {len(spiking)} spiking layers, {neurons:,} neurons"
    width = network.answer.width
    return (
        f"Deployment of {origin.checkpoint} for {origin.profile}\n"
        f"  {size}\n"
        f"  takes {_a_step(str(network.input_width))}, answers with {width}\n"
        "  .simulate(inputs), .verify(inputs, against=checkpoint), .report(inputs), .save(path)"
    )


def simulation_summary(simulation: Simulation) -> str:
    """Say what was answered, how much was said, and what saturated."""
    shape = " × ".join(map(str, simulation.answer.shape))
    lines = [f"Simulation of {len(simulation.answer):,} sequences", f"  answer {shape}"]
    if simulation.accuracy is not None:
        lines.append(f"  accuracy {simulation.accuracy:.2%}")
    if simulation.regression is not None:
        lines.append(f"  {simulation.regression}")
    for name, counts in list(simulation.spike_counts.items())[:_MOST]:
        silent = int((counts.sum(axis=0) == 0).sum())
        lines.append(
            f"  {name}: {counts.mean():,.2f} spikes a neuron and sequence, {silent:,} of "
            f"{counts.shape[1]:,} neurons silent"
        )
    clipped = {name: count for name, count in simulation.saturated.items() if count}
    told = [f"{name} {count:,}" for name, count in list(clipped.items())[:_MOST]]
    lines.append(f"  saturated: {', '.join(told) if told else 'nothing'}")
    return "\n".join(lines)


def verification_summary(verification: Verification) -> str:
    """Say whether engines agree, and how far float and integer do."""
    lines = ["Verification: " + ("passed" if verification.passed else "FAILED")]
    lines += [f"  {comparison}" for comparison in verification.engines]
    if verification.accuracy is not None:
        lines += _accuracy_lines(verification.accuracy)
    if verification.ensemble is not None:
        lines.append(f"  {verification.ensemble}")
    return "\n".join(lines)


def _accuracy_lines(accuracy: AccuracyComparison) -> list[str]:
    lines = []
    if accuracy.agreement is not None:
        same = f"{accuracy.agreement:.2%} of {accuracy.sequences:,} sequences"
        lines.append(f"  integer and float agree on {same}")
    lines += [f"  {name}: {sums}" for name, sums in accuracy.regression.items()]
    if accuracy.integer_accuracy is not None and accuracy.exact_accuracy is not None:
        both = f"integer {accuracy.integer_accuracy:.2%}, float {accuracy.exact_accuracy:.2%}"
        lines.append(f"  accuracy: {both}")
    return [*lines, f"  {accuracy.advice}"] if accuracy.advice else lines


def report_summary(report: Report) -> str:
    """Say how much is sent, and what a sequence costs: space, time, energy."""
    from snn_deploy.reports.table import report_lines

    profile, activity = report.profile, report.activity
    lines = [f"Report of {activity.sequences} sequences on {profile.name} {profile.version}"]
    lines += report_lines(report)
    return "\n  ".join([*lines, "print(report) has all of it, .to_pandas() a row a layer"])


def report_text(report: Report) -> str:
    """Give the report as the command prints it."""
    from snn_deploy.reports.table import render_report

    return _printed(lambda console: render_report(report, console))


def comparison_summary(comparison: Comparison) -> str:
    """Give the comparison as the command prints it."""
    from snn_deploy.reports.compare_table import render_comparison

    return _printed(lambda console: render_comparison(comparison, console))


def evaluation_summary(evaluation: Evaluation) -> str:
    """Say how right the answers were, and of how many."""
    tally = evaluation.tally
    told = f"Evaluation of {tally.sequences:,} sequences, {tally.steps:,} steps"
    if evaluation.accuracy is not None:
        told += f"\n  accuracy {evaluation.accuracy:.2%}"
    if tally.regression is not None:
        told += f"\n  {tally.regression}"
    rates = [
        f"  {layer['layer']}: spike rate {layer['spike_rate']:.2%}" for layer in evaluation.layers()
    ]
    return "\n".join([told, *rates])


def _printed(render: Callable[[Console], None]) -> str:
    from io import StringIO

    from rich.console import Console

    text = StringIO()
    render(Console(file=text, width=100, highlight=False, emoji=False, force_jupyter=False))
    return text.getvalue().rstrip()


def stream_summary(stream: Stream) -> str:
    """Say where a stream is."""
    return f"<Stream: {stream.samples} sequences side by side, {stream.steps:,} steps so far>"
