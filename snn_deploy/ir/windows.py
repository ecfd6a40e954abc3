"""Where a kernel stands as it slides over a frame: the geometry of convolutions and pools.

A frame is what a signal holds in one step, its channels in C order: map after map, each of one,
two or more axes (a recording's channels of frequency; rows and columns of an image). To flatten a
frame is then to do nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import ConfigError

__all__ = ["MOST_TAPS", "Windows"]

IntArray = npt.NDArray[np.int64]

MOST_TAPS = 2**26
"""Places times taps of one group: what the table of where each tap reads may hold."""

_MOST = 2**24  # of any size: no product of a few of them leaves 64 bits unnoticed
_GATHERED = 2**22  # numbers that are laid out for a product at once


@dataclass(frozen=True)
class Windows:
    """Every place of a kernel on a frame; outside of the frame is 0.

    Parameters
    ----------
    maps
        Of the frame.
    size
        Of each map, axis by axis.
    kernel, stride, dilation
        Along each axis: taps, steps from place to place, steps from tap to tap.
    before, after
        Zeros around the frame along each axis, at its two ends.
    groups
        The maps are dealt out to so many groups of filters, each of which reads its own only.

    Raises
    ------
    ConfigError
        If there is no such geometry, or one too large.
    """

    maps: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1

    def __post_init__(self) -> None:
        axes = (self.size, self.kernel, self.stride, self.before, self.after, self.dilation)
        if not self.size or any(len(axis) != len(self.size) for axis in axes):
            raise ConfigError(f"a frame of {len(self.size)} axes needs as many of each in {self}")
        smallest = (1, 1, 1, 0, 0, 1)
        for values, least in zip(axes, smallest, strict=True):
            if not all(least <= value <= _MOST for value in values):
                raise ConfigError(f"{values} has a number outside {least} … {_MOST:,}: {self}")
        if not (1 <= self.maps <= _MOST and 1 <= self.groups <= self.maps):
            raise ConfigError(f"{self.maps} maps in {self.groups} groups: {self}")
        if self.maps % self.groups:
            raise ConfigError(f"{self.maps} maps cannot be dealt out to {self.groups} groups")
        if not all(places >= 1 for places in self.outer):
            raise ConfigError(f"a kernel of {self.kernel} is larger than its frame: {self}")
        if self.inputs > MOST_TAPS or self.places * self.taps > MOST_TAPS:
            raise ConfigError(
                f"a kernel of {self.taps:,} taps at {self.places:,} places of a frame of "
                f"{self.inputs:,} numbers: at most {MOST_TAPS:,} can be had"
            )

    def __str__(self) -> str:
        told = " × ".join(map(str, (self.maps, *self.size)))
        kernel = " × ".join(map(str, self.kernel))
        return f"windows of {kernel} on {told}, {self.groups} groups, stride {self.stride}"

    @classmethod
    def over(
        cls,
        frame: tuple[int, ...],
        kernel: tuple[int, ...],
        *,
        stride: tuple[int, ...] | None = None,
        padding: tuple[int, ...] | None = None,
        dilation: tuple[int, ...] | None = None,
        groups: int = 1,
    ) -> Windows:
        """Lay a kernel on a frame (maps, …), padded alike at both ends of each axis."""
        maps, *size = frame
        ones = (1,) * len(size)
        padding = padding if padding is not None else (0,) * len(size)
        return cls(
            maps=maps,
            size=tuple(size),
            kernel=kernel,
            stride=stride or ones,
            before=padding,
            after=padding,
            dilation=dilation or ones,
            groups=groups,
        )

    @property
    def outer(self) -> tuple[int, ...]:
        """Places along each axis: the size of the maps that come out."""
        ends = zip(self.size, self.before, self.after, strict=True)
        reach = [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        return tuple(
            (sum(lengths) - span) // step + 1
            for lengths, span, step in zip(ends, reach, self.stride, strict=True)
        )

    @property
    def places(self) -> int:
        """How often the kernel stands somewhere."""
        return _product(self.outer)

    @property
    def inputs(self) -> int:
        """Channels of the frame."""
        return self.maps * _product(self.size)

    @property
    def group_inputs(self) -> int:
        """Channels of the frame that each group reads."""
        return self.inputs // self.groups

    @property
    def taps(self) -> int:
        """Weights of one filter."""
        return self.maps // self.groups * _product(self.kernel)

    @property
    def filter_shape(self) -> tuple[int, ...]:
        """Shape of one filter: (maps of a group, …)."""
        return (self.maps // self.groups, *self.kernel)

    @cached_property
    def reads(self) -> npt.NDArray[np.int32]:
        """Which channel of its group each tap reads at each place, (places, taps).

        ``group_inputs`` where it stands outside of the frame.
        """
        at = np.zeros((1, 1), np.int64)
        inside = np.ones((1, 1), bool)
        axes = zip(
            self.size, self.outer, self.kernel, self.stride, self.before, self.dilation, strict=True
        )
        for size, outer, kernel, stride, before, dilation in axes:
            first = np.arange(outer)[:, None] * stride - before
            found = first + np.arange(kernel) * dilation
            shape = (len(at) * outer, at.shape[1] * kernel)
            at = (at[:, None, :, None] * size + found[None, :, None, :]).reshape(shape)
            within = (found >= 0) & (found < size)
            inside = (inside[:, None, :, None] & within[None, :, None, :]).reshape(shape)
        maps = np.arange(self.maps // self.groups)[:, None] * _product(self.size)
        every = np.where(inside[:, None], at[:, None] + maps, self.group_inputs)
        return every.reshape(self.places, self.taps).astype(np.int32)

    def weigh(
        self,
        kernel: npt.NDArray[Any],
        x: npt.NDArray[Any],
        product: Callable[[Any, Any], Any] = np.matmul,
    ) -> npt.NDArray[Any]:
        """Give ``Σ kernel · x`` at every place.

        Parameters
        ----------
        kernel
            (filters, maps of a group, …); as many filters for each group.
        x
            Frames, (…, inputs).
        product
            Multiplies (…, taps) with (taps, filters).

        Returns
        -------
        Frames, (…, filters · places).
        """
        lead, filters = x.shape[:-1], len(kernel) // self.groups
        flat = kernel.reshape(self.groups, filters, self.taps)
        frames = x.reshape(-1, self.groups, self.group_inputs)
        outside = np.zeros((len(frames), self.groups, 1), frames.dtype)
        frames = np.concatenate([frames, outside], axis=2)
        kind = np.result_type(x, kernel)
        y = np.empty((len(frames), self.groups, filters, self.places), kind)
        size = max(1, _GATHERED // self.reads.size)
        for start in range(0, len(frames), size):
            block = slice(start, start + size)
            for group in range(self.groups):
                laid_out = frames[block, group][:, self.reads]
                y[block, group] = product(laid_out, flat[group].T).swapaxes(1, 2)
        return y.reshape(*lead, -1)

    def fan_out(self, wired: npt.NDArray[Any], places: npt.NDArray[Any] | None = None) -> IntArray:
        """Count what each channel of the frame reaches, (inputs,).

        ``wired`` (groups, taps) is how many filters of a group a tap counts for; ``places``
        (groups, places) how often each place counts, 1 if not given.
        """
        found = np.empty((self.groups, self.group_inputs), np.int64)
        for group in range(self.groups):
            weight = np.broadcast_to(wired[group], self.reads.shape)
            if places is not None:
                weight = weight * places[group][:, None]
            count = np.bincount(self.reads.ravel(), weight.ravel(), self.group_inputs + 1)
            found[group] = count[:-1]
        return found.ravel()


def _product(sizes: tuple[int, ...]) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product
