"""The order of the compilation, as data, and the one loop that runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from snn_deploy.errors import NetworkError
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.passes.balance_delays import BalanceDelays
from snn_deploy.passes.base import Pass
from snn_deploy.passes.fix_length import FixLength
from snn_deploy.passes.fold_thresholds import FoldThresholds
from snn_deploy.passes.quantize import Calibration, Quantize
from snn_deploy.passes.split_head import SplitHead
from snn_deploy.passes.split_linear import SplitLinear
from snn_deploy.passes.unroll_ssm import UnrollSsm
from snn_deploy.quantize.config import QuantizationConfig

__all__ = ["PIPELINE", "compile_network", "run_passes", "run_pipeline"]

PIPELINE: tuple[type[Pass], ...] = (
    FixLength,
    FoldThresholds,
    SplitHead,
    Quantize,
    UnrollSsm,
    SplitLinear,
    BalanceDelays,
)


def compile_network(
    network: Network,
    config: QuantizationConfig,
    calibration: Calibration | None = None,
    after: Callable[[Pass, Network], None] | None = None,
) -> Network:
    """Take a float network through the whole pipeline to a lowered one."""
    steps = None if calibration is None else calibration.inputs.shape[1]
    return run_pipeline(network, Quantize(config, calibration), steps, after)


def run_pipeline(
    network: Network,
    quantize: Quantize,
    steps: int | None,
    after: Callable[[Pass, Network], None] | None = None,
) -> Network:
    """Run the whole pipeline with these options; ``steps`` is the sequences' length, if known."""
    options: dict[type[Pass], Pass] = {
        FixLength: FixLength(steps),
        SplitHead: SplitHead(quantize.config.chip_outputs),
        Quantize: quantize,
    }
    return run_passes(network, (options.get(kind) or kind() for kind in PIPELINE), after)


def run_passes(
    network: Network,
    passes: Iterable[Pass],
    after: Callable[[Pass, Network], None] | None = None,
) -> Network:
    """Run passes in order, checking the stage before and every rule of the stage after each.

    Raises
    ------
    NetworkError
        Naming the pass that was given the wrong stage, or left a network that breaks a rule.
    """
    for step in passes:
        if network.stage != step.takes:
            raise NetworkError(
                f"pass {step.name} takes a network of stage '{step.takes}', not '{network.stage}'"
            )
        network = step(network)
        try:
            if network.stage != step.gives:
                raise NetworkError(f"gave stage '{network.stage}' instead of '{step.gives}'")
            verify_network(network)
        except NetworkError as error:
            raise NetworkError(f"after pass {step.name}: {error}") from error
        if after is not None:
            after(step, network)
    return network
