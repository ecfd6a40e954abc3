"""Families beside SpikingSSM on a chip: equal integers from every engine, near the float ones."""

from __future__ import annotations

import numpy as np
import pytest
from family_cases import Case, cases

import snn_deploy
from snn_deploy.data.inputs import check_data


@pytest.mark.parametrize("case", cases("relatives/longspike"))
def test_longspike(case: Case) -> None:
    test, oracle = case.arrays("test"), case.arrays("oracle")
    given = {"inputs": test["inputs"], "lengths": test.get("lengths")}
    data = check_data(case.network(), **given)
    deployment = snn_deploy.convert(case.checkpoint(), "loihi2", calibration=data)
    native, reference = (deployment.simulate(data, backend=e) for e in ("native", "reference"))
    np.testing.assert_array_equal(native.logits, reference.logits)
    expected = oracle["logits_bptt_f64"]
    np.testing.assert_array_equal(native.predictions, expected.argmax(-1))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(native.logits, expected, rtol=0, atol=0.02 * scale)
