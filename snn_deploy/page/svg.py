"""Building SVG for the report page: elements as a tree, so that no text can become markup.

Horizontal positions are percentages and vertical ones pixels, without a ``viewBox``: a chart is as
wide as its column while text and strokes keep their size on any screen. Colours are classes of
``report.css``, so that one drawing serves light, dark and print.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

__all__ = ["Element", "drawing", "element", "percent_of", "png_data", "render"]

Element = ET.Element
Attribute = str | int | float | None


def element(tag: str, *children: Element | str | None, **attributes: Attribute) -> Element:
    """Make an element; ``class_`` stands for ``class``, other underscores for hyphens."""
    made = ET.Element(tag)
    for key, value in attributes.items():
        if value is not None:
            made.set(key.rstrip("_").replace("_", "-"), _text(value))
    for child in children:
        if isinstance(child, str):
            made.text = (made.text or "") + child
        elif child is not None:
            made.append(child)
    return made


def drawing(
    label: str, height: float, children: Iterable[Element], class_: str = "chart"
) -> Element:
    """Make a drawing as wide as its container; ``label`` is read out in its place."""
    return element(
        "svg", *children, class_=class_, width="100%", height=height, role="img", aria_label=label
    )


def percent_of(value: float, whole: float) -> str:
    """Give ``value`` as a percentage of ``whole`` for a horizontal position or width."""
    return f"{_text(100.0 * value / whole if whole else 0.0)}%"


def render(made: Element) -> Markup:
    """Write an element for a page; everything in it is escaped by now."""
    return Markup(ET.tostring(made, encoding="unicode"))


def _text(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") or "0"
    return str(value)


def png_data(density: npt.NDArray[np.float64], rgb: tuple[int, int, int]) -> str:
    """Give a picture of one colour as a ``data:`` link, opaque where ``density`` (rows, columns)
    is 1 and clear where it is 0, in 16 levels; anything above 0 stays visible.
    """
    level = np.ceil(np.clip(density, 0.0, 1.0) * 15.0).astype(np.uint8)
    rows, columns = level.shape
    padded = np.zeros((rows, columns + columns % 2), np.uint8)
    padded[:, :columns] = level
    packed = (padded[:, 0::2] << 4) | padded[:, 1::2]
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), packed], axis=1)  # filter: none
    alpha = bytes([0, *(round(255 * (0.45 + 0.55 * i / 15)) for i in range(1, 16))])
    content = b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 4, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(rgb) * 16),
            _chunk(b"tRNS", alpha),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )
