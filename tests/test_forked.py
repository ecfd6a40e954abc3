"""A stream goes on in a forked process, which has no thread but its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from networks import float_inputs, float_network

import snn_deploy

NETWORK = float_network(width=16, modes=4)
X = float_inputs(NETWORK, 8, 30).astype(np.float32)
SECONDS = 120


def in_a_fork(answer: Callable[[], np.ndarray], path: Path) -> np.ndarray:
    """Run something in a forked child that is ended where it hangs; give what it answered."""
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(SECONDS)
            np.save(path, answer())
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0, "hung" if os.WIFSIGNALED(status) else "failed"
    found: np.ndarray = np.load(path)
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_stream_goes_on_in_a_forked_child(tmp_path: Path) -> None:
    deployment = snn_deploy.convert(NETWORK, calibration=X)
    expected = deployment.simulate(X, backend="reference").logits
    stream = deployment.stream(len(X))
    stream.step(X[:, :10])

    def rest() -> np.ndarray:
        for start in (10, 20):
            stream.step(X[:, start : start + 10])
        return stream.answer()

    np.testing.assert_array_equal(in_a_fork(rest, tmp_path / "a.npy"), expected)
    np.testing.assert_array_equal(rest(), expected)  # and in its parent, too
