"""The reciprocal of a number of steps, by long division: what a mean over time is divided with."""

from __future__ import annotations

__all__ = ["DIVIDER"]

DIVIDER = """\
// What divides a sum of so many values by their number: see fixedpoint.reciprocal.
module snn_divider #(parameter BITS = 16, HEADROOM = 4, GUARD = 0) (
    input wire clk, input wire start, input wire [23:0] count, output wire busy,
    output reg signed [31:0] pre_shift, output reg signed [31:0] mantissa,
    output reg signed [31:0] shift);
reg [6:0] left;
reg [63:0] quotient;
reg [24:0] remainder;
wire [25:0] doubled = {remainder, 1'b0};
reg [23:0] divisor;
wire [24:0] reduced = doubled - {2'b0, divisor};
wire fits = doubled >= {2'b0, divisor};
reg [63:0] rounded;
localparam [63:0] MOST = (64'd1 << (BITS - 1)) - 64'd1;
wire [23:0] below = divisor - 24'd1;
reg [5:0] found, bits;
integer n;
always @* begin
    found = 0;
    for (n = 0; n < 24; n = n + 1) if (below[n]) found = n + 1;
end
// the number of steps and its length stand in registers before the division begins
reg [1:0] begun;
assign busy = left != 0 || begun != 0;
always @(posedge clk) begin
    begun <= {begun[0], start};
    if (start) divisor <= count;
    bits <= found;
    rounded <= (quotient + 64'd1) >> 1;
    mantissa <= rounded < MOST ? rounded[31:0] : MOST[31:0];
    if (begun[1]) begin
        pre_shift <= bits > HEADROOM ? bits - HEADROOM : 0;
        shift <= BITS - 2 + bits - (bits > HEADROOM ? bits - HEADROOM : 0) - GUARD;
        left <= BITS + bits;
        quotient <= divisor == 24'd1 ? 64'd1 : 64'd0;
        remainder <= divisor == 24'd1 ? 25'd0 : 25'd1;
    end else if (left > 1) begin
        left <= left - 1;
        quotient <= {quotient[62:0], fits};
        remainder <= fits ? reduced : doubled[24:0];
    end else left <= 0;
end
endmodule
"""
