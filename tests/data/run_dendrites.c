/* Runs dendrites on the library named by its argument, for a machine other than this one's Python.

   In: of each, the bytes of its six arrays, whether it is in floats, its task without the pointers, and
   the arrays. Out: how many values were clipped, and y. To stderr: the instructions that it used. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct task { void* arrays[6]; int64_t numbers[8]; double reals[3]; };
struct target { const char* name; int64_t lanes; int64_t (*run_dendrite)(struct task*, int64_t); };

int main(int count, char** arguments) {
  void* library = count > 1 ? dlopen(arguments[1], RTLD_NOW) : NULL;
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
  const struct target* (*find)(int32_t) =
      (const struct target* (*)(int32_t))dlsym(library, "snn_target");
  const struct target* target = find(0);
  fprintf(stderr, "%s\n", target->name);
  for (;;) {
    int64_t sizes[7];
    struct task task;
    if (fread(sizes, sizeof sizes, 1, stdin) != 1) return 0;
    if (fread(task.numbers, sizeof task.numbers + sizeof task.reals, 1, stdin) != 1) return 2;
    for (int i = 0; i < 6; ++i) {
      task.arrays[i] = malloc(sizes[i]);
      if (fread(task.arrays[i], 1, sizes[i], stdin) != (size_t)sizes[i]) return 2;
    }
    const int64_t clipped = target->run_dendrite(&task, sizes[6]);
    fwrite(&clipped, sizeof clipped, 1, stdout);
    fwrite(task.arrays[5], 1, sizes[5], stdout);
    for (int i = 0; i < 6; ++i) free(task.arrays[i]);
  }
}
