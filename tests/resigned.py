"""Signed files that someone changed, and signed again: anyone can compute a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["resigned"]


def resigned(path: Path, change: Callable[[Any], Any]) -> Path:
    """Change the document of a signed file, and give it a digest that fits."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    (key,) = header["__metadata__"]
    document = json.loads(header["__metadata__"][key])
    change(document)
    document["sha256"] = "0" * 64
    header["__metadata__"][key] = json.dumps(document, sort_keys=True, separators=(",", ":"))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    blank = len(text).to_bytes(8, "little") + text + content[8 + size :]
    digest = hashlib.sha256(blank).hexdigest().encode()
    field = b'\\"sha256\\":\\"'
    changed = path.with_name("changed")
    changed.write_bytes(blank.replace(field + b"0" * 64, field + digest, 1))
    return changed
