"""Two engines' results, compared with exact equality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snn_deploy.engines.result import Result

__all__ = ["assert_same_results", "assert_same_signals"]


def assert_same_results(found: Result, expected: Result) -> None:
    """Compare every signal, answer, count of messages and count of clipped values."""
    assert_same_signals(found, expected)
    assert found.saturated == expected.saturated


def assert_same_signals(found: Result, expected: Result) -> None:
    """Compare every signal, answer and count of messages; for engines that count no clips."""
    for part in ("output", "trace", "messages"):
        signals, others = (_by_name(getattr(result, part)) for result in (found, expected))
        assert signals.keys() == others.keys()
        for name in signals:
            np.testing.assert_array_equal(signals[name], others[name], err_msg=name)


def _by_name(arrays: Any) -> Mapping[str, Any]:
    return arrays if isinstance(arrays, Mapping) else {"answer": arrays}
