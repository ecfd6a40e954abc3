"""Checkpoints of several files: a folder as Hugging Face's libraries write it, or its index.

``model.safetensors`` (or ``pytorch_model.bin``), or a ``….index.json`` that says which of several
such files, the shards, holds which tensor; beside them a ``config.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snn_deploy.checkpoint.tensors import Array
from snn_deploy.errors import CheckpointError
from snn_deploy.io.reading import read_regular

__all__ = ["INDEX", "file_in", "read_shards"]

INDEX = ".index.json"
"""How the name of an index ends."""
_WEIGHTS = ("model.safetensors", "pytorch_model.bin", "model.pt", "model.pth", "model.ckpt")
_WEIGHTS_OF_ANY_NAME = ("*.safetensors", "*.ckpt", "*.pt", "*.pth", "*.bin", "*.pth.tar")
_MAX_INDEX_BYTES = 32 << 20
_MAX_SHARDS = 1000


def file_in(folder: Path) -> Path:
    """Give the file of a folder that holds, or lists, its weights.

    Raises
    ------
    CheckpointError
        If there is none, or it is not clear which.
    """
    for name in (*(f"{name}{INDEX}" for name in _WEIGHTS), *_WEIGHTS):
        if (folder / name).is_file():
            return folder / name
    if any(folder.glob("*.distcp")):
        raise CheckpointError(
            "it is a folder of torch.distributed.checkpoint, one shard a process; gather it with "
            "'python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER OUT.pt'"
        )
    if (folder / "saved_model.pb").exists() or any(folder.glob("*.ckpt.index")):
        raise CheckpointError("it is a folder of TensorFlow's; only PyTorch's files can be read")
    found = sorted({file for mask in _WEIGHTS_OF_ANY_NAME for file in folder.glob(mask)})
    if len(found) == 1:
        return found[0]
    several = ", ".join(file.name for file in found[:8])
    raise CheckpointError(
        "it is a folder; name the checkpoint file in it" + (f": {several}" if several else "")
    )


def read_shards(
    index: Path, most: int, read: Callable[[bytes], dict[str, Array]]
) -> tuple[dict[str, Array], list[bytes]]:
    """Read the tensors that an index lists, each from its shard.

    Parameters
    ----------
    index
        The index; its shards are beside it.
    most
        How many bytes all files may have together.
    read
        Gives the tensors of one shard, from its bytes.

    Returns
    -------
    tensors, contents
        The tensors by name, and the bytes of index and shards, in the order of their names.

    Raises
    ------
    CheckpointError
        If the index is none, or does not say what the shards hold.
    OSError
        If a file cannot be read.
    """
    content = read_regular(index, _MAX_INDEX_BYTES)
    places = _weight_map(content)
    contents, tensors = [content], dict[str, Array]()
    for shard in sorted(set(places.values())):
        most -= len(contents[-1])
        try:
            contents.append(read_regular(index.with_name(shard), most))
        except FileNotFoundError:
            raise CheckpointError(f"its shard {shard!r} is missing: copy all files") from None
        held = read(contents[-1])
        listed = {name for name, place in places.items() if place == shard}
        if held.keys() != listed:
            name = min(held.keys() ^ listed)
            raise CheckpointError(
                f"its index and its shard {shard!r} disagree about {name[:100]!r}: they are of "
                "different checkpoints, or one is damaged"
            )
        tensors |= held
    return tensors, contents


def _weight_map(content: bytes) -> dict[str, str]:
    try:
        index: Any = json.loads(content)
    except (ValueError, RecursionError):
        raise CheckpointError("it is no index: not JSON") from None
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not all(isinstance(v, str) for v in places.values()):
        raise CheckpointError("it is no index of shards: it has no table 'weight_map' of files")
    shards = set(places.values())
    if len(shards) > _MAX_SHARDS:
        raise CheckpointError(f"its index names {len(shards)} shards, at most {_MAX_SHARDS} can be")
    for shard in shards:
        if not shard or shard != Path(shard).name or "\\" in shard or "\0" in shard:
            raise CheckpointError(f"its index names {shard[:100]!r}, which is no file beside it")
    return places
