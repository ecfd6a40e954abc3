// The library's one function: which targets there are, and what this machine's CPU can run.
#include "target.h"

// SNN_TARGETS(each): the targets that were compiled, the best one first
#define SNN_DECLARE(name) namespace name { extern const Target target; }
SNN_TARGETS(SNN_DECLARE)

#ifdef _WIN32
#define SNN_EXPORT extern "C" __declspec(dllexport)
#else
#define SNN_EXPORT extern "C" __attribute__((visibility("default")))
#endif

#if defined(__x86_64__)
static bool supports(const Target* target) {
  __builtin_cpu_init();
  if (target == &portable::target) return true;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return false;
  return target == &avx2::target ||
         (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"));
}
#else
static bool supports(const Target*) { return true; }
#endif

// The target number i, from the best on; those that the CPU cannot run
// do not count; NULL where there are no more.
SNN_EXPORT const Target* snn_target(int32_t i) {
#define SNN_LIST(name) &name::target,
  static const Target* const targets[] = {SNN_TARGETS(SNN_LIST) nullptr};
  const int32_t count = sizeof targets / sizeof *targets - 1;
  for (int32_t k = 0; k < count; ++k)
    if (supports(targets[k]) && i-- == 0) return targets[k];
  return nullptr;
}
