"""Quantisation-aware fine-tuning: win back the accuracy that coarse number formats cost.

Every batch is computed by the integer network that the conversion makes of the present parameters:
its signals are the values, bit for bit, and the float network's derivatives the gradient
("straight-through", Bengio et al. 2013). After every epoch the parameters are converted as the user
will convert them, and judged on data that is not trained on.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from snn_deploy.api import CALIBRATION_SEQUENCES
from snn_deploy.checkpoint import Checkpoint
from snn_deploy.data.inputs import Data, load_data
from snn_deploy.engines.registry import get_engine
from snn_deploy.errors import CheckpointError, ConfigError
from snn_deploy.mapping.check import check_target
from snn_deploy.mapping.profile import load_profile
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import parse_settings
from snn_deploy.readers import ReadOptions
from snn_deploy.readers.checkpoint import open_checkpoint, prepare_checkpoint
from snn_deploy.run.simulation import Progress, simulate
from snn_deploy.training.deployed import Deployer
from snn_deploy.training.labelled import hold_out, require_labels
from snn_deploy.training.loop import Epoch, Schedule, train
from snn_deploy.training.model import Model, Tensors
from snn_deploy.training.scores import Score, score

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from snn_deploy.readers import Reading

__all__ = ["Evaluation", "FineTuned", "FineTuning", "Watch", "prepare_finetuning"]

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Evaluation:
    """How well the deployed network does after an epoch; epoch 0 is the checkpoint as it was.

    ``training`` is what the epoch's own batches gave, None for epoch 0; ``deployed`` is the
    converted network on the validation data.
    """

    epoch: int
    training: Epoch | None
    deployed: Score


@dataclass(frozen=True, eq=False)
class FineTuned:
    """The outcome: the best checkpoint of all epochs, and how it and the start did.

    ``original`` is the start's float network with exact LIF neurons.
    """

    checkpoint: Checkpoint
    original: Score
    start: Evaluation
    best: Evaluation


Watch = Callable[[Evaluation, Checkpoint | None], None]
"""Called after every epoch, 0 included; with the checkpoint where it is the best so far."""


@dataclass(frozen=True, eq=False)
class FineTuning:
    """A fine-tuning that was checked and can start.

    Parameters
    ----------
    deployer
        The model, and how it will be converted.
    training, held_out
        What is trained on, and what epochs are judged by.
    schedule
        How long and how fast.
    """

    deployer: Deployer
    training: Data
    held_out: Data
    schedule: Schedule

    def run(self, watch: Watch | None = None, progress: Progress | None = None) -> FineTuned:
        """Train; call ``watch`` after every epoch, ``progress`` with sequences done since last.

        Raises
        ------
        ConfigError
            If the loss is not finite any more.
        """
        model = self.deployer.model
        state = _Run(self.deployer, self.held_out, watch or _nobody)
        for epoch in train(model, state.forward, self.training, self.schedule, progress):
            state.judge(epoch)
        data = self.held_out
        original = score(simulate(model.network, data, get_engine("float")).logits, data)
        checkpoint = model.checkpoint(state.best_tensors)
        return FineTuned(checkpoint, original, state.start, state.best)


def prepare_finetuning(
    checkpoint: PathLike,
    data: PathLike,
    target: str = "loihi2",
    *,
    settings: Mapping[str, Any] | None = None,
    schedule: Schedule | None = None,
    validation: PathLike | None = None,
    **reading: Unpack[Reading],
) -> FineTuning:
    """Read and check all that fine-tuning a checkpoint for its number formats needs.

    Parameters
    ----------
    checkpoint, reading
        As for the conversion; ``checkpoint`` is a file. What is trained are its raw weights.
    data
        Labelled training data, DATA.npz; its first 256 sequences calibrate the formats, as they
        do in a conversion with the same file.
    target
        Name or path of the hardware profile that the result must fit.
    settings
        Quantisation settings by name, e.g. ``{"weight_bits": 4}``.
    validation
        Labelled data that epochs are judged by; a tenth of ``data`` is held out where it is None.

    Raises
    ------
    CheckpointError, UnsupportedNetworkError, ConfigError, DataError, TargetError
        As the conversion does; also for networks that cannot be trained, and for labels that are
        missing or out of range.
    """
    schedule = schedule or Schedule()
    quantization = parse_settings(settings or {})
    profile = load_profile(target)
    options = ReadOptions.of(**reading)
    options.refuse("fine-tuning, which goes on with the trained weights,", "weights")
    prepared, _ = prepare_checkpoint(open_checkpoint(checkpoint, options), options)
    model = Model.read(prepared, options.family)
    everything = load_data(data, model.network)
    training, held_out = _divide(model, everything, str(data), validation, schedule.seed)
    first = everything.first(CALIBRATION_SEQUENCES)
    calibration, lif = Calibration(first.inputs, first.lengths), profile.lif.registers
    deployer = Deployer(model, quantization, calibration, lif=lif)
    check_target(deployer.convert(model.tensors())[1].lowered, profile)
    return FineTuning(deployer, training, held_out, schedule)


class _Run:
    """The state between batches and epochs: formats, and the best parameters so far."""

    def __init__(self, deployer: Deployer, held_out: Data, watch: Watch) -> None:
        self.deployer, self.held_out, self.watch = deployer, held_out, watch
        self.best_tensors: Tensors = deployer.model.tensors()
        self.start = self.best = self._evaluate(self.best_tensors, None)
        self.watch(self.start, None)

    def forward(self, batch: Data) -> Tensor:
        """Give a batch's logits: the deployed network's, bit for bit."""
        model = self.deployer.model
        with _still_deployable():
            compiled = self.deployer.compile_plainly(self.ranges)
        fields = compiled.numbers(model.fields())
        return model.run(batch, fields, compiled.signals(batch, model.network))

    def judge(self, epoch: Epoch) -> None:
        """Convert the present parameters as a user would, and keep them if they are the best."""
        with _still_deployable():
            tensors = self.deployer.snap(self.deployer.compile_plainly(self.ranges))
            evaluation = self._evaluate(tensors, epoch)
        if evaluation.deployed.better_than(self.best.deployed):
            self.best, self.best_tensors = evaluation, tensors
            self.watch(evaluation, self.deployer.model.checkpoint(tensors))
        else:
            self.watch(evaluation, None)

    def _evaluate(self, tensors: Tensors, epoch: Epoch | None) -> Evaluation:
        self.ranges, compiled = self.deployer.convert(tensors)
        deployed = score(compiled.answer(self.held_out), self.held_out)
        return Evaluation(epoch.number if epoch else 0, epoch, deployed)


@contextlib.contextmanager
def _still_deployable() -> Iterator[None]:
    """Say that it was the training which made the parameters impossible to convert."""
    try:
        yield
    except (CheckpointError, ConfigError) as error:
        raise ConfigError(
            f"training has led to parameters that cannot be deployed: {error}; choose a lower "
            "learning rate"
        ) from error


def _nobody(evaluation: Evaluation, checkpoint: Checkpoint | None) -> None:
    """The default when nobody watches."""


def _divide(
    model: Model, everything: Data, where: str, validation: PathLike | None, seed: int
) -> tuple[Data, Data]:
    """Give the sequences to train on and those to judge by, all with valid labels."""
    classes = model.network.output.width
    require_labels(everything, classes, where)
    if validation is None:
        return hold_out(everything, seed, where)
    held_out = load_data(validation, model.network)
    require_labels(held_out, classes, str(validation))
    return everything, held_out
