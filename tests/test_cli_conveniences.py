"""What makes commands pleasant: quiet, JSON, completion, new profiles, how to cite."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from networks import float_inputs, float_network

import snn_deploy
from snn_deploy.cli import console
from snn_deploy.cli.cite import REFERENCE
from snn_deploy.cli.main import commands, main
from snn_deploy.errors import ConfigError, TargetError
from snn_deploy.mapping.profile import list_profiles, load_profile

NETWORK = float_network(classes=3)
X = float_inputs(NETWORK, 4, 12).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conveniences")
    snn_deploy.convert(NETWORK, calibration=X).save(folder / "d.safetensors")
    np.savez(folder / "x.npz", inputs=X, labels=[0, 1, 2, 0])
    return folder


def run(*words: object) -> Any:
    return CliRunner().invoke(commands, [str(word) for word in words], standalone_mode=False)


def written(path: Path) -> Any:
    return json.loads(path.read_text())


# --- quiet


def test_quiet_prints_no_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "quiet.json"
    words = ["simulate", folder / "d.safetensors", "--data", folder / "x.npz", "--json", out]
    try:
        for command in ([*words, "--quiet"], ["--quiet", "targets"], ["doctor", "--quiet"]):
            with pytest.raises(SystemExit) as left:
                main([str(word) for word in command])
            assert left.value.code == 0
            assert capsys.readouterr().out == ""
    finally:
        console.quiet(False)
    assert written(out)["accuracy"] is not None


def test_quiet_tells_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        with pytest.raises(SystemExit) as left:
            main(["inspect", "nothing.ckpt", "--quiet"])
    finally:
        console.quiet(False)
    assert left.value.code == 2
    assert "nothing.ckpt" in capsys.readouterr().err


# --- JSON


def test_simulate_writes_what_it_prints(folder: Path) -> None:
    out = folder / "s.json"
    done = run("simulate", folder / "d.safetensors", "--data", folder / "x.npz", "--json", out)
    assert done.exception is None
    found = snn_deploy.load(folder / "d.safetensors").simulate(folder / "x.npz")
    told = written(out)
    assert told["accuracy"] == found.accuracy
    assert told["spike_rates"]["layers.0"] == found.spike_counts["layers.0"].mean() / 12
    streamed = folder / "t.json"
    words = ("simulate", folder / "d.safetensors", "--data", folder / "x.npz", "--chunk", 5)
    assert run(*words, "--json", streamed).exception is None
    assert written(streamed) == told


def test_results_do_not_overwrite_what_is_read(folder: Path) -> None:
    deployed = folder / "d.safetensors"
    done = run("simulate", deployed, "--data", folder / "x.npz", "--json", deployed)
    assert done.exception is not None
    assert snn_deploy.load(deployed)


def test_inspect_lists_every_node(folder: Path) -> None:
    out = folder / "i.json"
    assert run("inspect", folder / "d.safetensors", "--json", out).exception is None
    network = snn_deploy.load(folder / "d.safetensors").network
    assert [row["node"] for row in written(out)["nodes"]] == list(network.names)
    assert written(out)["facts"]["target"].startswith("loihi2")


def test_targets_and_doctor(tmp_path: Path) -> None:
    one, every, doctor = (tmp_path / f"{name}.json" for name in ("one", "every", "doctor"))
    assert run("targets", "loihi2", "--json", one).exception is None
    assert run("targets", "--json", every).exception is None
    assert set(written(every)) == set(list_profiles())
    assert written(one) == written(every)["loihi2"] == load_profile("loihi2").to_dict()
    assert run("doctor", "--json", doctor).exception is None
    assert {"section": "core", "status": "ok"}.items() <= written(doctor)["found"][0].items()


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_commands_that_print_figures_write_them(name: str) -> None:
    """All but those whose result is a file, a shell's script, or another command's."""
    others = {"convert", "export", "finetune", "demo", "completion", "new-profile"}
    options = {option for each in commands.commands[name].params for option in each.opts}
    if name == "evaluate":
        assert "--output" in options  # JSON, always
    elif name not in others:
        assert "--json" in options


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_every_command_explains_itself(name: str) -> None:
    done = run(name, "--help")
    assert done.exception is None
    assert done.output.startswith(f"Usage: snn-deploy {name}") or name in done.output


# --- completion


def completed(*words: str) -> list[tuple[str, str]]:
    from click.shell_completion import BashComplete

    found = BashComplete(commands, {}, "snn-deploy", "_SNN_DEPLOY_COMPLETE").get_completions(
        list(words[:-1]), words[-1]
    )
    return [(item.type, item.value) for item in found]


def test_commands_files_targets_and_engines_are_completed() -> None:
    assert completed("simu") == [("plain", "simulate")]
    assert completed("convert", "model") == [("file", "model")]
    assert ("plain", "loihi2") in completed("convert", "a", "--target", "lo")
    assert ("file", "lo") in completed("convert", "a", "--target", "lo")
    assert completed("simulate", "a", "--backend", "ref") == [("plain", "reference")]
    assert ("plain", "--calibration") in completed("convert", "--cal")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_for_shells(shell: str) -> None:
    done = run("completion", shell)
    assert done.exception is None
    assert "_SNN_DEPLOY_COMPLETE" in done.output


BASH = """
compopt() { how="$1 $2"; }  # bash has it only while it completes; here it is kept
eval "$(snn-deploy completion bash)"
complete -p snn-deploy
completed() {
    COMP_WORDS=(snn-deploy "$@") COMP_CWORD=$#
    COMPREPLY=() how=
    _snn_deploy_completion snn-deploy "${!#}"
    echo "${COMPREPLY[*]}|$how"
}
completed simul
completed convert net.ckpt
completed convert net.ckpt --target loihi
completed convert net.ckpt --target ./my
completed targets loihi1_
completed simulate net --backend ref
completed export net --format ver
"""


def test_bash_completes_with_it(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    program = tmp_path / "snn-deploy"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m snn_deploy "$@"\n')
    program.chmod(0o755)
    path = {"PATH": os.pathsep.join([str(tmp_path), os.environ["PATH"]])}
    where = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [bash, "--norc", "-c", BASH],
        check=False,
        env=os.environ | path | where,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    registered, *found = done.stdout.splitlines()
    assert registered.endswith("-F _snn_deploy_completion snn-deploy")
    loihis = " ".join(name for name in list_profiles() if name.startswith("loihi"))
    assert found == [
        "simulate|",
        "|-o default",  # bash's own, of files
        f"{loihis}|-o default",  # names, and files only where there is no name
        "|-o default",
        "loihi1_fitted|-o default",
        "reference|",
        "verilog|",
    ]


# --- new profiles


def test_a_new_profile_is_one(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    assert run("new-profile", "edge_1", "-o", path).exception is None
    profile = load_profile(path)
    assert profile.name == "edge_1"
    again = run("new-profile", "edge_1", "-o", path)
    assert isinstance(again.exception, ConfigError)
    assert "exists; choose another name with -o" in str(again.exception)


@pytest.mark.parametrize("base", ["loihi2", "cpu", "loihi1", "algorithm_45nm"])
def test_a_profile_that_extends_another_is_the_same_until_it_is_filled_in(
    base: str, tmp_path: Path
) -> None:
    path = tmp_path / "edge.toml"
    assert run("new-profile", "edge", "--extends", base, "-o", path).exception is None
    profile, before = load_profile(path), load_profile(base)
    assert profile.limits == before.limits
    assert profile.energy == before.energy
    filled = re.sub(r"^# (cores_per_chip = .*)", r"\1", path.read_text(), flags=re.MULTILINE)
    path.write_text(filled.replace("value = 128", "value = 12"))
    if base == "loihi2":
        assert load_profile(path).limits.get("cores_per_chip") == 12


@pytest.mark.parametrize("name", ["Edge", "1st", "a-b", "a b", "../a", '"', ""])
def test_names_that_are_none(name: str, tmp_path: Path) -> None:
    done = run("new-profile", name, "-o", tmp_path / "a.toml")
    assert done.exception is not None
    assert not (tmp_path / "a.toml").exists()


def test_unknown_bases_are_told(tmp_path: Path) -> None:
    done = run("new-profile", "edge", "--extends", "Loihi2", "-o", tmp_path / "a.toml")
    assert isinstance(done.exception, TargetError)
    assert "did you mean 'loihi2'?" in str(done.exception)


# --- how to cite


def test_citation_is_that_of_the_source(root: Path) -> None:
    cff = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert cff["title"] == REFERENCE["title"]
    assert str(cff["version"]) == REFERENCE["version"] == snn_deploy.__version__
    assert cff["license"] == REFERENCE["license"]
    assert [author["name"] for author in cff["authors"]] == [REFERENCE["author"]]
    done = run("cite")
    assert done.output.startswith("@software{snn_deploy,\n")
    assert f"version = {{{snn_deploy.__version__}}}" in done.output
