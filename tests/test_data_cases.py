"""Data as people have it, from the shared cases: taken as it is meant, or refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import ROOT, SHARED

from snn_deploy.api import load_float_network
from snn_deploy.data.data_file import DataFile
from snn_deploy.data.inputs import load_data
from snn_deploy.errors import DataError, SnnDeployWarning
from snn_deploy.ir.network import Network

CASES = SHARED / "cases" / "data"
EXAMPLE = ROOT / "examples" / "seqdigits_uni"
pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason="needs the shared cases beside the repository"
)


@pytest.fixture(scope="module")
def network() -> Network:
    return load_float_network(EXAMPLE / "seqdigits_uni.ckpt")


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """The first sequences of the test set, of which the cases are forms."""
    with np.load(EXAMPLE / "test.npz") as data:
        return {name: data[name][:8] for name in ("inputs", "labels")}


@pytest.mark.parametrize(
    ("name", "layout"), [("lab1", "bld"), ("bl", "bld"), ("xy", "bld"), ("bdl", "bdl")]
)
def test_other_forms_are_the_same_data(
    network: Network, plain: dict[str, Any], name: str, layout: Any
) -> None:
    data = load_data(DataFile(str(CASES / f"{name}.npz"), layout=layout), network)
    np.testing.assert_array_equal(data.inputs, plain["inputs"])
    np.testing.assert_array_equal(data.labels, plain["labels"])


def test_swapped_axes_are_told(network: Network) -> None:
    with pytest.raises(DataError, match="--layout bdl"):
        load_data(CASES / "bdl.npz", network)


@pytest.mark.parametrize("name", ["bool", "u8"])
def test_events_as_whole_numbers(network: Network, name: str) -> None:
    with pytest.warns(SnnDeployWarning, match="are read as"):
        data = load_data(CASES / f"{name}.npz", network)
    with np.load(CASES / f"{name}.npz") as held:
        np.testing.assert_array_equal(data.inputs, held["inputs"])


def test_classes_that_are_not_there(network: Network) -> None:
    with pytest.raises(DataError, match="the network knows 10"):
        load_data(CASES / "lab11.npz", network)


def test_a_header_of_brackets(network: Network) -> None:
    with pytest.raises(DataError) as refused:
        load_data(CASES / "hdr_paren.npz", network)
    assert "\n" not in str(refused.value)
