"""The profiles that come with the package, as files: the schema's library takes long to import."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

from snn_deploy.io.toml import parse_toml

__all__ = ["BUNDLED", "bundled_names", "bundled_version", "parsed"]

BUNDLED = "snn_deploy.hw_profiles"


def bundled_names() -> list[str]:
    """Name them, in order."""
    names = (entry.name for entry in resources.files(BUNDLED).iterdir())
    return sorted(n[:-5] for n in names if n.endswith(".toml") and not n.startswith("_"))


def bundled_version(name: str) -> Any:
    """Give a profile's version; None if there is none of that name."""
    if name not in bundled_names():
        return None
    file = resources.files(BUNDLED) / f"{name}.toml"
    return parsed(file.read_bytes()).get("version")


@lru_cache(maxsize=32)  # a profile that has a name is read many times in a run
def parsed(content: bytes) -> dict[str, Any]:
    """Parse a profile; whoever changes what it gives copies it before."""
    return parse_toml(content)
