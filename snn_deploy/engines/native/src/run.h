// A sweep over a chunk: a block of steps after another, all operations of each.
#pragma once

#include "integer_dendrite.h"
#include "steps.h"

#if SNN_VECTOR_BYTES
#include "dendrite.h"
#include "neurons.h"
#include "normalize.h"
#include "synapses.h"
#endif

namespace SNN_TARGET {

// Some steps of a sample, or of all from sample `s` on, where those of a block need not be taken
// apart.
struct Part {
  int64_t s, t, steps;  // the first step counts from the block's
  int64_t row;          // of the block's signals
};

template <class Number, class Kept> struct Sweep {
  const SweepTask& task;
  int64_t first;  // step of the block, from the chunk's

  static bool is_dendrite(const Operation& op) { return op.kind == DENDRITE || op.kind == FLOAT_DENDRITE; }

  // Run all operations over a block.
  void run_block(int64_t steps) const {
    for (int64_t i = 0; i < task.count;) {
      // those that need no whole block go on in tiles, which stay in the cache
      const bool alone = is_dendrite(task.operations[i]);
      const int64_t loop = task.operations[i].loop;
      int64_t stop = i + 1;
      while (!alone && stop < task.count && !is_dendrite(task.operations[stop]) && task.operations[stop].loop == loop) ++stop;
      if (alone)
        run(i, stop, {0, 0, steps, 0});
      else
        run_tiles(i, stop, steps, loop ? 1 : task.tile);
      i = stop;
    }
  }

  void run_tiles(int64_t i, int64_t stop, int64_t steps, int64_t size) const {
    for (int64_t s = 0; s < task.samples; ++s)
      for (int64_t u = 0; u < steps; u += size) {
        const int64_t t = task.backwards ? (steps - 1) / size * size - u : u;
        run(i, stop, {s, t, size < steps - t ? size : steps - t, s * steps + t});
      }
  }

  void run(int64_t i, int64_t stop, Part part) const {
    const Signals<Number> signals(task, part.row);
    for (; i < stop; ++i) {
      const Operation& op = task.operations[i];
      task.clipped[i] += run(op, part, signals, signals.rows(op.x, op.x_pitch), signals.rows(op.y, op.y_pitch));
    }
  }

  // Of a sample, `size` numbers.
  Number* state_of(const Operation& op, int64_t s, int64_t size) const {
    return static_cast<Number*>(task.state) + op.state * task.samples + s * size;
  }

  int64_t run(const Operation& op, Part part, const Signals<Number>& signals, Number* x, Number* y) const {
    const int64_t rows = part.steps, step = task.start + first + part.t;
    switch (op.kind) {
      case PROGRAM:
        return run_program(op, task, reinterpret_cast<int64_t*>(state_of(op, part.s, op.half)), signals, rows);
      case INTEGER_DENDRITE: {
        int64_t* state = reinterpret_cast<int64_t*>(state_of(op, part.s, op.half));
        return IntegerDendrite<Number>(op, task, state).run(x, y, rows);
      }
      case TAKE_IN: take_in(op, task, part.s * task.whole + first + part.t, y, rows); return 0;
      case COUNT: count_messages(state_of(op, part.s, op.x_pitch), x, op.x_pitch, rows); return 0;
      case KEEP: keep<Number, Kept>(op, task, part.s, step, x, rows); return 0;
      case RECALL: recall<Number, Kept>(op, task, part.s, step, y, rows); return 0;
      case READ_PAST: read_past(op, state_of(op, part.s, op.half), x, y, rows); return 0;
      case KEEP_PAST: keep_past(op, state_of(op, part.s, op.half), x, rows); return 0;
      case POOL: {
        const int64_t left = task.ends[op.first * task.samples + part.s] - step;
        pool(op, state_of(op, part.s, op.x_pitch), x, left < rows ? left : rows);
        return 0;
      }
    }
    return compute(op, part, signals, x, y);
  }

  int64_t compute(const Operation&, Part, const Signals<int64_t>&, int64_t*, int64_t*) const { return 0; }
#if SNN_VECTOR_BYTES
  int64_t compute(const Operation& op, Part part, const Signals<double>& signals, double* x, double* y) const {
    const int64_t rows = part.steps;
    double* state = state_of(op, part.s, op.x_pitch);
    switch (op.kind) {
      case DENDRITE: return run_dendrite_of(op, rows, task.params + op.first, x, y);
      case FLOAT_DENDRITE: return run_dendrite_of(op, rows, task.floats + op.first, x, y);
      case ADD_SPIKES:
        op.narrow ? add_spikes<int32_t>(op, task, x, y, rows) : add_spikes<double>(op, task, x, y, rows);
        return 0;
      case ADD_GRADED: add_graded(op, task, x, y, rows); return 0;
      case RELAY: return relay(op, task, signals, y, rows);
      case SOMA: return drive_soma(op, state, x, y, rows);
      case GATE:
        if (op.narrow) return op.flag ? gate<true, true>(op, task, x, y, rows) : gate<true, false>(op, task, x, y, rows);
        return op.flag ? gate<false, true>(op, task, x, y, rows) : gate<false, false>(op, task, x, y, rows);
      case NORMALIZE: return normalize(op, task, x, y, rows);
      case RUNNING_SUM: return running_sum(op, state, x, y, rows);
    }
    return 0;
  }

  // Of all samples. size: modes, filled up; second: its table; third: vectors a group; fourth: most
  // sums of a group; flag: whether time runs backwards; inner_limit: what its states saturate at.
  int64_t run_dendrite_of(const Operation& op, int64_t rows, const void* numbers, const double* x, double* y) const {
    const DendriteTask dendrite = {
        numbers, task.tables + op.second, state_of(op, 0, 0), task.work, x, y, op.third, op.fourth,
        op.size, task.samples, rows, op.y_pitch, op.flag, op.scale, op.limit, op.inner_limit};
    return run_dendrite(&dendrite, op.kind == FLOAT_DENDRITE);
  }
#endif
};

template <class Number, class Kept> inline void run_sweep(const SweepTask& task) {
  const int64_t steps = task.end - task.begin, blocks = (steps + task.block - 1) / task.block;
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t first = task.begin + (task.backwards ? blocks - 1 - b : b) * task.block;
    const int64_t left = task.end - first;
    Sweep<Number, Kept>{task, first}.run_block(left < task.block ? left : task.block);
  }
}

inline void run(const SweepTask* task) {
#if SNN_VECTOR_BYTES
  if (!task->integers) return run_sweep<double, int32_t>(*task);
#endif
  run_sweep<int64_t, int64_t>(*task);
}

}  // namespace SNN_TARGET
