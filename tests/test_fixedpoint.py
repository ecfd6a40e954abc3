"""Every function of ``fixedpoint.py`` against a second formula: exact fractions, or apytypes."""

from __future__ import annotations

import math
from fractions import Fraction

import apytypes
import numpy as np
import pytest
from apytypes import APyFixedArray, OverflowMode, QuantizationMode
from hypothesis import given
from hypothesis import strategies as st

from snn_deploy import fixedpoint as fp

LARGEST_PRODUCT = 2**62 - 1  # leaves room for the half that rounding adds

values = st.integers(-LARGEST_PRODUCT, LARGEST_PRODUCT)
mantissas_24 = st.integers(-(2**23 - 1), 2**23 - 1)
shifts = st.integers(0, 47)


def half_up(x: Fraction) -> int:
    """The nearest integer; of two equally near ones the larger."""
    below = x.numerator // x.denominator
    return below + (x - below >= Fraction(1, 2))


def boundary_values(bits: int) -> list[int]:
    high = 2 ** (bits - 1)
    near = {0, 1, 2, 3, high // 2, high - 2, high - 1, high, high + 1, 2 * high}
    return sorted(near | {-x for x in near})


@pytest.mark.parametrize(
    ("bits", "signed", "expected"),
    [
        (1, False, 1),
        (1, True, 0),
        (2, True, 1),
        (8, True, 127),
        (8, False, 255),
        (18, True, 131071),
        (24, True, 8388607),
        (48, True, 140737488355327),
        (48, False, 281474976710655),
    ],
)
def test_limit(bits: int, signed: bool, expected: int) -> None:
    assert fp.limit_of(bits, signed) == expected


def test_round_half_up_on_halves() -> None:
    x = np.array([-2.5, -1.5, -0.5, -0.49, 0.0, 0.49, 0.5, 1.5, 2.5])
    np.testing.assert_array_equal(fp.round_half_up(x), [-2, -1, 0, 0, 0, 0, 1, 2, 3])


@given(st.integers(-(2**40), 2**40), st.integers(0, 10))
def test_round_half_up_is_the_nearest_integer(numerator: int, k: int) -> None:
    rounded = fp.round_half_up(np.array(numerator / 2**k))
    assert int(rounded) == half_up(Fraction(numerator, 2**k))


@pytest.mark.parametrize("shift", [0, 1, 2, 5, 6, 23, 47])
@pytest.mark.parametrize("bits", [2, 8, 18, 24, 32, 48, 61])
def test_round_shift_on_boundaries(bits: int, shift: int) -> None:
    halves = [x + sign * 2**shift // 2 for x in boundary_values(bits) for sign in (-1, 0, 1)]
    x = [y + d for y in halves for d in (-1, 0, 1)]
    expected = [half_up(Fraction(value, 2**shift)) for value in x]
    np.testing.assert_array_equal(fp.round_shift(x, shift), expected)


@given(values, shifts)
def test_round_shift(x: int, shift: int) -> None:
    assert int(fp.round_shift(x, shift)) == half_up(Fraction(x, 2**shift))


@given(
    st.lists(st.integers(-(2**45), 2**45), min_size=1, max_size=20),
    st.integers(1, 40),
)
def test_round_shift_agrees_with_apytypes(x: list[int], shift: int) -> None:
    exact = APyFixedArray(x, int_bits=60, frac_bits=shift)
    rounded = exact.cast(int_bits=60, frac_bits=0, quantization=QuantizationMode.TIES_POS)
    np.testing.assert_array_equal(fp.round_shift(x, shift), rounded.to_numpy().astype(np.int64))


@given(st.integers(-(2**36), 2**36), st.integers(-24, 24))
def test_signed_shift(x: int, shift: int) -> None:
    assert int(fp.signed_shift(x, shift)) == half_up(Fraction(x) * Fraction(2) ** shift)


def test_signed_shift_takes_one_shift_a_value() -> None:
    np.testing.assert_array_equal(fp.signed_shift([5, 5, 5, -5], [1, 0, -1, -1]), [10, 5, 3, -2])


@given(mantissas_24, mantissas_24, shifts)
def test_multiply_shift(x: int, mantissa: int, shift: int) -> None:
    expected = half_up(Fraction(x * mantissa, 2**shift))
    assert int(fp.multiply_shift(x, mantissa, shift)) == expected


def test_multiply_shift_of_the_widest_numbers() -> None:
    # a 32-bit accumulator times a 24-bit gain is the widest product that the verifier lets through
    x, mantissa = 2**31 - 1, -(2**23 - 1)
    for shift in (0, 1, 47):
        expected = half_up(Fraction(x * mantissa, 2**shift))
        assert int(fp.multiply_shift(x, mantissa, shift)) == expected


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", [1, 2, 8, 18, 24, 48])
def test_saturate_on_boundaries(bits: int, signed: bool) -> None:
    x = boundary_values(bits) + boundary_values(bits + 1)
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    low = -high if signed else 0
    expected = [max(low, min(high, value)) for value in x]
    clipped, count = fp.saturate(x, bits, signed)
    np.testing.assert_array_equal(clipped, expected)
    assert count == sum(a != b for a, b in zip(x, expected, strict=True))


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=20), st.integers(2, 40))
def test_saturate_agrees_with_apytypes(x: list[int], bits: int) -> None:
    exact = APyFixedArray(x, int_bits=48, frac_bits=0)
    twos_complement = exact.cast(int_bits=bits, frac_bits=0, overflow=OverflowMode.SAT)
    expected = np.maximum(twos_complement.to_numpy().astype(np.int64), -(2 ** (bits - 1) - 1))
    np.testing.assert_array_equal(fp.saturate(x, bits)[0], expected)


def test_apytypes_still_rounds_and_saturates_as_its_documentation_says() -> None:
    halves = APyFixedArray([-3, -1, 1, 3], int_bits=8, frac_bits=1)
    rounded = halves.cast(int_bits=8, frac_bits=0, quantization=QuantizationMode.TIES_POS)
    np.testing.assert_array_equal(rounded.to_numpy(), [-1, 0, 1, 2])
    large = apytypes.fx(200, int_bits=16, frac_bits=0)
    assert float(large.cast(int_bits=8, frac_bits=0, overflow=OverflowMode.SAT)) == 127


class LavaLif:
    """Lava's documented rule of its LIF, for ``du = 4095`` and no bias, with unlimited integers.

    u = a_in · 2**6 (its own decay, (du + 1) / 4096, is all of it); v loses dv / 4096 of itself,
    truncated towards zero, gains u, and is clipped to ±(2**23 - 1); a spike where v > vth · 2**6,
    and v = 0 after it.
    """

    def __init__(self, vth: int, dv: int) -> None:
        self.vth, self.dv, self.v = vth, dv, 0

    def step(self, a_in: int) -> int:
        decayed = math.trunc(Fraction(self.v * (4096 - self.dv), 4096))
        self.v = max(-(2**23 - 1), min(2**23 - 1, decayed + a_in * 64))
        spike = int(self.v > self.vth * 64)
        if spike:
            self.v = 0
        return spike


drives = st.one_of(
    st.integers(-(2**17 - 1), 2**17 - 1),
    st.sampled_from([0, 1, -1, 2**17 - 1, -(2**17 - 1), 2**16, -(2**16)]),
    st.integers(-300, 300),
)


@given(
    st.lists(drives, min_size=1, max_size=40),
    st.one_of(st.integers(0, 2**17 - 1), st.sampled_from([0, 1, 100, 2**17 - 1])),
    st.one_of(st.integers(0, 4095), st.sampled_from([0, 1, 3584, 4095])),
)
def test_lif_step_is_lavas(drive: list[int], threshold: int, decay: int) -> None:
    lava = LavaLif(threshold, decay)
    v = np.zeros(1, dtype=np.int64)
    for a_in in drive:
        expected = lava.step(a_in)
        spikes, v, _ = fp.lif_step(v, [a_in], threshold, decay)
        assert (int(spikes[0]), int(v[0])) == (expected, lava.v)


def test_lif_fires_above_the_threshold_not_at_it() -> None:
    spikes, v, saturated = fp.lif_step([0, 0, 0], [99, 100, 101], threshold=100, decay=3584)
    np.testing.assert_array_equal(spikes, [0, 0, 1])
    np.testing.assert_array_equal(v, [99 * 64, 100 * 64, 0])
    assert saturated == 0


def test_lif_membrane_saturates_and_says_so() -> None:
    limit = 2**23 - 1
    v = np.array([limit, -limit, 0])
    spikes, after, saturated = fp.lif_step(v, [100, -100, 0], threshold=2**17 - 1, decay=0)
    np.testing.assert_array_equal(spikes, [1, 0, 0])  # the largest threshold is below the limit
    np.testing.assert_array_equal(after, [0, -limit, 0])
    assert saturated == 2


@given(st.integers(-(2**23 - 1), 2**23 - 1), st.integers(0, 4096))
def test_decay_truncates_towards_zero(v: int, decay: int) -> None:
    expected = math.trunc(Fraction(v * (4096 - decay), 4096))
    assert int(fp.decay_towards_zero(v, decay)) == expected


def test_decay_of_3584_keeps_an_eighth() -> None:
    v = np.arange(-40, 41)
    np.testing.assert_array_equal(fp.decay_towards_zero(v, 3584), np.trunc(v / 8))


@pytest.mark.parametrize("value_bits", [4, 8, 16, 24])
@pytest.mark.parametrize("index_bits", [4, 8, 10])
def test_sigmoid_table(index_bits: int, value_bits: int) -> None:
    span = 8
    table = fp.sigmoid_table(index_bits, value_bits, float(span))
    size = 2**index_bits
    assert table.shape == (size,)
    assert table.dtype == np.int32
    for row in range(size):
        argument = Fraction((row - size // 2) * 2 * span, size)
        exact = 2 ** (value_bits - 1) / (1 + math.exp(-argument))
        assert abs(int(table[row]) - exact) <= 0.5 + 1e-6 or table[row] == fp.limit_of(value_bits)
    assert (np.diff(table) >= 0).all()
    assert table[size // 2] == 2 ** (value_bits - 2)
    assert table.max() <= fp.limit_of(value_bits)


@given(
    st.integers(-(2**23 - 1), 2**23 - 1),
    st.integers(0, 47),
    st.integers(1, 14),
)
def test_sigmoid_index(x: int, shift: int, index_bits: int) -> None:
    size = 2**index_bits
    expected = min(max(half_up(Fraction(x, 2**shift)) + size // 2, 0), size - 1)
    assert int(fp.sigmoid_index(x, shift, size)) == expected


def test_the_nearest_table_row_is_within_a_row_of_the_sigmoid() -> None:
    index_bits, value_bits, span, exponent = 10, 16, 8.0, 12
    table = fp.sigmoid_table(index_bits, value_bits, span)
    x = np.arange(-(2**16), 2**16, 37)
    index_shift = exponent - (index_bits - 1 - 3)  # rows are 2**-6 apart
    looked_up = table[fp.sigmoid_index(x, index_shift, len(table))] / 2**15
    exact = 1 / (1 + np.exp(-x / 2**exponent))
    # half a row times the steepest slope, 1/4, and the value's rounding; beyond the span its tail
    assert np.abs(looked_up - exact).max() <= 2**-7 / 4 + 2**-15


LENGTHS = [*range(1, 5001), 2**16 - 1, 2**16, 2**16 + 1, 10**6, 2**23 + 1, 2**24 - 1]


@pytest.mark.parametrize(
    ("mantissa_bits", "headroom_bits", "guard_bits"),
    [(16, 8, 8), (16, 0, 0), (16, 8, -3), (24, 8, 8), (4, 4, 2), (8, 20, 6)],
)
def test_reciprocal_divides_by_every_length(
    mantissa_bits: int, headroom_bits: int, guard_bits: int
) -> None:
    for length in LENGTHS:
        pre_shift, mantissa, shift = fp.reciprocal(length, mantissa_bits, headroom_bits, guard_bits)
        assert pre_shift >= 0
        assert 0 <= shift <= 63
        assert 0 < mantissa <= fp.limit_of(mantissa_bits)
        gain = Fraction(mantissa, 2**shift) / 2**pre_shift
        exact = Fraction(2) ** guard_bits / length
        assert abs(gain / exact - 1) <= Fraction(1, 2 ** (mantissa_bits - 1))


@pytest.mark.parametrize("headroom_bits", [0, 3, 8])
def test_the_sum_after_its_shift_is_no_wider_than_planned(headroom_bits: int) -> None:
    value_bits = 16
    for length in LENGTHS:
        pre_shift, _, _ = fp.reciprocal(length, 16, headroom_bits, 0)
        largest = fp.limit_of(value_bits) * length
        assert int(fp.round_shift(largest, pre_shift)) < 2 ** (value_bits + headroom_bits - 1) + 1


@pytest.mark.parametrize("log_length", range(20))
def test_reciprocal_of_a_power_of_two_is_exact(log_length: int) -> None:
    pre_shift, mantissa, shift = fp.reciprocal(2**log_length, 16, 24, 0)
    assert Fraction(mantissa, 2**shift) / 2**pre_shift == Fraction(1, 2**log_length)


@given(
    length=st.one_of(st.integers(1, 5000), st.integers(1, 2**24 - 1)),
    share=st.floats(-1, 1),
    guard_bits=st.integers(-8, 8),
    headroom_bits=st.integers(0, 12),
)
def test_mean_from_sum_is_close_to_the_mean(
    length: int, share: float, guard_bits: int, headroom_bits: int
) -> None:
    bits = 16
    total = round(share * length * fp.limit_of(bits))
    divisor = fp.reciprocal(length, 16, headroom_bits, guard_bits)
    exact = Fraction(total, length) * Fraction(2) ** guard_bits
    # the mantissa's rounding, the last rounding, and the rounding of the sum, as it comes through
    allowed = abs(exact) * Fraction(1, 2**15) + Fraction(1, 2) + _sum_rounding(divisor)
    assert abs(int(fp.mean_from_sum(total, divisor)) - exact) <= allowed


def _sum_rounding(divisor: fp.Reciprocal) -> Fraction:
    pre_shift, mantissa, shift = divisor
    return Fraction(mantissa, 2 * 2**shift) if pre_shift else Fraction(0)


def test_mean_of_equal_values_is_that_value() -> None:
    for length in range(1, 5001):
        divisor = fp.reciprocal(length, 24, 8, 0)
        assert int(fp.mean_from_sum(100 * length, divisor)) == 100


@given(
    count=st.one_of(st.integers(1, 70), st.integers(1, 2**16)),
    share=st.floats(-1, 1),
    bits=st.integers(2, 24),
    state_bits=st.integers(2, 24),
)
def test_mean_over_channels_is_close_to_the_mean(
    count: int, share: float, bits: int, state_bits: int
) -> None:
    total = round(share * count * fp.limit_of(state_bits))
    exact = Fraction(total, count)
    lost = Fraction(4, 2**bits)  # of the rounded reciprocal
    allowed = Fraction(1, 2) + lost * (lost * abs(exact) + Fraction(5, 2))
    assert abs(int(fp.mean_over_channels(total, count, bits)) - exact) <= allowed


def test_mean_over_channels_of_equal_values_is_that_value() -> None:
    for count in range(1, 3000):
        np.testing.assert_array_equal(
            fp.mean_over_channels([8388607 * count, -4193281 * count, 3 * count], count, 16),
            [8388607, -4193281, 3],
        )


def root_error(x: np.ndarray) -> np.ndarray:
    """The relative error of the inverse root's square, from integers: y² x = 2**(28 + 2 t)."""
    y, t = fp.inverse_root(x)
    assert y.min() >= 2**14
    assert y.max() < 2**15
    assert np.all(4 ** t.astype(np.uint64) > x.astype(np.uint64))
    exact = [int(a) ** 2 * int(b) / 4 ** (14 + int(k)) for a, b, k in zip(y, x, t, strict=True)]
    return np.array(exact) - 1.0


ROOT_ERROR = 1.02 * 2.0**-15  # of the root, as docs/arithmetic.md has it: of its square twice that


def test_inverse_root_of_every_radicand() -> None:
    """Every value that is looked up, in float64, in which all of these numbers are exact."""
    x = np.arange(2**20, 2**22, dtype=np.int64)
    y, t = fp.inverse_root(x)
    assert set(t.tolist()) == {11}
    square = y * y * x / 2.0 ** (28 + 22)  # y² x is below 2**52
    assert np.abs(np.sqrt(square) - 1.0).max() < ROOT_ERROR - 2.0**-22


def test_inverse_root_at_every_exponent() -> None:
    powers = [2**k + d for k in range(2, 48) for d in (-3, -2, -1, 0, 1, 2, 3)]
    small = list(range(1, 3000))
    x = np.array(small + powers + [2**48 - 1, 3 * 2**46, 2**47 + 2**46 - 1], np.int64)
    assert np.abs(root_error(x)).max() < 2 * ROOT_ERROR


@given(st.lists(st.integers(1, 2**48 - 1), min_size=1, max_size=20))
def test_inverse_root(x: list[int]) -> None:
    assert np.abs(root_error(np.array(x))).max() < 2 * ROOT_ERROR


def test_inverse_roots_table() -> None:
    table = fp.inverse_root_table()
    middle = [Fraction(2 * i + 257, 2**10) for i in range(384)]
    exact = [math.floor(math.sqrt(2**28 / middle)) for middle in middle]
    np.testing.assert_array_equal(table, exact)
    assert not table.flags.writeable


@pytest.mark.parametrize("square_shift", [0, 2, 22, 30])
def test_normalize_by_hand(square_shift: int) -> None:
    """±1 around the mean, and a sum of squares that is a power of four: no rounding anywhere."""
    x = np.array([[7, 9] * 8, [100] * 16])
    found = fp.normalize(x, np.full(16, 20), 1, square_shift, 16)
    np.testing.assert_array_equal(found[1], 0)
    assert np.abs(found[0] / 2.0**fp.QUOTIENT_FRACTION * np.tile([-4, 4], 8) - 1).max() < 1e-4


factors = st.one_of(
    st.floats(-(2.0**40), 2.0**40, allow_nan=False),
    st.floats(-1, 1, allow_nan=False),
    st.integers(-60, 30).map(lambda k: 2.0**k),
    st.integers(-60, 30).map(lambda k: -(2.0**k)),
)


@given(st.lists(factors, min_size=1, max_size=8), st.integers(2, 24), st.integers(0, 47))
def test_multiplier_approximates_its_factor(value: list[float], bits: int, max_shift: int) -> None:
    mantissa, shift = fp.multiplier_of(np.array(value), bits, max_shift)
    assert mantissa.dtype == np.int32
    assert shift.dtype == np.int8
    limit = fp.limit_of(bits)
    for factor, m, k in zip(value, mantissa.tolist(), shift.tolist(), strict=True):
        assert abs(m) <= limit
        assert 0 <= k <= max_shift
        if abs(factor) > limit:  # too large: the nearest there is
            assert (m, k) == (math.copysign(limit, factor), 0)
            continue
        error = abs(Fraction(m, 2**k) - Fraction(factor))
        assert error <= Fraction(1, 2 * 2**k)
        if k < max_shift:  # the mantissa is full: another bit of shift would not have fitted
            assert half_up(abs(Fraction(factor)) * 2 ** (k + 1)) > limit


@pytest.mark.parametrize("bits", [2, 8, 16, 24])
def test_multiplier_keeps_powers_of_two_exactly(bits: int) -> None:
    exponents = np.arange(-40, bits - 1)
    for sign in (1.0, -1.0):
        mantissa, shift = fp.multiplier_of(sign * 2.0**exponents, bits, 47)
        np.testing.assert_array_equal(mantissa * 2.0**-shift, sign * 2.0**exponents)


def test_multiplier_of_nothing() -> None:
    mantissa, shift = fp.multiplier_of(np.array([0.0, -0.0, 5e-324]), 16, 47)
    np.testing.assert_array_equal(mantissa, [0, 0, 0])
    np.testing.assert_array_equal(shift, [47, 47, 47])
    mantissa, shift = fp.multiplier_of(np.zeros((3, 0)), 16, 47)
    assert mantissa.shape == shift.shape == (3, 0)


def test_multiplier_too_large_saturates() -> None:
    value = np.array([32767.0, 32767.4, 32767.6, 1e9, -1e300])
    mantissa, shift = fp.multiplier_of(value, 16, 47)
    np.testing.assert_array_equal(mantissa, [32767, 32767, 32767, 32767, -32767])
    np.testing.assert_array_equal(shift, [0, 0, 0, 0, 0])
