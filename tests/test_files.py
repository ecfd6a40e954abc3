"""Result files are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_deploy.errors import OutputError
from snn_deploy.io import files
from snn_deploy.io.files import atomic_write, check_writable


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_what_was_written_is_there(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    with atomic_write(path) as file:
        file.write(b"one")
        assert names(tmp_path) != {"out.bin"}  # not under its name yet
    assert path.read_bytes() == b"one"
    with atomic_write(str(path)) as file:
        file.write(b"two")
    assert path.read_bytes() == b"two"
    assert names(tmp_path) == {"out.bin"}


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "out.bin") as file:
            file.write(b"")
        mode = (tmp_path / "out.bin").stat().st_mode
    finally:
        assert os.umask(before) == 0o027
    assert stat.S_IMODE(mode) == 0o640


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), MemoryError()])
def test_an_error_on_the_way_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")

    def write() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == {"out.bin"}


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="needs files without a name")
def test_a_killed_process_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    lines = [
        "import os, signal, sys",
        "from snn_deploy.io.files import atomic_write",
        "with atomic_write(sys.argv[1]) as file:",
        "    file.write(b'half' * 10**6)",
        "    os.kill(os.getpid(), signal.SIGKILL)",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines), str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert names(tmp_path) == {"out.bin"}
    assert path.read_bytes() == b"old"


def test_where_every_file_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "OPEN_FILES", "/nowhere")
    with atomic_write(tmp_path / "out.bin") as file:
        file.write(b"one")
        assert len(names(tmp_path) - {"out.bin"}) == 1
    assert names(tmp_path) == {"out.bin"}


@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "os.chmod"])
@pytest.mark.parametrize("there", [True, False])
def test_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, there: bool
) -> None:
    path = tmp_path / "out.bin"
    if there:
        path.write_bytes(b"old")

    def fail(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(call, fail)
    told = f"cannot write {path}: No space left on device; nothing was written"
    with pytest.raises(OutputError, match=re.escape(told)), atomic_write(path) as file:
        file.write(b"new")
    assert names(tmp_path) == ({"out.bin"} if there else set())
    assert not there or path.read_bytes() == b"old"


def test_a_disk_that_fills_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.npz"

    def write() -> None:
        with atomic_write(path) as file:
            np.savez(file, x=np.zeros(10))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputError, match="No space left on device"):
        write()
    assert names(tmp_path) == set()


def special(tmp_path: Path, kind: str) -> Path:
    """A path at which no file can be, and that writing must leave as it is."""
    path = tmp_path / "out.bin"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    elif kind == "missing folder":
        path = tmp_path / "nowhere" / "out.bin"
    elif kind == "file as folder":
        path.write_bytes(b"")
        path = path / "out.bin"
    elif kind == "name too long":
        path = tmp_path / ("x" * 300)
    else:
        path = tmp_path / "nu\0ll"
    return path


SPECIAL = {
    "folder": "it is a folder; name a file",
    "pipe": "it is not a regular file; name another",
    "link to a pipe": "it is not a regular file; name another",
    "missing folder": "does not exist|No such file or directory",
    "file as folder": "does not exist|Not a directory",
    "name too long": "File name too long; name another",
    "null byte": "null (?:byte|character).*; name another",
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_file_is_refused_and_left(tmp_path: Path, kind: str) -> None:
    path = special(tmp_path, kind)
    before = {name: (tmp_path / name).lstat().st_mode for name in names(tmp_path)}
    with pytest.raises(OutputError, match=rf"cannot write .*(?:{SPECIAL[kind]})"):
        check_writable(path)
    with (
        pytest.raises(OutputError, match=rf"cannot write .*(?:{SPECIAL[kind]})"),
        atomic_write(path) as file,
    ):
        file.write(b"new")
    assert {name: (tmp_path / name).lstat().st_mode for name in names(tmp_path)} == before


def test_a_device_is_not_replaced() -> None:
    for device in ("/dev/full", "/dev/null"):
        if not Path(device).is_char_device():
            pytest.skip(f"{device} is no device here")
        with (
            pytest.raises(OutputError, match=f"cannot write {device}: it is not a regular file"),
            atomic_write(device) as file,
        ):
            file.write(b"new")
        assert Path(device).is_char_device()


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    real = tmp_path / "real.bin"
    real.write_bytes(b"old")
    link = tmp_path / "link.bin"
    link.symlink_to(real)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_links_in_a_circle(tmp_path: Path) -> None:
    """Python 3.13 follows them to the end, and the file takes the first one's place."""
    path = tmp_path / "out.bin"
    path.symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(path)
    with contextlib.suppress(OutputError):
        check_writable(path)
        with atomic_write(path) as file:
            file.write(b"new")
    assert names(tmp_path) == {"out.bin", "other"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="no permission to write in"):
        check_writable(folder / "out.bin")
    with pytest.raises(OutputError, match="Permission denied"), atomic_write(folder / "out.bin"):
        pass


def test_permission_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    told = f"cannot write {tmp_path / 'out.bin'}: no permission to write in {tmp_path}"
    with pytest.raises(OutputError, match=re.escape(told)):
        check_writable(tmp_path / "out.bin")


@pytest.mark.parametrize("length", [10, 254, 255])
def test_names_as_long_as_a_file_system_takes(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("x" * length)
    check_writable(path)
    with atomic_write(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


def test_a_writable_path_is_left_untouched(tmp_path: Path) -> None:
    check_writable(tmp_path / "new.bin")
    (tmp_path / "old.bin").write_bytes(b"old")
    check_writable(tmp_path / "old.bin")
    assert names(tmp_path) == {"old.bin"}
