"""Test benches: one that checks itself, and one that runs sequences which it reads."""

from __future__ import annotations

from snn_deploy.engines.result import IntArray
from snn_deploy.targets.verilog.cells import vector
from snn_deploy.targets.verilog.design import Design
from snn_deploy.targets.verilog.memory import address_bits
from snn_deploy.targets.verilog.selftest import selftest_text
from snn_deploy.targets.verilog.serial import serial_text

__all__ = ["bench_files", "runner_text"]

_DRIVER = """\
reg clk = 0;
always #5 clk = ~clk;
reg rst = 1, in_valid = 0, in_first = 0, in_last = 0;
reg signed {input_vector} in_data;
reg out_ready = 1;
wire in_ready, out_valid, out_last;
wire signed {output_vector} out_data;
snn dut (.clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data),
    .in_first(in_first), .in_last(in_last), .out_valid(out_valid), .out_ready(out_ready),
    .out_data(out_data), .out_last(out_last));
"""

_BENCH = """\
// Made by snn-deploy {version}: {sequences} sequences of {steps} steps, and what the network
// answers to them. It says PASSED, or FAILED where an output differs.
`timescale 1ns / 1ps
`default_nettype none
module tb;
{driver}
reg {input_plain} inputs [0:{words} - 1];
reg {output_plain} outputs [0:{count} - 1];
reg [15:0] noise = 1;
reg [31:0] cycles = 0, began = 0, longest = 0;
integer b, t, h, differing = 0, place = 0;

initial begin
    $readmemh("inputs.hex", inputs);
    $readmemh("outputs.hex", outputs);
    repeat (4) @(negedge clk);
    rst = 0;
    for (b = 0; b < {sequences}; b = b + 1)
        for (t = 0; t < {steps}; t = t + 1)
            for (h = 0; h < {inputs}; h = h + 1) begin
                while (noise[0]) @(negedge clk);
                in_valid = 1;
                in_data = inputs[(b * {steps} + t) * {inputs} + h];
                in_first = t == 0;
                in_last = t == {steps} - 1;
                while (!in_ready) @(negedge clk);
                @(negedge clk);
                in_valid = 0;
            end
    while (place < {count}) @(negedge clk);
    if (differing != 0) $display("FAILED");
    else $display("PASSED");
    $display("%0d outputs, %0d differing; at most %0d cycles a step", place, differing, longest);
    $finish;
end

always @(posedge clk) begin
    cycles <= cycles + 1;
    noise <= {{noise[14:0], noise[15] ^ noise[13] ^ noise[12] ^ noise[10]}};
    out_ready <= noise[3];
    if (in_valid && in_ready) began <= cycles;
    if (dut.state == 7 && !dut.asked && cycles - began > longest) longest <= cycles - began;
    if (out_valid && out_ready) begin
        if (out_data !== $signed(outputs[place])) differing = differing + 1;
        place = place + 1;
    end
end
endmodule
`default_nettype wire
"""

_RUNNER = """\
// Reads how many sequences and steps there are and whether each step is asked for an answer; then,
// of each sequence, at which step it ends, how many are valid, and its mantissas. Writes -1 and the
// step where one begins, -2 and a number for each that is answered, and the place and number of
// each signal that is watched; at last -3 and the cycles that the steps took.
`timescale 1ns / 1ps
`default_nettype none
module run;
{driver}
reg valid = 1;
reg watched [0:{size} - 1];
integer file, out, sequences, steps, every, b, t, h, last, length, number, got;
reg [63:0] cycles = 0;

initial begin
    $readmemb("watched.txt", watched);
    file = $fopen("input.txt", "r");
    out = $fopen("output.txt", "w");
    got = $fscanf(file, "%d %d %d", sequences, steps, every);
    repeat (4) @(negedge clk);
    rst = 0;
    for (b = 0; b < sequences; b = b + 1) begin
        got = $fscanf(file, "%d %d", last, length);
        for (t = 0; t < steps; t = t + 1)
            for (h = 0; h < {inputs}; h = h + 1) begin
                got = $fscanf(file, "%d", number);
                in_valid = 1;
                in_data = number;
                in_first = t == 0;
                in_last = t == last || every != 0;
                while (!in_ready) @(negedge clk);
                if (h == 0) $fwrite(out, "-1 %0d\\n", b * steps + t);
                valid = t < length;
                @(negedge clk);
                in_valid = 0;
            end
    end
    while (!in_ready) @(negedge clk);
    $fwrite(out, "-3 %0d\\n", cycles);
    $fclose(out);
    $finish;
end

always @(posedge clk) begin
    if (!rst && !in_ready) cycles <= cycles + 1;
    if (dut.s_we && watched[dut.s_wa]) $fwrite(out, "%0d %0d\\n", dut.s_wa, dut.s_wd);
    if (out_valid && out_ready) $fwrite(out, "-2 %0d\\n", out_data);
end
endmodule
`default_nettype wire
"""


def bench_files(
    design: Design, entering: IntArray, answers: IntArray, version: str
) -> dict[str, str]:
    """Write what goes with the core, for what enters (B, L, width) and its answers (B, width)."""
    ranges = design.port_bits
    batch, steps, inputs = entering.shape
    return {
        "tb.v": _BENCH.format(
            version=version,
            sequences=batch,
            steps=steps,
            inputs=inputs,
            words=entering.size,
            count=answers.size,
            input_plain=vector(ranges[0]),
            output_plain=vector(ranges[1]),
            driver=_driver(design),
        ),
        "selftest.v": selftest_text(entering, answers, ranges),
        "serial.v": serial_text(ranges),
        "inputs.hex": _hex(entering, ranges[0]),
        "outputs.hex": _hex(answers, ranges[1]),
    }


def runner_text(design: Design) -> str:
    """Write the test bench that runs sequences which it reads."""
    return _RUNNER.format(
        driver=_driver(design),
        size=1 << address_bits(design.signals.size),
        inputs=design.layout.network.input.width,
    )


def _driver(design: Design) -> str:
    entering, leaving = design.port_bits
    return _DRIVER.format(input_vector=vector(entering), output_vector=vector(leaving))


def _hex(array: IntArray, bits: int) -> str:
    mask, digits = (1 << bits) - 1, -(-bits // 4)
    return "".join(f"{number & mask:0{digits}x}\n" for number in array.reshape(-1).tolist())
