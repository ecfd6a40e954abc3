"""A dense state matrix as modes that turn and decay each on its own, as a chip's neurons do.

The state is written in the matrix's eigenvectors, ``h = v z``: then ``z' = λ z + v⁻¹ b u`` and
``y = Re(c v · z)``. That is exact as long as the eigenvectors are told apart: the response is
compared with the dense matrix's, and refused where it is another. Eigenvalues come in conjugate
pairs, of which one mode stands for both.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.float_dynamics import ssm_responses
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.nodes.nplr_ssm import NplrSsm
from snn_deploy.nodes.ssm import DiagonalSsm

__all__ = ["diagonalise"]

Complex = npt.NDArray[np.complex128]

COMPARED = 4096  # steps of a response, or as many as sequences are known to have
REAL = 1e-9  # imaginary parts below are roundings: such modes stand for themselves alone
TOLERANCE = 1e-6  # of a response's largest value; synapses keep 8 bits


def diagonalise(node: NplrSsm, steps: int | None) -> DiagonalSsm:
    """Give the modes of a dense state-space model, for sequences of ``steps`` steps if known.

    Raises
    ------
    UnsupportedNetworkError
        If its response is cut, or no modes have it.
    """
    if node.taps is not None and (steps is None or steps > node.taps):
        known = "any number of" if steps is None else str(steps)
        raise UnsupportedNetworkError(
            f"node '{node.name}': its response is cut after {node.taps} steps (l_max), as no "
            f"recurrence is, and sequences have {known} steps; give calibration data of "
            f"{node.taps} steps at the most, or run the float backends"
        )
    poles, vectors = np.linalg.eig(node.a)
    b = np.einsum("hmn,hn->hm", np.linalg.pinv(vectors), node.b)  # if singular, found out below
    weight = np.where(poles.imag > REAL, 1.0, np.where(poles.imag < -REAL, 0.0, 0.5))
    kept = np.argsort(-weight, axis=1)[:, : int((weight > 0).sum(axis=1).max())]

    def of_kept(x: Complex) -> Complex:
        return np.take_along_axis(x, kept, axis=1).astype(np.complex128)

    def readout(c: Complex) -> Complex:
        return of_kept(np.einsum("hm,hmn->hn", c, vectors) * weight)

    made = DiagonalSsm(
        name=node.name,
        inputs=node.inputs,
        a=of_kept(poles),
        b=of_kept(b),
        c=readout(node.c),
        d=node.d,
        c_reverse=None if node.c_reverse is None else readout(node.c_reverse),
    )
    _compare(node, made, min(steps or COMPARED, COMPARED))
    return made


def _compare(node: NplrSsm, made: DiagonalSsm, steps: int) -> None:
    """Refuse eigenvectors so close that the response is another."""
    for dense, diagonal in zip(node.responses(steps), ssm_responses(made, steps), strict=True):
        if dense is None or diagonal is None:
            continue
        apart = float(np.abs(dense - diagonal).max() / np.abs(dense).max(initial=1e-300))
        if not apart <= TOLERANCE:
            raise UnsupportedNetworkError(
                f"node '{node.name}': its dense state matrix has no modes that are told apart: "
                f"in their terms the response is {apart:.1g} of itself off; run the float "
                "backends (simulate --backend float)"
            )
