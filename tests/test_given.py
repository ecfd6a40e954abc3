"""What a Python caller may hand over as data, and what is told where it is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import float_inputs, float_network

from snn_deploy.data.data_file import DataFile
from snn_deploy.data.given import as_data
from snn_deploy.data.inputs import check_data
from snn_deploy.errors import DataError

NETWORK = float_network(d_in=2, layers=0)
X = float_inputs(NETWORK, batch=3, steps=4).astype(np.float32)
LABELS, LENGTHS = np.array([2, 0, 1]), np.array([4, 3, 2])


class Tensor:
    """As much of a torch tensor as is asked of one; refuses what torch refuses."""

    def __init__(
        self,
        array: Any,
        *,
        grad: bool = False,
        device: str = "cpu",
        dtype: str = "torch.float32",
        layout: str = "torch.strided",
        is_meta: bool = False,
    ) -> None:
        self.array, self.grad, self.device = array, grad, device
        self.dtype, self.layout, self.is_meta = dtype, layout, is_meta

    def _like(self, **change: Any) -> Tensor:
        kept = {n: getattr(self, n) for n in ("grad", "device", "dtype", "layout", "is_meta")}
        return Tensor(self.array, **{**kept, **change})

    def detach(self) -> Tensor:
        return self._like(grad=False)

    def cpu(self) -> Tensor:
        return self._like(device="cpu")

    def float(self) -> Tensor:
        return self._like(dtype="torch.float32")

    def to_dense(self) -> Tensor:
        return self._like(layout="torch.strided")

    def numpy(self) -> Any:
        plain = ("cpu", "torch.strided", "torch.float32")
        if self.grad or (self.device, self.layout, self.dtype) != plain:
            raise TypeError("cannot be converted to numpy")
        return self.array

    def __array__(self, *args: Any) -> Any:
        return self.numpy()


class Batches:
    """A loader, as torch.utils.data.DataLoader is one."""

    def __init__(self, batches: list[Any]) -> None:
        self.dataset, self.batch_size, self.batches = batches, 2, batches

    def __iter__(self) -> Any:
        return iter(self.batches)


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor(X),
        Tensor(X, grad=True),
        Tensor(X, device="cuda:0"),
        Tensor(X, dtype="torch.bfloat16"),
        Tensor(X, layout="torch.sparse_coo"),
    ],
)
def test_tensors_of_every_kind(tensor: Tensor) -> None:
    np.testing.assert_array_equal(as_data(NETWORK, tensor).inputs, X)


def test_a_meta_tensor_holds_nothing() -> None:
    with pytest.raises(DataError, match="inputs are a meta tensor, which holds no numbers"):
        as_data(NETWORK, Tensor(X, is_meta=True))


@pytest.mark.parametrize("names", [("inputs", "labels", "lengths"), ("x", "y", "lens")])
def test_tables_files_and_loaders(tmp_path: Path, names: tuple[str, str, str]) -> None:
    table: dict[str, Any] = dict(zip(names, (X, LABELS, LENGTHS), strict=True))
    np.savez(tmp_path / "d.npz", **table)
    path = tmp_path / "d.npz"
    checked = check_data(NETWORK, X, LABELS, LENGTHS)
    for given in (table, str(path), path, DataFile(str(path)), checked):
        data = as_data(NETWORK, given)
        np.testing.assert_array_equal(data.inputs, X)
        np.testing.assert_array_equal(data.labels, LABELS)
        np.testing.assert_array_equal(data.lengths, LENGTHS)
    assert as_data(NETWORK, table, with_labels=False).labels is None
    assert as_data(NETWORK, path, with_labels=False).labels is None


@pytest.mark.parametrize("labelled", [True, False])
def test_a_loader_of_batches(labelled: bool) -> None:
    parts = [(Tensor(X[:2], grad=True), LABELS[:2]), (Tensor(X[2:]), LABELS[2:])]
    data = as_data(NETWORK, Batches(parts if labelled else [part for part, _ in parts]))
    np.testing.assert_array_equal(data.inputs, X)
    if labelled:
        np.testing.assert_array_equal(data.labels, LABELS)
    else:
        assert data.labels is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (object(), "inputs are a object; give an array"),
        (None, "inputs are a NoneType; give an array"),
        ({"a": X}, "no array 'inputs' in it; it holds: a"),
        ({0: X}, "no array 'inputs' in it; it holds: 0"),
        ("none.npz", "none.npz: no such file"),
        (Batches([]), "a loader of 0 batches"),
        (Batches([X[:2], X[2:, :3]]), "a loader of 2 batches whose sequences have different"),
        ([[1.0], [2.0, 3.0]], "inputs are no array"),
        ((X, LABELS), "inputs with labels are a table {'inputs': …, 'labels': …}, or a loader"),
    ],
)
def test_what_is_no_data(given: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        as_data(NETWORK, given)
