"""A self-test for boards: the core with its test vectors, and lights that say how it went."""

from __future__ import annotations

from snn_deploy.engines.result import IntArray
from snn_deploy.targets.verilog.cells import vector
from snn_deploy.targets.verilog.memory import address_bits

__all__ = ["selftest_text"]

_SELFTEST = """\
// For a board: {sequences} sequences of {steps} steps go through the network once, after power-up.
// passed rises where all answers were right, failed where one was not.
`default_nettype none
module snn_selftest (input wire clk, output reg passed, output reg failed);
reg {input_plain} inputs [0:{words} - 1];
reg {output_plain} outputs [0:{count} - 1];
initial begin
    $readmemh("inputs.hex", inputs);
    $readmemh("outputs.hex", outputs);
end

reg [3:0] waking = 0;
wire rst = waking != 15;
reg {words_vector} at;
reg {count_vector} place;
reg [15:0] h, t;
reg loaded, settled, in_first, in_last;
reg signed {input_plain} in_data;
reg signed {output_plain} wanted;
wire in_ready, out_valid, out_last;
wire signed {output_plain} out_data;
wire leaves = out_valid && settled;
snn core (.clk(clk), .rst(rst), .in_valid(loaded), .in_ready(in_ready), .in_data(in_data),
    .in_first(in_first), .in_last(in_last), .out_valid(out_valid), .out_ready(settled),
    .out_data(out_data), .out_last(out_last));

always @(posedge clk) begin
    if (rst) waking <= waking + 1;
    wanted <= outputs[place];
    settled <= !leaves;
    if (!loaded && at != {words}) begin
        in_data <= inputs[at];
        in_first <= t == 0;
        in_last <= t == {steps} - 1;
        loaded <= 1'b1;
        at <= at + 1;
        h <= h == {inputs} - 1 ? 0 : h + 1;
        if (h == {inputs} - 1) t <= t == {steps} - 1 ? 0 : t + 1;
    end else if (in_ready) loaded <= 1'b0;
    if (leaves) begin
        place <= place + 1;
        if (out_data != wanted) failed <= 1'b1;
        else if (place == {count} - 1) passed <= !failed;
    end
    if (rst) begin
        at <= 0;
        place <= 0;
        h <= 0;
        t <= 0;
        loaded <= 1'b0;
        settled <= 1'b0;
        passed <= 1'b0;
        failed <= 1'b0;
    end
end
endmodule
`default_nettype wire
"""


def selftest_text(entering: IntArray, answers: IntArray, bits: tuple[int, int]) -> str:
    """Write it for what enters (B, L, width) and its answers, whose words have so many bits."""
    batch, steps, inputs = entering.shape
    return _SELFTEST.format(
        sequences=batch,
        steps=steps,
        inputs=inputs,
        words=entering.size,
        count=answers.size,
        input_plain=vector(bits[0]),
        output_plain=vector(bits[1]),
        words_vector=vector(address_bits(entering.size + 1)),
        count_vector=vector(address_bits(answers.size + 1)),
    )
