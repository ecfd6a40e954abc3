// What messages bring: of spikes the sums of 8-bit weights, many at once in registers.
//
// Two columns of weights share a 16-bit lane: one in its high byte, and one in its low byte, moved up
// by 128 so that it is positive. Lanes are added up as they are, as long as the high bytes are added
// up, too: what they added is taken off at the end, and the low bytes' sums remain. That is three
// instructions for two lots of columns, where widening each would take four. All of this is modulo
// 2^16, so that only the last sums need to fit.
//
// synapse_layout.py lays the weights out: in tiles of TILE neurons, an input's after that of the one
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

// List the spikes of some rows, or what else is not 0 there. A list's first number is how many numbers
// it has, itself included.
template <class List>
inline int64_t list_rows(const Operation& op, const SweepTask& task, const double* x, int64_t rows, List list) {
  const int64_t pitch = 1 + op.x_pitch + LANES;
  for (int64_t r = 0; r < rows; ++r) {
    int32_t* to = task.scratch.events + r * pitch;
    to[0] = static_cast<int32_t>(list(x + r * op.x_pitch, op.x_pitch, to + 1) - to);
  }
  return pitch;
}

// All rows take from a tile before the next one, so that it stays in the cache. size: outputs;
// second: how many columns 16 bits hold the sum of; y is doubles, or int32 if narrow.
template <class Number>
inline void add_spikes(const Operation& op, const SweepTask& task, const double* x, double* y, int64_t rows) {
  const int64_t pitch = list_rows(op, task, x, rows, list_spikes), width = op.size;
  for (int64_t o = 0; o < width;) {
    const int64_t left = width - o;
    const int size = left >= LARGE_TILE ? LARGE_TILE : width >= SMALL_TILE ? SMALL_TILE : SMALLEST_TILE;
    const int64_t column = left < size ? width - size : o;
    const int8_t* weights = task.weights + op.first + o * op.x_pitch;
    for (int64_t r = 0; r < rows; ++r) {
      const int32_t *event = task.scratch.events + r * pitch, *end = event + event[0];
      Number* to = reinterpret_cast<Number*>(y + r * op.y_pitch) + column;
      if (size == LARGE_TILE) sum_columns<LARGE_TILE>(weights, event + 1, end, op.second, to);
      else if (size == SMALL_TILE) sum_columns<SMALL_TILE>(weights, event + 1, end, op.second, to);
      else sum_columns<SMALLEST_TILE>(weights, event + 1, end, op.second, to);
    }
    o += size;
  }
}

// Messages of 16 bits go in pairs of inputs: a lane takes both products in one instruction.
struct PairedRow {
  typedef Counts Sums;
  static constexpr int64_t LANE = 2 * LANES, BYTES = 4;  // outputs a vector, bytes an output and pair

  // List the pairs that are not both 0, each with its messages, 16 bits each; give where it ends.
  static int32_t* list(const double* row, int64_t width, int32_t* to) {
    for (int64_t i = 0; i < width; i += 2) {
      const int32_t both = (int32_t(row[i]) & 0xffff) | int32_t(uint32_t(int32_t(row[i + 1])) << 16);
      to[0] = static_cast<int32_t>(i / 2);
      to[1] = both;
      to += both ? 2 : 0;
    }
    return to;
  }
  static Sums add(Sums sum, const double*, const int32_t* event, const char* weights) {
    Halves weight;
    memcpy(&weight, weights, sizeof weight);
    return sum + multiply_pairs(weight, (Halves)(Counts{} + event[1]));
  }
  static void write(double* to, Sums sums) {
    for (int64_t i = 0; i < LANE; ++i) to[i] = sums[i];
  }
  static constexpr int EVENT = 2;  // numbers an event
};

// Spikes, by weights of 32 bits.
struct SpikeRow {
  typedef Counts Sums;
  static constexpr int64_t LANE = 2 * LANES, BYTES = 4;

  static int32_t* list(const double* row, int64_t width, int32_t* to) { return list_spikes(row, width, to); }
  static Sums add(Sums sum, const double*, const int32_t*, const char* weights) {
    Sums weight;
    memcpy(&weight, weights, sizeof weight);
    return sum + weight;
  }
  static void write(double* to, Sums sums) { PairedRow::write(to, sums); }
  static constexpr int EVENT = 1;
};

// Others one by one, in doubles.
struct WideRow {
  typedef Doubles Sums;
  static constexpr int64_t LANE = LANES, BYTES = 8;

  static int32_t* list(const double* row, int64_t width, int32_t* to) { return list_spikes(row, width, to); }
  static Sums add(Sums sum, const double* x, const int32_t* event, const char* weights) {
    return fma(splat(x[*event]), load(reinterpret_cast<const double*>(weights)), sum);
  }
  static void write(double* to, Sums sums) { store(to, sums); }
  static constexpr int EVENT = 1;
};

template <class Row, int VECTORS>
inline void weigh_row(const char* weights, const double* x, const int32_t* event, const int32_t* end, double* y) {
  constexpr int64_t SIZE = Row::LANE * Row::BYTES;  // bytes
  typename Row::Sums sums[VECTORS] = {};
  for (; event < end; event += Row::EVENT) {
    const char* column = weights + *event * (VECTORS * SIZE);
    for (int v = 0; v < VECTORS; ++v) sums[v] = Row::add(sums[v], x, event, column + v * SIZE);
  }
  for (int v = 0; v < VECTORS; ++v) Row::write(y + v * Row::LANE, sums[v]);
}

// Graded messages, of which those of 0 are not sent: y = weight x. Weights lie in tiles of VECTORS,
// in which an input's, or a pair's, come after those of the one before; the rest in tiles of one
// vector. size: inputs, or pairs.
template <class Row>
inline void add_graded(const Operation& op, const SweepTask& task, const void* all, const double* x, double* y,
                       int64_t rows) {
  constexpr int VECTORS = 8;
  const int64_t pitch = list_rows(op, task, x, rows, Row::list);
  for (int64_t o = 0; o < op.y_pitch;) {
    const bool whole = op.y_pitch - o >= VECTORS * Row::LANE;
    const char* weights = static_cast<const char*>(all) + o * op.size * Row::BYTES;
    for (int64_t r = 0; r < rows; ++r) {
      const int32_t *event = task.scratch.events + r * pitch, *end = event + event[0];
      const double* from = x + r * op.x_pitch;
      double* to = y + r * op.y_pitch + o;
      whole ? weigh_row<Row, VECTORS>(weights, from, event + 1, end, to)
            : weigh_row<Row, 1>(weights, from, event + 1, end, to);
    }
    o += whole ? VECTORS * Row::LANE : Row::LANE;
  }
}

}  // namespace SNN_TARGET
