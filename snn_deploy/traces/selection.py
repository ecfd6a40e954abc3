"""Which nodes and which steps are traced."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from snn_deploy.errors import ConfigError

__all__ = ["choose_nodes", "choose_steps"]


def choose_nodes(names: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """Pick the nodes that any pattern names, such as ``layers.0.lif`` or ``*.lif``, in their order.

    Raises
    ------
    ConfigError
        If a pattern names none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigError(f"no node '{pattern}' to trace; there are: {', '.join(names)}")
    return tuple(name for name in names if any(fnmatchcase(name, p) for p in patterns))


def choose_steps(steps: slice, first: int, last: int) -> range:
    """Pick those of the steps ``first`` … ``last - 1`` that ``steps`` names.

    Raises
    ------
    ConfigError
        If there are none, or a number is negative.
    """
    start, stop, every = steps.start or 0, steps.stop, 1 if steps.step is None else steps.step
    if start < 0 or every < 1 or (stop is not None and stop < 0):
        raise ConfigError(
            f"steps {_text(steps)}: count from 0, START before STOP, EVERY at least 1"
        )
    skipped = max(0, -(-(first - start) // every))
    chosen = range(start + skipped * every, min(last, last if stop is None else stop), every)
    if not chosen:
        raise ConfigError(
            f"steps {_text(steps)}: none of them is among the steps {first} … {last - 1}"
        )
    return chosen


def _text(steps: slice) -> str:
    return ":".join("" if n is None else str(n) for n in (steps.start, steps.stop, steps.step))
