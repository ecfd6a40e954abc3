"""Dense state matrices as modes: the same response, or a refusal by name."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import snn_deploy
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.nplr_ssm import NplrSsm
from snn_deploy.nodes.readout import Readout
from snn_deploy.passes.diagonalise_ssm import DiagonaliseSsm

H, STATES = 3, 7


def dense(
    a: npt.NDArray[np.float64] | None = None, reverse: bool = False, taps: int | None = None
) -> Network:
    """A state-space model of real matrices: eigenvalues in pairs, and of seven states one alone."""
    rng = np.random.default_rng(0)
    size = (H, STATES)
    ssm = NplrSsm(
        name="ssm",
        inputs=(Edge("input"),),
        a=(rng.normal(size=(*size, STATES)) / 4.0 if a is None else a) + 0j,
        b=rng.normal(size=size) + 0j,
        c=rng.normal(size=size) + 0j,
        d=rng.normal(size=H),
        c_reverse=rng.normal(size=size) + 0j if reverse else None,
        taps=taps,
    )
    decoder = Readout(
        name="decoder",
        inputs=(Edge("ssm"),),
        mode="every",
        weight=np.eye(H),
        bias=np.zeros(H),
    )
    return Network("float", (FloatInput(name="input", channels=H), ssm, decoder), "all")


X = np.random.default_rng(1).normal(size=(2, 50, H))


@pytest.mark.parametrize("reverse", [False, True])
def test_modes_answer_as_the_dense_matrix_does(reverse: bool) -> None:
    network = dense(reverse=reverse)
    diagonal = DiagonaliseSsm(steps=50)(network)
    assert diagonal["ssm"].kind == "DiagonalSsm"
    assert diagonal["ssm"].modes < STATES  # type: ignore[attr-defined]  # one for each pair
    expected, found = (run_float(n, X).logits for n in (network, diagonal))
    np.testing.assert_allclose(found, expected, atol=1e-12 * np.abs(expected).max())


def test_deployed_modes_are_near_the_dense_matrix() -> None:
    network = dense()
    deployment = snn_deploy.convert(network, target="loihi2", calibration=X)
    expected = run_float(network, X).logits
    found = deployment.simulate(X, backend="reference").logits
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


def test_states_that_cannot_be_told_apart_are_refused() -> None:
    chain = np.broadcast_to(np.eye(STATES) * 0.9 + np.eye(STATES, k=1), (H, STATES, STATES))
    told = r"node 'ssm': its dense state matrix has no modes that are told apart"
    with pytest.raises(UnsupportedNetworkError, match=told):
        DiagonaliseSsm(steps=50)(dense(a=chain))


@pytest.mark.parametrize(("steps", "known"), [(50, "50"), (None, "any number of")])
def test_responses_that_are_cut_are_refused(steps: int | None, known: str) -> None:
    told = f"node 'ssm': its response is cut after 40 steps .*, and sequences have {known} steps"
    with pytest.raises(UnsupportedNetworkError, match=told):
        DiagonaliseSsm(steps=steps)(dense(taps=40))


def test_sequences_no_longer_than_the_cut_are_taken_and_no_others() -> None:
    assert DiagonaliseSsm(steps=50)(dense(taps=50)).steps == 50
    assert DiagonaliseSsm(steps=50)(dense()).steps is None
