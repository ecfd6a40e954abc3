// Steps of neurons' programs that were compiled beforehand, on vectors of doubles: their bodies are in
// steps_of_programs.h. compiled.py lays out what they work on, and proves that doubles hold it.
#pragma once

#include "signals.h"
#include "vectors.h"

namespace SNN_TARGET {

inline Doubles flag(Longs yes) { return (Doubles)(yes & (Longs)splat(1.0)); }
inline Doubles where(Doubles condition, Doubles then, Doubles otherwise) {
  return condition != Doubles{} ? then : otherwise;
}

// ms(x, m, k) of a factor m * 2^-k: see vectors.h.
inline Doubles rounded_product(Doubles x, Doubles factor, Doubles nudge) {
  return fma(x + nudge, factor, splat(MAGIC)) - splat(MAGIC);
}

// ms(x, m, k) of a product that may need two doubles; unity is 2^k, and share 2^-k. The quotient is
// rounded from the upper one, and off by one at most, as what is then left over says.
inline Doubles wide_product(Doubles x, Doubles m, Doubles unity, Doubles share) {
  const Doubles high = x * m, low = fma(x, m, -high);
  const Doubles quotient = floor_of(fma(high, share, splat(0.5)));
  const Doubles left = fnma(quotient, unity, high) + low + unity * splat(0.5);
  return quotient + flag(left >= unity) - flag(left < Doubles{});
}

// What a step works on: LANES channels side by side. `numbers` and `tables` are its parameters.
template <int PORTS_, int WORDS_, int NUMBERS_, int TABLES_> struct Given {
  enum { PORTS = PORTS_, WORDS = WORDS_, NUMBERS = NUMBERS_, TABLES = TABLES_ };
  const double *numbers, *tables[TABLES + 1];
  Doubles ports[PORTS], words[WORDS + 1];
  Tally<Doubles> clipped;

  Doubles number(int i) const { return load(numbers + i * LANES); }
  Doubles saturate(Doubles x, Doubles low, Doubles high) {
    const Doubles held = clip(x, low, high);
    clipped.add(held, x);
    return held;
  }
  // Counted where `speaks` is not 0.
  Doubles saturate(Doubles x, Doubles low, Doubles high, Doubles speaks) {
    const Doubles held = clip(x, low, high);
    clipped.add(where(speaks, held, x), x);
    return held;
  }
};

// A step's number, name, and how many ports, words, numbers and tables it has; its body follows.
template <int> struct Step;
#define SNN_STEP(number, name, ...)                                      \
  template <> struct Step<number> { typedef Given<__VA_ARGS__> Lanes; }; \
  static inline __attribute__((always_inline)) Doubles take(Step<number>, Given<__VA_ARGS__>& l)
#include "steps_of_programs.h"
#undef SNN_STEP

// Run a step over some rows, or backwards; give how many values were clipped.
//
// first: in the tables, of each port its place, its pitch, and whether all channels read its first
// number; then where in the params each table is. second: there, the numbers of each vector of
// channels. third: the step's number. fourth: channels. flag: whether time runs backwards. The
// state is the words of each vector of channels.
template <class S>
inline int64_t run_step(const Operation& op, const SweepTask& task, double* state,
                        const Signals<double>& signals, int64_t rows) {
  typedef typename S::Lanes L;
  constexpr int64_t CHANNELS = 64;  // whose numbers and words stay in the first cache
  const int64_t *port = task.tables + op.first, pitch = op.y_pitch;
  double* y = signals.rows(op.y, pitch);
  L lanes;
  lanes.clipped = {};
  for (int i = 0; i < L::TABLES; ++i) lanes.tables[i] = task.params + port[3 * L::PORTS + i];
  for (int64_t first = 0; first < pitch; first += CHANNELS)
    for (int64_t step = 0; step < rows; ++step) {
      const int64_t r = op.flag ? rows - 1 - step : step;
      const double* rows_of[L::PORTS];
      for (int i = 0; i < L::PORTS; ++i)
        rows_of[i] = signals.rows(port[3 * i], port[3 * i + 1]) + r * port[3 * i + 1];
      for (int64_t w = first; w < pitch && w < first + CHANNELS; w += LANES) {
        double* words = state + w * L::WORDS;
        lanes.numbers = task.params + op.second + w * L::NUMBERS;
        for (int i = 0; i < L::PORTS; ++i)
          lanes.ports[i] = port[3 * i + 2] ? splat(*rows_of[i]) : load(rows_of[i] + w);
        for (int i = 0; i < L::WORDS; ++i) lanes.words[i] = load(words + i * LANES);
        store(y + r * pitch + w, take(S(), lanes));
        for (int i = 0; i < L::WORDS; ++i) store(words + i * LANES, lanes.words[i]);
      }
    }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = op.fourth; c < pitch; ++c) y[r * pitch + c] = 0.0;
  return lanes.clipped.total();
}

inline int64_t run_compiled(const Operation& op, const SweepTask& task, double* state,
                            const Signals<double>& signals, int64_t rows) {
#define SNN_RUN(number, name) run_step<Step<number>>,
  static int64_t (*const runs[])(const Operation&, const SweepTask&, double*, const Signals<double>&,
                                 int64_t) = {SNN_STEPS(SNN_RUN) nullptr};
#undef SNN_RUN
  return runs[op.third](op, task, state, signals, rows);
}

}  // namespace SNN_TARGET
