"""How the coefficients of dendrites were rounded: a choice of convenience, so it is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snn_deploy.ir.network import Network
from snn_deploy.nodes.dendrite import Dendrite, ModeBank
from snn_deploy.quantize.dendrites import ODD_STATE_BITS

__all__ = ["DendriteRounding", "dendrite_rounding"]


@dataclass(frozen=True)
class DendriteRounding:
    """State-space models by how their dendrites were rounded.

    Parameters
    ----------
    odd
        Those whose coefficients are odd or 0, so that single precision simulates them exactly.
    nearest
        All others.
    """

    odd: tuple[str, ...]
    nearest: tuple[str, ...]

    def __str__(self) -> str:
        layers = len(self.odd) + len(self.nearest)
        share = f"{len(self.odd)} of {layers}" if self.nearest else f"{layers}"
        return f"dendrites of {share} layers rounded for single-precision simulation"


def dendrite_rounding(network: Network) -> DendriteRounding:
    """Tell from a lowered network's integers how its dendrites were rounded."""
    odd: dict[str, bool] = {}
    for dendrite in network.of_kind(Dendrite):
        layer = dendrite.name.removesuffix(".forward").removesuffix(".reverse")
        odd[layer] = odd.get(layer, True) and _is_odd(dendrite.bank)
    chosen = {kind: tuple(name for name in odd if odd[name] is kind) for kind in (True, False)}
    return DendriteRounding(chosen[True], chosen[False])


def _is_odd(bank: ModeBank) -> bool:
    parts = (bank.decay_real, bank.decay_imag, bank.readout_real, bank.readout_imag)
    numbers = np.stack(parts)
    one_shift = bool((bank.readout_shift == bank.decay_shift).all())
    return (
        bank.state_bits <= ODD_STATE_BITS
        and one_shift
        and bool(((numbers % 2 == 1) | (numbers == 0)).all())
    )
