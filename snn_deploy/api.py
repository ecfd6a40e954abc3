"""The Python interface: what the command line does, as functions.

>>> import snn_deploy
>>> deployment = snn_deploy.convert("model.ckpt", target="loihi2", calibration="train.npz")
>>> deployment.simulate(inputs).predictions  # doctest: +SKIP
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from snn_deploy.compare.verification import Verification
from snn_deploy.converters.overrides import Overridden
from snn_deploy.data.familiar import calibration_facts
from snn_deploy.data.given import as_data
from snn_deploy.data.inputs import Data, vocabulary_of
from snn_deploy.deployment import Deployment, Inputs, PathLike, load
from snn_deploy.engines.result import no_progress
from snn_deploy.errors import ConfigError, SnnDeployWarning
from snn_deploy.formats.registry import holds_deployment
from snn_deploy.io.deployment_file import Provenance
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.passes.base import Pass
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import parse_settings
from snn_deploy.readers import ReadOptions, Source, read_source
from snn_deploy.readers.source import float_network
from snn_deploy.run.simulation import Progress
from snn_deploy.version import __version__

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from snn_deploy.readers import Reading, ReadingFurther, ReadingStored
    from snn_deploy.reports.suitability import Suitability
    from snn_deploy.tune.format_search import CostName, Search

__all__ = ["Deployment", "Verification", "check", "convert", "load", "load_float_network", "search"]

Config = PathLike | Mapping[str, Any] | Overridden | None

CALIBRATION_SEQUENCES = 256
"""How many calibration sequences are used at the most: maxima hardly move after that."""

SEARCH_SEQUENCES = 768
"""How many sequences a search for formats judges accuracy by at the most."""


def convert(
    checkpoint: Any,
    example_inputs: Any = None,
    *,
    target: str = "loihi2",
    calibration: PathLike | Inputs | Data | None = None,
    settings: Mapping[str, Any] | None = None,
    after: Callable[[Pass, Network], None] | None = None,
    progress: Progress = no_progress,
    **reading: Unpack[ReadingStored],
) -> Deployment:
    """Compile a trained network for a chip.

    Parameters
    ----------
    checkpoint
        A checkpoint as the authors' training code wrote it: its path or its bytes; a torch module;
        a float network; a :class:`~snn_deploy.readers.Source`; or whatever a reader that another
        package adds recognises.
    example_inputs
        Inputs (B, L, …) of a live module; only the shape of a step is looked at, where the module
        itself does not say it.
    target
        Name or path of a hardware profile.
    calibration
        Representative data, a DATA.npz, inputs (B, L, d_input) or a loader of batches: number
        formats are chosen from the ranges that its first 256 sequences reach. Without it they come
        from analytic bounds, which costs accuracy, and a warning says so.
    settings
        Quantisation settings by name, e.g. ``{"weight_bits": 4}``, and numbers of the profile by
        dotted key, e.g. ``{"limits.cores_per_chip": 120}``.
    after
        Called after each compilation pass, with the pass and its network.
    progress
        Called with the share of the calibration data that has been run since the last call.
    reading
        ``config``: a configuration, or its file, for checkpoints that hold none, or
        :class:`~snn_deploy.converters.overrides.Overridden`, which sets options over it;
        ``output_steps``: which steps are the answer, ``"one"`` vector, ``"all"``, or the last K;
        and what else :class:`~snn_deploy.readers.ReadOptions` lists.

    Raises
    ------
    CheckpointError, UnsupportedNetworkError, ConfigError, DataError, TargetError
        Each with what is wrong, where, the limit, and what to do.
    """
    from snn_deploy.mapping.check import check_target
    from snn_deploy.mapping.profile import is_bundled, load_profile, split_settings

    if isinstance(example_inputs, str | os.PathLike):
        raise ConfigError(
            f"convert's second argument is a module's example inputs, not '{example_inputs}'; a "
            "profile is target=, a file of data calibration="
        )
    profile_settings, chosen = split_settings(settings or {})
    quantization = parse_settings(chosen)
    base = load_profile(target)
    profile = base.with_overrides(profile_settings)
    source = read_source(checkpoint, ReadOptions.of(example_inputs=example_inputs, **reading))
    network = source.network
    given = network.stage == "integer"
    if given:
        _refuse_choices(source, chosen, calibration)
    data = None if given else _calibration_data(network, calibration, quantization.input_range)
    lowered = compile_network(
        network,
        quantization,
        None if data is None else Calibration(data.inputs, data.lengths, progress),
        after,
        profile.lif.registers,
    )
    check_target(lowered, profile)
    summary: dict[str, Any] = {"source": "analytic", "input_range": quantization.input_range}
    if given:
        summary = {"source": "given"}
    if data is not None:
        summary = {
            "source": "calibration",
            "method": quantization.calibration_method,
            "sequences": len(data),
            "steps": data.inputs.shape[1],
            **calibration_facts(data),
        }
    origin = Provenance(
        profile=base.name,
        profile_version=str(profile.version),
        checkpoint=source.provenance.name,
        checkpoint_sha256=source.provenance.sha256,
        source=source.provenance.to_json(),
        calibration=summary,
        settings=quantization.model_dump(),
        tool_version=__version__,
        profile_settings=profile_settings,
        profile_data={} if is_bundled(target) else base.to_dict(),
    )
    return Deployment(lowered, origin)


def check(
    source: Any,
    targets: Sequence[str] = (),
    *,
    calibration: PathLike | Inputs | Data | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
    **reading: Unpack[Reading],
) -> tuple[Suitability, ...]:
    """Say which targets can run a network, and what each would change; nothing is written.

    Parameters
    ----------
    source
        What :func:`convert` takes, or a deployment, or the path of one.
    targets
        Names or paths of hardware profiles; all that there are, if none is named.
    calibration
        Representative data: formats are chosen by it, and the difference from float is measured on
        it.
    settings, progress, reading
        As :func:`convert` takes them.

    Raises
    ------
    CheckpointError, ConfigError, DataError, TargetError
        If the source, the data, a setting or a profile cannot be read. What a target or conversion
        refuses is no error, but said.
    """
    from snn_deploy.mapping.profile import load_profile, load_profiles, split_settings
    from snn_deploy.reports.suitability import Converted, judge

    profile_settings, chosen = split_settings(settings or {})
    named = [load_profile(name) for name in targets] or load_profiles()
    profiles = [profile.with_overrides(profile_settings) for profile in named]
    if isinstance(source, str | os.PathLike) and holds_deployment(source):
        source = load(source)
    if isinstance(source, Deployment):
        return tuple(judge(source.network, profile) for profile in profiles)
    quantization = parse_settings(chosen)
    read = read_source(source, ReadOptions.of(**reading))
    network = read.network
    if network.stage == "integer":
        _refuse_choices(read, chosen, calibration)
        lowered = compile_network(network, quantization)
        return tuple(judge(lowered, profile) for profile in profiles)
    data = _calibration_data(network, calibration, quantization.input_range)
    converted = Converted(network, quantization, data, progress)
    return tuple(converted.judged(profile) for profile in profiles)


def search(
    checkpoint: Any,
    calibration: PathLike | Inputs | Data,
    *,
    target: str = "loihi2",
    settings: Mapping[str, Any] | None = None,
    max_loss: float = 0.0,
    cost: CostName = "memory",
    progress: Progress | None = None,
    **reading: Unpack[Reading],
) -> Search:
    """Find the cheapest number formats that keep the accuracy on ``calibration``.

    Formats are calibrated on its first 256 sequences, as :func:`convert` does, and judged by those
    and up to 512 after them. The cheapest are those of least memory, or of least energy on the
    target. The outcome's ``config.model_dump()`` is what :func:`convert` takes as ``settings``, and
    ``reading`` is as there. See :func:`snn_deploy.tune.format_search.search_formats`.
    """
    from snn_deploy.mapping.profile import load_profile, split_settings
    from snn_deploy.tune.format_search import Goal, search_formats

    profile_settings, chosen = split_settings(settings or {})
    start = parse_settings(chosen)
    profile = load_profile(target).with_overrides(profile_settings)
    network = load_float_network(checkpoint, **reading)
    data = _calibration_data(network, calibration, start.input_range, SEARCH_SEQUENCES, True)
    assert data is not None  # there is calibration
    known = data.first(CALIBRATION_SEQUENCES)
    goal = Goal(profile, cost)
    return search_formats(network, data, start, max_loss, progress, known, goal)


def load_float_network(
    checkpoint: Any,
    config: Config = None,
    output_steps: OutputSteps = "one",
    example_inputs: Any = None,
    **reading: Unpack[ReadingFurther],
) -> Network:
    """Read a checkpoint, or what else :func:`convert` takes, as a float network: to inspect it or
    to run it with ``run_float``.
    """
    options = ReadOptions.of(
        config=config, output_steps=output_steps, example_inputs=example_inputs, **reading
    )
    return float_network(read_source(checkpoint, options))


def _refuse_choices(source: Source, settings: Mapping[str, Any], calibration: Any) -> None:
    """Refuse what would choose numbers that were chosen already."""
    name = source.provenance.name
    if settings:
        raise ConfigError(
            f"{name} holds integers already, so that no {', '.join(settings)} can be set for it"
        )
    if calibration is not None:
        raise ConfigError(f"{name} holds integers already: leave the calibration data out")


def _calibration_data(
    network: Network,
    calibration: PathLike | Inputs | Data | None,
    input_range: float,
    sequences: int = CALIBRATION_SEQUENCES,
    with_labels: bool = False,
) -> Data | None:
    if calibration is None:
        numbers = vocabulary_of(network) is None
        what = f"inputs of magnitude up to {input_range:g}" if numbers else "whatever tokens"
        warnings.warn(
            f"no calibration data: number formats come from analytic bounds for {what}, which "
            "costs accuracy; give --calibration DATA.npz with a few training sequences"
            + (" (or set input_range)" if numbers else ""),
            SnnDeployWarning,
            stacklevel=3,
        )
        return None
    data = as_data(network, calibration, where="calibration", with_labels=with_labels)
    return data.first(sequences)
