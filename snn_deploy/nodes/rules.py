"""What the kinds' rules are made of: shapes, widths and ranges, refused by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import NetworkError
from snn_deploy.ir.node import Node

if TYPE_CHECKING:
    from snn_deploy.nodes.base import IntegerNode

__all__ = [
    "MAX_FACTOR_BITS",
    "MAX_MESSAGE_BITS",
    "MAX_SHIFT",
    "fits",
    "require",
    "require_array",
    "require_between",
    "require_entries",
    "require_one_exponent",
    "require_product",
    "require_range",
    "require_shape",
    "require_words",
    "within",
]

MAX_SHIFT = 47
MAX_FACTOR_BITS = 32  # what coefficients are stored in
MAX_PRODUCT_BITS = 63  # factors of together so many signed bits have a product below 2**62
MAX_MESSAGE_BITS = 24  # a longer word would fill a pool's 48-bit sum in fewer than 2**24 steps


def require(condition: bool, node: Node, rule: str) -> None:
    """Refuse a network in which a node breaks a rule.

    Raises
    ------
    NetworkError
        Naming the node and the rule.
    """
    if not condition:
        raise NetworkError(f"node '{node.name}' ({node.kind}): {rule}")


def fits(value: Any, bits: int) -> bool:
    """Tell whether all of ``value`` fits a signed format of ``bits`` bits."""
    return bool(np.all(np.abs(np.asarray(value, dtype=np.int64)) <= fp.limit_of(bits)))


def within(value: Any, low: int, high: int) -> bool:
    """Tell whether all of ``value`` is ``low`` … ``high``."""
    return bool(np.all((np.asarray(value) >= low) & (np.asarray(value) <= high)))


def require_range(node: Node, what: str, value: int, low: int, high: int) -> None:
    """Refuse a number outside ``low`` … ``high``."""
    require(low <= value <= high, node, f"{what} {value} is outside {low} … {high}")


def require_shape(node: Node, what: str, value: Any, shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape."""
    require(value.shape == shape, node, f"{what} has shape {value.shape}, not {shape}")


def require_words(node: Node, names: Iterable[str], width: int, bits: int) -> None:
    """Refuse fields that are not one signed number of ``bits`` bits a channel."""
    for name in names:
        value = getattr(node, name)
        require_shape(node, name, value, (width,))
        require(fits(value, bits), node, f"{name} exceeds {bits} bits")


def require_array(node: Node, what: str, value: Any, shape: tuple[int | None, ...]) -> None:
    """Refuse all but finite numbers of a shape, of which None stands for any size but 0."""
    fits = len(value.shape) == len(shape) and all(
        size >= 1 if wanted is None else size == wanted
        for size, wanted in zip(value.shape, shape, strict=True)
    )
    told = " × ".join("any" if size is None else str(size) for size in shape)
    require(fits, node, f"{what} has shape {value.shape}, not ({told})")
    require(bool(np.isfinite(value).all()), node, f"{what} holds NaN or infinity")


def require_between(
    node: Node, what: str, value: Any, shape: tuple[int, ...], low: int = 0, high: int = MAX_SHIFT
) -> None:
    """Refuse whole numbers of another shape, or outside ``low`` … ``high``: by default shifts."""
    require_shape(node, what, value, shape)
    require(within(value, low, high), node, f"{what} is outside {low} … {high}")


def require_product(node: Node, what: str, *bits: int) -> None:
    """Refuse factors whose product might not fit an engine's 64 bits."""
    told = " + ".join(map(str, bits))
    require(sum(bits) <= MAX_PRODUCT_BITS, node, f"{what}: {told} bits, over {MAX_PRODUCT_BITS}")


def require_entries(node: Node, table: Any, bits: int) -> None:
    """Refuse a table whose numbers do not fit ``bits`` bits."""
    require(table.ndim == 2 and table.size > 0, node, f"table of shape {table.shape}")
    limit = fp.limit_of(bits)
    inside = -limit <= int(table.min()) and int(table.max()) <= limit
    require(inside, node, f"an entry of its table exceeds {bits} bits")


def require_one_exponent(node: IntegerNode, exponents: list[npt.NDArray[np.int64]]) -> None:
    """Refuse to add signals whose channels have different exponents."""
    for other in exponents[1:]:
        same = np.array_equal(exponents[0], other)
        require(same, node, "adds signals of different exponents")
