"""What goes with every network's C99, whatever network it is: these files, as they lie here.

``CMakeLists.txt`` and ``host/``: a project for this machine; ``zephyr/``: a module of Zephyr;
``library.properties`` and ``examples/``: a library of Arduino; ``snn_uart``: a runner for a serial
line.
"""

from __future__ import annotations

from pathlib import Path

from snn_deploy.errors import OutputError
from snn_deploy.targets.files import write_text

__all__ = ["write_kit"]


def write_kit(folder: Path) -> tuple[Path, ...]:
    """Write the files into a folder, in the order of their names.

    Raises
    ------
    OutputError
        If one cannot be written.
    """
    room = Path(__file__).parent
    files = sorted(
        p for p in room.rglob("*") if p.is_file() and "__" not in str(p.relative_to(room))
    )
    for file in files:
        path = folder / file.relative_to(room)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{path.parent}: cannot be made: {error.strerror}") from error
    return tuple(
        write_text(folder / f.relative_to(room), f.read_text(encoding="utf-8")) for f in files
    )
