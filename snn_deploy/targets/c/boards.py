"""Simulated boards: the self-test on bare Cortex-M and RISC-V machines, its instructions counted.

QEMU counts instructions (``-icount``), not a chip's cycles; the program writes how many the
self-test took to the console.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snn_deploy.errors import BackendError, BackendUnavailableError

__all__ = ["BOARDS", "Board", "Measured"]

_SECONDS = 300.0

_LINKED = """\
ENTRY(start)
MEMORY {{ FLASH (rx) : ORIGIN = {flash}, LENGTH = 4M
 RAM (rwx) : ORIGIN = {ram}, LENGTH = 4M }}
SECTIONS {{
 .text : {{ KEEP(*(.vectors)) *(.text*) *(.rodata*) *(.srodata*) . = ALIGN(8); }} > FLASH
 .data : {{ *(.data*) *(.sdata*) }} > RAM
 .bss : {{ _bss = .; *(.bss*) *(.sbss*) *(COMMON) . = ALIGN(8); _end = .; }} > RAM
 _stack = ORIGIN(RAM) + LENGTH(RAM);
}}
"""

_MAIN = """\
#include "snn.h"

int32_t snn_selftest(void);
void put(char letter);
void finish(int32_t failed);
uint32_t before(void);
uint32_t since(uint32_t start);
extern uint32_t _bss[];
extern uint32_t _end[];

static void print(uint32_t number)
{
    if (number > 9) {
        print(number / 10);
    }
    put((char)('0' + number % 10));
}

void run(void)
{
    uint32_t start;
    int32_t differing;
    for (uint32_t *word = _bss; word != _end; word++) {
        *word = 0;
    }
    start = before();
    differing = snn_selftest();
    print(since(start));
    put('\\n');
    finish(differing != 0);
}
"""

_CORTEX_M = """\
#include <stdint.h>
#define CONTROL (*(volatile uint32_t *)0xE000E010u)
#define RELOAD (*(volatile uint32_t *)0xE000E014u)
#define COUNT (*(volatile uint32_t *)0xE000E018u)
extern uint32_t _stack;
void run(void);

static void call(uint32_t operation, const void *what)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = what;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void put(char letter)
{
    call(3, &letter);
}

void finish(int32_t failed)
{
    const uint32_t block[2] = {0x20026u, (uint32_t)failed};
    call(0x20, block);
    for (;;) {
    }
}

/* The counter ticks once in so many instructions: a loop of known length tells. */
uint32_t before(void)
{
    RELOAD = 0xFFFFFFu;
    COUNT = 0;
    CONTROL = 5;
    while (COUNT == 0) {
    }
    (void)CONTROL;
    return COUNT;
}

uint32_t since(uint32_t start)
{
    const uint32_t ticks = (start - COUNT) & 0xFFFFFFu;
    const uint32_t wrapped = CONTROL & 0x10000u;
    uint32_t turns = 1000000u;
    uint32_t mark = COUNT;
    __asm__ volatile(".syntax unified\\n1: subs %0, %0, #1\\n bne 1b\\n" : "+r"(turns) : : "cc");
    mark = (mark - COUNT) & 0xFFFFFFu;
    return wrapped ? 0 : (uint32_t)((uint64_t)ticks * 2000000u / mark);
}

void start(void)
{
    run();
}

static void fault(void)
{
    finish(2);
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {
    &_stack, start, fault, fault, fault, fault, fault,
};
"""

_RISCV = """\
#include <stdint.h>
void run(void);

void put(char letter)
{
    *(volatile uint8_t *)0x10000000u = (uint8_t)letter;
}

void finish(int32_t failed)
{
    *(volatile uint32_t *)0x100000u = failed ? ((uint32_t)failed << 16) + 0x3333u : 0x5555u;
    for (;;) {
    }
}

uint32_t before(void)
{
    uint32_t count;
    __asm__ volatile(".option arch, +zicsr\\n csrr %0, minstret" : "=r"(count) : : "memory");
    return count;
}

uint32_t since(uint32_t start)
{
    return before() - start;
}

__attribute__((section(".vectors"), naked)) void start(void)
{
    __asm__ volatile("la sp, _stack\\n call run\\n");
}
"""


@dataclass(frozen=True)
class Measured:
    """What a board's run gave: whether the self-test passed, and its instructions.

    Of these there are 0 where there were more than the board's counter holds, some 600 million.
    """

    passed: bool
    instructions: int


@dataclass(frozen=True)
class Board:
    """A simulated machine.

    Parameters
    ----------
    core
        What it is called.
    prefix
        Of its compiler's tools.
    options
        That make the compiler write for it.
    simulator
        Its simulator, with all but the program.
    startup, flash, ram
        What it begins with, and where its memory is.
    """

    core: str
    prefix: str
    options: tuple[str, ...]
    simulator: tuple[str, ...]
    startup: str
    flash: str
    ram: str

    def missing(self) -> str | None:
        """Name the first tool that is not installed."""
        tools = (f"{self.prefix}gcc", self.simulator[0])
        return next((tool for tool in tools if shutil.which(tool) is None), None)

    def run(self, folder: Path, optimised: str = "-O2") -> Measured:
        """Build what was exported into a folder, with its self-test, and run it.

        Raises
        ------
        BackendUnavailableError
            If a tool is missing.
        BackendError
            If one failed.
        """
        missing = self.missing()
        if missing is not None:
            raise BackendUnavailableError(
                f"{self.core} needs {missing}, which is not installed; install it (Debian: "
                "gcc-arm-none-eabi qemu-system-arm, gcc-riscv64-unknown-elf qemu-system-misc)"
            )
        program = self._build(folder, optimised)
        done = _called([*self.simulator, "-kernel", str(program)])
        count = re.search(r"\d+", done.stdout + done.stderr)  # semihosting has the latter
        if count is None:
            raise BackendError(f"{self.core}: nothing came out: {done.stderr[-500:]}")
        return Measured(done.returncode == 0, int(count.group()))

    def _build(self, folder: Path, optimised: str) -> Path:
        built = folder / self.core
        built.mkdir(exist_ok=True)
        linked = _LINKED.format(flash=self.flash, ram=self.ram)
        for name, text in (("start.c", self.startup), ("board.c", _MAIN), ("board.ld", linked)):
            (built / name).write_text(text, encoding="utf-8")
        sources = [
            folder / "snn.c",
            folder / "snn_selftest.c",
            built / "start.c",
            built / "board.c",
        ]
        program = built / "program.elf"
        call = [f"{self.prefix}gcc", *self.options, optimised, "-std=gnu99", "-ffreestanding"]
        call += ["-fno-tree-loop-distribute-patterns", "-nostdlib", f"-I{folder}"]
        call += ["-T", str(built / "board.ld"), *map(str, sources), "-lgcc", "-o", str(program)]
        done = _called(call)
        if done.returncode:
            raise BackendError(f"{self.prefix}gcc refused the program: {done.stderr[-2000:]}")
        return program


def _called(call: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(call, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"{call[0]} did not end within {_SECONDS:.0f} s") from error


def _cortex_m(core: str, cpu: str, machine: str) -> Board:
    simulator = (
        "qemu-system-arm",
        "-M",
        machine,
        "-nographic",
        "-semihosting",
        "-icount",
        "shift=0",
    )
    options = (f"-mcpu={cpu}", "-mthumb")
    memory = ("0x00000000", "0x20000000")
    return Board(core, "arm-none-eabi-", options, simulator, _CORTEX_M, *memory)


_VIRT = ("qemu-system-riscv32", "-M", "virt", "-nographic", "-bios", "none", "-icount", "shift=0")

BOARDS: dict[str, Board] = {
    "cortex-m0plus": _cortex_m("cortex-m0plus", "cortex-m0plus", "mps2-an385"),
    "cortex-m3": _cortex_m("cortex-m3", "cortex-m3", "mps2-an385"),
    "cortex-m4": _cortex_m("cortex-m4", "cortex-m4", "mps2-an386"),
    "cortex-m7": _cortex_m("cortex-m7", "cortex-m7", "mps2-an500"),
    "rv32imc": Board(
        "rv32imc",
        "riscv64-unknown-elf-",
        ("-march=rv32imc", "-mabi=ilp32", "-mcmodel=medany"),
        _VIRT,
        _RISCV,
        "0x80000000",
        "0x80400000",
    ),
}
"""By core. Cortex-M0+ code runs on the simulator's M3, which knows all of its instructions."""
