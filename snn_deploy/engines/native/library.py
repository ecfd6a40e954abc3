"""The compiled library: found, or built where the sources are newer, and loaded.

``SNN_DEPLOY_TARGET`` names the set of instructions to use, one of those that this machine has, and
``SNN_DEPLOY_KERNELS`` another library than the package's own: both are for tests.
"""

from __future__ import annotations

import ctypes
import logging
import os
from functools import lru_cache
from itertools import count, takewhile
from pathlib import Path

from snn_deploy.engines.native.abi import Target
from snn_deploy.engines.native.build import HERE, BuildError, build, library_path
from snn_deploy.errors import BackendUnavailableError, ConfigError

__all__ = ["compiled_steps", "find_targets", "lanes_of_doubles", "load_target"]

TARGET, KERNELS = "SNN_DEPLOY_TARGET", "SNN_DEPLOY_KERNELS"
ADVICE = "install snn-deploy again"


@lru_cache(maxsize=1)
def find_targets() -> dict[str, Target]:
    """Give what the library offers here, by the name of its instructions, the best first.

    Raises
    ------
    BackendUnavailableError
        If there is no library, and none can be built, or it cannot be loaded.
    """
    path = _find_library()
    try:
        library = ctypes.CDLL(str(path))
        library.snn_target.restype = ctypes.POINTER(Target)
    except (OSError, AttributeError) as error:
        raise BackendUnavailableError(
            f"the native engine's library cannot be loaded ({error}): {ADVICE}"
        ) from error
    targets: dict[str, Target] = {}
    for number in count():
        found = library.snn_target(number)
        if not found:
            return targets
        targets[found.contents.name.decode()] = found.contents
    raise AssertionError  # count never ends


@lru_cache(maxsize=1)
def load_target() -> Target:
    """Give the best that this machine can run, or what ``SNN_DEPLOY_TARGET`` names.

    Raises
    ------
    BackendUnavailableError
        As :func:`find_targets`.
    ConfigError
        If that is not among them.
    """
    targets = find_targets()
    wanted = os.environ.get(TARGET) or next(iter(targets))
    if wanted not in targets:
        raise ConfigError(f"{TARGET}={wanted}: this machine has {', '.join(targets)}; unset it")
    return targets[wanted]


@lru_cache(maxsize=1)
def lanes_of_doubles() -> int:
    """Give how many doubles a vector holds; 0: there are none, and all is computed in integers."""
    return int(load_target().lanes)


@lru_cache(maxsize=1)
def compiled_steps() -> dict[str, int]:
    """Number the steps of programs that were compiled beforehand, by their names."""
    named = takewhile(bool, load_target().compiled)
    return {name.decode(): number for number, name in enumerate(named)}


def _find_library() -> Path:
    given = os.environ.get(KERNELS)
    path = Path(given) if given else library_path()
    if path.exists():
        return path
    if given or not (HERE.parents[2] / "pyproject.toml").exists():  # only a checkout builds
        raise BackendUnavailableError(
            f"the native engine's library {path.name} is missing: {ADVICE}"
        )
    logging.getLogger("snn_deploy").info(
        "building the native engine's library: its sources changed"
    )
    try:
        return build(path)
    except (BuildError, OSError) as error:
        raise BackendUnavailableError(
            f"the native engine's library cannot be built: {error}"
        ) from error
