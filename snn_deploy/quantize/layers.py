"""From a float network to an integer one: every node adds its own integer form."""

from __future__ import annotations

from dataclasses import replace

from snn_deploy.errors import ConfigError
from snn_deploy.ir.network import Network
from snn_deploy.nodes.float_node import no_integer_form
from snn_deploy.nodes.lif_registers import LOIHI, LifRegisters
from snn_deploy.quantize.builder import Builder
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.formats import plan_formats
from snn_deploy.quantize.ranges import Ranges

__all__ = ["check_quantizable", "quantize_network"]


def quantize_network(
    network: Network, ranges: Ranges, config: QuantizationConfig, lif: LifRegisters = LOIHI
) -> Network:
    """Quantise a float network whose thresholds are folded; ``lif``: registers of the chip's LIF.

    Raises
    ------
    ConfigError
        If a width is too small for a node's numbers.
    """
    _check_overrides(network, config)
    builder = Builder(network, ranges, config, plan_formats(network, ranges, config), lif)
    for node in network:
        node.quantize(builder)  # type: ignore[attr-defined]  # float stage
    return replace(network, stage="integer", nodes=tuple(builder.built))


def _check_overrides(network: Network, config: QuantizationConfig) -> None:
    for prefix in config.nodes:
        if network.placement.get(prefix) == "head":
            raise ConfigError(
                f"formats are set for '{prefix}', but the host computes it, in float64; leave it "
                "out, or set a larger chip_outputs if it is a readout that the chip shall compute"
            )
        if not any(name == prefix or name.startswith(f"{prefix}.") for name in network.names):
            raise ConfigError(
                f"formats are set for '{prefix}', but no node has that name or begins with it; "
                f"there are: {', '.join(network.names)}"
            )


def check_quantizable(network: Network) -> None:
    """Check that every node has an integer form.

    Raises
    ------
    UnsupportedNetworkError
        Naming a node that has none.
    """
    for node in network:
        if not node.quantizable:  # type: ignore[attr-defined]  # float stage
            raise no_integer_form(node)
