// All that depends on a CPU's instructions. It is compiled once for each set of them, named
// SNN_TARGET, with vectors of SNN_VECTOR_BYTES: 0 where there are none, and 64-bit integers do it.
#include "fire.h"
#include "run.h"

namespace SNN_TARGET {

extern const Target target;
#define SNN_TEXT(name) #name
#define SNN_QUOTED(name) SNN_TEXT(name)
#if SNN_VECTOR_BYTES
#define SNN_NAME(number, name) name,
static const char* const compiled[] = {SNN_STEPS(SNN_NAME) nullptr};
const Target target = {SNN_QUOTED(SNN_TARGET), LANES, run_dendrite, run, fire, compiled};
#else
static const char* const compiled[] = {nullptr};
const Target target = {SNN_QUOTED(SNN_TARGET), 0, nullptr, run, fire, compiled};
#endif

}  // namespace SNN_TARGET
