"""Writes a deployment as lava-dl's ``.net``, which its netx runs on Lava."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snn_deploy.errors import BackendUnavailableError, ConfigError, DeploymentError
from snn_deploy.formats.registry import Written
from snn_deploy.io.files import atomic_write

if TYPE_CHECKING:
    from snn_deploy.deployment import Deployment

__all__ = ["LavaDlFormat"]

SUFFIX = ".net"


class LavaDlFormat:
    """Layers and neurons of Loihi's, in its integers; a file of it is converted, not loaded."""

    name = "lava-dl"

    def write(self, deployment: Deployment, path: Path) -> Written:
        """Write the network, if it is made of layers that the format has."""
        from snn_deploy.formats.lava_dl.layers import layers_of
        from snn_deploy.ir.host import chip_part

        try:
            import h5py
        except ImportError as error:
            raise BackendUnavailableError(
                "writing .net files needs h5py, which is not installed: pip install "
                "'snn-deploy[lava-dl]'"
            ) from error
        if path.suffix != SUFFIX:
            raise ConfigError(f"{path}: give a name that ends in {SUFFIX}, by which it is known")
        layers, notes = layers_of(chip_part(deployment.network))
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            for index, layer in enumerate(layers):
                _write(file.create_group(f"layer/{index}"), layer)
        with atomic_write(path) as opened:
            opened.write(content.getvalue())
        return Written((path,), notes)

    def recognises(self, path: Path) -> bool:
        """Tell that none is a deployment: the file says nothing of where it came from."""
        return False

    def read(self, path: Path) -> Deployment:
        """Say how such a file is read."""
        raise DeploymentError(f"{path}: a .net file is a network to convert, not a deployment")


def _write(group: Any, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            _write(group.create_group(name), value)
        elif isinstance(value, str):
            size = (1,) if name == "type" and "vThMant" not in fields else ()
            form = f"S{max(10, len(value))}"
            group.create_dataset(name, size, form, np.array(value.encode("ascii"), form))
        else:
            group.create_dataset(name, data=np.asarray(value))
