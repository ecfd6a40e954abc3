"""A program for the host that runs sequences which it reads: how C is compared with other engines.

Numbers are 64-bit integers of the machine. It reads how many sequences and steps there are, which
nodes are watched (a flag each), then of each sequence the step at which pools end, how many steps
are valid, and mantissas. It writes, for each sequence, the watched signals: of each sweep, at every
step, in the order that it takes them, those of nodes that speak then; after that, of those that
speak at the end, what they are while they are silent, and what they say.
"""

from __future__ import annotations

from snn_deploy.targets.c.source import Source

__all__ = ["runner_text"]

_RUNNER = """\
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t watched[{nodes}];
static int64_t valid;

#define SNN_VALID(step) ((int64_t)(step) < valid ? 1 : 0)

static void put(int64_t number)
{{
    if (fwrite(&number, sizeof number, 1, stdout) != 1) {{
        exit(3);
    }}
}}

static int64_t get(void)
{{
    int64_t number = 0;
    if (fread(&number, sizeof number, 1, stdin) != 1) {{
        exit(4);
    }}
    return number;
}}

#define SNN_WATCH(node, signal, width)                    \\
    do {{                                                  \\
        for (int32_t at = 0; watched[node] && at < (width); at++) {{ \\
            put((signal)[at]);                            \\
        }}                                                 \\
    }} while (0)

#include "snn.c"

static snn_state state;
static snn_work work;

int main(void)
{{
    const int64_t sequences = get();
    const int64_t steps = get();
    for (int node = 0; node < {nodes}; node++) {{
        watched[node] = get();
    }}
    snn_init(&state, &work);
    for (int64_t b = 0; b < sequences; b++) {{
        const int64_t last = get();
        static snn_state ended;
        valid = get();
        snn_reset(&state);
        for (int64_t t = 0; t < steps; t++) {{
            snn_input input[SNN_INPUTS];
            for (int h = 0; h < SNN_INPUTS; h++) {{
                input[h] = (snn_input)get();
            }}
            if (snn_step(&state, &work, input) != 0) {{
                return 5;
            }}
            if (t == last) {{
                ended = state;
            }}
        }}
{later}        snn_close(&ended, &work, 0);
        snn_close(&ended, &work, 1);
    }}
    return fflush(stdout) == 0 ? 0 : 3;
}}
"""


def runner_text(source: Source) -> str:
    """Write the program for a network's source, to be compiled beside ``snn.c``."""
    two_ways = len(source.layout.sweeps) > 1
    later = "        snn_later(&state, &work, (uint32_t)(last + 1));\n" if two_ways else ""
    return _RUNNER.format(nodes=len(source.layout.network), later=later)
