// Layer norm: three passes over a row. What belongs to a channel is computed in vectors of doubles,
// what belongs to a row (its mean, and the root of its squares' sum) in 64-bit integers, once.
#pragma once

#include "neurons.h"
#include "program.h"

namespace SNN_TARGET {

// As in normalize's docstring in fixedpoint.py; emitters.py proves that these fit.
constexpr int ROOT_BITS = 16, LARGEST_LEFT_SHIFT = 7;  // of a product with a root
constexpr double ROOT_NUDGE = 1.0 / (1 << (ROOT_BITS + LARGEST_LEFT_SHIFT)), SQUARE_NUDGE = 0.25;
constexpr int64_t ROOT_LIMIT = (1 << (ROOT_BITS - 1)) - 1;

struct NormalizeConstants {  // of a row
  int64_t channels, reciprocal, reciprocal_bits, channel_bits, epsilon, square_shift;
};

// fixedpoint.mean_over_channels
inline int64_t mean_of(int64_t total, const NormalizeConstants& c) {
  const int64_t first = rounded(rounded(total, c.channel_bits) * c.reciprocal, c.reciprocal_bits - 2);
  const int64_t left = (total - first * c.channels) * c.reciprocal;
  return first + rounded(left, c.reciprocal_bits - 2 + c.channel_bits);
}

// fixedpoint.inverse_root: mantissa and exponent
struct Root {
  int64_t mantissa, exponent;
};
inline Root inverse_root(int64_t value, const int64_t* table, int64_t rows) {
  const int64_t exponent = value < 4 ? 1 : (bit_length(value) + 1) / 2, shift = 22 - 2 * exponent;
  const int64_t radicand = shift >= 0 ? value << shift : rounded(value, -shift);
  const int64_t row = (radicand >> 13) - 128, start = table[row < rows ? row : rows - 1];
  const int64_t missing = (1 << 22) - rounded(rounded(radicand * start, 14) * start, 14);
  const int64_t mantissa = start + rounded(missing * start, 23);
  return {mantissa < ROOT_LIMIT ? mantissa : ROOT_LIMIT, exponent};
}

// first: of each channel's align the factor and its nudge, and 1 where there is a channel, (3,
// pitch); second: the rescale; third: in the tables, the constants; fourth: the root's start values,
// `size` of them.
inline int64_t normalize(const Operation& op, const SweepTask& task, const double* x, double* y, int64_t rows) {
  const int64_t pitch = op.y_pitch;
  const double *align = task.params + op.first, *there = align + 2 * pitch;
  const Rescale rescale = {task.params + op.second, pitch};
  const NormalizeConstants c = *reinterpret_cast<const NormalizeConstants*>(task.tables + op.third);
  const Doubles magic = splat(MAGIC), limit = splat(op.limit);
  const Doubles square_factor = splat(1.0 / double(int64_t{1} << c.square_shift));
  Tally<Doubles> clipped;
  for (int64_t r = 0; r < rows; ++r, x += pitch, y += pitch) {
    Doubles total{}, squares{};
    for (int64_t w = 0; w < pitch; w += LANES) {
      const Doubles aligned = fma(load(x + w) + load(align + pitch + w), load(align + w), magic) - magic;
      total += aligned;
      store(y + w, aligned);
    }
    const Doubles mean = splat(double(mean_of(int64_t(sum_lanes(total)), c)));
    for (int64_t w = 0; w < pitch; w += LANES) {
      const Doubles centred = fnma(load(there + w), mean, load(y + w));
      squares += fma(centred * centred + splat(SQUARE_NUDGE), square_factor, magic) - magic;
      store(y + w, centred);
    }
    const Root root = inverse_root(int64_t(sum_lanes(squares)) + c.epsilon, task.tables + op.fourth, op.size);
    const int64_t shift = c.square_shift / 2 + root.exponent - 1;  // a root of 1 needs no shift
    const Doubles factor = splat(double(root.mantissa << LARGEST_LEFT_SHIFT) / double(int64_t{1} << shift));
    for (int64_t w = 0; w < pitch; w += LANES) {
      const Doubles quotient = fma(load(y + w) + splat(ROOT_NUDGE), factor, magic) - magic;
      const Doubles free = rescale.raised(quotient, w) - magic, held = clip(free, limit);
      clipped.add(held, free);
      store(y + w, held);
    }
  }
  return clipped.total();
}

}  // namespace SNN_TARGET
