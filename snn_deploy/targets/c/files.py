"""What is written for a network: header and source; everything else is made from these two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snn_deploy.ir.formats import Format
from snn_deploy.ir.host import highest_input
from snn_deploy.ir.node import Node
from snn_deploy.ir.sweeps import Sweep
from snn_deploy.targets.c.ranges import c_type, stored_bits
from snn_deploy.targets.c.source import MOST_STEPS, Source
from snn_deploy.targets.ranges import Range

__all__ = ["header_text", "source_text"]

_HEADER = """\
/* A spiking network in integers, made by snn-deploy {version}. No heap, no libc, no floats.
 *
 * deployment, SHA-256: {sha256}
 *
 * Everything is in memory that you own: a state for each stream, and one work area for all that run
 * one after another.
 *
 *     snn_init(&state, &work);                      once
 *     snn_reset(&state);                            before each sequence
 *     snn_step(&state, &work, input);               for each step{most}
 *     snn_finish(&state, &work, output);            {answer}
 *
 * Numbers are mantissas: a value is mantissa * 2^-exponent. To make an input of a real number x,
 * round x * 2^exponent, halves up, and clip it to SNN_INPUT_LEAST ... SNN_INPUT_LIMIT.
 */
#ifndef SNN_H
#define SNN_H

#include <stdint.h>

#define SNN_SHA256 "{sha256}"
#define SNN_INPUTS {inputs}
#define SNN_INPUT_LIMIT {limit}
#define SNN_INPUT_LEAST {least}
#define SNN_INPUT_EXPONENTS {input_exponents}
#define SNN_OUTPUTS {outputs}
#define SNN_OUTPUT_EXPONENTS {output_exponents}

typedef {input_type} snn_input;
typedef {output_type} snn_output;

{most_steps}/* What lives from step to step: plain integers, to be copied or kept as they are. */
typedef struct {{
    uint32_t steps;
{state}
}} snn_state;

/* What lives within a call. */
typedef struct {{
{work}
}} snn_work;

void snn_init(snn_state *state, snn_work *work);
void snn_reset(snn_state *state);
int32_t snn_step(snn_state *state, snn_work *work, const snn_input input[SNN_INPUTS]);
void snn_finish(const snn_state *state, snn_work *work, snn_output output[SNN_OUTPUTS]);

#endif
"""

_SOURCE = """\
/* Made by snn-deploy {version}; see snn.h. */
#include "snn.h"

/* Whether a step belongs to its sequence, or is padding; only tests give any of that. */
#ifndef SNN_VALID
#define SNN_VALID(step) 1
#endif

/* For tests: what watches each node's signal as it is computed. */
#ifndef SNN_WATCH
#define SNN_WATCH(node, signal, width) ((void)0)
#endif

{functions}
{later}/* What speaks once, at the end. */
static void snn_close(const snn_state *s, snn_work *w, int32_t last)
{{
{close}
    (void)s;
    (void)w;
    (void)last;
}}

void snn_reset(snn_state *state)
{{
{reset}
}}

void snn_init(snn_state *state, snn_work *work)
{{
{clear}
    snn_reset(state);
}}

/* Gives 0; or 1 where there is no room for the step, which is left out then. */
int32_t snn_step(snn_state *s, snn_work *w, const snn_input input[SNN_INPUTS])
{{
{room}    for (int32_t h = 0; h < SNN_INPUTS; h++) {{
        w->n0[h] = input[h];
    }}
{step}
    return 0;
}}

void snn_finish(const snn_state *s, snn_work *w, snn_output output[SNN_OUTPUTS])
{{
{sweep_later}    snn_close(s, w, 1);
    for (int32_t h = 0; h < SNN_OUTPUTS; h++) {{
        output[h] = {output}[h];
    }}
}}
"""


def header_text(source: Source, sha256: str, version: str) -> str:
    """Write the header; ``sha256`` is that of the deployment."""
    network = source.layout.network
    first, last = network.input, network.output
    heads = [f"    int32_t at{source.number(name)};" for name in source.layout.rings]
    fields = [f"    {field.text}" for field in source.state]
    two_ways, most = len(source.layout.sweeps) > 1, source.layout.most_steps
    limit = highest_input(source.network)
    at_end = two_ways or last in source.layout.closing
    return _HEADER.format(
        version=version,
        sha256=sha256,
        answer="for the answer to all steps so far"
        if at_end
        else "after each step, for its answer",
        most=", up to SNN_MOST_STEPS" if two_ways else "",
        most_steps=(_MOST.format(steps=MOST_STEPS) if two_ways else "")
        + ("" if most is None else _POSITIONS.format(steps=most)),
        inputs=first.width,
        limit=limit,
        least=-limit if first.output.signed else 0,  # type: ignore[attr-defined]  # integer stage
        input_exponents=_exponents(first.output, first.width),  # type: ignore[attr-defined]
        outputs=last.width,
        output_exponents=_exponents(last.output, last.width),  # type: ignore[attr-defined]
        input_type=_type(source.layout.signals[first.name]),
        output_type=_type(source.layout.signals[last.name]),
        state="\n".join([*heads, *fields]),
        work="\n".join(_work(source)),
    )


def source_text(source: Source, version: str) -> str:
    """Write the source."""
    first, *later = source.layout.sweeps
    step = {name: call for name, call in source.step.items() if _within(source, name, first)}
    return _SOURCE.format(
        version=version,
        functions=source.functions,
        later=_later(source, later) if later else "",
        room=(_ROOM if later else "") + ("" if source.layout.most_steps is None else _POSITION),
        sweep_later="    snn_later(s, w, s->steps);\n" if later else "",
        close=_indented(_calls(source, source.close, source.layout.closing)),
        reset=_indented(source.starts),
        clear=_indented(_clear(source)),
        step=_indented([*_calls(source, step, source.layout.running), *source.ends]),
        output=source.signal(source.layout.network.output.name).text,
    )


_MOST = """\
/* A sequence is kept whole, since some nodes run from its end to its start, or look ahead. */
#ifndef SNN_MOST_STEPS
#define SNN_MOST_STEPS {steps}
#endif

"""
_ROOM = """\
    if (s->steps >= (uint32_t)SNN_MOST_STEPS) {
        return 1;
    }
"""
_POSITIONS = """\
/* For as many steps there are positions. */
#define SNN_POSITIONS {steps}

"""
_POSITION = """\
    if (s->steps >= (uint32_t)SNN_POSITIONS) {
        return 1;
    }
"""
_LATER = """\
/* What runs over the kept sequence after its last step; pools take in the first "pooled" of it. */
static void snn_later(const snn_state *s, snn_work *w, uint32_t pooled)
{{
{starts}
    w->pooled = pooled;
{sweeps}
}}

"""


def _within(source: Source, name: str, sweep: Sweep) -> bool:
    return source.layout.sweeps[source.layout.turns[name]] is sweep


def _later(source: Source, sweeps: Sequence[Sweep]) -> str:
    """Write the sweeps after the first one."""
    lines = []
    for sweep in sweeps:
        inner = []
        for name, call in source.step.items():
            if _within(source, name, sweep):
                called = _calls(source, {name: call}, source.layout.running)
                pools = source.layout.network[name].once
                inner += [f"if (when < pooled) {{ {call} }}"] if pools else called
        inner += source.keeps(sweep, "when")
        if sweep.backwards:
            lines += ["for (uint32_t when = s->steps; when > 0U;) {", "    when--;"]
        else:
            lines += ["for (uint32_t when = 0; when < s->steps; when++) {"]
        lines += [*(f"    {line}" for line in inner), "}"]
    return _LATER.format(starts=_indented(source.later_starts), sweeps=_indented(lines))


def _calls(source: Source, calls: Mapping[str, str], watched: tuple[Node, ...]) -> list[str]:
    """Write calls of nodes' functions, and the watching of those that have spoken."""
    lines = []
    for name, call in calls.items():
        node, number = source.layout.network[name], source.number(name)
        lines += [call] if call else []
        lines += [f"SNN_WATCH({number}, w->n{number}, {node.width});"] if node in watched else []
    return lines


def _work(source: Source) -> list[str]:
    lines = [f"    {field.text}" for field in source.work]
    if len(source.layout.sweeps) > 1:
        lines.append("    uint32_t pooled;")
    if source.scratch:
        lines.append("    union {")
        for name, fields in source.scratch.items():
            inner = " ".join(field.text for field in fields)
            lines.append(f"        struct {{ {inner} }} {name};")
        lines.append("    } scratch;")
    return lines


def _clear(source: Source) -> list[str]:
    return [
        line
        for field in source.work
        if not field.kept
        for line in (
            f"for (int32_t i = 0; i < {field.size}; i++) {{",
            f"    work->{field.name}[i] = 0;",
            "}",
        )
    ]


def _indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)


def _type(range_: Range) -> str:
    return c_type(stored_bits(range_))


def _exponents(form: Format, width: int) -> str:
    exponents = form.exponents(width).tolist()
    return "{" + ", ".join(str(exponent) for exponent in exponents) + "}"
