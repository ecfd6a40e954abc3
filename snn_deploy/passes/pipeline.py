"""The order of the compilation, as data, and the one loop that runs it.

What stands before ``Quantize`` is listed here only: calibration, the search for formats, training
and the comparison with float all look at the network that :func:`prepare_network` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from snn_deploy.errors import NetworkError
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.lif_registers import LOIHI, LifRegisters
from snn_deploy.passes.balance_delays import BalanceDelays
from snn_deploy.passes.base import Pass
from snn_deploy.passes.diagonalise_ssm import DiagonaliseSsm
from snn_deploy.passes.fix_length import FixLength
from snn_deploy.passes.fix_maxima import FixMaxima
from snn_deploy.passes.fold_thresholds import FoldThresholds
from snn_deploy.passes.quantize import Calibration, Quantize
from snn_deploy.passes.split_head import SplitHead
from snn_deploy.passes.split_linear import SplitLinear
from snn_deploy.passes.unroll_ssm import UnrollSsm
from snn_deploy.progress import doing
from snn_deploy.quantize.config import QuantizationConfig

__all__ = ["PIPELINE", "compile_network", "prepare_network", "run_passes", "run_pipeline"]

PIPELINE: tuple[type[Pass], ...] = (
    FixLength,
    FixMaxima,
    DiagonaliseSsm,
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
    lif: LifRegisters = LOIHI,
) -> Network:
    """Take a float network through the whole pipeline to a lowered one, for a chip whose own LIF
    neuron has the registers ``lif``; an integer network through what follows quantisation.
    """
    if network.stage == "integer":
        return run_passes(network, _passes(PIPELINE[PIPELINE.index(Quantize) + 1 :]), after)
    steps = None if calibration is None else calibration.steps
    return run_pipeline(network, Quantize(config, calibration, lif=lif), steps, after)


def run_pipeline(
    network: Network,
    quantize: Quantize,
    steps: int | None,
    after: Callable[[Pass, Network], None] | None = None,
) -> Network:
    """Run the whole pipeline with these options; ``steps`` is the sequences' length, if known."""
    split = SplitHead(quantize.config.chip_outputs)
    maxima = FixMaxima(quantize.calibration, quantize.config.ternary_maxima)
    given = (FixLength(steps), maxima, DiagonaliseSsm(steps), split, quantize)
    return run_passes(network, _passes(PIPELINE, *given), after)


def prepare_network(network: Network, split: SplitHead, steps: int | None = None) -> Network:
    """Give the float network that is quantised: what all passes before ``Quantize`` make of it.

    Parameters
    ----------
    network
        As a reader gave it.
    split
        Which of its nodes are the host's.
    steps
        The sequences' length, if known.
    """
    before = PIPELINE[: PIPELINE.index(Quantize)]
    return run_passes(network, _passes(before, FixLength(steps), DiagonaliseSsm(steps), split))


def _passes(kinds: Iterable[type[Pass]], *given: Pass) -> Iterator[Pass]:
    """Make each pass, with options where one of ``given`` has them."""
    options = {type(step): step for step in given}
    return (options.get(kind) or kind() for kind in kinds)


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
        with doing(f"pass {step.name}"):
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
