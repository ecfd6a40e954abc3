// A sweep over a chunk: a block of steps after another, all operations of each.
#pragma once

#include "integer_dendrite.h"
#include "steps.h"
#include "waiting.h"

#if SNN_VECTOR_BYTES
#include "compiled.h"
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

// How threads share a sweep: each takes the next block, and follows the one before it from part to
// part of the operations, so that all that is carried changes in order. A part is a stretch of
// operations, or some channels of a dendrite. `shared` are the next block and, a part, how many
// blocks are through with it; of one thread alone it is null.
struct Turns {
  int64_t* shared;
  int64_t own = 0;  // the next block, of one thread alone

  int64_t next_block() { return shared ? __atomic_fetch_add(shared, 1, __ATOMIC_RELAXED) : own++; }
  void await(int64_t part, int64_t block) const {
    if (!shared) return;
    for (int64_t tries = 0; __atomic_load_n(shared + 1 + part, __ATOMIC_ACQUIRE) < block; ++tries) pause(tries);
  }
  void pass(int64_t part, int64_t block) const {
    if (shared) __atomic_store_n(shared + 1 + part, block + 1, __ATOMIC_RELEASE);
  }
};
constexpr int64_t PARTS = 4;  // of a dendrite

template <class Number, class Kept> struct Sweep {
  const SweepTask& task;
  const Turns& turns;
  int64_t block, first;  // its step, from the chunk's

  static bool is_dendrite(const Operation& op) { return op.kind == DENDRITE || op.kind == FLOAT_DENDRITE; }

  // Run all operations over a block.
  void run_block(int64_t steps) const {
    for (int64_t i = 0, stop; i < task.count; i = stop) {
      const Operation& op = task.operations[i];
      for (stop = i + 1; stop < task.count && task.operations[stop].stretch == op.stretch;) ++stop;
      if (is_dendrite(op)) {
        run_dendrite_of(i, steps, Signals<Number>(task, 0));
        continue;
      }
      turns.await(i * PARTS, block);
      run_tiles(i, stop, steps, op.turn ? op.turn : task.scratch.tile);
      turns.pass(i * PARTS, block);
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
      count_clipped(i, run(op, part, signals, signals.rows(op.x, op.x_pitch), signals.rows(op.y, op.y_pitch)));
    }
  }

  // Parts of a dendrite may clip at the same time.
  void count_clipped(int64_t i, int64_t clipped) const {
    if (clipped) __atomic_fetch_add(task.clipped + i, clipped, __ATOMIC_RELAXED);
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
      case TAKE_IN: take_in(op, task, part.s, first + part.t, y, rows); return 0;
      case GIVE: give(op, task, part.s, first + part.t, x, rows); return 0;
      case COUNT: count_messages(state_of(op, part.s, op.x_pitch), x, op.x_pitch, rows); return 0;
      case KEEP: keep<Number, Kept>(op, task, part.s, step, x, rows); return 0;
      case RECALL: recall<Number, Kept>(op, task, part.s, step, y, rows); return 0;
      case READ_PAST: read_past(op, state_of(op, part.s, op.half), x, y, rows); return 0;
      case KEEP_PAST: keep_past(op, state_of(op, part.s, op.half), x, rows); return 0;
      case POOL:
        pool(op, state_of(op, part.s, op.x_pitch), x, pooled_rows(op, task, part.s, step, rows));
        return 0;
    }
    return compute(op, part, signals, x, y);
  }

  int64_t compute(const Operation&, Part, const Signals<int64_t>&, int64_t*, int64_t*) const { return 0; }
  void run_dendrite_of(int64_t, int64_t, const Signals<int64_t>&) const {}
#if SNN_VECTOR_BYTES
  int64_t compute(const Operation& op, Part part, const Signals<double>& signals, double* x, double* y) const {
    const int64_t rows = part.steps;
    switch (op.kind) {
      case COMPILED: return run_compiled(op, task, state_of(op, part.s, op.half), signals, rows);
      case ADD_SPIKES:
        op.narrow ? add_spikes<int32_t>(op, task, x, y, rows) : add_spikes<double>(op, task, x, y, rows);
        return 0;
      case ADD_GRADED: add_graded<WideRow>(op, task, task.params + op.first, x, y, rows); return 0;
      case ADD_PAIRS: add_graded<PairedRow>(op, task, task.weights + op.first, x, y, rows); return 0;
      case ADD_WIDE_SPIKES: add_graded<SpikeRow>(op, task, task.weights + op.first, x, y, rows); return 0;
      case RELAY: return relay(op, task, signals, y, rows);
      case GATE:
        if (op.narrow) return op.flag ? gate<true, true>(op, task, x, y, rows) : gate<true, false>(op, task, x, y, rows);
        return op.flag ? gate<false, true>(op, task, x, y, rows) : gate<false, false>(op, task, x, y, rows);
      case NORMALIZE: return normalize(op, task, x, y, rows);
    }
    return 0;
  }

  // Of all samples. size: modes, filled up; first: its numbers; second: its table; third: vectors a
  // group; fourth: most sums of a group; flag: whether time runs backwards; inner_limit: what its
  // states saturate at.
  void run_dendrite_of(int64_t i, int64_t rows, const Signals<double>& signals) const {
    const Operation& op = task.operations[i];
    const bool floats = op.kind == FLOAT_DENDRITE;
    const void* numbers = floats ? static_cast<const void*>(task.floats + op.first) : task.params + op.first;
    const DendriteTask dendrite = {
        numbers, task.tables + op.second, state_of(op, 0, 0), task.scratch.work,
        signals.rows(op.x, op.x_pitch), signals.rows(op.y, op.y_pitch), op.third, op.fourth,
        op.size, task.samples, rows, op.y_pitch, op.flag, op.once, op.scale, op.limit, op.inner_limit};
    const int64_t parts = turns.shared ? PARTS : 1;
    for (int64_t part = 0; part < parts; ++part) {
      turns.await(i * PARTS + part, block);
      count_clipped(i, run_part(dendrite, floats, part, parts));
      turns.pass(i * PARTS + part, block);
    }
  }
#endif
};

template <class Number, class Kept> inline void run_sweep(const SweepTask& task) {
  const int64_t blocks = (task.steps + task.block - 1) / task.block;
  Turns turns{task.turns};
  for (int64_t block; (block = turns.next_block()) < blocks;) {
    const int64_t first = (task.backwards ? blocks - 1 - block : block) * task.block;
    const int64_t left = task.steps - first;
    Sweep<Number, Kept>{task, turns, block, first}.run_block(left < task.block ? left : task.block);
  }
}

inline void run(const SweepTask* const* tasks, int64_t count, int64_t first, const Scratch* scratch) {
  for (int64_t i = 0; i < count; ++i) {
    SweepTask task = *tasks[(first + i) % count];
    task.scratch = *scratch;
#if SNN_VECTOR_BYTES
    if (!task.integers) {
      run_sweep<double, int32_t>(task);
      continue;
    }
#endif
    run_sweep<int64_t, int64_t>(task);
  }
}

}  // namespace SNN_TARGET
