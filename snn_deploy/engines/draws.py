"""Uniform random numbers of a float run: drawn from a seed, or recorded ones played back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import DataError

__all__ = ["Draws"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Draws:
    """The numbers that a block's nodes compare with, in [0, 1).

    Each sequence and each draw has a stream of its own, so that the same seed gives the same
    numbers however the sequences are divided into blocks. They have the 24 bits of a float32, as
    torch draws them.

    Parameters
    ----------
    source
        A seed, or the recorded numbers themselves, (draws, B, L, width).
    rows
        Which sequences of the run the block holds, (b,).
    """

    source: int | Real
    rows: npt.NDArray[np.int64]

    def uniforms(self, draw: int, shape: tuple[int, ...], node: str) -> Real:
        """Give the numbers of one draw, (b, L, width); ``node`` is who asks.

        Raises
        ------
        DataError
            If recorded numbers do not fit the signal.
        """
        if not isinstance(self.source, np.ndarray):
            streams = (np.random.default_rng((self.source, draw, row)) for row in self.rows)
            parts = [stream.random(shape[1:], dtype=np.float32) for stream in streams]
            return np.asarray(np.stack(parts), dtype=np.float64)
        if draw >= len(self.source) or self.source.shape[2:] != shape[1:]:
            raise DataError(
                f"{node} needs draw {draw} of shape (sequences, {shape[1]}, {shape[2]}); the "
                f"recorded draws have shape {self.source.shape}"
            )
        return np.asarray(self.source[draw, self.rows])
