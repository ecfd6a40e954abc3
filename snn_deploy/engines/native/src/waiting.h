// How a thread waits for another one.
#pragma once

#include <stdint.h>

#if defined(_WIN32)
extern "C" __declspec(dllimport) int __stdcall SwitchToThread(void);
#else
#include <sched.h>
#endif

namespace SNN_TARGET {

// For a moment, and then for as long as others have something to do on this core.
inline void pause(int64_t tries) {
  constexpr int64_t MOMENTS = 1000;
  if (tries < MOMENTS) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
    return;
  }
#if defined(_WIN32)
  SwitchToThread();
#else
  sched_yield();
#endif
}

}  // namespace SNN_TARGET
