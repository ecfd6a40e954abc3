"""A stream's state as C: where a board goes on from what was simulated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snn_deploy.engines.session import Snapshot
from snn_deploy.errors import DataError
from snn_deploy.targets.c.source import Source

__all__ = ["resumed_text"]

_RESUMED = """\
/* Made by snn-deploy {version}: a stream after {steps} steps. To go on from there,
 *
 *     snn_init(&state, &work);
 *     state = snn_resumed;
 */
#ifndef SNN_RESUMED_H
#define SNN_RESUMED_H

#include "snn.h"

static const snn_state snn_resumed = {{
{fields}
}};

#endif
"""
_A_LINE = 12  # numbers
_MOST_STEPS = 2**32 - 1  # the count stays there


def resumed_text(source: Source, state: Snapshot, version: str) -> str:
    """Write the state of one sequence as a constant.

    Raises
    ------
    DataError
        If the stream has several sequences side by side.
    """
    steps = min(state.steps, _MOST_STEPS)
    fields = [f"    .steps = {steps}U,"]
    fields += [f"    .at{source.number(name)} = 0," for name in source.layout.rings]
    for field, array in _arrays(source, state.arrays).items():
        if len(array) != 1:
            raise DataError(
                f"this stream has {len(array)} sequences side by side; a board's state is one's"
            )
        fields += [f"    .{field} = {{", *_lines(array), "    },"]
    return _RESUMED.format(version=version, steps=f"{state.steps:,}", fields="\n".join(fields))


def _arrays(source: Source, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is in the struct, by field: past signals, oldest first, and words of state."""
    found = {f"past{source.number(name)}": arrays[f"{name}/past"] for name in source.layout.rings}
    for node in source.layout.stepping:
        number = source.number(node.name)
        for word in source.layout.words(node):
            array = arrays[f"{node.name}/{word}"]
            if array[:1].size:
                found[f"n{number}_{word}"] = array
    return found


def _lines(array: Any) -> list[str]:
    flat = np.asarray(array).reshape(-1).tolist()
    rows = (flat[i : i + _A_LINE] for i in range(0, len(flat), _A_LINE))
    return [f"        {', '.join(map(str, row))}," for row in rows]
