// A dendrite's modes over a chunk of time: the loop that everything else is small against.
//
// Lanes are channels. For each group of them, one or two samples and TILE_STEPS steps at a time, the
// input is shifted once for all modes (`enter`); then a few modes go through all steps with their
// compartments in registers, each adding what it contributes to a sum a step; then the sums become
// drives (`leave`). Two modes of two samples go together, or four of one: enough that none waits
// for another.
//
// A mode and step are six fused multiply-adds and two additions, and no rounding costs anything:
//
// - both products of a compartment are rounded on top of a constant around the *magic* number, whose
//   neighbours are 1 apart, one after the other: an integer plus a product rounds as the product
//   alone;
// - compartments are held as u + bias. What the bias brings to a product is taken out of these
//   constants, and the magic number and the bias come and go with the addition of the input;
// - halves are rounded upwards, as the chip does, without an addition either, in two ways.
//
// Doubles have bits to spare. All compartments are positive thanks to the bias, so that a coefficient
// that is moved up by less than 2^-shift / (2 * bias) moves every product up, by less than the
// distance of two possible products: ties, and nothing else, are decided by it.
//
// Floats have none. There, all coefficients are odd multiples of one 2^-shift, or 0, and the bias is
// 2^(shift - 1): it moves every product by an integer and a half, and the CPU rounds down. A sum that
// is too wide for floats is held in several.
//
// Where a dendrite rounds *once*, the sum of two products, doubles hold that exactly, with a hair below
// it instead of the constants, and no bias: it rounds as the magic number comes with the input, and an
// addition more takes that off again. Floats have no room for such sums.
//
// A mode is *guarded* if its compartments can saturate, or if some coefficient of its readout has
// more bits than the bias allows: it clips, and reads out with nudges (see vectors.h). Only doubles
// do.
//
// ../dendrite_layout.py and ../dendrite_coefficients.py lay the numbers out, and prove that they are exact.
#pragma once

#include <fenv.h>

#include "target.h"
#include "vectors.h"

#define UNROLLED _Pragma("GCC unroll 4")

namespace SNN_TARGET {
namespace dendrite {

// A group's numbers, in vectors: these, `count` modes, as many constants under its sums as any group
// has, and what its inputs are multiplied by after what is added to them.
enum { BIAS, SETTLE, SKIP, NUDGE, UNDER_SKIP, DRIVE_NUDGE, HEAD };
// A mode's: decay, the constants under u and v (once: what decides ties of both, and of the readout),
// readout, its nudges.
enum { REAL, IMAG, MINUS_IMAG, UNDER_U, UNDER_V, READ_U, READ_MINUS_V, NUDGE_U, NUDGE_V, MODE };
// A group's row of the table: how many sums and inputs it has, and how many modes, the first ones,
// are not guarded; then the number of each mode's input, and that of the sum that it adds to.
enum { SUMS, INPUTS, UNGUARDED, ROW };

constexpr int TILE_STEPS = 64;  // their inputs and sums stay in a core's first cache
constexpr int TILE_SAMPLES = 2;
constexpr int TILE_MODES = 4;  // of one sample; of two, half as many
constexpr int ROOM = (TILE_STEPS + 1) * TILE_SAMPLES;  // vectors of a tile's sum, or input

template <class V> constexpr typename Lanes<V>::Number magic_of();
template <> constexpr double magic_of<Doubles>() { return MAGIC; }
template <> constexpr float magic_of<Floats>() { return FLOAT_MAGIC; }

// A mode of one sample.
template <class V> struct Compartments {
  V u, v;
};

// What moves a mode, and reads it out.
template <class V, bool ONCE> struct Coefficients {
  V real, imag, minus_imag, under_u, under_v, read_u, read_minus_v;

  // The compartments one step later.
  Compartments<V> move(Compartments<V> c, V entering, V settle) const {
    const V u = less_imag(c.v, fma(c.u, real, under_u)) + entering;
    const V v = fma(c.v, real, fma(c.u, imag, ONCE ? under_u : under_v)) + settle;
    return {ONCE ? u - settle : u, ONCE ? v - settle : v};
  }
  // Floats have no nudge in it: their coefficient is -imag, which takes no register of its own.
  V less_imag(V v, V from) const {
    if constexpr (Lanes<V>::n > LANES) return fnma(v, imag, from);
    else return fma(v, minus_imag, from);
  }
  // A sum and what the compartments add to it.
  V read(Compartments<V> c, V sum) const {
    return ONCE ? sum + fma(c.v, read_minus_v, fma(c.u, read_u, under_v))
                : fma(c.v, read_minus_v, fma(c.u, read_u, sum));
  }
};

// One or two samples from one on, and some steps.
struct Tile {
  int64_t sample, samples, start, steps;
};

// A group of channels.
template <class V, bool ONCE> class Group {
  using T = typename Lanes<V>::Number;
  static constexpr int N = Lanes<V>::n;

  const DendriteTask& task;
  const T* const numbers;
  const int64_t* const row;
  T* const state;    // of the first sample; `own` further on, that of the next
  T* const carried;  // by sample, where time runs backwards: what the modes contributed last
  const double* const x;
  double* const y;
  const int64_t own;
  const V bias, settle;

 public:
  Group(const DendriteTask& task, int64_t number)
      : task(task),
        numbers(static_cast<const T*>(task.numbers) + number * task.extent * N),
        row(task.table + number * (ROW + 2 * task.count)),
        state(static_cast<T*>(task.state) + number * task.samples * 2 * task.count * N),
        carried(static_cast<T*>(task.state) + task.width * task.samples * 2 * task.count +
                number * task.samples * N),
        x(task.x + number * N),
        y(task.y + number * N),
        own(2 * task.count * N),
        bias(constant(BIAS)),
        settle(constant(SETTLE)) {}

  // Run all samples; give how many values were clipped.
  int64_t run() const {
    int64_t clipped = 0;
    for (int64_t sample = 0; sample < task.samples; sample += TILE_SAMPLES)
      for (int64_t start = 0; start < task.steps; start += TILE_STEPS)
        clipped += run_tile({sample, smaller(TILE_SAMPLES, task.samples - sample), start,
                             smaller(TILE_STEPS, task.steps - start)});
    return clipped;
  }

 private:
  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

  V constant(int64_t number) const { return load<V>(numbers + number * N); }
  const T* mode(int64_t number) const { return numbers + (HEAD + number * MODE) * N; }
  V under(int64_t sum) const { return constant(HEAD + task.count * MODE + sum); }

  // The scratch of a sum, or an input, at the tile's first step; `pitch` further on, at the next.
  T* scratch(int64_t number, int64_t sample) const {
    return static_cast<T*>(task.work) + (number * ROOM + sample) * N;
  }
  static int64_t pitch(const Tile& tile) { return tile.samples * N; }
  T* input_of(int64_t mode, int64_t sample) const { return scratch(row[ROW + mode], sample); }
  // Where time runs backwards, modes are read before they move: they add to the step after.
  T* sum_of(int64_t mode, int64_t sample, const Tile& tile) const {
    const int64_t later = task.backwards ? pitch(tile) : 0;
    return scratch(row[ROW + task.count + mode], sample) + later;
  }

  // Doubles from a tile's first step of a sample on, and from each step to the next.
  int64_t place(const Tile& tile, int64_t sample) const {
    const int64_t first = task.backwards ? task.steps - 1 - tile.start : tile.start;
    return ((tile.sample + sample) * task.steps + first) * task.width;
  }
  int64_t step() const { return task.backwards ? -task.width : task.width; }

  int64_t run_tile(const Tile& tile) const {
    for (int64_t s = 0; s < tile.samples; ++s) enter(tile, s);
    const int together = tile.samples == 1 ? TILE_MODES : TILE_MODES / TILE_SAMPLES;
    for (int64_t m = 0; m < row[UNGUARDED]; m += together)
      tile.samples == 1 ? run_unguarded<TILE_MODES, 1>(tile, m)
                        : run_unguarded<TILE_MODES / TILE_SAMPLES, TILE_SAMPLES>(tile, m);
    int64_t clipped = 0;
    for (int64_t m = row[UNGUARDED]; m < task.count; ++m)
      for (int64_t s = 0; s < tile.samples; ++s) clipped += run_guarded(tile, m, s);
    for (int64_t s = 0; s < tile.samples; ++s) clipped += leave(tile, s);
    return clipped;
  }

  // Begin a sample's sums, the first one with what the skip path brings, and shift its inputs.
  void enter(const Tile& tile, int64_t sample) const {
    T inputs[TILE_STEPS * N];
    const double* from = x + place(tile, sample);
    const V skip = constant(SKIP), nudge = constant(NUDGE), begun = constant(UNDER_SKIP);
    T* to = scratch(0, sample);
    for (int64_t i = 0; i < tile.steps; ++i) {
      const V input = load_as<V>(from + i * step());
      store<V>(inputs + i * N, input);
      store<V>(to + i * pitch(tile), fma(input + nudge, skip, begun));
    }
    for (int64_t sum = 1; sum < row[SUMS]; ++sum)
      for (int64_t i = 0; i < tile.steps; ++i)
        store<V>(scratch(sum, sample) + i * pitch(tile), under(sum));
    for (int64_t number = 0; number < row[INPUTS]; ++number) shift(tile, sample, number, inputs);
    if (task.backwards) put_off(tile, sample);
  }

  void shift(const Tile& tile, int64_t sample, int64_t number, const T* inputs) const {
    const int64_t at = HEAD + task.count * MODE + task.sums + 2 * number;
    const V scale = constant(at), nudge = constant(at + 1), magic = splat<V>(magic_of<V>());
    const V settled = settle - magic;
    T* to = scratch(task.sums + number, sample);
    for (int64_t i = 0; i < tile.steps; ++i)
      store<V>(to + i * pitch(tile), fma(load<V>(inputs + i * N) + nudge, scale, magic) + settled);
  }

  // Let the first step hear no mode, and make room for what the last one leaves.
  void put_off(const Tile& tile, int64_t sample) const {
    for (int64_t sum = 0; sum < row[SUMS]; ++sum) {
      T* first = scratch(sum, sample);
      store<V>(first, load<V>(first) - under(sum) + splat<V>(magic_of<V>()));
      store<V>(first + tile.steps * pitch(tile), under(sum));
    }
  }

  T* state_of(const Tile& tile, int64_t mode, int64_t sample) const {
    return state + (tile.sample + sample) * own + 2 * mode * N;
  }
  Compartments<V> take(const T* from) const {
    return {load<V>(from) + bias, load<V>(from + N) + bias};
  }
  void put(T* to, Compartments<V> c) const {
    store<V>(to, c.u - bias);
    store<V>(to + N, c.v - bias);
  }
  Coefficients<V, ONCE> coefficients(int64_t number) const {
    const T* of = mode(number);
    return {load<V>(of + REAL * N),    load<V>(of + IMAG * N),    load<V>(of + MINUS_IMAG * N),
            load<V>(of + UNDER_U * N), load<V>(of + UNDER_V * N), load<V>(of + READ_U * N),
            load<V>(of + READ_MINUS_V * N)};
  }

  // Run MODES modes of SAMPLES samples. Compartments are in registers, and coefficients as far as
  // there are more; all modes add to the same sum.
  template <int MODES, int SAMPLES> void run_unguarded(const Tile& tile, int64_t first) const {
    Coefficients<V, ONCE> by[MODES];
    Compartments<V> held[MODES][SAMPLES];
    const T* in[MODES];
    UNROLLED for (int m = 0; m < MODES; ++m) {
      by[m] = coefficients(first + m);
      in[m] = input_of(first + m, 0);
      UNROLLED for (int s = 0; s < SAMPLES; ++s) held[m][s] = take(state_of(tile, first + m, s));
    }
    T* sum = sum_of(first, 0, tile);
    const V settled = settle;  // kept: for all that the compiler knows, a store may change a member
    for (int64_t i = 0, end = tile.steps; i < end; ++i) {
      UNROLLED for (int s = 0; s < SAMPLES; ++s) {
        const int64_t at = (i * SAMPLES + s) * N;
        V total = load<V>(sum + at);
        UNROLLED for (int m = 0; m < MODES; ++m) {
          held[m][s] = by[m].move(held[m][s], load<V>(in[m] + at), settled);
          total = by[m].read(held[m][s], total);
        }
        store<V>(sum + at, total);
      }
    }
    UNROLLED for (int m = 0; m < MODES; ++m)
      UNROLLED for (int s = 0; s < SAMPLES; ++s) put(state_of(tile, first + m, s), held[m][s]);
  }

  // Run a guarded mode; give how many compartments were clipped.
  int64_t run_guarded(const Tile& tile, int64_t number, int64_t sample) const {
    const Coefficients<V, ONCE> by = coefficients(number);
    const V nudge_u = load<V>(mode(number) + NUDGE_U * N);
    const V nudge_v = load<V>(mode(number) + NUDGE_V * N);
    const V limit = splat<V>(static_cast<T>(task.state_limit));
    const V low = bias - limit, high = bias + limit;
    const T* in = input_of(number, sample);
    T* sum = sum_of(number, sample, tile);
    Compartments<V> held = take(state_of(tile, number, sample));
    Tally<V> clipped;
    for (int64_t i = 0; i < tile.steps; ++i, in += pitch(tile), sum += pitch(tile)) {
      const Compartments<V> free = by.move(held, load<V>(in), settle);
      held = {clip(free.u, low, high), clip(free.v, low, high)};
      clipped.add(held.u, free.u);
      clipped.add(held.v, free.v);
      store<V>(sum, by.read({held.u + nudge_u, held.v + nudge_v}, load<V>(sum)));
    }
    put(state_of(tile, number, sample), held);
    return clipped.total();
  }

  // The sum of a sample's sums, some numbers after the tile's first step.
  V total(int64_t sample, int64_t at) const {
    const V magic = splat<V>(magic_of<V>());
    V all = load<V>(scratch(0, sample) + at) - magic;
    for (int64_t sum = 1; sum < row[SUMS]; ++sum)
      all += load<V>(scratch(sum, sample) + at) - magic;
    return all;
  }

  // Turn a sample's sums into drives, the first one with what was carried from before; give how
  // many were clipped.
  int64_t leave(const Tile& tile, int64_t sample) const {
    T* kept = carried + (tile.sample + sample) * N;
    V before = load<V>(kept);
    if (task.backwards) store<V>(kept, total(sample, tile.steps * pitch(tile)));
    const V magic = splat<V>(magic_of<V>()), nudge = constant(DRIVE_NUDGE);
    const V scale = splat<V>(static_cast<T>(task.scale));
    const V limit = splat<V>(static_cast<T>(task.limit));
    double* to = y + place(tile, sample);
    Tally<V> clipped;
    for (int64_t i = 0; i < tile.steps; ++i, to += step()) {
      const V sum = total(sample, i * pitch(tile)) + before + nudge;
      const V free = fma(sum, scale, magic) - magic, drive = clip(free, -limit, limit);
      store_as(to, drive);
      clipped.add(drive, free);
      before = V{};
    }
    return clipped.total();
  }
};

// The compiler knows nothing of how the CPU rounds: what it does in here, it does in here.
template <class V, bool ONCE>
__attribute__((noinline)) int64_t run(const DendriteTask& task, int64_t part, int64_t parts) {
  const int64_t groups = task.width / Lanes<V>::n, stop = groups * (part + 1) / parts;
  int64_t clipped = 0;
  for (int64_t group = groups * part / parts; group < stop; ++group)
    clipped += Group<V, ONCE>(task, group).run();
  return clipped;
}

}  // namespace dendrite

// Run one of as many parts of a dendrite's channels over a chunk, in floats or in doubles; give how
// many values it clipped.
inline int64_t run_part(const DendriteTask& task, int64_t in_floats, int64_t part, int64_t parts) {
  if (task.once) return dendrite::run<Doubles, true>(task, part, parts);
  if (!in_floats) return dendrite::run<Doubles, false>(task, part, parts);
  const int before = fegetround();
  fesetround(FE_DOWNWARD);
  const int64_t clipped = dendrite::run<Floats, false>(task, part, parts);
  fesetround(before);
  return clipped;
}
inline int64_t run_dendrite(const DendriteTask* task, int64_t in_floats) { return run_part(*task, in_floats, 0, 1); }

}  // namespace SNN_TARGET
