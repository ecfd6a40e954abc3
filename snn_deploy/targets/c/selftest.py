"""Test vectors and a self-test, to be run on whatever machine the network is built for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.host import Host
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.network import Network
from snn_deploy.targets.c.source import Source
from snn_deploy.targets.c.tables import table_text

__all__ = ["CMAKE", "MAIN", "drawn_inputs", "selftest_text"]

SEQUENCES, STEPS = 2, 16  # where no data is given
_SEED = 13

_SELFTEST = """\
/* Made by snn-deploy {version}: {sequences} sequences of {steps} steps, and what the network
 * answers to them. */
#include "snn.h"

{inputs}
{outputs}
static snn_state state;
static snn_work work;

/* Gives how many of the {count} outputs differ. */
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
            snn_step(&state, &work, input);
        }}
        snn_finish(&state, &work, output);
        for (int32_t h = 0; h < SNN_OUTPUTS; h++) {{
            differing += output[h] != outputs[b * SNN_OUTPUTS + h] ? 1 : 0;
        }}
    }}
    return differing;
}}
"""


def drawn_inputs(network: Network) -> npt.NDArray[np.int64]:
    """Draw mantissas (B, L, d_input) for a network, always the same."""
    form = network.input.output  # type: ignore[attr-defined]  # integer stage
    reading: list[Any] = [n for n in network if getattr(n, "reads_tokens", False)]
    known = [node.vocabulary - 1 for node in reading]
    high = min(known, default=form.limit)
    low = -high if form.signed else 0
    rng = np.random.default_rng(_SEED)
    return rng.integers(low, high + 1, (SEQUENCES, STEPS, network.input.width))


def selftest_text(source: Source, inputs: npt.NDArray[np.int64], version: str) -> str:
    """Write the self-test for mantissas (B, L, d_input), whose answers the reference engine gives.

    The answer of each sequence is that to its last step.
    """
    network = source.network
    batch, steps, _ = inputs.shape
    entering = Host(network).compute(inputs).entering
    run = Run(inputs, np.full(batch, steps), (network.output.name,))
    answers = run_whole(ReferenceEngine(), network, run).trace[network.output.name][:, -1]
    return _SELFTEST.format(
        version=version,
        sequences=batch,
        steps=steps,
        count=answers.size,
        inputs=table_text("inputs", entering, "a step after the other"),
        outputs=table_text("outputs", answers, "a sequence after the other"),
    )


MAIN = """\
/* Ends with 0 where the network computes here what it should. */
#include <stdint.h>

int32_t snn_selftest(void);

int main(void)
{
    return snn_selftest() == 0 ? 0 : 1;
}
"""

CMAKE = """\
cmake_minimum_required(VERSION 3.13)
project(snn C)
set(CMAKE_C_STANDARD 99)

add_library(snn STATIC snn.c)
target_include_directories(snn PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})

add_executable(snn_selftest main.c snn_selftest.c)
target_link_libraries(snn_selftest snn)
enable_testing()
add_test(NAME snn_selftest COMMAND snn_selftest)
"""
