// A dendrite in 64-bit integers, whatever its widths: where doubles are not proven to hold it.
//
// Channel after channel, a few modes go through some steps side by side: the equation in
// snn_deploy/nodes/dendrite.py.
#pragma once

#include "program.h"

namespace SNN_TARGET {

#if defined(__AVX2__)
typedef int64_t Modes __attribute__((vector_size(32)));
typedef uint64_t Unsigned __attribute__((vector_size(32)));
inline int64_t total(Modes x) { return x[0] + x[1] + x[2] + x[3]; }
#else  // one after the other: vectors have no product of 64 bits
typedef int64_t Modes;
typedef uint64_t Unsigned;
inline int64_t total(Modes x) { return x; }
#endif
constexpr int SIDE_BY_SIDE = sizeof(Modes) / sizeof(int64_t);

// Shift right by 0 to 63 bits, and round half up, what is below 2^62: from an unsigned shift, which
// more CPUs have of vectors than a signed one.
struct RoundShift {
  Modes half, by, offset;

  explicit RoundShift(Modes shift)
      : half((Modes)(((Unsigned{} + 1) << (Unsigned)shift) >> 1)), by(shift),
        offset((Modes)((Unsigned{} + TOP) >> (Unsigned)shift)) {}

  Modes operator()(Modes x) const {
    return (Modes)((Unsigned)(x + half + int64_t(TOP)) >> (Unsigned)by) - offset;
  }

 private:
  static constexpr uint64_t TOP = uint64_t{1} << 62;
};

inline Modes clip(Modes x, Modes limit) {
  x = x > limit ? limit : x;
  return x < -limit ? -limit : x;
}

// In the table, of each channel: its skip path, and then its modes, filled up to whole tiles.
struct IntegerChannel {
  int64_t skip_mantissa, skip_shift;
};
constexpr int TILE_OF_MODES = 4;
struct IntegerModes {
  int64_t decay_real[TILE_OF_MODES], decay_imag[TILE_OF_MODES], readout_real[TILE_OF_MODES],
      readout_imag[TILE_OF_MODES], input_shift[TILE_OF_MODES], readout_shift[TILE_OF_MODES];
};

// fourth: channels; first: their table; size: modes of each; second, third: shifts of decays and of
// the drive; flag: whether time runs backwards; once: see Operation; inner_limit: what compartments
// saturate at. The state is u and then v, (channels, modes) each.
template <class Number> class IntegerDendrite {
  static constexpr int64_t STEPS = 64;

  const Operation& op;
  const int64_t* const tables;
  int64_t *const u, *const v;
  const int64_t state_limit, limit;

 public:
  IntegerDendrite(const Operation& op, const SweepTask& task, int64_t* state)
      : op(op), tables(task.tables + op.first), u(state), v(state + op.fourth * op.size),
        state_limit(int64_t(op.inner_limit)), limit(int64_t(op.limit)) {}

  // Run a sample over some rows; give how many values were clipped.
  int64_t run(const Number* x, Number* y, int64_t rows) const {
    int64_t clipped = 0;
    for (int64_t start = 0; start < rows; start += STEPS) {
      const int64_t steps = STEPS < rows - start ? STEPS : rows - start;
      const int64_t row = op.flag ? rows - 1 - start : start;
      for (int64_t c = 0; c < op.fourth; ++c)
        clipped += run_channel(c, x + row * op.x_pitch + c, y + row * op.y_pitch + c, steps);
    }
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t c = op.fourth; c < op.y_pitch; ++c) y[row * op.y_pitch + c] = Number(0);
    return clipped;
  }

 private:
  int64_t run_channel(int64_t c, const Number* x, Number* y, int64_t steps) const {
    const int64_t tiles = (op.size + TILE_OF_MODES - 1) / TILE_OF_MODES;
    const int64_t pitch = sizeof(IntegerChannel) + tiles * sizeof(IntegerModes);
    const auto* channel = reinterpret_cast<const IntegerChannel*>(tables + c * pitch / 8);
    const auto* modes = reinterpret_cast<const IntegerModes*>(channel + 1);
    const int64_t x_step = op.flag ? -op.x_pitch : op.x_pitch;
    const int64_t y_step = op.flag ? -op.y_pitch : op.y_pitch;
    int64_t inputs[STEPS], sums[STEPS], clipped = 0;
    for (int64_t i = 0; i < steps; ++i) {
      inputs[i] = int64_t(x[i * x_step]);
      sums[i] = rounded(inputs[i] * channel->skip_mantissa, channel->skip_shift);
    }
    for (int64_t m = 0; m < op.size; m += SIDE_BY_SIDE)
      clipped += op.flag ? op.once ? run_modes<true, true>(modes, c, m, inputs, sums, steps)
                                   : run_modes<true, false>(modes, c, m, inputs, sums, steps)
                 : op.once ? run_modes<false, true>(modes, c, m, inputs, sums, steps)
                           : run_modes<false, false>(modes, c, m, inputs, sums, steps);
    for (int64_t i = 0; i < steps; ++i) {
      const int64_t free = rounded(sums[i], op.third), drive = held(free, -limit, limit);
      y[i * y_step] = Number(drive);
      clipped += drive != free;
    }
    return clipped;
  }

  static Modes take(const int64_t* from, int64_t count = SIDE_BY_SIDE) {
    Modes values{};
    memcpy(&values, from, sizeof(int64_t) * count);
    return values;
  }

  template <bool ONCE> static Modes sum(const RoundShift& by, Modes a, Modes b) {
    return ONCE ? by(a + b) : by(a) + by(b);
  }

  // Run the modes from m on of a channel. Backwards, they answer before they take in.
  template <bool BACKWARDS, bool ONCE>
  int64_t run_modes(const IntegerModes* tiles, int64_t channel, int64_t m, const int64_t* inputs,
                    int64_t* sums, int64_t steps) const {
    const IntegerModes& modes = tiles[m / TILE_OF_MODES];
    const int64_t j = m % TILE_OF_MODES, at = channel * op.size + m;
    const int64_t count = op.size - m < SIDE_BY_SIDE ? op.size - m : SIDE_BY_SIDE;
    const Modes decay_real = take(modes.decay_real + j), decay_imag = take(modes.decay_imag + j);
    const Modes readout_real = take(modes.readout_real + j);
    const Modes readout_imag = take(modes.readout_imag + j);
    const Modes shift = take(modes.input_shift + j), none{}, one = none + 1;
    const Modes limits = none + state_limit;
    const RoundShift decayed(none + op.second), read(take(modes.readout_shift + j));
    const RoundShift entering(shift < 0 ? -shift : none);
    const Modes factor = one << (shift > 0 ? shift : none);
    Modes real = take(u + at, count), imag = take(v + at, count), clipped{};
    for (int64_t i = 0; i < steps; ++i) {
      Modes heard = sum<ONCE>(read, real * readout_real, -imag * readout_imag);
      const Modes free_real = sum<ONCE>(decayed, real * decay_real, -imag * decay_imag) +
                              entering(factor * inputs[i]);
      const Modes free_imag = sum<ONCE>(decayed, real * decay_imag, imag * decay_real);
      real = clip(free_real, limits);
      imag = clip(free_imag, limits);
      clipped += (real != free_real ? one : none) + (imag != free_imag ? one : none);
      if (!BACKWARDS) heard = sum<ONCE>(read, real * readout_real, -imag * readout_imag);
      sums[i] += total(heard);
    }
    memcpy(u + at, &real, sizeof(int64_t) * count);
    memcpy(v + at, &imag, sizeof(int64_t) * count);
    return total(clipped);
  }
};

}  // namespace SNN_TARGET
