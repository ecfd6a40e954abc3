"""The reader of ONNX models of feed-forward networks: a file, or a live ``onnx.ModelProto``."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from snn_deploy.errors import CheckpointError, ConfigError
from snn_deploy.formats.onnx.file import SUFFIX, is_deployment, parse_model, read_content
from snn_deploy.readers.source import ReadOptions, Source, SourceProvenance

__all__ = ["OnnxReader"]


class OnnxReader:
    """Reads what torch, QONNX and other tools export, as data: nothing in a model is run."""

    def recognises(self, thing: object) -> bool:
        """Tell whether it is a file called ``.onnx``, or a model of the package ``onnx``."""
        if isinstance(thing, str | os.PathLike):
            return os.fspath(thing).lower().endswith(SUFFIX)
        return type(thing).__name__ == "ModelProto" and type(thing).__module__.startswith("onnx")

    def read(self, thing: Any, options: ReadOptions) -> Source:
        """Read it; the configuration may say ``readout``, how one vector is made of all steps."""
        told = ("family", "state_dict_key", "prefix", "ignore_keys", "weights")
        options.refuse("an ONNX model", *told)
        if isinstance(thing, str | os.PathLike):
            where, content = Path(thing).name, read_content(Path(thing), CheckpointError)
            model = parse_model(content, where, CheckpointError)
        else:
            where, model = "ModelProto", thing
            content = thing.SerializeToString(deterministic=True)
        if is_deployment(model):
            raise CheckpointError(
                f"{where}: a deployment already, which every command takes that takes one"
            )
        return _source(model, where, hashlib.sha256(content).hexdigest(), options)


def _source(model: Any, where: str, digest: str, options: ReadOptions) -> Source:
    from snn_deploy.readers.onnx.graph import read_graph
    from snn_deploy.readers.onnx.network import build_network
    from snn_deploy.readers.onnx.patterns import joined

    settings = options.settings()
    readout = str(settings.pop("readout", "mean"))
    if settings:
        raise ConfigError(f"{where}: an ONNX model takes no {', '.join(settings)}: leave it out")
    graph = joined(read_graph(model, where))
    network, left_out = build_network(graph, options.output_steps, readout)
    chosen = {"reader": "onnx", "producer": f"{model.producer_name} {model.producer_version}"}
    if options.output_steps == "one":
        chosen["readout"] = readout
    notes = [f"{len(graph.operators)} operators"]
    if left_out:
        notes.append(
            f"{len(left_out)} quantisers of signals are left out, '{left_out[0]}' first: number "
            "formats are chosen here"
        )
    return Source(network, SourceProvenance(where, digest, chosen, tuple(notes)))
