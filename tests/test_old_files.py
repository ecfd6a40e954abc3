"""Files of every released schema load, and give the bits that the version which wrote them gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import snn_deploy

DATA = Path(__file__).parent / "data"


def test_a_file_of_schema_2_is_read_and_upgraded(backend: str) -> None:
    """Tokens, positions, both directions: written by the version before, with its logits."""
    expected = np.load(DATA / "schema2.npz")
    deployment = snn_deploy.load(DATA / "schema2.safetensors")
    kinds = {node.kind for node in deployment.network}
    assert {"EmbeddingTable", "Requantize"} <= kinds
    assert not {"Lookup", "Relay"} & kinds
    inputs = expected["inputs"][:2] if backend == "lava" else expected["inputs"]
    simulation = deployment.simulate(inputs, backend=backend)
    np.testing.assert_array_equal(simulation.logits, expected["logits"][: len(inputs)])


def test_what_was_upgraded_is_saved_as_today(tmp_path: Path) -> None:
    deployment = snn_deploy.load(DATA / "schema2.safetensors")
    deployment.save(tmp_path / "new.safetensors")
    again = snn_deploy.load(tmp_path / "new.safetensors")
    assert [node.kind for node in again.network] == [node.kind for node in deployment.network]
