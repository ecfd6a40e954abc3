"""What each of NIR's primitives becomes: float nodes with the equation of one step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import CheckpointError, UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.cuba_lif import CubaLif
from snn_deploy.nodes.float_node import FloatNode
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.nodes.threshold import Threshold
from snn_deploy.readers.nir.conventions import Conventions, Rule
from snn_deploy.readers.nir.graph import Primitive
from snn_deploy.readers.nir.place import Made, Place
from snn_deploy.readers.nir.spatial import convolution, pooling

__all__ = ["PRIMITIVES", "delay_of"]

Real = npt.NDArray[np.float64]
Shape = tuple[int, ...]


def delay_of(node: Primitive, shape: Shape, how: Conventions) -> int:
    """Give a delay in steps.

    Raises
    ------
    UnsupportedNetworkError
        If it is none, or channels have different ones.
    """
    steps = node.each("delay", shape) / how.dt
    whole = np.round(steps)
    if not (whole >= 0).all() or np.abs(steps - whole).max() > 1e-3:
        told = f"a delay of {float(steps.min()):g} steps of {how.dt:g} s"
        raise UnsupportedNetworkError(f"{node.where}: {told} is no whole number of them")
    if whole.min() != whole.max():
        told = f"delays of {whole.min():g} to {whole.max():g} steps"
        raise UnsupportedNetworkError(
            f"{node.where}: {told} in one node; only one for all its channels can be deployed"
        )
    return int(whole[0])


def _linear(node: Primitive, place: Place) -> Made:
    weight = node.array("weight")
    if weight.ndim != 2 or weight.shape[1] != place.width:
        told = f"weight has shape {weight.shape}, but '{place.reads.source}' gives {place.width}"
        raise CheckpointError(f"{node.where}: {told} channels")
    shape = (len(weight),)
    bias = node.each("bias", shape) if node.kind == "Affine" else np.zeros(shape)
    linear = Linear(name=node.name, inputs=(place.reads,), weight=weight, bias=bias)
    return Made([linear], shape)


def _scale(node: Primitive, place: Place) -> Made:
    scale = node.each("scale", place.shape)
    affine = Affine(name=node.name, inputs=(place.reads,), scale=scale, shift=0 * scale)
    return Made([affine], place.shape)


def _threshold(node: Primitive, place: Place) -> Made:
    level = node.each("threshold", place.shape)
    inclusive = place.how.spike == "at"
    spikes = Threshold(name=node.name, inputs=(place.reads,), level=level, inclusive=inclusive)
    return Made([spikes], place.shape)


def _fires(
    node: Primitive, place: Place, reads: Edge, current_decay: Real, decay: Real, gain: Real
) -> Made:
    """Make a neuron that fires, its potential counted from rest, where it starts.

    Without a leak that is where a spike leaves it.
    """
    shape, how = place.shape, place.how
    rest = node.each("v_leak", shape, 0.0)
    if node.kind == "IF" and how.reset == "value":
        rest = node.each("v_reset", shape, 0.0)
    level = node.each("v_threshold", shape)
    reset = node.each("v_reset", shape, 0.0) - rest
    neuron = CubaLif(
        name=node.name,
        inputs=(reads,),
        current_decay=current_decay,
        decay=decay,
        gain=gain,
        threshold=level - rest,
        reset={"value": decay * reset, "subtract": decay * level}.get(how.reset, level),
        resets_to=how.reset == "value",
        inclusive=how.spike == "at",
    )
    return Made([neuron], shape)


def _lif(node: Primitive, place: Place) -> Made:
    left = place.how.decays(node.each("tau", place.shape), node.where)
    gain = left.gain(node.each("r", place.shape, 1.0), place.how.drive)
    return _fires(node, place, place.reads, 0 * gain, left.left, gain)


def _if(node: Primitive, place: Place) -> Made:
    gain = _integrated(node, place)
    return _fires(node, place, place.reads, 0 * gain, np.ones(place.width), gain)


def _cuba(node: Primitive, place: Place, drive: Rule) -> tuple[Real, Real, Real, Real]:
    """Give the decays and the gains of current and potential."""
    how, shape = place.how, place.shape
    synapse = how.decays(node.each("tau_syn", shape), node.where)
    membrane = how.decays(node.each("tau_mem", shape), node.where)
    into_current = synapse.gain(node.each("w_in", shape, 1.0), how.synapse)
    into_potential = membrane.gain(node.each("r", shape, 1.0), drive)
    return synapse.left, membrane.left, into_current, into_potential


def _cuba_lif(node: Primitive, place: Place) -> Made:
    current_decay, decay, into_current, into_potential = _cuba(node, place, place.how.drive)
    gain = into_current * into_potential
    return _fires(node, place, place.later, current_decay, decay, gain)


def _leaky(name: str, reads: Edge, decay: Real, gain: Real) -> DiagonalSsm:
    """Make ``v[t] = decay v[t-1] + gain x[t]``."""
    return DiagonalSsm(
        name=name,
        inputs=(reads,),
        a=decay[:, None].astype(np.complex128),
        b=gain[:, None].astype(np.complex128),
        c=np.full((len(decay), 1), 0.5 + 0j),  # a real mode: the node itself doubles
        d=np.zeros(len(decay)),
    )


def _potential(
    node: Primitive, place: Place, reads: Edge, decay: Real, gain: Real
) -> list[FloatNode]:
    """Make a potential that does not fire, counted from zero again."""
    rest = node.each("v_leak", place.shape, 0.0)
    if not rest.any():
        return [_leaky(node.name, reads, decay, gain)]
    inner = _leaky(f"{node.name}.potential", reads, decay, gain)
    ones = np.ones(place.width)
    return [inner, Affine(name=node.name, inputs=(Edge(inner.name),), scale=ones, shift=rest)]


def _li(node: Primitive, place: Place) -> Made:
    left = place.how.decays(node.each("tau", place.shape), node.where)
    gain = left.gain(node.each("r", place.shape, 1.0), place.how.filter)
    return Made(_potential(node, place, place.reads, left.left, gain), place.shape)


def _integrator(node: Primitive, place: Place) -> Made:
    gain = _integrated(node, place)
    return Made([_leaky(node.name, place.reads, np.ones(place.width), gain)], place.shape)


def _integrated(node: Primitive, place: Place) -> Real:
    """Give what a potential without a leak gets for an input of 1."""
    gain = node.each("r", place.shape, 1.0)
    return gain * place.how.dt if place.how.integrator == "scaled" else gain


def _cuba_li(node: Primitive, place: Place) -> Made:
    current_decay, decay, into_current, into_potential = _cuba(node, place, place.how.filter)
    current = _leaky(f"{node.name}.current", place.later, current_decay, into_current)
    potential = _potential(node, place, Edge(current.name), decay, into_potential)
    return Made([current, *potential], place.shape)


PRIMITIVES: dict[str, Callable[[Primitive, Place], Made]] = {
    "Affine": _linear,
    "AvgPool2d": pooling,
    "Conv1d": convolution,
    "Conv2d": convolution,
    "CubaLI": _cuba_li,
    "CubaLIF": _cuba_lif,
    "I": _integrator,
    "IF": _if,
    "LI": _li,
    "LIF": _lif,
    "Linear": _linear,
    "Scale": _scale,
    "SumPool2d": pooling,
    "Threshold": _threshold,
}
"""What has an equation of its own. ``Input``, ``Output``, ``Flatten`` and ``Delay`` are edges."""
