"""Exponential moving averages of the weights, which the authors' optimiser keeps in its state.

The state knows parameters by number only. The numbers follow from how S4's training script builds
its optimiser: first all parameters without special hyper-parameters, in the model's order; then a
group for each set of special ones. Which group is which set is told by learning rate, weight decay
and shapes, and everything must fit exactly once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.converters.spikingssm_config import SpikingSsmConfig
from snn_deploy.errors import CheckpointError

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["averaged_tensors", "has_averages"]

Tensors = dict[str, npt.NDArray[np.generic]]
_Special = frozenset[tuple[str, float]]
"""Special hyper-parameters of a parameter, e.g. {("lr", 0.001), ("weight_decay", 0.0)}."""

_BUFFER = re.compile(r".*\.(running_mean|running_var|num_batches_tracked|pe)")
_KERNEL = re.compile(r"model\.s4_layers\.\d+\.kernel\.(\w+)")
_BIAS = re.compile(r"model\..*\.bias")
_NORM = re.compile(r"model\.norms\..*")
# The authors cap the learning rate of the kernel with fixed B.
_MAX_FIXED_B_RATE = 1e-3
# Parameter of the kernel with trainable B -> S4's name for its learning rate.
_RATE_NAMES = {"inv_dt": "dt", "A_real": "A", "A_imag": "A", "B": "B", "C": "C"}


def has_averages(checkpoint: Checkpoint) -> bool:
    """Tell whether the optimiser's state holds an average of some weight."""
    states = checkpoint.extras.get("optimizer_states")
    first = states[0] if isinstance(states, list) and states else None
    state = first.get("state") if isinstance(first, dict) else None
    return isinstance(state, dict) and any(
        isinstance(kept, dict) and "ema" in kept for kept in state.values()
    )


def averaged_tensors(
    tensors: Tensors, extras: Mapping[str, Any], config: SpikingSsmConfig, where: str
) -> Tensors:
    """Give ``tensors`` with every trained one replaced by its average; buffers stay.

    Raises
    ------
    CheckpointError
        If the checkpoint holds no averages, or they cannot be told apart with certainty.
    """
    try:
        groups = list(extras["optimizer_states"][0]["param_groups"])
        state = extras["optimizer_states"][0]["state"]
        averages = {index: state[index]["ema"] for group in groups for index in group["params"]}
    except (KeyError, IndexError, TypeError):
        raise CheckpointError(
            f"{where}: the checkpoint holds no averaged weights for all parameters (the training "
            "ran without train.ema, or the optimiser's state was removed); use the trained weights"
        ) from None
    averaged = dict(tensors)
    for part in _partition(tensors, config):
        group = _group_of(part, groups, tensors, averages, where)
        groups.remove(group)
        averaged.update({k: averages[i] for k, i in zip(part.keys, group["params"], strict=True)})
    if groups:
        raise CheckpointError(_unclear(where, f"{len(groups)} groups belong to no known weights"))
    return averaged


@dataclass(frozen=True)
class _Part:
    """Parameters with the same special hyper-parameters, in the model's order."""

    special: _Special
    keys: list[str]


def _partition(tensors: Tensors, config: SpikingSsmConfig) -> list[_Part]:
    """Sort the parameters by special hyper-parameters, those without any first."""
    parts: dict[_Special | None, list[str]] = {None: []}
    for key in tensors:
        if _BUFFER.fullmatch(key):
            continue
        special = _special(key, config)
        if special is None or dict(special).get("lr") != 0:  # rate 0 makes a parameter a buffer
            parts.setdefault(special, []).append(key)
    return [_Part(special or frozenset(), keys) for special, keys in parts.items()]


def _special(key: str, config: SpikingSsmConfig) -> _Special | None:
    options = config.model.layer.model_extra or {}
    grouping = config.train.get("optimizer_param_grouping")
    kernel = _KERNEL.fullmatch(key)
    if kernel and kernel[1] in _RATE_NAMES and config.model.layer.trainable_B:
        rate = _named(options.get("lr"), _RATE_NAMES[kernel[1]])
        decay = None if kernel[1] == "C" else _named(options.get("wd", 0.0), kernel[1])
        return _hyper_parameters(lr=rate, weight_decay=decay)
    if kernel and kernel[1] != "C":
        return _hyper_parameters(
            lr=min(options.get("lr", _MAX_FIXED_B_RATE), _MAX_FIXED_B_RATE), weight_decay=0.0
        )
    if grouping is None:
        return None
    no_decay = (_BIAS.fullmatch(key) and not grouping.get("bias_weight_decay", False)) or (
        _NORM.fullmatch(key) and not grouping.get("normalization_weight_decay", False)
    )
    return _hyper_parameters(weight_decay=0.0) if no_decay else None


def _named(rates: Any, name: str) -> float | None:
    value = rates.get(name) if isinstance(rates, Mapping) else rates
    return None if value is None else float(value)


def _hyper_parameters(**values: float | None) -> _Special:
    return frozenset((name, value) for name, value in values.items() if value is not None)


def _group_of(
    part: _Part,
    groups: list[Mapping[str, Any]],
    tensors: Tensors,
    averages: Mapping[int, npt.NDArray[np.generic]],
    where: str,
) -> Mapping[str, Any]:
    """Find the one group of the optimiser that a part of the parameters went into."""
    shapes = [tensors[key].shape for key in part.keys]
    fitting = [
        group
        for group in groups
        if [np.shape(averages[index]) for index in group["params"]] == shapes
        and all(_original(group, name) == value for name, value in part.special)
    ]
    if len(fitting) != 1:
        raise CheckpointError(
            _unclear(where, f"{len(fitting)} groups fit the {len(shapes)} weights {part.keys[:3]}")
        )
    return fitting[0]


def _original(group: Mapping[str, Any], name: str) -> Any:
    """Give a hyper-parameter as configured: a schedule moves ``lr`` and keeps ``initial_lr``."""
    return group.get("initial_lr", group.get("lr")) if name == "lr" else group.get(name)


def _unclear(where: str, why: str) -> str:
    return (
        f"{where}: cannot tell which averaged weight belongs to which parameter ({why}); use the "
        "trained weights, or export a state dict of the averaged ones"
    )
