"""The core behind a few pins: its words go in and out bit by bit."""

from __future__ import annotations

from snn_deploy.targets.verilog.cells import vector

__all__ = ["serial_text"]

_SERIAL = """\
// For packages with few pins: the core, whose words go in and out bit by bit, the highest first.
// in_bit is taken in where in_shift is 1; a whole word goes over where in_valid and in_ready meet.
// Where out_shift is 0, the word that out_valid tells of is loaded; out_bit is its highest bit, and
// the next one after each cycle in which out_shift is 1.
`default_nettype none
module snn_serial (
    input wire clk,
    input wire rst,
    input wire in_bit,
    input wire in_shift,
    input wire in_valid,
    output wire in_ready,
    input wire in_first,
    input wire in_last,
    output wire out_valid,
    input wire out_ready,
    input wire out_shift,
    output wire out_bit,
    output wire out_last);
reg signed {input_vector} in_data;
reg {output_vector} out_word;
wire signed {output_vector} out_data;
assign out_bit = out_word[{output_last}];
snn core (.clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data),
    .in_first(in_first), .in_last(in_last), .out_valid(out_valid), .out_ready(out_ready),
    .out_data(out_data), .out_last(out_last));

always @(posedge clk) begin
    if (in_shift) in_data <= (in_data << 1) | in_bit;
    out_word <= out_shift ? out_word << 1 : out_data;
end
endmodule
`default_nettype wire
"""


def serial_text(bits: tuple[int, int]) -> str:
    """Write it for words of so many bits, in and out."""
    return _SERIAL.format(
        input_vector=vector(bits[0]),
        output_vector=vector(bits[1]),
        output_last=bits[1] - 1,
    )
