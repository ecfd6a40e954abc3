"""The Lava engine's child process, broken in a given way.

    python lava_faults.py FAULT FOLDER

Writes its process group and the names of its shared memory to the file LAVA_FAULTS_DIARY, so that a
test can look whether anything was left behind.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snn_deploy.engines.lava import worker
from snn_deploy.engines.lava.job import JobFolder

DIARY = Path(os.environ["LAVA_FAULTS_DIARY"])


def note(line: str) -> None:
    with DIARY.open("a") as diary:
        diary.write(f"{line}\n")


def keep_names_of_shared_memory() -> None:
    from lava.magma.runtime.message_infrastructure.shared_memory_manager import SharedMemoryManager

    create = SharedMemoryManager.create_shared_memory

    def noting(self: Any, size: int) -> Any:
        handle = create(self, size)
        note(f"memory {handle.name}")
        return handle

    SharedMemoryManager.create_shared_memory = noting


def in_model(module: str, model: str, method: str, fault: Callable[[], None]) -> None:
    """Let the fault happen in the third step of all processes of that model."""
    from importlib import import_module

    kind = getattr(import_module(module), model)
    original = getattr(kind, method)

    def faulty(self: Any, *arguments: Any) -> Any:
        if self.time_step == 3:
            fault()
        return original(self, *arguments)

    setattr(kind, method, faulty)


def fail() -> None:
    raise ValueError("the table has come loose")


def hang() -> None:
    print("about to hang", flush=True)
    time.sleep(3600)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


OWN = ("snn_deploy.engines.lava.models", "ProgramModel", "step")
STOCK = ("lava.proc.dense.models", "PyDenseModelBitAcc", "run_spk")
RECORDER = ("snn_deploy.engines.lava.recorder", "RecorderModel", "run_spk")


def lose_lif() -> None:
    sys.modules["lava.proc.lif.models"] = None  # type: ignore[assignment]


def leave() -> None:
    print("goodbye", flush=True)
    os._exit(7)


FAULTS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "own model fails": lambda: in_model(*OWN, fail),
    "stock model fails": lambda: in_model(*STOCK, fail),
    "recorder fails": lambda: in_model(*RECORDER, fail),
    "own model hangs": lambda: in_model(*OWN, hang),
    "stock model hangs": lambda: in_model(*STOCK, hang),
    "own model is killed": lambda: in_model(*OWN, killed),
    "start hangs": hang,
    "lava is broken": lose_lif,
    "child leaves": leave,
}

if __name__ == "__main__":
    note(f"group {os.getpid()}")
    if sys.argv[1] != "lava is broken":
        keep_names_of_shared_memory()
    FAULTS[sys.argv[1]]()
    worker.main(JobFolder(Path(sys.argv[2])))
