// What the library offers, and what its callers pass: plain C, mirrored in engines/native/abi.py.
#pragma once

#include <stdint.h>

struct DendriteTask {  // see dendrite.h
  const void* numbers;   // from here on floats or doubles: `extent` vectors a group
  const int64_t* table;  // a row a group
  void* state;           // of each group and sample, u and v of each mode; then what was carried
  void* work;            // scratch
  const double* x;       // (samples, steps, width)
  double* y;
  int64_t extent, sums, count;  // vectors a group; most sums of a group; modes, filled up
  int64_t samples, steps, width, backwards;  // channels, filled up to whole groups
  int64_t once;                     // whether the sum of two products is rounded, and not each: in doubles
  double scale, limit, state_limit;  // 2^-drive_shift; what drives and states saturate at
};

enum Kind : int64_t {
  PROGRAM,  // of a neuron, in 64-bit integers: see program.h
  INTEGER_DENDRITE,  // see integer_dendrite.h
  TAKE_IN, GIVE, COUNT, KEEP, RECALL, READ_PAST, KEEP_PAST, POOL,  // see steps.h
  DENDRITE, FLOAT_DENDRITE,
  ADD_SPIKES, ADD_GRADED, ADD_PAIRS, ADD_WIDE_SPIKES, RELAY, GATE, NORMALIZE,  // see the header so named
  COMPILED,  // a program, see compiled.h
};

// What is done for a node. Its signals x and y are places, see Signals; `state` is where what it
// carries begins, in numbers a sample; `first` to `fourth` where its parameters do. All else is a
// kind's own, as its kernel says.
struct Operation {
  int64_t kind, x, x_pitch, y, y_pitch, state, first, second, third, fourth, size, half;
  int64_t flag;    // yes or no, of a kind's own
  int64_t once;    // whether a dendrite rounds the sum of two products, and not each
  int64_t narrow;  // whether the synapses' sums, which it writes or reads, are int32
  int64_t stretch;  // those of a stretch, one after another, take turns
  int64_t turn;     // of so many steps: 1 in a loop, 0: of a tile
  double scale, limit, inner_limit;
};

// A signal outside, which comes in or is given: int64, `sample` and `step` bytes from one to the next.
struct Port {
  char* at;
  int64_t sample, step, width;  // a width of 0: nobody wants it
};

// What a core works in.
struct Scratch {
  void* work;       // of dendrites
  int64_t* values;  // of programs, with their constants in it
  int32_t* events;  // the lists of a tile's spikes
  void* signals;    // numbers: a block's signals, of `capacity` rows each, and from `passing` on a
                    // tile's, of `tile` rows each
  int64_t capacity, passing, tile;
};

// A sweep over a chunk of `steps` steps, which starts at `start`. A number is a double or, if
// `integers`, an int64.
struct SweepTask {
  const Operation* operations;
  int64_t count;
  const double* params;
  const float* floats;
  const int8_t* weights;
  const int64_t* tables;
  void* state;           // numbers that live on
  void* kept;            // sequences of `length` steps: int32, or int64 if `integers`
  const Port* ports;     // what comes in, and what is given
  const int64_t* last;   // (2, samples): the last step of which a pool takes in, or negative: of all
  int64_t* clipped;      // an operation: incremented by how many values it clipped
  int64_t* turns;        // of threads that share it, see run.h; or null
  int64_t samples, backwards, length, integers;
  int64_t start, steps;
  int64_t block;    // steps that are done at a time, by all operations, before the next ones
  Scratch scratch;  // of the core that does it
};

struct FireTask {  // see fire.h
  const void* drive;  // (samples, steps, width)
  void* spikes;
  int64_t samples, steps, width;
  double decay;
};

// The same functions for each set of a CPU's instructions; without vectors, `lanes` is 0 and there
// are only `integers`.
struct Target {
  const char* name;
  int64_t lanes;  // doubles in a vector
  int64_t (*run_dendrite)(const DendriteTask*, int64_t in_floats);
  // `count` sweeps, from number `first` on; threads that are given the same ones share them.
  void (*run)(const SweepTask* const*, int64_t count, int64_t first, const Scratch*);
  void (*fire)(const FireTask*, int64_t in_floats);
  const char* const* compiled;  // names of the steps that were compiled, and NULL
};
