// Any neuron's program, interpreted: 64-bit integers, as the reference engine computes them.
//
// A program is a list of instructions over one array, where each value of the program has a place of
// its own: as many numbers as there are neurons, or modes, or one for the layer. An instruction works
// on all of them before the next one, so that what it costs to look at it is paid once a row.
#pragma once

#include "signals.h"

namespace SNN_TARGET {

// What an instruction does: mostly an operation of snn_deploy/ir/program.py. In the same order as
// CODES of program_code.py.
enum Code : int64_t {
  LOAD, STORE, MOVE, EXPAND, ADD, SUBTRACT, NEGATE, MULTIPLY, SHIFT_LEFT, ROUND_SHIFT, SIGNED_SHIFT,
  MULTIPLY_SHIFT, DECAY, SATURATE, CLIP, MINIMUM, GREATER, EQUAL, SELECT, SEND_WHEN, AND, OR, XOR,
  LOOKUP, BIT_LENGTH, SUM, LARGEST, ANY, WEIGHTED_SUM,
  CONVOLUTION,
};

struct Instruction {
  int64_t code, n, y;     // it makes n numbers from y on
  int64_t a, b, c;        // places that it reads
  int64_t first, second;  // numbers of its own
};

inline int64_t rounded(int64_t x, int64_t by) { return (x + ((int64_t{1} << by) >> 1)) >> by; }
inline int64_t held(int64_t x, int64_t low, int64_t high) {
  return x < low ? low : x > high ? high : x;
}
inline int64_t bit_length(int64_t x) {
  return x == 0 ? 0 : 64 - __builtin_clzll(x < 0 ? -uint64_t(x) : uint64_t(x));
}

template <class F> inline void each(int64_t n, int64_t* __restrict y, F value) {
  for (int64_t j = 0; j < n; ++j) y[j] = value(j);
}

// y of `n` becomes the sum of the rows of a matrix, `length` rows of n, each times its x.
inline void weigh(const int64_t* weight, const int64_t* x, int64_t length, int64_t n, int64_t* __restrict y) {
  each(n, y, [](int64_t) { return 0; });
  for (int64_t i = 0; i < length; ++i)
    if (x[i])
      for (int64_t j = 0; j < n; ++j) y[j] += weight[i * n + j] * x[i];
}

// What a tap reads at a place: see Windows.reads of snn_deploy/ir/windows.py. Beyond a group's inputs
// there are zeros.
struct Windows {
  int64_t groups, filters, places, inputs;  // filters and inputs a group

  const int64_t* reads() const { return reinterpret_cast<const int64_t*>(this + 1); }
};

inline void convolve(const int64_t* kernel, const int64_t* x, const Windows& windows, int64_t taps, int64_t* __restrict y) {
  for (int64_t group = 0; group < windows.groups; ++group, x += windows.inputs)
    for (int64_t filter = 0; filter < windows.filters; ++filter, kernel += taps)
      for (int64_t place = 0; place < windows.places; ++place) {
        const int64_t* at = windows.reads() + place * taps;
        int64_t total = 0;
        for (int64_t k = 0; k < taps; ++k)
          if (at[k] < windows.inputs) total += kernel[k] * x[at[k]];
        *y++ = total;
      }
}

template <class Number>
inline int64_t run_row(const Instruction* code, int64_t length, int64_t* values, Signals<Number> signals,
                       int64_t r, Number* output, int64_t pitch) {
  int64_t clipped = 0;
  for (const Instruction* i = code; i < code + length; ++i) {
    const int64_t n = i->n, first = i->first, second = i->second;
    const int64_t *a = values + i->a, *b = values + i->b, *c = values + i->c;
    int64_t* y = values + i->y;
    switch (i->code) {
      case LOAD: {
        const Number* x = signals.rows(i->a, i->b) + r * i->b + first;
        each(n, y, [=](int64_t j) { return int64_t(x[j]); });
        break;
      }
      case STORE: {
        Number* __restrict to = output + r * pitch;
        for (int64_t j = 0; j < n; ++j) to[j] = Number(a[j]);
        for (int64_t j = n; j < pitch; ++j) to[j] = Number(0);
        break;
      }
      case MOVE: each(n, y, [=](int64_t j) { return a[j]; }); break;
      case EXPAND:  // each one `first` times
        for (int64_t j = 0; j < n / first; ++j) each(first, y + j * first, [=](int64_t) { return a[j]; });
        break;
      case ADD: each(n, y, [=](int64_t j) { return a[j] + b[j]; }); break;
      case SUBTRACT: each(n, y, [=](int64_t j) { return a[j] - b[j]; }); break;
      case NEGATE: each(n, y, [=](int64_t j) { return -a[j]; }); break;
      case MULTIPLY: each(n, y, [=](int64_t j) { return a[j] * b[j]; }); break;
      case SHIFT_LEFT: each(n, y, [=](int64_t j) { return a[j] << b[j]; }); break;
      case ROUND_SHIFT: each(n, y, [=](int64_t j) { return rounded(a[j], b[j]); }); break;
      case SIGNED_SHIFT:
        each(n, y, [=](int64_t j) {
          const int64_t left = b[j] > 0 ? b[j] : 0, right = b[j] < 0 ? -b[j] : 0;
          return rounded(a[j] << left, right);
        });
        break;
      case MULTIPLY_SHIFT: each(n, y, [=](int64_t j) { return rounded(a[j] * b[j], c[j]); }); break;
      case DECAY:
        each(n, y, [=](int64_t j) {
          const int64_t left = ((a[j] < 0 ? -a[j] : a[j]) * b[j]) >> c[j];
          return a[j] < 0 ? -left : left;
        });
        break;
      case SATURATE:  // counted where b is not 0
        each(n, y, [=](int64_t j) { return held(a[j], first, second); });
        for (int64_t j = 0; j < n; ++j) clipped += (y[j] != a[j]) & (b[j] != 0);
        break;
      case CLIP: each(n, y, [=](int64_t j) { return held(a[j], first, second); }); break;
      case MINIMUM: each(n, y, [=](int64_t j) { return a[j] < b[j] ? a[j] : b[j]; }); break;
      case GREATER: each(n, y, [=](int64_t j) { return int64_t(a[j] > b[j]); }); break;
      case EQUAL: each(n, y, [=](int64_t j) { return int64_t(a[j] == b[j]); }); break;
      case SELECT: each(n, y, [=](int64_t j) { return a[j] ? b[j] : c[j]; }); break;
      case SEND_WHEN: each(n, y, [=](int64_t j) { return a[j] ? b[j] : 0; }); break;
      case AND: each(n, y, [=](int64_t j) { return a[j] & b[j]; }); break;
      case OR: each(n, y, [=](int64_t j) { return a[j] | b[j]; }); break;
      case XOR: each(n, y, [=](int64_t j) { return a[j] ^ b[j]; }); break;
      case LOOKUP:  // clipped, since a state from a file could lead anywhere
        each(n, y, [=](int64_t j) { return a[held(b[j], 0, first - 1)]; });
        break;
      case BIT_LENGTH: each(n, y, [=](int64_t j) { return bit_length(a[j]); }); break;
      case SUM:  // of `first` at a time, as all of the rest
        each(n, y, [=](int64_t j) {
          int64_t total = 0;
          for (int64_t k = 0; k < first; ++k) total += a[j * first + k];
          return total;
        });
        break;
      case LARGEST:
        each(n, y, [=](int64_t j) {
          int64_t most = a[j * first];
          for (int64_t k = 1; k < first; ++k) most = most > a[j * first + k] ? most : a[j * first + k];
          return most;
        });
        break;
      case ANY:
        each(n, y, [=](int64_t j) {
          int64_t some = 0;
          for (int64_t k = 0; k < first; ++k) some |= a[j * first + k];
          return int64_t(some != 0);
        });
        break;
      case WEIGHTED_SUM: weigh(a, b, first, n, y); break;
      case CONVOLUTION: convolve(a, b, *reinterpret_cast<const Windows*>(c), first, y); break;
    }
  }
  return clipped;
}

// Run a program over some rows, or backwards; give how many values were clipped.
//
// size: instructions, which start at `first` of the tables; second, third: where in the values the
// words of state are, and how many; flag: whether time runs backwards.
template <class Number>
inline int64_t run_program(const Operation& op, const SweepTask& task, int64_t* state,
                           Signals<Number> signals, int64_t rows) {
  const Instruction* code = reinterpret_cast<const Instruction*>(task.tables + op.first);
  int64_t* words = task.scratch.values + op.second;
  Number* y = signals.rows(op.y, op.y_pitch);
  int64_t clipped = 0;
  memcpy(words, state, op.third * sizeof *words);
  for (int64_t step = 0; step < rows; ++step) {
    const int64_t r = op.flag ? rows - 1 - step : step;
    clipped += run_row(code, op.size, task.scratch.values, signals, r, y, op.y_pitch);
  }
  memcpy(state, words, op.third * sizeof *words);
  return clipped;
}

}  // namespace SNN_TARGET
