"""Text that a stranger wrote into a file reaches no terminal as it is."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path

import pytest

import snn_deploy
from snn_deploy import examples
from snn_deploy.cli.main import main
from snn_deploy.deployment import Deployment
from snn_deploy.errors import SnnDeployError, SnnDeployWarning
from snn_deploy.printable import is_plain, one_line, printable, shortened

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202efdp\x9b31m\ud800\u2028end"
SAFE = "\\x1b]0;owned\\x07\\x1b[2J\\u202efdp\\x9b31m\\ud800\\u2028end"


def test_what_a_terminal_obeys_becomes_visible() -> None:
    assert printable(HOSTILE) == SAFE
    assert (
        printable("µ – 3 × 4 … é 漢字\u00a0\tno\nchange") == "µ – 3 × 4 … é 漢字\u00a0\tno\nchange"
    )
    assert printable(printable(HOSTILE)) == SAFE
    assert one_line("a\nb\tc") == "a\\nb\\tc"
    assert not is_plain(HOSTILE)
    assert not is_plain("a\nb")
    assert not is_plain("x" * 1001)
    assert is_plain("layers.0 é")
    assert shortened("x" * 9, 4) == "xx … xx"


def test_errors_and_warnings_are_safe_and_of_bounded_length() -> None:
    for kind in (SnnDeployError, SnnDeployWarning):
        assert str(kind(HOSTILE)) == SAFE
        assert len(str(kind("x" * 100_000))) < 5000


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment whose every text is hostile."""
    made = snn_deploy.convert(EXAMPLE / "seqdigits_uni.ckpt", calibration=EXAMPLE / "train.npz")
    profile = made.profile.to_dict()
    sources = dict.fromkeys(profile["sources"], HOSTILE)
    words = {"vendor": HOSTILE, "summary": HOSTILE, "notes": [HOSTILE], "sources": sources}
    origin = dataclasses.replace(
        made.origin,
        profile_version="9.9.9",
        checkpoint=HOSTILE,
        checkpoint_sha256=HOSTILE,
        calibration={"source": "calibration", "sequences": HOSTILE, "steps": HOSTILE},
        settings={HOSTILE: HOSTILE},
        tool_version=HOSTILE,
        profile_data={**profile, **words},
    )
    path = tmp_path_factory.mktemp("text") / "d.safetensors"
    Deployment(made.network, origin).save(path)
    return path


@pytest.mark.parametrize(
    "command",
    [
        "inspect D",
        "inspect D --text",
        "simulate D --data TEST --limit 2",
        "verify D --data TEST --limit 2 --against CKPT",
        "report D --data TEST --limit 2 --json OUT.json --html OUT.html",
        "compare D D --data TEST --limit 2",
        "simulate NAME --data TEST",
        "simulate D --data NAME",
        "targets NAME",
        "inspect NAME --NAME",
    ],
)
def test_no_command_prints_it_raw(
    command: str, deployment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {
        "D": str(deployment),
        "TEST": str(EXAMPLE / "test.npz"),
        "CKPT": str(EXAMPLE / "seqdigits_uni.ckpt"),
        "NAME": HOSTILE,
        "--NAME": f"--{HOSTILE}",
        "OUT.json": str(tmp_path / "out.json"),
        "OUT.html": str(tmp_path / "out.html"),
    }
    with pytest.raises(SystemExit) as left, warnings.catch_warnings():
        main([words.get(word, word) for word in command.split()])
    assert left.value.code == (2 if "NAME" in command else 0)
    streams = capsys.readouterr()
    files = [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]
    for text in (streams.out, streams.err, *files):
        assert not set(text) & set(HOSTILE) - set(printable(HOSTILE)), repr(text)
    if "NAME" in command:
        assert "\\x1b" in streams.err
        assert "\\u202e" in streams.err
    if "--json" in command:
        json.loads((tmp_path / "out.json").read_text())
