"""Other packages add families, readers, profiles and engines; none of them can break the rest."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from networks import float_network
from plugin_packages import Install, install  # noqa: F401
from synthetic import checkpoint_of, tiny_spikingssm_state

import snn_deploy
from snn_deploy import examples, plugins
from snn_deploy.cli.main import commands, main
from snn_deploy.converters.registry import family_names, to_float_network
from snn_deploy.engines.registry import engine_names, get_engine
from snn_deploy.errors import ConfigError, SnnDeployWarning, TargetError, UnsupportedNetworkError
from snn_deploy.ir.storage import network_digest
from snn_deploy.mapping.profile import list_profiles, load_profile, load_profiles
from snn_deploy.readers import read_source, reader_names

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
CHECKPOINT, TRAIN = EXAMPLE / "seqdigits_uni.ckpt", EXAMPLE / "train.npz"

ENGINE = """
from snn_deploy.engines.native import NativeEngine

class Faster(NativeEngine):
    name = "faster"
"""

WRAPPING = """
from dataclasses import replace

from snn_deploy.engines.native import NativeEngine

class Wary:
    name, streams = "wary", True

    def open(self, network, watch):
        return Session(NativeEngine().open(network, watch))

class Session:
    def __init__(self, inside):
        self.inside = inside

    def __getattr__(self, name):
        return getattr(self.inside, name)

    def finish(self):
        result = self.inside.finish()
        return replace(result, output=result.output + 1)
"""

FAMILY = """
from dataclasses import replace

from snn_deploy.converters.registry import Family
from snn_deploy.converters.spikingssm import convert_spikingssm

def convert(checkpoint, output_steps, weights):
    renamed = {key.replace("cloud_", "s4_"): value for key, value in checkpoint.tensors.items()}
    return convert_spikingssm(replace(checkpoint, tensors=renamed), output_steps, weights)

CLOUD = Family(convert, key_marks=("cloud_layers.",))

def failing(checkpoint, output_steps, weights):
    raise KeyError("a bug of theirs")
"""

PAGE = (Path(__file__).parent.parent / "docs" / "converters.md").read_text(encoding="utf-8")
READER = next(
    b for b in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "PointerReader" in b
)

PROFILE = """
name = "bigchip"
version = "1.0.0"
extends = "loihi2"
summary = "A larger one."
"""


def shown(*words: object) -> str:
    """Run a command; give all that it prints."""
    done = CliRunner().invoke(commands, [str(word) for word in words], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.output


# --- what can be added


def test_an_engine(install: Install, tmp_path: Path) -> None:  # noqa: F811
    install("fast-engine", {"fast.py": ENGINE}, {"engines": {"faster": "fast:Faster"}})
    assert engine_names() == ("native", "reference", "lava", "c", "verilog", "onnx", "faster")
    assert get_engine("faster").name == "faster"
    deployment = snn_deploy.convert(CHECKPOINT, calibration=TRAIN)
    deployment.save(tmp_path / "d.safetensors")
    with np.load(TRAIN) as data:
        inputs = data["inputs"][:2]
    ours = deployment.simulate(inputs)
    theirs = deployment.simulate(inputs, backend="faster")
    np.testing.assert_array_equal(ours.logits, theirs.logits)
    command = ("simulate", tmp_path / "d.safetensors", "--data", TRAIN, "--limit", 2, "--backend")
    assert "accuracy" in shown(*command, "faster")


def test_an_engine_that_opens_sessions_of_its_own(install: Install, tmp_path: Path) -> None:  # noqa: F811
    """Whole batches, streams, their files and reports go through ``open``, and nothing else."""
    install("wary-engine", {"wary.py": WRAPPING}, {"engines": {"wary": "wary:Wary"}})
    deployment = snn_deploy.convert(CHECKPOINT, calibration=TRAIN)
    with np.load(TRAIN) as data:
        inputs = data["inputs"][:2]
    ours, theirs = (deployment.simulate(inputs, backend=name) for name in ("native", "wary"))
    assert (theirs.answer > ours.answer).all()
    stream = deployment.stream(2, backend="wary")
    stream.step(inputs[:, :20])
    stream.save(tmp_path / "state")
    again = deployment.resume(tmp_path / "state", backend="wary")
    again.step(inputs[:, 20:])
    np.testing.assert_array_equal(again.answer(), theirs.logits)
    chunks = iter(np.array_split(inputs, 3, axis=1))
    chunked = deployment.simulate(chunks, backend="wary")
    np.testing.assert_array_equal(chunked.logits, theirs.logits)
    (compared,) = deployment.verify(inputs, backends=["native", "wary"]).engines
    assert compared.divergence is not None
    assert compared.divergence.figure == "answer"
    report = deployment.report(inputs, backend="wary")
    assert report.to_json() == deployment.report(inputs).to_json()
    saved = tmp_path / "d.safetensors"
    deployment.save(saved)
    words = ("simulate", saved, "--data", TRAIN, "--limit", 2, "--chunk", 9, "--backend", "wary")
    assert "2 streams of 64 steps" in shown(*words)


@pytest.mark.parametrize("how", ["configuration", "keys", "overruled"])
def test_a_family(install: Install, how: str) -> None:  # noqa: F811
    install("cloud-nets", {"cloud.py": FAMILY}, {"families": {"cloud": "cloud:CLOUD"}})
    assert family_names()[-1] == "cloud"
    tensors, config = tiny_spikingssm_state()
    plain = to_float_network(checkpoint_of(tensors, config))
    clouds = {key.replace("s4_", "cloud_"): value for key, value in tensors.items()}
    checkpoint = checkpoint_of(clouds, config)
    if how == "configuration":
        config["model"]["_name_"] = "cloud"
    elif how == "keys":
        del config["model"]["_name_"]
    network = to_float_network(checkpoint, family="cloud" if how == "overruled" else None)
    assert network_digest(network) == network_digest(plain)


def test_a_family_that_fails_is_named(install: Install) -> None:  # noqa: F811
    install("cloud-nets", {"cloud.py": FAMILY}, {"families": {"rain": "cloud:failing"}})
    tensors, config = tiny_spikingssm_state()
    with pytest.raises(ConfigError, match=r"'rain' of the package cloud-nets .* failed .*bug of"):
        to_float_network(checkpoint_of(tensors, config), family="rain")
    assert to_float_network(checkpoint_of(tensors, config)).stage == "float"


def test_two_families_with_one_mark(install: Install) -> None:  # noqa: F811
    names = {"cloud": "cloud:CLOUD", "clouds": "cloud:CLOUD"}
    install("cloud-nets", {"cloud.py": FAMILY}, {"families": names})
    with pytest.raises(UnsupportedNetworkError, match="fit the families cloud and clouds; choose"):
        to_float_network(checkpoint_of({"cloud_layers.x": np.zeros(1, np.float32)}, None))


def test_a_reader(install: Install, tmp_path: Path) -> None:  # noqa: F811
    install("pointing", {"pointing.py": READER}, {"readers": {"pointer": "pointing:PointerReader"}})
    file = tmp_path / "to.pointer"
    file.write_text(str(CHECKPOINT))
    assert reader_names()[-1] == "pointer"
    deployment = snn_deploy.convert(str(file), calibration=TRAIN)
    plain = snn_deploy.convert(CHECKPOINT, calibration=TRAIN)
    assert deployment.origin.checkpoint == "to.pointer"
    assert deployment.origin.source == {"reader": "pointer", "notes": ["points"]}
    with np.load(TRAIN) as data:
        inputs = data["inputs"][:2]
    np.testing.assert_array_equal(deployment.simulate(inputs).logits, plain.simulate(inputs).logits)
    told = shown("inspect", file)
    assert "pointer" in told
    assert "points" in told
    shown("convert", file, "--calibration", TRAIN, "-o", tmp_path / "out.safetensors")
    assert snn_deploy.load(tmp_path / "out.safetensors").origin.source["reader"] == "pointer"
    with pytest.raises(ConfigError, match="a pointer takes no config: leave it out"):
        snn_deploy.convert(str(file), config={})


def test_two_readers_for_one_thing(install: Install) -> None:  # noqa: F811
    names = {"a": "pointing:PointerReader", "b": "pointing:PointerReader"}
    install("pointing", {"pointing.py": READER}, {"readers": names})
    with pytest.raises(ConfigError, match=r"recognised by 'a' of the .* and 'b' of the package"):
        read_source("x.pointer")


def test_a_profile(install: Install, tmp_path: Path) -> None:  # noqa: F811
    files = {"chips/__init__.py": "", "chips/bigchip.toml": PROFILE}
    folder = install("big-chips", files, {"profiles": {"bigchip": "chips"}})
    assert list_profiles()[-1] == "bigchip"
    assert load_profile("bigchip").summary == "A larger one."
    assert "bigchip" in shown("targets")
    snn_deploy.convert(CHECKPOINT, target="bigchip", calibration=TRAIN).save(tmp_path / "d")
    (folder / "big_chips-1.0.dist-info" / "entry_points.txt").unlink()
    plugins._entry_points.cache_clear()
    plugins._installed.cache_clear()
    assert "bigchip" not in list_profiles()
    assert snn_deploy.load(tmp_path / "d").profile.name == "bigchip"  # the file holds it


# --- names that are there twice


@pytest.mark.parametrize(
    ("group", "name", "use"),
    [
        ("engines", "native", lambda: get_engine("reference")),
        ("families", "spikingssm", family_names),
        ("readers", "checkpoint", lambda: read_source("x")),
        ("profiles", "loihi2", lambda: load_profile("cpu")),
    ],
)
def test_a_name_of_ours(install: Install, group: str, name: str, use: object) -> None:  # noqa: F811
    install("other", {}, {group: {name: "other:x"}})
    told = rf"'{name}' of the package snn-deploy .* and '{name}' of the package other .* one name"
    with pytest.raises(ConfigError, match=told):
        use()  # type: ignore[operator]
    assert f"broken   '{name}' of the package snn-deploy" in shown("doctor")


def test_a_name_of_two_packages(install: Install) -> None:  # noqa: F811
    install("one", {}, {"engines": {"fast": "one:x"}})
    install("two", {}, {"engines": {"fast": "two:x"}})
    with pytest.raises(ConfigError, match=r"'fast' of the package one .* and 'fast' of .* two"):
        get_engine("native")


# --- plugins that do not work

BROKEN = {
    "missing module": ("nowhere:x", r"No module named 'nowhere'"),
    "missing attribute": ("broken:nothing", r"has no attribute 'nothing'"),
    "failing import": ("failing:x", r"RuntimeError: out of order"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_breaks_nothing_else(
    install: Install,  # noqa: F811
    tmp_path: Path,
    what: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target, reason = BROKEN[what]
    files = {"broken.py": "", "failing.py": "raise RuntimeError('out of order\\nmore')"}
    install("broken-one", files, {g: {"bad": target} for g in ("engines", "families", "readers")})
    named = rf"'bad' of the package broken-one \(snn_deploy\.\w+\) cannot be imported .*{reason}"
    with pytest.raises(ConfigError, match=named):
        get_engine("bad")
    tensors, config = tiny_spikingssm_state()
    with pytest.raises(ConfigError, match=named):
        to_float_network(checkpoint_of(tensors, config), family="bad")
    assert to_float_network(checkpoint_of(tensors, config)).stage == "float"
    with pytest.warns(SnnDeployWarning, match=f"left out: {named}"):
        deployment = snn_deploy.convert(CHECKPOINT, calibration=TRAIN)
    assert deployment.origin.checkpoint == CHECKPOINT.name
    assert shown("doctor").count("broken   'bad' of the package broken-one") == 3
    with pytest.raises(SystemExit) as left:
        main(["simulate", str(CHECKPOINT), "--data", str(TRAIN), "--backend", "bad"])
    assert left.value.code == 2


def test_a_broken_profile_is_left_out(install: Install) -> None:  # noqa: F811
    files = {"chips/__init__.py": "", "chips/bad.toml": "name = 3"}
    names = {"bad": "chips", "absent": "chips", "lost": "nowhere"}
    install("bad-chips", files, {"profiles": names})
    with pytest.raises(TargetError, match="'bad' of the package bad-chips"):
        load_profile("bad")
    with pytest.raises(TargetError, match=r"no readable absent\.toml in it"):
        load_profile("absent")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = load_profiles()
    assert len(caught) == 3
    assert [profile.name for profile in found] == list(list_profiles()[:-3])


def test_doctor_lists_plugins(install: Install) -> None:  # noqa: F811
    assert "plugins" not in shown("doctor")
    install("fast-engine", {"fast.py": ENGINE}, {"engines": {"faster": "fast:Faster"}})
    told = shown("doctor")
    assert "ok       'faster' of the package fast-engine (snn_deploy.engines)" in told
    assert "broken" not in told


# --- unknown names


def test_an_unknown_name_gives_the_list_and_a_guess() -> None:
    told = plugins.unknown_name("family", "spikingsm", ["spikingssm", "other"])
    assert told == (
        "unknown family 'spikingsm'; there are: spikingssm, other; did you mean 'spikingssm'?"
    )
    assert "mean" not in plugins.unknown_name("family", "zebra", ["spikingssm"])


def test_a_network_needs_no_plugin() -> None:
    assert read_source(float_network()).provenance.chosen == {"reader": "network"}
