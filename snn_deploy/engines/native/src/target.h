// What the library offers, and what its callers pass: plain C, mirrored in engines/native/abi.py.
#pragma once

#include <stdint.h>

struct DendriteTask {  // see dendrite.h
  const double* heads;
  const void* modes;
  const int64_t* table;
  int64_t extent;
  void* state;
  void* work;
  const double* x;
  double* y;
  int64_t samples, steps, width, count, backwards;
  double scale, limit, state_limit;
};

// The same functions for each set of a CPU's instructions; NULL where it has no vectors.
struct Target {
  const char* name;
  int64_t lanes;  // doubles in a vector
  int64_t (*run_dendrite)(const DendriteTask*, int64_t in_floats);
};
