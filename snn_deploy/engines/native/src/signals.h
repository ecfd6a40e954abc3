// Where signals are: rows, a step of a sample each, of `pitch` numbers.
#pragma once

#include <stdint.h>
#include <string.h>

#include "target.h"

namespace SNN_TARGET {

// A block's signals, whose places count from the start of all, have room for `capacity` rows each;
// those of a tile, whose places are ~place, begin at `passing` and have room for `tile` rows each.
template <class Number> struct Signals {
  Number *all, *passing;
  int64_t capacity, tile, row;

  Signals(const SweepTask& task, int64_t row)
      : all(static_cast<Number*>(task.scratch.signals)), passing(all + task.scratch.passing),
        capacity(task.scratch.capacity), tile(task.scratch.tile), row(row) {}

  // A signal from `row` of a block's on, or all of a tile's.
  Number* rows(int64_t place, int64_t pitch) const {
    return place >= 0 ? all + place * capacity + row * pitch : passing + ~place * tile;
  }
};

}  // namespace SNN_TARGET
