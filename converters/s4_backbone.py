"""S4's own backbone (``model._name_: model``): what all networks that were trained in it share.

    pre-norm     h' = h + layer(norm(h)), and ``model.norm`` after the last layer
    post-norm    h' = norm(h + layer(h))

A family says what its layer is; encoder, norms, residuals and decoder are read here.
(github.com/state-spaces/s4, version 4: ``src/models/sequence/backbones``.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, Field, field_validator

from snn_deploy.converters.s4_config import S4Config, StackConfig, parse_options, parse_s4_config
from snn_deploy.converters.s4_decoders import read_decoder
from snn_deploy.converters.s4_encoders import named_options, read_encoder
from snn_deploy.converters.s4_parts import norm
from snn_deploy.converters.weights import Weights, strip_wrappers
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.float_inputs import TokenInput
from snn_deploy.nodes.residual import Residual

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["BackboneConfig", "BackboneModel", "LayerReader", "Place", "convert_backbone"]

Factors = tuple[Any, Any]
"""Of stream and layer: a number, or one a channel."""

_DEAD = (r".*num_batches_tracked", r"n_averaged")


class BackboneModel(StackConfig):
    """``model`` of a network behind S4's backbone."""

    n_layers: int = Field(1, ge=1)
    prenorm: bool = True
    bidirectional: bool = False
    n_repeat: Literal[1] = 1
    residual: Any = None
    norm: Literal["batch", "layer"] | None = None
    pool: Any = None
    layer: dict[str, Any]
    track_norms: bool = True
    dropinp: float = 0.0

    @field_validator("norm", mode="before")
    @classmethod
    def _norm_by_name(cls, value: object) -> object:
        named = value.get("_name_") if isinstance(value, Mapping) and len(value) == 1 else value
        return None if named == "none" else named

    @field_validator("pool")
    @classmethod
    def _no_pooling(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            plain = value is None
        else:
            strides = {value.get("stride", 1), value.get("pool", 1)}
            plain = strides == {1} and value.get("expand") in (None, 1)
        if not plain:
            raise ValueError("pooling changes the number of steps between layers, which is unknown")
        return value


class BackboneConfig(S4Config):
    """The configuration of a network behind S4's backbone."""

    model: BackboneModel


class _NoOptions(BaseModel):
    beta: Literal[1] = 1


class _Constant(BaseModel):
    alpha: float = 1.0
    beta: float = 1.0


class _Learned(_Constant):
    scalar: bool = True
    gamma: float = 0.0  # acts on the initial value


class _Decaying(BaseModel):
    power: float = 0.5
    l2: bool = True


@dataclass(frozen=True)
class Place:
    """Where one layer sits.

    Parameters
    ----------
    weights, keys
        The checkpoint, and the prefix of the block's tensors, e.g. ``model.layers.0.``.
    name, reads
        The prefix of its nodes, e.g. ``layers.0``, and the node that it reads.
    index
        Which layer it is.
    config
        The whole configuration.
    masked
        Whether the authors' code knows how long each sequence is, and so blanks the padding.
    """

    weights: Weights
    keys: str
    name: str
    reads: str
    index: int
    config: BackboneConfig
    masked: bool

    @property
    def channels(self) -> int:
        """Channels of the stream."""
        return self.config.model.d_model

    def norm(self, reads: str) -> tuple[Node, ...]:
        """Give the block's norm of the node called ``reads``, if it has one."""
        keys, name = f"{self.keys}norm.norm.", f"{self.name}.norm"
        return _norm(self.weights, keys, name, self.config.model, reads)


LayerReader = Callable[[Place], tuple[Node, ...]]
"""Gives the nodes of one layer, the last of which gives its output."""


def convert_backbone(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
    *,
    read_layer: LayerReader,
    dead: tuple[str, ...] = (),
    own_block: bool = False,
) -> Network:
    """Convert a checkpoint whose layers ``read_layer`` knows, and whose ``dead`` keys do nothing.

    With ``own_block`` the layer puts its pre-norm where it wants it, and knows a second branch.

    Raises
    ------
    CheckpointError
        If weights are missing, left over, of the wrong shape or not finite.
    UnsupportedNetworkError
        If the configuration asks for something that cannot be expressed.
    """
    where = checkpoint.path.name
    if weights == "ema":
        raise UnsupportedNetworkError(
            f"{where}: averaged weights are known for SpikingSSM alone; use the trained ones"
        )
    config = parse_s4_config(BackboneConfig, checkpoint.config, where)
    parse_options(BackboneModel, (checkpoint.config or {})["model"], where, "model")
    if config.model.bidirectional and not own_block:
        raise UnsupportedNetworkError(
            f"{where}: model.bidirectional gives every block a second layer, which is known for "
            "pSpikeSSM alone"
        )
    source = Weights(strip_wrappers(checkpoint.tensors), where)
    nodes = list(read_encoder(source, config))
    masked = isinstance(nodes[0], TokenInput) or _uses_lengths(config, where)
    for index in range(config.model.n_layers):
        keys, name, stream = f"model.layers.{index}.", f"layers.{index}", nodes[-1].name
        place = Place(source, keys, name, stream, index, config, masked)
        nodes += _block(place, read_layer, own_block)
    if config.model.prenorm:
        nodes += _norm(source, "model.norm.norm.", "norm", config.model, nodes[-1].name)
    ending = read_decoder(source, config, output_steps)
    source.check_all_taken((*_DEAD, *dead))
    return Network(
        stage="float",
        nodes=(*nodes, *ending.after(nodes[-1].name)),
        answers=ending.output_steps,
    )


def _block(place: Place, read_layer: LayerReader, own_block: bool) -> list[Node]:
    """Give the nodes of one layer with its norm and residual."""
    prenorm, stream = place.config.model.prenorm, place.reads
    nodes = list(place.norm(stream)) if prenorm and not own_block else []
    nodes += read_layer(replace(place, reads=nodes[-1].name if nodes else stream))
    nodes += _residual(place, stream, nodes[-1].name)
    if not prenorm:
        nodes += place.norm(nodes[-1].name)
    return nodes


def _norm(
    weights: Weights, keys: str, name: str, model: BackboneModel, reads: str
) -> tuple[Node, ...]:
    if model.norm is None:
        return ()
    return (norm(weights, keys, name, model.norm, model.d_model, reads),)


def _residual(place: Place, stream: str, layer: str) -> tuple[Node, ...]:
    """Give ``alpha * stream + beta * layer``, with what S4's residual of that name has for them."""
    stages = named_options(place.config.model.residual, "model.residual", place.weights.where)
    kind, options = stages[0] if stages else ("N", {})
    if kind not in _RESIDUALS:
        raise UnsupportedNetworkError(
            f"{place.weights.where}: model.residual '{kind}' is not known; known: "
            f"{', '.join(_RESIDUALS)}"
        )
    alpha, beta = _RESIDUALS[kind](place, options)
    branches = {"skip": (stream, alpha), "branch": (layer, beta)}
    if not np.any(alpha):
        del branches["skip"]
    nodes: list[Node] = []
    sources = []
    for name, (source, factor) in branches.items():
        if not np.all(factor == 1):
            nodes.append(_scaled(place, name, source, factor))
        sources.append(Edge(nodes[-1].name if not np.all(factor == 1) else source))
    if len(sources) == 1:
        return tuple(nodes)
    residual = Residual(
        name=f"{place.name}.residual", inputs=tuple(sources), channels=place.channels
    )
    return (*nodes, residual)


def _scaled(place: Place, name: str, reads: str, factor: Any) -> Affine:
    return Affine(
        name=f"{place.name}.{name}",
        inputs=(Edge(reads),),
        scale=np.array(np.broadcast_to(factor, (place.channels,)), dtype=np.float64),
        shift=np.zeros(place.channels),
    )


def _no_residual(place: Place, options: Mapping[str, Any]) -> Factors:
    return 0.0, parse_options(_NoOptions, options, place.weights.where, "model.residual").beta


def _constant(place: Place, options: Mapping[str, Any]) -> Factors:
    given = parse_options(_Constant, options, place.weights.where, "model.residual")
    return given.alpha, given.beta


def _learned(place: Place, options: Mapping[str, Any]) -> Factors:
    given = parse_options(_Learned, options, place.weights.where, "model.residual")
    key, size = f"{place.keys}residual.affine", 1 if given.scalar else place.channels
    return given.alpha, place.weights.real(key, (size,))


def _decaying(place: Place, options: Mapping[str, Any]) -> Factors:
    given = parse_options(_Decaying, options, place.weights.where, "model.residual")
    beta = (place.index + 1.0) ** -given.power
    return (math.sqrt(1 - beta**2) if given.l2 else 1 - beta), beta


def _uses_lengths(config: BackboneConfig, where: str) -> bool:
    stages = named_options(config.decoder, "decoder", where)
    return any(options.get("use_lengths", False) for _, options in stages)


_RESIDUALS: dict[str, Callable[[Place, Mapping[str, Any]], Factors]] = {
    **dict.fromkeys(("N", "F", "none", "ff", "feedforward"), _no_residual),
    **dict.fromkeys(("R", "residual"), _constant),
    **dict.fromkeys(("A", "affine"), _learned),
    **dict.fromkeys(("D", "decay"), _decaying),
}
