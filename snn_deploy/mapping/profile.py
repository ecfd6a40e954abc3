"""Hardware profiles: what a chip can do and what it costs, read from TOML data.

Every number carries its unit in its key, where it comes from, and how well it is known. A profile
may extend another (a system of many chips extends its chip); ``docs/profiles.md`` is the reference.
Other packages add profiles as entry points of the group ``snn_deploy.profiles``: ``NAME = package``
where the package holds ``NAME.toml``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from snn_deploy.errors import ConfigError, SnnDeployWarning, TargetError
from snn_deploy.io.toml import read_toml
from snn_deploy.mapping.bundled import BUNDLED, bundled_names, parsed
from snn_deploy.mapping.schema import (
    LARGEST,
    Board,
    Data,
    Energy,
    Fpga,
    LifWidths,
    Limit,
    Limits,
    Mesh,
    Power,
    Quantity,
    Supports,
    Time,
)
from snn_deploy.plugins import OURS, Named, named, unknown_name

__all__ = [
    "Profile",
    "is_bundled",
    "list_profiles",
    "load_bundled",
    "load_profile",
    "load_profiles",
    "parse_profile",
    "split_settings",
]

MAX_DEPTH = 4  # profiles that extend profiles

_NUMERIC: dict[str, type[Data]] = {
    "limits": Limits,
    "lif": LifWidths,
    "energy": Energy,
    "time": Time,
    "power": Power,
    "mesh": Mesh,
    "board": Board,
    "fpga": Fpga,
}


class Profile(Data):
    """A target: its abilities, limits and costs.

    Parameters
    ----------
    name, version, vendor, summary
        ``version`` changes whenever a number does.
    notes
        What every report on this target must say.
    sources
        Full references by the short keys that numbers name.
    overrides
        Keys that a user has changed with :meth:`with_overrides`.
    """

    schema_version: Literal[1]
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    vendor: str
    summary: str
    notes: tuple[str, ...] = Field((), strict=False)
    supports: Supports
    limits: Limits = Limits()
    lif: LifWidths = LifWidths()
    energy: Energy = Energy()
    time: Time = Time()
    power: Power = Power()
    mesh: Mesh = Mesh()
    board: Board = Board()
    fpga: Fpga = Fpga()
    sources: dict[str, str]
    overrides: tuple[str, ...] = Field((), strict=False)

    @model_validator(mode="after")
    def _sources_exist(self) -> Profile:
        for key, number in self.constants():
            if number.source not in self.sources:
                raise ValueError(f"{key}: source '{number.source}' is not in [sources]")
        return self

    def constants(self) -> Iterator[tuple[str, Limit | Quantity]]:
        """Give every number with its dotted key, e.g. ``("energy.ac_pj", Quantity(...))``."""
        for section in _NUMERIC:
            group = getattr(self, section)
            for key in type(group).model_fields:
                number = getattr(group, key)
                if number is not None:
                    yield f"{section}.{key}", number

    @property
    def cores(self) -> int | None:
        """Cores of the whole system, None where unlimited."""
        chips, cores = self.limits.get("chips"), self.limits.get("cores_per_chip")
        return None if chips is None or cores is None else chips * cores

    def to_dict(self) -> dict[str, Any]:
        """Give the profile as plain data that :func:`parse_profile` reads back."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)

    def with_overrides(self, settings: Mapping[str, Any]) -> Profile:
        """Replace numbers by dotted key, marking them as the user's; none changes nothing.

        ``{"limits.cores_per_chip": 64, "energy.ac_pj": 20, "power.static_per_chip_mw.high": 900}``.
        Without ``.low``, ``.typical`` or ``.high`` all three become the one value.

        Raises
        ------
        TargetError
            For an unknown key or a value that is no such number.
        """
        if not settings:
            return self
        data = self.to_dict()
        for key, value in settings.items():
            _override(data, key, _as_number(key, value))
        data["sources"] = {**self.sources, "user": "set by the user"}
        data["overrides"] = sorted({*self.overrides, *settings})
        return parse_profile(data, f"profile '{self.name}' with the given settings")


def list_profiles() -> tuple[str, ...]:
    """Name the profiles that come with the package, in order, then those that others add."""
    return tuple(_profiles())


def is_bundled(name_or_path: str | os.PathLike[str]) -> bool:
    """Tell whether this is the name of a profile that comes with the package."""
    return os.fspath(name_or_path) in bundled_names()


def _profiles() -> dict[str, Named]:
    return named("profiles", dict.fromkeys(bundled_names(), BUNDLED))


def load_profile(name_or_path: str | os.PathLike[str]) -> Profile:
    """Load a profile by name, or a user's own from a ``.toml`` file.

    Raises
    ------
    TargetError
        For a name that does not exist (the message lists those that do), or a file that cannot be
        read or breaks the schema (the message names the key).
    ConfigError
        If a package adds the profile, but cannot be imported.
    """
    data = _read(os.fspath(name_or_path), depth=0)
    return parse_profile(data, _called(os.fspath(name_or_path)))


def load_profiles() -> list[Profile]:
    """Load every profile that has a name; a package's that cannot be is warned of and left out."""
    loaded = (load_profile(name) if is_bundled(name) else _added(name) for name in list_profiles())
    return [profile for profile in loaded if profile is not None]


def _added(name: str) -> Profile | None:
    try:
        return load_profile(name)
    except (ConfigError, TargetError) as error:
        warnings.warn(f"left out: {error}", SnnDeployWarning, stacklevel=4)
        return None


def load_bundled(name: str) -> Profile:
    """Load a profile that comes with the package; a file may name no other.

    Raises
    ------
    TargetError
        For any other name, a path among them.
    """
    if not is_bundled(name):
        raise TargetError(
            f"no profile '{name}' comes with the package: there are: {', '.join(bundled_names())}"
        )
    return load_profile(name)


def split_settings(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part settings for a profile (``limits.chips``, ``energy.ac_pj``, …) from all others."""
    ours = {key: value for key, value in settings.items() if key.partition(".")[0] in _NUMERIC}
    return ours, {key: value for key, value in settings.items() if key not in ours}


def parse_profile(data: Mapping[str, Any], origin: str) -> Profile:
    """Check plain data against the schema; ``origin`` is what messages call it.

    Raises
    ------
    TargetError
        Naming every key that is wrong.
    """
    try:
        return Profile.model_validate(dict(data))
    except ValidationError as error:
        told = "; ".join(_explain(detail) for detail in error.errors())
        raise TargetError(f"{origin}: {told}") from None


def _explain(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"unknown key '{key}' (see docs/profiles.md)"
    if detail["type"] == "missing":
        return f"key '{key}' is missing"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def _read(name: str, depth: int) -> dict[str, Any]:
    """Read a profile's TOML, merged into what it extends."""
    is_file = name.endswith(".toml")
    shown = name if is_file else _called(name)
    data = _read_file(name) if is_file else _read_named(name)
    base = data.pop("extends", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise TargetError(f"{shown}: 'extends' must name a profile")
    if depth >= MAX_DEPTH:
        raise TargetError(f"{shown}: more than {MAX_DEPTH} profiles extend one another")
    if base.endswith(".toml"):
        if Path(base).name != base:  # who wrote it need not be who named it
            raise TargetError(f"{shown}: 'extends' names a profile, or a file beside it")
        base = str(Path(name).parent / base)
    return _merge(_read(base, depth + 1), data)


def _read_named(name: str) -> dict[str, Any]:
    profiles = _profiles()
    if name not in profiles:
        raise TargetError(
            f"{unknown_name('target', name, profiles)}; "
            "a profile of your own is given as the path of a .toml file"
        )
    try:
        file = resources.files(profiles[name].load()) / f"{name}.toml"
        return deepcopy(parsed(file.read_bytes()))
    except (OSError, TypeError, ValueError) as error:  # TypeError: what is named is no package
        raise TargetError(f"{_called(name)}: no readable {name}.toml in it ({error})") from None


def _called(name: str) -> str:
    """Give what messages call a profile: whose it is, where it is another package's."""
    profiles = _profiles()
    added = name in profiles and profiles[name].package != OURS
    return f"profile {profiles[name] if added else repr(name)}"


def _read_file(name: str) -> dict[str, Any]:
    try:
        return read_toml(name)
    except OSError as error:
        raise TargetError(f"cannot read the profile {name}: {error.strerror}") from None
    except ValueError as error:
        raise TargetError(f"{name} is no profile: {error}") from None


_NUMBER_KEYS = frozenset({"value", "low", "typical", "high", "known", "source"})


def _merge(base: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Lay ``data`` over ``base``: tables merge, numbers and lists are replaced whole."""
    merged = dict(base)
    for key, value in data.items():
        old = merged.get(key)
        is_table = isinstance(value, dict) and isinstance(old, dict)
        if is_table and not _NUMBER_KEYS & value.keys():
            merged[key] = _merge(old, value)  # type: ignore[arg-type]  # a table, just checked
        else:
            merged[key] = value
    return merged


def _as_number(key: str, value: Any) -> int | float:
    try:
        if isinstance(value, str):
            value = int(value) if value.strip().lstrip("+-").isdecimal() else float(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if abs(value) <= LARGEST:
                return value
            raise TargetError(f"setting {key}: not a finite number within ±{LARGEST:,}")
    except ValueError:
        pass
    raise TargetError(f"setting {key}={value}: not a number")


def _override(data: dict[str, Any], key: str, value: int | float) -> None:
    section, _, rest = key.partition(".")
    name, _, part = rest.partition(".")
    if section not in _NUMERIC or name not in _NUMERIC[section].model_fields:
        raise TargetError(unknown_name("profile setting", key, _settings()))
    number = data.setdefault(section, {}).setdefault(name, {})
    number.update(known="assumed", source="user")
    if section in {"limits", "lif", "mesh", "board", "fpga"}:
        number.update(value=value, note="")
    elif part in {"low", "typical", "high"}:
        number[part] = float(value)
    elif part:
        raise TargetError(f"unknown profile setting '{key}': give .low, .typical or .high")
    else:
        number.update(low=float(value), typical=float(value), high=float(value), note="")


def _settings() -> list[str]:
    return [f"{s}.{key}" for s, model in _NUMERIC.items() for key in model.model_fields]
