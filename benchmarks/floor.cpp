// What a CPU does at best: the instructions that the work cannot do without, on registers and from
// the cache. floor.py compiles this for the target that the engine uses.
#include "vectors.h"

namespace SNN_TARGET {

// A mode and a half a round, in as many chains as fit the registers, so that none waits.
template <class V> void modes(typename Lanes<V>::Number* values, int64_t rounds) {
  constexpr int N = Lanes<V>::n;
  const V m = load<V>(values), c = load<V>(values + N);
  V products[9], sums[3];
  for (V& x : products) x = load<V>(values + 2 * N);
  for (V& x : sums) x = load<V>(values + 3 * N);
  for (int64_t i = 0; i < rounds; ++i) {
    for (V& x : products) x = fma(x, m, c);
    for (V& x : sums) x += c;
  }
  V all{};
  for (V x : products) all += x;
  for (V x : sums) all += x;
  store<V>(values + 2 * N, all);
}

void additions(double* values, int64_t rounds) {
  const Doubles c = load(values + LANES);
  Doubles sums[8];
  for (Doubles& x : sums) x = load(values + 2 * LANES);
  for (int64_t i = 0; i < rounds; ++i)
    for (Doubles& x : sums) x += c;
  Doubles all{};
  for (Doubles x : sums) all += x;
  store<Doubles>(values + 2 * LANES, all);
}

void copies(double* values, int64_t half, int64_t rounds) {
  for (int64_t i = 0; i < rounds; ++i) {
    asm volatile("" : : "r"(values) : "memory");
    for (int64_t at = 0; at < half; at += LANES) store<Doubles>(values + half + at, load(values + at));
  }
}

}  // namespace SNN_TARGET

#define EXPORT extern "C" __attribute__((visibility("default")))
EXPORT void modes_in_doubles(double* values, int64_t rounds) {
  SNN_TARGET::modes<SNN_TARGET::Doubles>(values, rounds);
}
EXPORT void modes_in_floats(float* values, int64_t rounds) {
  SNN_TARGET::modes<SNN_TARGET::Floats>(values, rounds);
}
EXPORT void additions(double* values, int64_t rounds) { SNN_TARGET::additions(values, rounds); }
EXPORT void copies(double* values, int64_t rounds) { SNN_TARGET::copies(values, SNN_CACHED / 2, rounds); }
