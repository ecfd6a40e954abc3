"""Test vectors and a self-test, to be run on whatever machine the network is built for."""

from __future__ import annotations

from snn_deploy.engines.result import IntArray
from snn_deploy.targets.c.source import Source
from snn_deploy.targets.c.tables import table_text
from snn_deploy.targets.vectors import answers

__all__ = ["selftest_text"]

_SELFTEST = """\
/* Made by snn-deploy {version}: {sequences} sequences of {steps} steps, and what the network
 * answers to them. */
#include "snn.h"

{inputs}
{outputs}
static snn_state state;
static snn_work work;

/* Gives how many of the {count} outputs differ, and steps that found no room. */
int32_t snn_selftest(void)
{{
    int32_t differing = 0;
    snn_init(&state, &work);
    for (int32_t b = 0; b < {sequences}; b++) {{
        snn_output output[SNN_OUTPUTS];
        snn_reset(&state);
        for (int32_t t = 0; t < {steps}; t++) {{
            snn_input input[SNN_INPUTS];
            for (int32_t h = 0; h < SNN_INPUTS; h++) {{
                input[h] = (snn_input)inputs[(b * {steps} + t) * SNN_INPUTS + h];
            }}
            differing += snn_step(&state, &work, input);
        }}
        snn_finish(&state, &work, output);
        for (int32_t h = 0; h < SNN_OUTPUTS; h++) {{
            differing += output[h] != outputs[b * SNN_OUTPUTS + h] ? 1 : 0;
        }}
    }}
    return differing;
}}
"""


def selftest_text(source: Source, inputs: IntArray, version: str) -> str:
    """Write the self-test for mantissas (B, L, d_input), whose answers the reference engine gives.

    The answer of each sequence is that to its last step.
    """
    batch, steps, _ = inputs.shape
    _, outputs = answers(source.network, inputs)
    return _SELFTEST.format(
        version=version,
        sequences=batch,
        steps=steps,
        count=outputs.size,
        inputs=table_text("inputs", inputs, "a step after the other"),
        outputs=table_text("outputs", outputs, "a sequence after the other"),
    )
