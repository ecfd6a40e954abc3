// What is done to signals besides computing: taken in, counted, kept, remembered, pooled.
#pragma once

#include "signals.h"

namespace SNN_TARGET {

template <class Number> inline void copy(Number* to, const Number* from, int64_t count) {
  memcpy(to, from, count * sizeof(Number));
}

// A row of port `first`.
inline int64_t* port_row(const Port& port, int64_t s, int64_t step) {
  return reinterpret_cast<int64_t*>(port.at + s * port.sample + step * port.step);
}

// Rows of what comes in, from a step of the chunk on, filled up.
template <class Number>
inline void take_in(const Operation& op, const SweepTask& task, int64_t s, int64_t step, Number* __restrict y, int64_t rows) {
  const Port port = task.ports[op.first];
  for (int64_t r = 0; r < rows; ++r, y += op.y_pitch) {
    const int64_t* from = port_row(port, s, step + r);
    for (int64_t c = 0; c < port.width; ++c) y[c] = Number(from[c]);
    for (int64_t c = port.width; c < op.y_pitch; ++c) y[c] = Number(0);
  }
}

// Write rows to where somebody wants them.
template <class Number>
inline void give(const Operation& op, const SweepTask& task, int64_t s, int64_t step, const Number* x, int64_t rows) {
  const Port port = task.ports[op.first];
  for (int64_t r = 0; port.width && r < rows; ++r, x += op.x_pitch) {
    int64_t* __restrict to = port_row(port, s, step + r);
    for (int64_t c = 0; c < port.width; ++c) to[c] = int64_t(x[c]);
  }
}

// Add to the counts (pitch,) what is not 0.
template <class Number>
inline void count_messages(Number* __restrict counts, const Number* x, int64_t pitch, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < pitch; ++c) counts[c] += x[r * pitch + c] != Number(0) ? Number(1) : Number(0);
}

// How many rows from a step on a pool takes in. first: of the sequence's first step alone, or the
// row of `last` that says of which is the last.
constexpr int64_t FIRST_ALONE = 2;
inline int64_t pooled_rows(const Operation& op, const SweepTask& task, int64_t s, int64_t step, int64_t rows) {
  const int64_t last = op.first == FIRST_ALONE ? 0 : task.last[op.first * task.samples + s];
  return last < 0 || last + 1 - step > rows ? rows : last + 1 - step;
}

// Add rows to the sums (pitch,), or let the last of them replace these.
template <class Number>
inline void pool(const Operation& op, Number* __restrict sums, const Number* x, int64_t rows) {
  for (int64_t r = op.flag && rows > 0 ? rows - 1 : 0; r < rows; ++r)
    for (int64_t c = 0; c < op.x_pitch; ++c) sums[c] = (op.flag ? Number(0) : sums[c]) + x[r * op.x_pitch + c];
}

// A whole sequence's rows from `step` on, in which signal `first` of those that are kept is.
template <class Kept> inline Kept* kept_rows(const Operation& op, const SweepTask& task, int64_t s, int64_t step) {
  const int64_t pitch = op.x_pitch;
  return static_cast<Kept*>(task.kept) + (op.first * task.samples + s * pitch) * task.length + step * pitch;
}

// Copy rows out of a kept sequence, `size` before them; before its first there are zeros.
template <class Number, class Kept>
inline void recall(const Operation& op, const SweepTask& task, int64_t s, int64_t step, Number* __restrict y, int64_t rows) {
  const Kept* from = kept_rows<Kept>(op, task, s, step - op.size);
  const int64_t missing = op.size > step ? op.size - step : 0;
  const int64_t silent = (missing < rows ? missing : rows) * op.y_pitch;
  for (int64_t i = 0; i < silent; ++i) y[i] = 0;
  for (int64_t i = silent; i < rows * op.y_pitch; ++i) y[i] = Number(from[i]);
}

template <class Number, class Kept>
inline void keep(const Operation& op, const SweepTask& task, int64_t s, int64_t step, const Number* x, int64_t rows) {
  Kept* to = kept_rows<Kept>(op, task, s, step);
  for (int64_t i = 0; i < rows * op.x_pitch; ++i) to[i] = Kept(x[i]);
}

// Write rows of x as they were `size` before; the past holds the last `first`.
template <class Number>
inline void read_past(const Operation& op, const Number* past, const Number* x, Number* y, int64_t rows) {
  const int64_t pitch = op.x_pitch, old = op.size < rows ? op.size : rows;
  copy(y, past + (op.first - op.size) * pitch, old * pitch);
  copy(y + old * pitch, x, (rows - old) * pitch);
}

// Go on to the last `first` rows, the oldest first.
template <class Number>
inline void keep_past(const Operation& op, Number* past, const Number* x, int64_t rows) {
  const int64_t pitch = op.x_pitch, old = op.first > rows ? op.first - rows : 0;
  memmove(past, past + (op.first - old) * pitch, old * pitch * sizeof(Number));
  copy(past + old * pitch, x + (rows + old - op.first) * pitch, (op.first - old) * pitch);
}

}  // namespace SNN_TARGET
