"""How the coefficients of dendrites were rounded: a choice of convenience, so it is told."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network

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
    for node in network:
        chosen_odd = node.odd_coefficients  # type: ignore[attr-defined]  # integer stage
        if chosen_odd is not None:
            layer = node.name.removesuffix(".forward").removesuffix(".reverse")
            odd[layer] = odd.get(layer, True) and chosen_odd
    chosen = {kind: tuple(name for name in odd if odd[name] is kind) for kind in (True, False)}
    return DendriteRounding(chosen[True], chosen[False])
