// The exact neuron of training, in real numbers: v = decay v + x; where v >= 1 it spikes, and v = 0.
#pragma once

#include "target.h"

namespace SNN_TARGET {

template <class Number> inline void fire_all(const FireTask& task) {
  constexpr int64_t TILE = 64;  // neurons, whose membranes stay in registers or the first cache
  const Number decay = static_cast<Number>(task.decay);
  const Number* drive = static_cast<const Number*>(task.drive);
  Number* spikes = static_cast<Number*>(task.spikes);
  for (int64_t s = 0; s < task.samples; ++s)
    for (int64_t first = 0; first < task.width; first += TILE) {
      const int64_t left = task.width - first, count = left < TILE ? left : TILE;
      Number v[TILE] = {};
      for (int64_t t = 0; t < task.steps; ++t) {
        const int64_t at = (s * task.steps + t) * task.width + first;
        for (int64_t i = 0; i < count; ++i) {
          v[i] = decay * v[i] + drive[at + i];
          const bool spike = v[i] >= Number(1);
          spikes[at + i] = spike ? Number(1) : Number(0);
          v[i] = spike ? Number(0) : v[i];
        }
      }
    }
}

// Of floats, or else of doubles.
inline void fire(const FireTask* task, int64_t in_floats) {
  in_floats ? fire_all<float>(*task) : fire_all<double>(*task);
}

}  // namespace SNN_TARGET
