"""Neurons as NIR's primitives."""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_deploy.formats.nir.made import Made, Real, leaky, refused

__all__ = ["chip_cuba", "cuba", "level", "lif"]


def lif(made: Made, node: Any, reads: list[str]) -> None:
    """Loihi's neuron: its potential falls to 0."""
    size, unit = node.width, made.unit(node.inputs[0].source)
    lost = np.full(size, node.decay / 2.0**node.lif_registers.decay_bits)
    above = node.threshold / unit  # strictly, as NIR has it
    _fires(made, node, reads, leaky("tau", "r", lost, np.ones(size)), above, 0 * above)


def chip_cuba(made: Made, node: Any, reads: list[str]) -> None:
    """Loihi's neuron with its current."""
    if node.bias.any():
        raise refused(node, "it has a bias, from which a reader's potential would start")
    registers = node.lif_registers
    unity, one = 2.0**registers.decay_bits, np.ones(node.width)
    entering = 2.0**node.align * made.unit(node.inputs[0].source)
    current = leaky("tau_syn", "w_in", node.fade / unity, entering)
    given = {**current, **leaky("tau_mem", "r", node.decay / unity, one)}
    above = node.threshold * 2.0**registers.align_bits
    _fires(made, node, reads, given, above, 0 * above)


def cuba(made: Made, node: Any, reads: list[str]) -> None:
    """A neuron of parameters a channel; what a spike takes away comes round a loop."""

    def factor(name: str) -> Real:
        words, shift = getattr(node, name), getattr(node, f"{name}_shift")
        return np.asarray(words * 2.0 ** -shift.astype(float))

    gain = factor("gain") * 2.0**node.align * made.unit(node.inputs[0].source)
    lost, above = factor("leak"), node.threshold - 0.5  # of whole numbers: at it, or above
    rest = np.zeros(node.width)
    if not node.resets_to:
        name = node.name
        if node.fade is None:
            reads = [made.scale(f"{name}.current", reads, gain)]
        else:
            given = leaky("tau", "r", factor("fade"), gain)
            reads = [made.add(f"{name}.current", "LI", reads, v_leak=rest, **given)]
        given = leaky("tau", "r", lost, np.ones(node.width))
        held = made.add(f"{name}.potential", "LI", reads, v_leak=rest, **given)
        made.add(name, "Threshold", [held], threshold=above)
        taken = made.scale(f"{name}.taken", [name], -node.reset.astype(float))
        made.edges.append((taken, held))
        return
    reset = np.divide(node.reset, 1 - lost, out=rest, where=lost < 1)
    if node.fade is None:
        given = leaky("tau", "r", lost, gain)
    else:
        current = leaky("tau_syn", "w_in", factor("fade"), gain)
        given = {**current, **leaky("tau_mem", "r", lost, np.ones(node.width))}
    _fires(made, node, reads, given, above, reset)


def level(made: Made, node: Any, reads: list[str]) -> None:
    """Fire at a level, and keep nothing."""
    above = (node.level - 0.5) / made.unit(node.inputs[0].source)
    made.add(node.name, "Threshold", reads, threshold=above)


def _fires(
    made: Made, node: Any, reads: list[str], given: dict[str, Real], above: Real, reset: Real
) -> None:
    kind = "CubaLIF" if "tau_syn" in given else "LIF"
    rest = {"v_leak": 0 * above, "v_threshold": above, "v_reset": reset}
    made.add(node.name, kind, reads, **given, **rest)
