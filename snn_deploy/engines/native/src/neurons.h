// Gates and relays: loops over rows and, in a row, over vectors of channels, filled up with channels
// whose parameters are 0. Both give how many values were clipped.
#pragma once

#include "signals.h"
#include "vectors.h"

namespace SNN_TARGET {

// A gain and offset of a channel, laid out as factor, nudge, and bias + MAGIC.
struct Rescale {
  const double* factor;
  int64_t pitch;

  // Rescale, and leave it on top of MAGIC.
  Doubles raised(Doubles x, int64_t w) const {
    return fma(x + load(factor + pitch + w), load(factor + w), load(factor + 2 * pitch + w));
  }
};

// A source of a sum: its rows, and what shifts it, factor and nudge (2, pitch), or null.
struct Source {
  const double *x, *align;

  Source() = default;
  Source(const SweepTask& task, const Operation& op, const Signals<double>& signals, int64_t i) {
    const int64_t* place = task.tables + op.first + i;
    x = signals.rows(place[0], op.y_pitch);
    align = place[op.size] < 0 ? nullptr : task.params + place[op.size];
  }
  // Add it to a total on top of MAGIC, where a product rounds as it is added.
  Doubles added(Doubles total, int64_t at, int64_t w, int64_t pitch) const {
    const Doubles value = load(x + at);
    return align ? fma(value + load(align + pitch + w), load(align + w), total) : total + value;
  }
};

// SOURCES of them, or `count` if that is 0.
template <int SOURCES>
inline int64_t add_up(const Operation& op, const Source* sources, int64_t count, Rescale rescale,
                      double* y, int64_t rows) {
  const Doubles magic = splat(MAGIC), limit = splat(op.limit);
  const int64_t pitch = op.y_pitch;
  Tally<Doubles> clipped;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t w = 0; w < pitch; w += LANES) {
      const int64_t at = r * pitch + w;
      Doubles total = magic;
      for (int64_t i = 0; i < (SOURCES ? SOURCES : count); ++i) total = sources[i].added(total, at, w, pitch);
      total -= magic;
      if (rescale.factor) total = rescale.raised(total, w) - magic;
      const Doubles held = clip(total, limit);
      clipped.add(held, total);
      store(y + at, held);
    }
  return clipped.total();
}

// sat(ms(Σ (x << align)) + bias). first: in the tables, the places of `size` sources, then where in
// the params each one's align is, or -1; second: where the rescale is, or -1.
constexpr int MOST_SOURCES = 64;
inline int64_t relay(const Operation& op, const SweepTask& task, const Signals<double>& signals,
                     double* y, int64_t rows) {
  Source sources[MOST_SOURCES];
  for (int64_t i = 0; i < op.size; ++i) sources[i] = Source(task, op, signals, i);
  const Rescale rescale = {op.second < 0 ? nullptr : task.params + op.second, op.y_pitch};
  if (op.size == 1) return add_up<1>(op, sources, 1, rescale, y, rows);
  if (op.size == 2) return add_up<2>(op, sources, 2, rescale, y, rows);
  return add_up<0>(op, sources, op.size, rescale, y, rows);
}

// Numbers as they are, and 0 for what is none: bits of something else.
inline Doubles only_numbers(Doubles x) { return (Doubles)((x - x == Doubles{}) & (Longs)x); }

// A value times the table's row of an argument. first, second: the rescales of x's halves, `half`
// wide; third: 2^-out_shift (pitch,), and the nudge of all products, a vector; fourth: the table,
// `size` numbers; scale: 2^-index_shift; inner_limit: what the halves saturate at, if flag.
template <bool NARROW, bool CLIPS>
inline int64_t gate(const Operation& op, const SweepTask& task, const double* x, double* y, int64_t rows) {
  // kept: for all that the compiler knows, a store may change what is not
  const int64_t pitch = op.y_pitch, half = op.half, step = op.x_pitch;
  const Rescale value_gain = {task.params + op.first, pitch};
  const Rescale argument_gain = {task.params + op.second, pitch};
  const double *out = task.params + op.third, *table = task.params + op.fourth;
  __asm__("" : "+r"(table));  // one address, not a sum at each look-up
  const Doubles magic = splat(MAGIC), limit = splat(op.limit), scale = splat(op.scale);
  const Doubles low = splat(MAGIC - op.inner_limit), high = splat(MAGIC + op.inner_limit);
  const Doubles last = splat(double(op.size - 1)), nudge = load(out + pitch);
  // The argument is left on top of MAGIC; what this adds to its row is taken off with the middle,
  // exactly, since doubles around MAGIC * scale are `scale` apart. Rows are truncated later, so that
  // half a row more rounds them.
  const double rounding = op.scale < 1.0 ? 0.5 : 0.0;
  const Doubles middle = splat(double(op.size / 2) + rounding - MAGIC * op.scale);
  Tally<Doubles> clipped;
  for (int64_t r = 0; r < rows; ++r, x += step, y += pitch) {
    for (int64_t w = 0; w < pitch; w += LANES) {
      // the last vector may read on into what follows, be it a sum in int32: its parameters are 0 there
      const int32_t* narrow = reinterpret_cast<const int32_t*>(x);
      Doubles value = NARROW ? load_integers(narrow + w) : load(x + w);
      Doubles argument = NARROW ? load_integers(narrow + half + w) : only_numbers(load(x + half + w));
      value = value_gain.raised(value, w);
      argument = argument_gain.raised(argument, w);
      if (CLIPS) {
        const Doubles free = value, unclipped = argument;
        value = clip(free, low, high);
        argument = clip(unclipped, low, high);
        clipped.add(value, free);
        clipped.add(argument, unclipped);
      }
      const Doubles row = clip(fma(argument, scale, middle), Doubles{}, last);
      const Doubles product = fma(value - magic, look_up(table, row), nudge);
      const Doubles free = fma(product, load(out + w), magic) - magic;
      const Doubles held = clip(free, limit);
      clipped.add(held, free);
      store(y + w, held);
    }
  }
  return clipped.total();
}

}  // namespace SNN_TARGET
