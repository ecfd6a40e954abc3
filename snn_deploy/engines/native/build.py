"""Build the native engine's library from ``src/``: needs Python and a C++ compiler, no more.

    python snn_deploy/engines/native/build.py                     for this machine, into lib/
    python snn_deploy/engines/native/build.py FILE OPTIONS …      elsewhere, otherwise

The library's name holds a hash of all that it is made of, so that an old one is never taken for a
new one. ``setup.py`` loads this file by its path; it must import nothing of the package.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

__all__ = ["BuildError", "build", "find_compiler", "library_path"]

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "src"
LIBRARIES = HERE / "lib"

X86 = {
    "avx512": (64, "-mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl"),
    "avx2": (32, "-mavx2 -mfma"),
    "portable": (0, ""),
}
ARM = {"neon": (16, ""), "portable": (0, "")}
TARGETS: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "x86_64": X86,
    "amd64": X86,
    "aarch64": ARM,
    "arm64": ARM,
}
"""By machine: sets of instructions, the best first; the bytes of their vectors, and options."""

# nothing of the C++ library is used; no product is joined with a sum unless the source says so; and
# nothing is computed beforehand or elsewhere as if the CPU rounded to the nearest, as it may not
OPTIONS = (
    "-std=c++17 -O3 -fno-exceptions -fno-rtti -ffp-contract=off -frounding-math -fwrapv "
    "-fvisibility=hidden -fno-math-errno -Wall -Wextra"
)
SECONDS = 600.0


class BuildError(Exception):
    """There is no compiler, or it refuses the sources."""


def find_compiler() -> list[str] | None:
    """Give the command of a C++ compiler: what ``CXX`` names, the system's, or ziglang's."""
    named = shlex.split(os.environ.get("CXX", ""))
    for command in [named] if named else [["c++"], ["g++"], ["clang++"]]:
        if shutil.which(command[0]):
            return command
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]  # which needs no C++ library
    return None


def library_path(folder: Path = LIBRARIES, machine: str = "") -> Path:
    """Give where the library of the sources at hand lies, or would lie."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for source in sorted(SOURCES.glob("*.[ch]*")):
        digest.update(source.name.encode() + source.read_bytes())
    suffix = {"win32": "dll", "darwin": "dylib"}.get(sys.platform, "so")
    machine = machine or platform.machine().lower()
    return folder / f"kernels-{machine}-{digest.hexdigest()[:12]}.{suffix}"


def build(
    path: Path,
    compiler: Sequence[str] | None = None,
    machine: str = "",
    options: Sequence[str] = (),
) -> Path:
    """Compile the library; it is written whole, or not at all.

    Parameters
    ----------
    path
        Where it goes.
    compiler
        A command; by default what :func:`find_compiler` finds.
    machine
        For which CPUs, as ``platform.machine`` calls them; by default this machine's.
    options
        Further options of the compiler.

    Raises
    ------
    BuildError
        With what the compiler said.
    """
    compiler = compiler or find_compiler()
    if compiler is None:
        raise BuildError(
            "no C++ compiler was found (c++, g++, clang++, or the package ziglang); install one, "
            "or name one in the variable CXX"
        )
    targets = TARGETS.get(machine or platform.machine().lower(), {"portable": (0, "")})
    common = [*compiler, *OPTIONS.split(), *([] if sys.platform == "win32" else ["-fPIC"])]
    common += options
    listed = " ".join(f"each({name})" for name in targets)
    with tempfile.TemporaryDirectory() as scratch:
        calls = {"library": [f"-DSNN_TARGETS(each)={listed}", str(SOURCES / "library.cpp")]}
        for name, (size, flags) in targets.items():
            defined = [f"-DSNN_TARGET={name}", f"-DSNN_VECTOR_BYTES={size}"]
            calls[name] = [*flags.split(), *defined, str(SOURCES / "target.cpp")]
        objects = [str(Path(scratch, f"{name}.o")) for name in calls]
        _run_all(
            [*common, "-c", *call, "-o", made]
            for call, made in zip(calls.values(), objects, strict=True)
        )
        linked = Path(scratch, path.name)
        unused = ["-Wl,--as-needed"] if path.suffix == ".so" else []  # such as the C++ library
        rounding = [] if sys.platform == "win32" else ["-lm"]  # the control of it
        link = [*compiler, *options, "-shared", *unused, *objects, *rounding]
        _run_all([[*link, "-o", str(linked)]])
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_name(f".{path.name}.{os.getpid()}")
        shutil.copyfile(linked, whole)
        whole.replace(path)
    return path


def _run_all(commands: Iterable[Sequence[str]]) -> None:
    """Run commands side by side."""
    running = [(command, _start(command)) for command in commands]
    told = [process.communicate(timeout=SECONDS)[0] for _, process in running]
    for (command, process), text in zip(running, told, strict=True):
        if process.returncode:
            raise BuildError(f"{shlex.join(command)}\n{text[-4000:]}")


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except OSError as error:
        raise BuildError(f"{command[0]} could not be run: {error}") from error


if __name__ == "__main__":
    if sys.argv[1:]:
        print(build(Path(sys.argv[1]), options=sys.argv[2:]))
        sys.exit()
    made = library_path()
    for old in LIBRARIES.glob(f"{made.name.rpartition('-')[0]}-*"):
        old.unlink()
    print(build(made))
