"""A design as the text of one Verilog file: the sequencer, memories and datapaths."""

from __future__ import annotations

from collections.abc import Iterable

from snn_deploy.targets.names import commented
from snn_deploy.targets.verilog.cells import vector
from snn_deploy.targets.verilog.design import Design
from snn_deploy.targets.verilog.divider import DIVIDER
from snn_deploy.targets.verilog.jobs import Job
from snn_deploy.targets.verilog.memory import address_bits

__all__ = ["core_text"]

_CORE = """\
// A spiking network in integers, made by snn-deploy {version}.
//
// deployment, SHA-256: {sha256}
//
// Each step takes {inputs} words in, mantissas, the first channel first. in_first, with a step's
// first word, begins a sequence; in_last, with its last one, asks for the answer to all steps so
// far, which leaves as {outputs} words. A word goes over where valid and ready meet.
`default_nettype none

// Whether a step belongs to its sequence, or is padding; only tests give any of that.
`ifndef SNN_VALID
`define SNN_VALID 1'b1
`endif

module snn (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire signed {input_vector} in_data,
    input wire in_first,
    input wire in_last,
    output reg out_valid,
    input wire out_ready,
    output wire signed {output_vector} out_data,
    output wire out_last);

// --- the sequencer: jobs, one after the other; each runs a datapath over its indices

localparam RECEIVE = 0, LOAD = 1, START = 2, ISSUE = 3, DRAIN = 4, DIVIDE = 5, SEND = 6, END = 7;
reg [2:0] state;
reg {pc_vector} pc;
reg {loop_vector} running;
reg [23:0] steps;
reg first, start, asked, walks;
reg [15:0] place, outer, inner, inner_last, least, wanted, h0;
reg [7:0] waiting;
reg {a_vector} stride;
reg v0;
reg {c_vector} c0;
reg {a_vector} a0;
reg {w_vector} w0;
reg {e_vector} e0;
wire f0 = e0 == 0;
wire l0 = e0 == inner_last;
wire flush = rst || state == LOAD;
{declared}
assign in_ready = state == RECEIVE;
assign out_last = place == {outputs} - 1;

always @(posedge clk) begin
    start <= 1'b0;
    first <= steps == 0;
    case (state)
    RECEIVE: if (in_valid) begin
        if (in_first && place == 0) steps <= 0;
        asked <= in_last;
        place <= place == {inputs} - 1 ? 0 : place + 1;
        pc <= 0;
        if (place == {inputs} - 1) state <= LOAD;
    end
    LOAD: begin
        start <= 1'b1;
        state <= START;
        e0 <= 0;
        h0 <= 0;
        case (pc)
{jobs}
        endcase
    end
    START: begin
        inner_last <= walks ? (events > least ? events - 1 : least - 1) : inner;
        v0 <= 1'b1;
        state <= ISSUE;
    end
    ISSUE: begin
        e0 <= l0 ? 0 : e0 + 1;
        a0 <= a0 + (l0 ? stride : 1);
        if (l0) begin
            c0 <= c0 + 1;
            w0 <= w0 + 1;
            h0 <= h0 + 1;
{ports_on}
            if (h0 == outer) begin
                v0 <= 1'b0;
                state <= DRAIN;
            end
        end
    end
    DRAIN: begin
        waiting <= waiting - 1;
        if (waiting == 0) begin
            pc <= pc + 1;
            state <= LOAD;
            if (pc == {last_step} && !asked) state <= END;
            if (pc == {last_job} && asked) begin
                state <= SEND;
                p0 <= {output_base};
                early0 <= 1'b0;
                waiting <= 4;
                place <= 0;
            end
        end
    end
    DIVIDE: if (!start && !dividing) begin
        waiting <= 0;
        state <= DRAIN;
    end
    SEND: if (!out_valid) begin
        waiting <= waiting - 1;
        if (waiting == 0) out_valid <= 1'b1;
    end else if (out_ready) begin
        out_valid <= 1'b0;
        waiting <= 4;
        p0 <= p0 + 1;
        place <= place + 1;
        if (out_last) begin
            place <= 0;
            state <= END;
        end
    end
    END: begin
        if (steps != 24'hffffff) steps <= steps + 1;
        state <= RECEIVE;
{rings_on}
    end
    endcase
    if (rst) begin
        state <= RECEIVE;
        steps <= 0;
        place <= 0;
        v0 <= 1'b0;
        start <= 1'b0;
        out_valid <= 1'b0;
{rings_reset}
    end
end

// --- the delay line of indices

{line}

// --- the memories of signals: one for each that is read at once

{signals}
assign out_data = x0{output_slice};

{memories}

// --- datapaths

{paths}
endmodule

`default_nettype wire
{divider}"""


def core_text(design: Design, sha256: str, version: str) -> str:
    """Write the core; ``sha256`` is that of the deployment."""
    network = design.layout.network
    jobs = [*design.step, *design.close]
    paths = [f"// {loop.comment}\n{loop.path.write()}" for loop in design.loops]
    taps = _taps(design)
    widths = _widths(design)
    regions = design.signals.regions
    rings = design.signals.rings
    return _CORE.format(
        version=version,
        sha256=sha256,
        inputs=network.input.width,
        outputs=network.output.width,
        input_vector=vector(design.layout.signals[network.input.name].bits),
        output_vector=vector(design.layout.signals[network.output.name].bits),
        output_slice=f"[{design.layout.signals[network.output.name].bits - 1}:0]",
        pc_vector=vector(address_bits(len(jobs) + 1)),
        loop_vector=vector(address_bits(len(design.loops) + 1)),
        c_vector=vector(widths["c"]),
        a_vector=vector(widths["a"]),
        w_vector=vector(widths["w"]),
        e_vector=vector(widths["e"]),
        declared=_declared(design),
        jobs=_jobs(jobs, address_bits(len(jobs) + 1), design.ports),
        ports_on=_lines(f"p{n} <= p{n} + 1;" for n in range(design.ports)),
        last_step=len(design.step) - 1,
        last_job=len(jobs) - 1,
        output_base=regions[network.output.name].address(),
        rings_on=_lines(
            f"{r.offset} <= {r.offset} == {r.size - r.width} ? 0 : {r.offset} + {r.width};"
            for r in rings.values()
        ),
        rings_reset=_lines(f"{r.offset} <= 0;" for r in rings.values()),
        line=_delay_line(taps, widths),
        signals=_signals(design),
        memories="\n".join(memory.text for memory in design.memories.all),
        paths="\n".join(paths),
        divider=f"\n{DIVIDER}" if design.dividers else "",
    )


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(f"        {line}" for line in lines)


def _widths(design: Design) -> dict[str, int]:
    """Give how wide the parts of an index are."""
    jobs = [*design.step, *design.close]
    events = [unit.events.depth for unit in design.synapses]
    channels = max(
        [job.channel + job.outer for job in jobs] + [u.channels[-1] for u in design.neurons]
    )
    rows = [unit.rows[-1] for unit in design.synapses] + [u.words[-1] for u in design.neurons]
    inner = [*events, *(job.inner or job.least for job in jobs)]
    return {
        "c": address_bits(channels + 1),
        "a": address_bits(max([*rows, channels, *(job.stride for job in jobs)]) + 1),
        "w": address_bits(design.signals.size),
        "e": address_bits(max(inner) + 1),
        "v": 1,
        "f": 1,
        "l": 1,
    }


def _taps(design: Design) -> dict[str, int]:
    """Give how long the delay line is, once all datapaths are written."""
    taps: dict[str, int] = {}
    for loop in design.loops:
        for name, time in loop.path.taps.items():
            taps[name] = max(taps.get(name, 0), time)
    return taps


def _delay_line(taps: dict[str, int], widths: dict[str, int]) -> str:
    declared, clocked = [], []
    for name, last in sorted(taps.items()):
        for time in range(1, last + 1):
            declared.append(f"reg {vector(widths[name])} {name}{time};")
            # another loop's line is longer: it must not take in what this one has done with
            still = "!flush && " if name == "v" else ""
            clocked.append(f"{name}{time} <= {still}{name}{time - 1};")
    return "\n".join([*declared, "always @(posedge clk) begin", *clocked, "end"])


def _declared(design: Design) -> str:
    jobs = [*design.step, *design.close]
    numbers: dict[str, list[int]] = {}
    for job in jobs:
        for name, number in job.constants.items():
            numbers.setdefault(name, []).append(number)
    bits = address_bits(design.signals.size)
    lines = [f"reg {vector(bits)} p{n};\nreg early{n};" for n in range(design.ports)]
    for name, found in sorted(numbers.items()):
        widest = max(max(n.bit_length(), (-1 - n).bit_length() if n < 0 else 0) for n in found)
        lines.append(f"reg {vector(widest + 1, True)} {name};")
    lines += [f"wire on{loop.number} = running == {loop.number};" for loop in design.loops]
    for region in design.signals.rings.values():
        lines.append(f"reg {vector(address_bits(region.size + 1))} {region.offset};")
    events = " | ".join(f"(on{u.walk.number} ? u{u.number}_count : 0)" for u in design.synapses)
    lines.append(f"wire [15:0] events = {events or 0};")
    lines += _dividers(design)
    return "\n".join(lines)


def _dividers(design: Design) -> list[str]:
    lines, busy = [], []
    for number, (bits, headroom, guard) in design.dividers.items():
        names = ", ".join(f"{name}{number}" for name in ("pre_shift", "mantissa", "shift"))
        lines += [
            f"wire signed [31:0] {names};",
            f"wire dividing{number};",
            f"snn_divider #(.BITS({bits}), .HEADROOM({headroom}), .GUARD({guard}))",
            f"    divider{number} (",
            "    .clk(clk), .start(start && state == DIVIDE), .count(steps + 24'd1),",
            f"    .busy(dividing{number}), .pre_shift(pre_shift{number}),",
            f"    .mantissa(mantissa{number}), .shift(shift{number}));",
        ]
        busy.append(f"dividing{number}")
    return [*lines, f"wire dividing = {' || '.join(busy) or 0};"]


def _jobs(jobs: list[Job], bits: int, ports: int) -> str:
    lines = []
    for n, job in enumerate(jobs):
        lines.append(f"{bits}'d{n}: begin // {commented(job.comment)}")
        lines += [f"    {line}" for line in _loaded(job, ports)]
        lines.append("end")
    return _lines(lines)


def _loaded(job: Job, ports: int) -> list[str]:
    if job.loop is None:
        return ["state <= DIVIDE;"]
    lines = [
        f"running <= {job.loop.number}; outer <= {job.outer - 1}; waiting <= {job.drain};",
        f"walks <= {int(job.inner is None)}; inner <= {(job.inner or 1) - 1};",
        f"least <= {job.least}; wanted <= {job.wanted};",
        f"c0 <= {job.channel}; a0 <= {job.index}; w0 <= {job.write}; stride <= {job.stride};",
    ]
    for n in range(ports):
        address, early = job.ports[n] if n < len(job.ports) else ("0", 0)
        lines.append(f"p{n} <= {address}; early{n} <= {f'steps < {early}' if early else 0};")
    lines += [f"{name} <= {number};" for name, number in sorted(job.constants.items())]
    return lines


def _signals(design: Design) -> str:
    bits, size = design.signal_bits, design.signals.size
    style = "block" if design.signals.block else "distributed"
    base = design.signals.regions[design.layout.network.input.name].address()
    sending = [loop.number for loop in design.loops if loop.sends]
    address = vector(address_bits(size))
    lines = [
        f"reg y{n}_we;\nreg {address} y{n}_wa;\nreg {vector(bits, True)} y{n}_wd;" for n in sending
    ]
    lines += [f"reg s_we;\nreg {address} s_wa;\nreg {vector(bits, True)} s_wd;"]
    lines += [
        f'(* ram_style = "{style}" *) reg {vector(bits)} s{n} [0:{max(size, 2) - 1}];\n'
        f"reg {vector(bits, True)} s{n}_a, s{n}_b, x{n};"
        for n in range(design.ports)
    ]
    any_ = "".join(f" || y{n}_we" for n in sending)
    lines += [
        "wire in_we = in_valid && in_ready;",
        "always @(posedge clk) begin",
        f"    s_we <= in_we{any_};",
        f"    s_wa <= (in_we ? {base} + place : 0){''.join(f' | y{n}_wa' for n in sending)};",
        f"    s_wd <= (in_we ? in_data : 0){''.join(f' | y{n}_wd' for n in sending)};",
    ]
    for n in range(design.ports):
        lines += [
            f"    if (s_we) s{n}[s_wa] <= s_wd;",
            f"    s{n}_a <= s{n}[p{n}];",
            f"    s{n}_b <= s{n}_a;",
            f"    x{n} <= early{n} ? 0 : s{n}_b;",
        ]
    return "\n".join([*lines, "end"])
