"""How dendrites' coefficients are rounded: a named choice, and one that is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import float_inputs, float_network

import snn_deploy
from snn_deploy import examples
from snn_deploy.cli.main import main
from snn_deploy.errors import ConfigError
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_digest
from snn_deploy.nodes.dendrite import ODD_STATE_BITS, Dendrite
from snn_deploy.quantize.config import parse_settings
from snn_deploy.quantize.dendrites import ODD_FROM_MODES
from snn_deploy.reports.rounding import dendrite_rounding

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
CHECKPOINT, TRAIN = EXAMPLE / "seqdigits_uni.ckpt", EXAMPLE / "train.npz"
SSMS = ("layers.0.ssm", "layers.1.ssm")


def converted(modes: int, reverse: bool = False, **settings: Any) -> Network:
    network = float_network(modes=modes, reverse=reverse)
    inputs = float_inputs(network)
    return snn_deploy.convert(network, target="cpu", calibration=inputs, settings=settings).network


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("modes", [ODD_FROM_MODES - 1, ODD_FROM_MODES])
def test_auto_takes_odd_where_modes_are_many(modes: int, reverse: bool) -> None:
    chosen = "odd" if modes == ODD_FROM_MODES else "nearest"
    digests = {
        rounding: network_digest(converted(modes, reverse, dendrite_rounding=rounding))
        for rounding in ("auto", "odd", "nearest")
    }
    assert digests["auto"] == digests[chosen] == network_digest(converted(modes, reverse))
    assert digests["odd"] != digests["nearest"]


@pytest.mark.parametrize("rounding", ["odd", "nearest"])
def test_what_was_chosen_is_seen_in_the_integers(rounding: str) -> None:
    network = converted(4, reverse=True, dendrite_rounding=rounding)
    told = dendrite_rounding(network)
    assert (told.odd, told.nearest) == ((SSMS, ()) if rounding == "odd" else ((), SSMS))
    for dendrite in network.of_kind(Dendrite):
        bank = dendrite.bank
        numbers = np.stack([bank.decay_real, bank.decay_imag, bank.readout_real, bank.readout_imag])
        assert ((numbers % 2 == 1) | (numbers == 0)).all() == (rounding == "odd")
        assert (bank.state_bits <= ODD_STATE_BITS) == (rounding == "odd")


def test_it_is_chosen_node_by_node() -> None:
    nodes = {"layers.1.ssm": {"dendrite_rounding": "odd"}}
    told = dendrite_rounding(converted(4, nodes=nodes))
    assert told.odd == ("layers.1.ssm",)
    assert str(told) == "dendrites of 1 of 2 layers rounded for single-precision simulation"


def test_odd_needs_wide_coefficients() -> None:
    with pytest.raises(ConfigError, match=r"'layers\.0\.ssm': dendrite_rounding=odd needs .* 14,"):
        converted(20, decay_bits=13, dendrite_rounding="odd")
    assert not dendrite_rounding(converted(20, decay_bits=13)).odd  # auto does what it can


def test_every_report_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, report = tmp_path / "d.safetensors", tmp_path / "report.json"
    told = "dendrites of 2 layers rounded for single-precision simulation"
    assert run("convert", CHECKPOINT, "--calibration", TRAIN, "-o", out) == 0
    assert told in capsys.readouterr().out
    assert run("inspect", out) == 0
    shown = capsys.readouterr().out
    assert told in shown
    assert "dendrite_rounding=auto" in shown
    assert run("report", out, "--data", TRAIN, "--limit", 2, "--json", report) == 0
    written = json.loads(report.read_text())
    assert written["dendrite_rounding"] == {"odd": list(SSMS), "nearest": []}
    words = ("--set", "dendrite_rounding=nearest", "-o", out)
    assert run("convert", CHECKPOINT, "--calibration", TRAIN, *words) == 0
    assert "single-precision" not in capsys.readouterr().out


def test_the_old_name_is_told_with_the_new_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("convert", CHECKPOINT, "--set", "lean_modes=1000000") == 2
    told = capsys.readouterr().err
    assert "setting lean_modes is now dendrite_rounding: auto" in told
    assert "nearest (as lean_modes=1000000 was)" in told
    with pytest.raises(ConfigError, match="is now dendrite_rounding"):
        parse_settings({"nodes": {"layers.0": {"lean_modes": 1}}})


def test_a_file_of_before_has_the_new_name() -> None:
    """The schema 2 of the tests' data was converted with the default, which is what it was."""
    old = snn_deploy.load(Path(__file__).parent / "data" / "schema2.safetensors")
    assert old.origin.settings["dendrite_rounding"] == "auto"
    assert "lean_modes" not in old.origin.settings
