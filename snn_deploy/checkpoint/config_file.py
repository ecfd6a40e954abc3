"""A network's configuration from a YAML or JSON file of its own, as plain data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snn_deploy.checkpoint.plain_data import to_plain_data
from snn_deploy.errors import CheckpointError, ConfigError
from snn_deploy.io.reading import read_regular

if TYPE_CHECKING:
    import yaml

__all__ = ["read_config"]

_MAX_BYTES = 4 << 20
_FLOAT = re.compile(
    r"""[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?$
    |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$
    |[-+]?\.(inf|Inf|INF)$
    |\.(nan|NaN|NAN)$""",
    re.VERBOSE,
)


def read_config(path: Path) -> dict[str, Any]:
    """Read the table in ``path``; ``.json`` is JSON, anything else YAML.

    Nothing is executed and no interpolation is resolved: ``${...}`` stays a string.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not YAML or JSON, or is no table of plain values.
    """
    try:
        text = _read_text(path)
        table = json.loads(text) if path.suffix.lower() == ".json" else _parse_yaml(text)
        if not isinstance(table, dict):
            raise ValueError("it is not a table of names and values")
        plain: dict[str, Any] = to_plain_data(table)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"cannot read the configuration {path}: {reason}") from None
    except RecursionError:
        raise ConfigError(f"the configuration {path} is nested too deeply") from None
    except (ValueError, CheckpointError) as error:
        message = " ".join(str(error).split())[:500]
        raise ConfigError(f"the configuration {path} cannot be used: {message}") from None
    return plain


def _read_text(path: Path) -> str:
    return read_regular(path, _MAX_BYTES).decode("utf-8-sig")


def _parse_yaml(text: str) -> Any:
    import yaml

    try:
        return _loader_class()(text).get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {error}") from None


def _loader_class() -> type[yaml.SafeLoader]:
    """PyYAML's safe loader, but 1e-3 is a number and a date is text, as OmegaConf reads them."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            names: set[str] = set()
            for key, _ in node.value:
                where = f"at line {key.start_mark.line + 1}"
                if key.tag == "tag:yaml.org,2002:merge":  # can grow without bound
                    raise ValueError(f"it merges a table with '<<' {where}; write the values out")
                if isinstance(key.value, str) and key.value in names:
                    raise ValueError(f"{key.value!r} is given twice, again {where}")
                if isinstance(key.value, str):
                    names.add(key.value)
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
    return Loader
