"""Two engines' results, compared with exact equality."""

from __future__ import annotations

import numpy as np

from snn_deploy.engines.result import Result

__all__ = ["assert_same_results", "assert_same_signals"]


def assert_same_results(found: Result, expected: Result) -> None:
    """Compare every signal, answer, count of messages and count of clipped values."""
    assert_same_signals(found, expected)
    assert found.saturated == expected.saturated


def assert_same_signals(found: Result, expected: Result) -> None:
    """Compare every signal, answer and count of messages; for engines that count no clips."""
    np.testing.assert_array_equal(found.output, expected.output)
    for part in ("trace", "messages"):
        signals, others = getattr(found, part), getattr(expected, part)
        assert signals.keys() == others.keys()
        for name in signals:
            np.testing.assert_array_equal(signals[name], others[name], err_msg=name)
