// What messages bring: of spikes the sums of 8-bit weights, many at once in registers.
//
// Two columns of weights share a 16-bit lane: one in its high byte, and one in its low byte, moved up
// by 128 so that it is positive. Lanes are added up as they are, as long as the high bytes are added
// up, too: what they added is taken off at the end, and the low bytes' sums remain. That is three
// instructions for two lots of columns, where widening each would take four. All of this is modulo
// 2^16, so that only the last sums need to fit.
//
// fast_nodes.py lays the weights out: in tiles of TILE neurons, an input's after that of the one
// before, and the rest in smaller tiles, the last of which may overlap the one before.
#pragma once

#include "signals.h"
#include "vectors.h"

namespace SNN_TARGET {

constexpr int LARGE_TILE = 128, SMALL_TILE = 32, SMALLEST_TILE = 2 * LANES;  // neurons
constexpr int LOW_BIAS = 128;                                                // of a low byte

// Of a tile of SIZE neurons, whose sums stay in registers.
template <int SIZE> struct ColumnSums {
  static constexpr int BYTES = SIZE < SNN_VECTOR_BYTES ? SIZE : SNN_VECTOR_BYTES;
  static constexpr int COUNT = SIZE / BYTES;
  typedef int16_t Shorts __attribute__((vector_size(BYTES)));
  Shorts low[COUNT], high[COUNT];

  // Add up the columns of some events.
  void add(const int8_t* weights, const int32_t* event, const int32_t* end) {
    const int16_t bias = static_cast<int16_t>(-LOW_BIAS * (end - event));
    for (int i = 0; i < COUNT; ++i) low[i] = Shorts{} + bias, high[i] = Shorts{};
    for (; event < end; ++event)
      for (int i = 0; i < COUNT; ++i) {
        Shorts lanes;
        memcpy(&lanes, weights + static_cast<int64_t>(*event) * SIZE + i * BYTES, BYTES);
        low[i] += lanes;
        high[i] += lanes >> 8;
      }
    for (int i = 0; i < COUNT; ++i) low[i] -= high[i] << 8;
  }

  // Write the sums, or add them to what is there if `onto`.
  template <class Number> void write(Number* to, bool onto) const {
    int16_t sums[SIZE];
    memcpy(sums, low, SIZE);
    memcpy(sums + SIZE / 2, high, SIZE);
    if (onto)
      for (int i = 0; i < SIZE; ++i) to[i] += sums[i];
    else
      for (int i = 0; i < SIZE; ++i) to[i] = sums[i];
  }
};

template <int SIZE, class Number>
inline void sum_columns(const int8_t* weights, const int32_t* event, const int32_t* end,
                        int64_t at_once, Number* to) {
  ColumnSums<SIZE> sums;
  bool onto = false;
  do {  // as many as 16 bits hold
    const int32_t* stop = end - event > at_once ? event + at_once : end;
    sums.add(weights, event, stop);
    sums.write(to, onto);
    event = stop;
    onto = true;
  } while (event < end);
}

// For every set of a vector's lanes, where they are, those of the set first.
struct Places {
  int32_t at[1 << LANES][LANES];
  constexpr Places() : at() {
    for (int set = 0; set < 1 << LANES; ++set) {
      int next = 0;
      for (int wanted = 1; wanted >= 0; --wanted)
        for (int lane = 0; lane < LANES; ++lane)
          if ((set >> lane & 1) == wanted) at[set][next++] = lane;
    }
  }
};
constexpr Places PLACES;

// List the channels of a row that are not 0; give where the list ends. A vector's worth behind it is
// overwritten. There is nothing to branch on: where spikes are cannot be predicted.
inline int32_t* list_spikes(const double* row, int64_t width, int32_t* to) {
  for (int64_t first = 0; first < width; first += LANES) {
    const unsigned bits = nonzero_bits(load(row + first));
    Integers places;
    memcpy(&places, PLACES.at[bits], sizeof places);
    places += static_cast<int32_t>(first);
    memcpy(to, &places, sizeof places);
    to += __builtin_popcount(bits);
  }
  return to;
}

// All rows take from a tile before the next one, so that it stays in the cache. size: outputs;
// second: how many columns 16 bits hold the sum of; y is doubles, or int32 if narrow.
template <class Number>
inline void add_spikes(const Operation& op, const SweepTask& task, const double* x, double* y, int64_t rows) {
  const int64_t pitch = 1 + op.x_pitch + LANES, width = op.size;  // a list starts with its length
  for (int64_t r = 0; r < rows; ++r) {
    int32_t* list = task.events + r * pitch;
    list[0] = static_cast<int32_t>(list_spikes(x + r * op.x_pitch, op.x_pitch, list + 1) - list);
  }
  for (int64_t o = 0; o < width;) {
    const int64_t left = width - o;
    const int size = left >= LARGE_TILE ? LARGE_TILE : width >= SMALL_TILE ? SMALL_TILE : SMALLEST_TILE;
    const int64_t column = left < size ? width - size : o;
    const int8_t* weights = task.weights + op.first + o * op.x_pitch;
    for (int64_t r = 0; r < rows; ++r) {
      const int32_t *event = task.events + r * pitch, *end = event + event[0];
      Number* to = reinterpret_cast<Number*>(y + r * op.y_pitch) + column;
      if (size == LARGE_TILE) sum_columns<LARGE_TILE>(weights, event + 1, end, op.second, to);
      else if (size == SMALL_TILE) sum_columns<SMALL_TILE>(weights, event + 1, end, op.second, to);
      else sum_columns<SMALLEST_TILE>(weights, event + 1, end, op.second, to);
    }
    o += size;
  }
}

template <int VECTORS>
inline void weigh_row(const double* weights, const double* x, int64_t inputs, int64_t pitch, double* y) {
  Doubles sums[VECTORS] = {};
  for (int64_t i = 0; i < inputs; ++i)
    for (int v = 0; v < VECTORS; ++v) sums[v] = fma(splat(x[i]), load(weights + i * pitch + v * LANES), sums[v]);
  for (int v = 0; v < VECTORS; ++v) store(y + v * LANES, sums[v]);
}

// Graded messages: y = weight x, weight (size, y_pitch).
inline void add_graded(const Operation& op, const SweepTask& task, const double* x, double* y, int64_t rows) {
  const double* weights = task.params + op.first;
  for (int64_t r = 0; r < rows; ++r, x += op.x_pitch, y += op.y_pitch) {
    int64_t o = 0;
    for (; o + 4 * LANES <= op.y_pitch; o += 4 * LANES) weigh_row<4>(weights + o, x, op.size, op.y_pitch, y + o);
    for (; o < op.y_pitch; o += LANES) weigh_row<1>(weights + o, x, op.size, op.y_pitch, y + o);
  }
}

}  // namespace SNN_TARGET
