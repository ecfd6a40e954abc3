// Runs sweeps on the library named by its argument, for a machine other than this one's Python.
//
// In: of each, how many ports it has, its task and its ports, the bytes of its arrays and then of each
// port's, and the arrays: first those that it only reads, or that no later sweep reads. Out: the others.
// To stderr: the instructions that it used.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "target.h"

constexpr int KEPT = 10, ARRAYS = 13, MOST_PORTS = 256;

static void take(void* to, size_t size) {
  if (fread(to, 1, size, stdin) != size) exit(2);
}

int main(int count, char** arguments) {
  void* library = count > 1 ? dlopen(arguments[1], RTLD_NOW) : nullptr;
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
  const Target* target = reinterpret_cast<const Target* (*)(int32_t)>(dlsym(library, "snn_target"))(0);
  fprintf(stderr, "%s\n", target->name);
  for (int64_t number; fread(&number, sizeof number, 1, stdin) == 1;) {
    if (number > MOST_PORTS) return 2;
    SweepTask task;
    Port ports[MOST_PORTS];
    int64_t sizes[ARRAYS + MOST_PORTS];
    char* arrays[ARRAYS + MOST_PORTS];
    take(&task, sizeof task);
    take(ports, number * sizeof *ports);
    take(sizes, (ARRAYS + number) * sizeof *sizes);
    for (int64_t i = 0; i < ARRAYS + number; ++i) take(arrays[i] = static_cast<char*>(malloc(sizes[i])), sizes[i]);
    for (int64_t i = 0; i < number; ++i) ports[i].at = arrays[ARRAYS + i];
    const auto place = [&](auto& pointer, int i) { pointer = reinterpret_cast<decltype(+pointer)>(arrays[i]); };
    place(task.operations, 0), place(task.params, 1), place(task.floats, 2), place(task.weights, 3), place(task.tables, 4);
    place(task.last, 5), place(task.state, 10), place(task.kept, 11), place(task.clipped, 12);
    place(task.scratch.work, 6), place(task.scratch.values, 7), place(task.scratch.events, 8), place(task.scratch.signals, 9);
    task.ports = ports, task.turns = nullptr;
    const SweepTask* tasks = &task;
    target->run(&tasks, 1, 0, &task.scratch);
    for (int64_t i = KEPT; i < ARRAYS + number; ++i) fwrite(arrays[i], 1, sizes[i], stdout);
    fflush(stdout);
    for (int64_t i = 0; i < ARRAYS + number; ++i) free(arrays[i]);
  }
}
