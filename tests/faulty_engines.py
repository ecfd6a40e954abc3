"""Engines that are wrong in one figure: what ``verify`` is for.

Each wraps the reference engine and changes one value of what it gave. They are found by name once a
test has put them into the registry, see :func:`register`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.registry import ENGINES
from snn_deploy.engines.result import Result, Run
from snn_deploy.engines.session import WholeEngine, run_whole
from snn_deploy.ir.network import Network

__all__ = ["CLIPS", "FAULTS", "NEURON", "SEQUENCE", "SOMA", "STEP", "register"]

SEQUENCE, STEP, NEURON = 1, 5, 2
SOMA, CLIPS = "layers.0.lif", "layers.0.ssm"


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every faulty engine be found by its name, until the test is over."""
    for name, engine in FAULTS.items():
        monkeypatch.setitem(ENGINES, name, f"{__name__}:{engine.__name__}")


class FaultyEngine(WholeEngine):
    """The reference engine, but for :meth:`spoil`."""

    name = ""

    def __init__(self) -> None:
        self.begun = 0  # sequences, in the batches before

    def compute(self, network: Network, run: Run) -> Result:
        sequence, self.begun = SEQUENCE - self.begun, self.begun + len(run.inputs)
        result = run_whole(ReferenceEngine(), network, run)
        return self.spoil(network, result, sequence) if 0 <= sequence < len(run.inputs) else result

    def spoil(self, network: Network, result: Result, sequence: int) -> Result:
        raise NotImplementedError


class WrongSignal(FaultyEngine):
    """A spike more, or less; and later, and further on, more that is wrong."""

    name = "wrong-signal"

    def spoil(self, network: Network, result: Result, sequence: int) -> Result:
        trace = dict(result.trace)
        trace[SOMA] = trace[SOMA].copy()
        trace[SOMA][sequence, STEP, NEURON] ^= 1
        trace[SOMA][0, STEP + 1, 0] ^= 1
        trace[network.output.name] = trace[network.output.name] + 1
        return replace(result, trace=trace, output=result.output + 1)


class WrongCount(FaultyEngine):
    """A message that was not sent."""

    name = "wrong-count"

    def spoil(self, network: Network, result: Result, sequence: int) -> Result:
        messages = {name: sent.copy() for name, sent in result.messages.items()}
        messages[SOMA][sequence, NEURON] += 1
        return replace(result, messages=messages)


class WrongAnswer(FaultyEngine):
    """An answer that is not the output's signal."""

    name = "wrong-answer"

    def spoil(self, network: Network, result: Result, sequence: int) -> Result:
        output = result.output.copy()
        output[sequence, ..., NEURON] -= 3
        return replace(result, output=output)


class WrongSaturation(FaultyEngine):
    """A value that was not clipped."""

    name = "wrong-saturation"

    def spoil(self, network: Network, result: Result, sequence: int) -> Result:
        saturated = {**result.saturated, CLIPS: result.saturated[CLIPS] + 1}
        return replace(result, saturated=saturated)


class CountsNothing(FaultyEngine):
    """Counts no clipped values: that is allowed."""

    name = "counts-nothing"

    def spoil(self, network: Network, result: Result, sequence: int) -> Result:
        return replace(result, saturated={})


FAULTS: dict[str, type[FaultyEngine]] = {
    engine.name: engine
    for engine in (WrongSignal, WrongCount, WrongAnswer, WrongSaturation, CountsNothing)
}
