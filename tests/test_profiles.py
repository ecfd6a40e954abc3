"""Hardware profiles: the data itself, and what a user can get wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snn_deploy.errors import TargetError
from snn_deploy.mapping.profile import Profile, list_profiles, load_profile, parse_profile
from snn_deploy.mapping.schema import Limit, Quantity

UNITS = ("_bits", "_bytes", "_pj", "_ns", "_mhz", "_mw")
COUNTS = re.compile(
    r"chips|(cores|synapses)_per_chip|(neurons|in_axons|out_axons)_per_core"
    r"|router_columns|router_rows|cores_per_router"
    r"|block_rams|(block|logic)_ram_words|multipliers|luts"
)
EXTENDED = 'extends = "loihi2"\n'
ASSUMED = 'known = "assumed", source = "davies2018" }'


@pytest.fixture(params=list_profiles())
def profile(request: pytest.FixtureRequest) -> Profile:
    return load_profile(request.param)


def test_profiles_that_users_ask_for_exist() -> None:
    assert {"loihi1", "loihi2", "cpu"} <= set(list_profiles())


def test_file_name_is_the_profiles_name(profile: Profile) -> None:
    assert profile.name in list_profiles()
    assert load_profile(profile.name) == profile


def test_every_number_has_a_unit_a_source_and_a_kind(profile: Profile) -> None:
    for key, number in profile.constants():
        name = key.split(".")[1]
        assert name.endswith(UNITS) or COUNTS.fullmatch(name), f"{key} has no unit"
        assert profile.sources[number.source].strip(), key
        assert number.known, key
        if number.known == "assumed":
            assert number.note or number.source == "davies2018", f"{key}: why is it assumed?"


def test_plain_data_reads_back(profile: Profile) -> None:
    assert parse_profile(profile.to_dict(), "copy") == profile


def test_published_numbers() -> None:
    loihi1, loihi2 = load_profile("loihi1"), load_profile("loihi2")
    assert loihi1.energy.ac_pj is not None
    assert loihi1.energy.ac_pj.typical == pytest.approx(23.6)
    assert loihi1.limits.get("neurons_per_core") == 1024
    assert not loihi1.supports.graded_messages
    assert loihi2.limits.get("weight_bits") == 8
    assert loihi2.limits.get("in_axons_per_core") is None
    assert load_profile("hala_point").cores == 140_544
    assert load_profile("cpu").cores is None


def test_loihi2_says_that_its_energies_are_not_its_own() -> None:
    profile = load_profile("loihi2")
    assert any("ever been published" in note for note in profile.notes)
    energies = [n for key, n in profile.constants() if key.startswith("energy.")]
    assert {n.known for n in energies} == {"assumed"}
    assert all(isinstance(n, Quantity) and n.low < n.high for n in energies)


def test_unknown_target_lists_those_that_exist() -> None:
    with pytest.raises(TargetError, match=r"unknown target 'loihi3'; there are: .*loihi1.*loihi2"):
        load_profile("loihi3")


def test_template_is_a_profile(root: Path) -> None:
    profile = load_profile(root / "hw_profiles" / "_template.toml")
    left_out = {"energy.neuron_mac_pj"}
    keys = {key for key, _ in profile.constants()}
    names = ("limits", "lif", "energy", "time", "power", "mesh")
    sections = {name: type(getattr(profile, name)) for name in names}
    every = {f"{name}.{key}" for name, model in sections.items() for key in model.model_fields}
    assert keys == every - left_out


def test_users_file_may_extend_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'extends = "loihi2"\nschema_version = 1\nname = "mine"\nversion = "0.1.0"\n'
        'vendor = "me"\nsummary = "two chips"\n[sources]\nme = "my lab"\n'
        '[limits]\nchips = { value = 2, known = "measured", source = "me" }\n'
    )
    profile = load_profile(path)
    assert (profile.name, profile.cores) == ("mine", 256)
    assert profile.energy == load_profile("loihi2").energy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("= 3", "not valid TOML"),
        ("schema_version = 2", "schema_version: Input should be 1"),
        ("schema_version = 1", "key 'name' is missing"),
        ('extends = "nothing"', "unknown target 'nothing'"),
        ("extends = 3", "'extends' must name a profile"),
        ('extends = "loihi2"\n[limits]\nwings = 2', "unknown key 'limits.wings'"),
        (
            EXTENDED + "[energy]\nac_pj = { low = 2.0, typical = 1.0, high = 3.0, " + ASSUMED,
            "energy.ac_pj: not low <= typical <= high",
        ),
        (
            EXTENDED + "[energy]\nac_pj = { low = nan, typical = 1.0, high = 3.0, " + ASSUMED,
            "energy.ac_pj.low: Input should be a finite number",
        ),
        (
            'extends = "loihi2"\n[limits]\nchips = { value = 2, known = "assumed", source = "x" }',
            r"limits.chips: source 'x' is not in \[sources\]",
        ),
        (
            'extends = "loihi2"\n[limits]\nchips = { known = "assumed", source = "davies2018" }',
            "limits.chips: a limit has a value, or is known = 'unpublished'",
        ),
        ('extends = "loihi2"\n[limits]\nchips = { value = 2, known = "assumed" }', "is missing"),
    ],
)
def test_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(TargetError, match=message):
        load_profile(path)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="cannot read the profile"):
        load_profile(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TargetError, match="not UTF-8"):
        load_profile(tmp_path / "binary.toml")


def test_profiles_that_extend_one_another_end(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "a.toml"')
    with pytest.raises(TargetError, match="more than 4 profiles extend"):
        load_profile(tmp_path / "a.toml")


def test_overrides_replace_numbers_and_say_so() -> None:
    profile = load_profile("loihi2")
    changed = profile.with_overrides(
        {"limits.cores_per_chip": "64", "energy.ac_pj": 20, "power.static_per_chip_mw.high": 500.0}
    )
    assert changed.cores == 64
    energy, power = changed.energy.ac_pj, changed.power.static_per_chip_mw
    assert energy is not None
    assert (energy.low, energy.typical, energy.high) == (20.0, 20.0, 20.0)
    assert power is not None
    assert (power.low, power.high) == (230.0, 500.0)
    assert energy.known == "assumed"
    assert changed.sources[energy.source] == "set by the user"
    assert changed.overrides == (
        "energy.ac_pj",
        "limits.cores_per_chip",
        "power.static_per_chip_mw.high",
    )
    assert profile.cores == 128


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"limits.wings": 2}, "unknown profile setting 'limits.wings'; there are: limits.chips"),
        ({"wings": 2}, "unknown profile setting 'wings'"),
        ({"energy.ac_pj.mean": 2}, "give .low, .typical or .high"),
        ({"energy.ac_pj": "much"}, "setting energy.ac_pj=much: not a number"),
        ({"energy.ac_pj": "nan"}, "finite number"),
        ({"energy.ac_pj.low": 1000}, "not low <= typical <= high"),
        ({"limits.chips": 1.5}, "limits.chips.value"),
        ({"limits.chips": -1}, "greater than or equal to 0"),
    ],
)
def test_wrong_overrides_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(TargetError, match=message):
        load_profile("loihi2").with_overrides(settings)


def test_limits_of_every_profile_are_whole_numbers(profile: Profile) -> None:
    for key, number in profile.constants():
        if isinstance(number, Limit) and number.known != "unpublished":
            assert isinstance(number.value, int), key
