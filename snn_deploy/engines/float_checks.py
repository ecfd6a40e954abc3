"""What goes into a float network, checked: arrays that fit it, each refusal with the place."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.float_ops import Signal
from snn_deploy.engines.result import Ports, by_name
from snn_deploy.errors import DataError
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["checked_draws", "checked_inputs", "checked_lengths"]


def checked_inputs(network: Network, inputs: Ports) -> dict[str, Signal]:
    """Give the input nodes' signals, (B, L, width) float64, by name."""
    given = by_name(network, inputs)
    return {name: _checked_input(network, network[name], given[name]) for name in given}


def _checked_input(network: Network, source: Node, inputs: npt.NDArray[np.generic]) -> Signal:
    """Give an input node's signal, (B, L, width) float64."""
    if source.reads_tokens:
        _check_tokens(source, inputs)
        inputs = inputs[..., None]
    elif inputs.ndim != 3 or inputs.shape[2] != source.width or inputs.dtype.kind not in "fiub":
        raise DataError(
            f"inputs have shape {inputs.shape} and type {inputs.dtype}; the network reads numbers "
            f"of shape (batch, steps, {source.width})"
        )
    if not inputs.size:
        raise DataError(f"inputs have shape {inputs.shape}: there is nothing to run")
    if network.pairs and len(inputs) % 2:
        raise DataError(
            f"inputs hold {len(inputs)} documents; the network compares pairs, so give an even "
            "number: first documents, then second"
        )
    return inputs.astype(np.float64)


def _check_tokens(source: Any, inputs: npt.NDArray[np.generic]) -> None:
    if inputs.ndim != 2 or inputs.dtype.kind not in "iu":
        raise DataError(
            f"inputs have shape {inputs.shape} and type {inputs.dtype}; the network reads integer "
            "tokens of shape (batch, steps)"
        )
    tokens = inputs.astype(np.int64)
    wrong = np.argwhere((tokens < 0) | (tokens >= source.vocabulary))
    if len(wrong):
        row, step = (int(i) for i in wrong[0])
        raise DataError(
            f"inputs hold the token {inputs[row, step]} in sequence {row}, step {step}; the "
            f"network knows tokens 0 … {source.vocabulary - 1}"
        )


def checked_draws(draws: int | npt.NDArray[Any], batch: int) -> int | Signal:
    """Give a seed, or recorded uniform numbers (draws, B, L, width) as float64."""
    if not isinstance(draws, np.ndarray):
        return draws
    if draws.ndim != 4 or draws.shape[1] != batch:
        raise DataError(
            f"recorded draws have shape {draws.shape}; expected (draws, {batch}, steps, width)"
        )
    return draws.astype(np.float64)


def checked_lengths(given: npt.NDArray[Any], batch: Signal) -> npt.NDArray[np.int64]:
    """Give valid steps of each sequence, (B,), 1 … L, as int64."""
    steps = batch.shape[1]
    if given.shape != (len(batch),) or given.dtype.kind not in "iu":
        raise DataError(
            f"lengths have shape {given.shape} and type {given.dtype}; expected {len(batch)} "
            "integers, one for each sequence"
        )
    wrong = np.flatnonzero((given < 1) | (given > steps))
    if len(wrong):
        raise DataError(
            f"lengths say {given[wrong[0]]} for sequence {wrong[0]}; the sequences have 1 … "
            f"{steps} steps"
        )
    return given.astype(np.int64)
