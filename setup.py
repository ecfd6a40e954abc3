"""Builds the native engine's library along with the package; all else is in ``pyproject.toml``.

One wheel serves every Python of a platform: the library is plain C to whoever loads it.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from setuptools import Command, Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build

NATIVE = Path("snn_deploy", "engines", "native")


def load_builder() -> Any:
    """Load the file that builds the library, without the package, which needs numpy."""
    spec = importlib.util.spec_from_file_location("build_kernels", NATIVE / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILDER = load_builder()
MACHINE = os.environ.get("SNN_DEPLOY_MACHINE", "")  # another one than this, of a cross compiler


class BuildKernels(Command):
    """Compile the library into the build, or into the tree for an editable installation."""

    description = "compile the native engine's library"
    user_options = ()
    editable_mode = False
    build_lib: Any

    def initialize_options(self) -> None:
        self.build_lib = None  # not said

    def finalize_options(self) -> None:
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self) -> None:
        library = self._library()
        for old in library.parent.glob("kernels-*"):  # of other sources, or another machine
            old.unlink()
        BUILDER.build(library, machine=MACHINE)

    def _library(self) -> Path:
        root = Path() if self.editable_mode else Path(self.build_lib)
        library: Path = BUILDER.library_path(root / NATIVE / "lib", MACHINE)
        return library

    def get_outputs(self) -> list[str]:
        return [str(self._library())]

    def get_output_mapping(self) -> dict[str, str]:
        return {}

    def get_source_files(self) -> list[str]:
        return [str(path) for path in sorted(NATIVE.glob("src/*"))]


class Wheel(bdist_wheel):
    """A wheel of any Python 3, for one platform."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


class WithLibrary(Distribution):
    """A distribution of one platform."""

    def has_ext_modules(self) -> bool:
        return True


build.sub_commands.append(("build_kernels", None))
setup(
    cmdclass={"build_kernels": BuildKernels, "bdist_wheel": Wheel},
    distclass=WithLibrary,
    # what makes the library where the machine has no compiler
    setup_requires=[] if BUILDER.find_compiler() else ["ziglang"],
)
