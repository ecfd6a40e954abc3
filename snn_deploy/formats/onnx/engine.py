"""Runs a network's ONNX model with onnxruntime, as an engine, so that ``verify`` compares it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from snn_deploy.engines.host import check_mantissas
from snn_deploy.engines.result import IntArray, Result, Run, by_name, senders
from snn_deploy.engines.session import WholeEngine
from snn_deploy.errors import BackendError
from snn_deploy.formats.onnx.file import check_available
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_to_document

__all__ = ["OnnxEngine"]

SEQUENCES = 16
"""How many run side by side: as many as a core's cache takes."""


class OnnxEngine(WholeEngine):
    """The model of whole sequences on onnxruntime's CPU provider. It counts no clipped values."""

    name = "onnx"
    several = True

    def __init__(self) -> None:
        self._running: _Model | None = None

    def compute(self, network: Network, run: Run) -> Result:
        """Run mantissas ``run.inputs`` (B, L, d_input), by name if several, through the network.

        Raises
        ------
        TargetError
            For a node that ONNX is not written for.
        BackendUnavailableError, BackendError
            If onnxruntime is not installed, or failed.
        """
        inputs = by_name(network, run.inputs)
        if len(inputs) == 1:
            check_mantissas(network, inputs[network.input.name], len(run.lengths))
        wanted = tuple(sorted({*run.trace, *senders(network), *network.outputs} - inputs.keys()))
        if self._running is None or not self._running.fits(network, wanted):
            self._running = _Model(network, wanted)
        signals = {**inputs, **self._run(self._running, inputs, run)}
        return Result.collect(network, run, signals, {})

    def _run(self, model: _Model, inputs: Mapping[str, IntArray], run: Run) -> dict[str, IntArray]:
        parts = []
        for start in range(0, len(run.lengths), SEQUENCES):
            rows = slice(start, start + SEQUENCES)
            parts.append(model.run([*inputs.values(), run.lengths], rows))
            run.progress(len(run.lengths[rows]) / len(run.lengths))
        return {name: np.concatenate([p[n] for p in parts]) for n, name in enumerate(model.wanted)}


class _Model:
    """A network's model, ready to run."""

    def __init__(self, network: Network, wanted: tuple[str, ...]) -> None:
        check_available("the onnx backend")
        check_available("the onnx backend", "onnxruntime")
        self.network, self.wanted = network, wanted

    def fits(self, network: Network, wanted: tuple[str, ...]) -> bool:
        """Whether it is the model that is asked for."""
        return self.network is network and self.wanted == wanted

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        from snn_deploy.formats.onnx.model import sequence_model

        _, tensors = network_to_document(self.network)
        model = sequence_model(self.network, tensors, self.wanted).proto
        content = model.SerializeToString()
        return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(self, arrays: Sequence[IntArray], rows: slice) -> list[IntArray]:
        """Run some of the sequences, inputs and lengths; give the wanted nodes' signals."""
        if not self.wanted:  # a network that does nothing with its input
            return []
        try:
            session = self._session
            names = [node.name for node in session.get_inputs()]
            outputs = [node.name for node in session.get_outputs()][-len(self.wanted) :]
            feeds = {
                name: np.ascontiguousarray(array[rows], np.int64)
                for name, array in zip(names, arrays, strict=False)
            }
            found: list[IntArray] = session.run(outputs, feeds)
        except _errors() as error:
            raise BackendError(f"onnxruntime failed: {error}") from error
        return found


def _errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("Fail", "InvalidArgument", "InvalidGraph", "NotImplemented", "RuntimeException")
    return tuple(getattr(state, name) for name in names)
