"""The steps around each one, side by side: what a convolution over time reads."""

from __future__ import annotations

__all__ = ["ring_lines", "sequence_lines"]


def ring_lines(made: int, read: int, width: int, before: int, ring: int) -> list[str]:
    """Write node ``made``'s window of ``before`` steps and this one over node ``read``.

    ``ring`` is how many past steps of that node are kept.
    """
    return [
        f"for (int32_t k = 0; k < {before}; k++) {{",
        f"    const int32_t row = (s->at{read} + {ring - before} + k) % {ring};",
        f"    for (int32_t h = 0; h < {width}; h++) {{",
        f"        w->n{made}[k * {width} + h] = s->past{read}[row * {width} + h];",
        "    }",
        "}",
        f"for (int32_t h = 0; h < {width}; h++) {{",
        f"    w->n{made}[{before * width} + h] = w->n{read}[h];",
        "}",
    ]


def sequence_lines(made: int, kept: str, width: int, reach: tuple[int, int]) -> list[str]:
    """Write node ``made``'s window of ``reach`` over a whole sequence, ``kept``: 0 beyond it."""
    before, after = reach
    return [
        f"for (uint32_t k = 0; k < {before + 1 + after}U; k++) {{",
        f"    if (when + k < {before}U || when + k - {before}U >= s->steps) {{",
        f"        for (uint32_t h = 0; h < {width}U; h++) {{",
        f"            w->n{made}[k * {width}U + h] = 0;",
        "        }",
        "    } else {",
        f"        for (uint32_t h = 0; h < {width}U; h++) {{",
        f"            const uint32_t at = (when + k - {before}U) * {width}U + h;",
        f"            w->n{made}[k * {width}U + h] = {kept}[at];",
        "        }",
        "    }",
        "}",
    ]
