"""Strangers' HDF5: what is not plain data of its own is refused, and nothing else is opened."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_deploy.errors import CheckpointError
from snn_deploy.io.hdf5 import MOST_DEPTH, read_hdf5

h5py = pytest.importorskip("h5py")


def written(fill: Callable[[Any], None]) -> bytes:
    """Give the bytes of a file that ``fill`` writes."""
    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        fill(root)
    return file.getvalue()


def read(fill: Callable[[Any], None]) -> Any:
    return read_hdf5(written(fill), "a.nir", "nir")


def test_numbers_and_texts_are_read() -> None:
    def fill(root: Any) -> None:
        root["a/x"] = np.arange(6.0).reshape(2, 3)
        root["a/name"] = "LIF"
        root.create_dataset("a/edges", data=[["in", "out"]], dtype=h5py.string_dtype())
        root.create_dataset("zeros", data=np.zeros((512, 512)), compression="gzip")
        root["one"] = 3

    found = read(fill)
    np.testing.assert_array_equal(found["a"]["x"], [[0, 1, 2], [3, 4, 5]])
    assert found["a"]["name"] == "LIF"
    assert found["a"]["edges"].tolist() == [["in", "out"]]
    assert found["zeros"].shape == (512, 512)
    assert found["one"] == 3


def test_a_truncated_file_is_refused_wherever_it_ends() -> None:
    def fill(root: Any) -> None:
        root["node/weight"] = np.arange(1000.0)
        root["node/type"] = "Linear"

    whole = written(fill)
    for end in range(0, len(whole) - 1, 97):
        with pytest.raises(CheckpointError, match=r"a\.nir: not a readable HDF5 file"):
            read_hdf5(whole[:end], "a.nir", "nir")


def external_link(root: Any, secret: Path) -> None:
    root["weight"] = h5py.ExternalLink(str(secret), "/secret")


def soft_link(root: Any, secret: Path) -> None:
    root["weight"] = h5py.SoftLink("/other")


def external_storage(root: Any, secret: Path) -> None:
    root.create_dataset("weight", (8,), "f8", external=[(str(secret), 0, 64)])


def virtual(root: Any, secret: Path) -> None:
    layout = h5py.VirtualLayout((8,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "secret", (8,))
    root.create_virtual_dataset("weight", layout)


def huge(root: Any, secret: Path) -> None:
    root.create_dataset("weight", (1 << 20, 1 << 20), "f8", chunks=(1, 1024))


def reference(root: Any, secret: Path) -> None:
    root.create_dataset("weight", data=root.ref, dtype=h5py.ref_dtype)


def compound(root: Any, secret: Path) -> None:
    root["weight"] = np.zeros(3, dtype=[("a", "f8"), ("b", "i4")])


def circle(root: Any, secret: Path) -> None:
    root.create_group("weight")["weight"] = root["/"]


def bzip(root: Any, secret: Path) -> None:
    root.create_dataset("weight", data=np.zeros(64), scaleoffset=4)


def empty(root: Any, secret: Path) -> None:
    root["weight"] = h5py.Empty("f8")


@pytest.mark.parametrize(
    ("fill", "told"),
    [
        (external_link, "points elsewhere"),
        (soft_link, "points elsewhere"),
        (external_storage, "keeps its numbers in another file"),
        (virtual, "keeps its numbers in another file"),
        (huge, r"declares shape \(1048576, 1048576\), 8,796,093,022,208 bytes, and stores 0"),
        (reference, "is of type object: only numbers and text are read"),
        (compound, "only numbers and text are read"),
        (circle, f"nested in a circle, or deeper than {MOST_DEPTH} groups"),
        (bzip, "is stored with filter 6, not one of gzip"),
        (empty, "is empty"),
    ],
)
def test_what_is_no_plain_data_is_refused(fill: Any, told: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["secret"] = np.full(8, 42.0)
    opened = secret.stat().st_atime_ns
    with pytest.raises(CheckpointError, match=told) as refusal:
        read(lambda root: fill(root, secret))
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("a.nir: '/weight")
    assert secret.stat().st_atime_ns == opened
