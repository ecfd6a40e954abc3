"""The training loop: batches, loss, optimiser. What a forward pass is, the caller says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from snn_deploy.data.inputs import Data
from snn_deploy.errors import ConfigError
from snn_deploy.run.simulation import Progress
from snn_deploy.training.labelled import labels_of, take
from snn_deploy.training.model import Model

__all__ = ["Epoch", "Schedule", "train"]

_LARGEST_GRADIENT = 1.0  # longer ones are shortened to this norm
# what decides where a kernel's modes lie; the authors train it with a tenth of the rate, too
_DYNAMICS = (".log_dt", ".log_A_real", ".A_imag", ".inv_dt", ".A_real", ".B")
_DYNAMICS_RATE = 0.1


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Parameters
    ----------
    epochs
        Passes over the data, at least 1.
    learning_rate
        At the start; it falls to 0 along a cosine, after rising for ``warmup`` batches.
    batch_size
        Sequences a step.
    seed
        Of the order of the sequences, and of every other random choice.
    weight_decay
        As in AdamW, for weights of the linear layers.
    warmup
        Batches during which the learning rate rises from 0.
    """

    epochs: int = 10
    learning_rate: float = 2e-3
    batch_size: int = 48
    seed: int = 0
    weight_decay: float = 0.0
    warmup: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if not getattr(self, name) >= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0 < self.learning_rate < np.inf:
            raise ConfigError(f"learning_rate is {self.learning_rate:g}; it must be above 0")


@dataclass(frozen=True)
class Epoch:
    """An epoch that is over: its number, from 1, the mean loss, and the share of right answers,
    None for a regression.
    """

    number: int
    loss: float
    accuracy: float | None


def train(
    model: Model,
    forward: Callable[[Data], Tensor],
    data: Data,
    schedule: Schedule,
    progress: Progress | None = None,
) -> Iterator[Epoch]:
    """Train a model's parameters on data with labels or targets; give each epoch when it is over.

    The loss is the cross-entropy of labels, or the mean squared error of targets: of all that are
    known, neither negative nor NaN.

    Parameters
    ----------
    forward
        Gives the answers (B, width) or (B, steps, width) of a batch, with gradients.
    progress
        Called with how many sequences were done since the last call.

    Raises
    ------
    ConfigError
        If the loss or a gradient is not a finite number any more.
    """
    order = np.random.default_rng(schedule.seed)
    size = min(schedule.batch_size, len(data))
    batches = -(-len(data) // size)
    optimizer = _optimizer(model, schedule)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, _shape(schedule, batches))
    for number in range(1, schedule.epochs + 1):
        loss_sum, right, answers = 0.0, 0, 0
        for rows in np.array_split(order.permutation(len(data)), batches):
            batch = take(data, rows)
            judged = _judge(forward(batch), batch)
            loss = judged.loss
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters.values(), _LARGEST_GRADIENT)
            _refuse_divergence(loss.item(), norm.item(), number, schedule)
            optimizer.step()
            rate.step()
            loss_sum += loss.item() * len(batch)
            right, answers = right + judged.right, answers + judged.answers
            if progress is not None:
                progress(len(batch))
        yield Epoch(number, loss_sum / len(data), right / answers if answers else None)


@dataclass(frozen=True)
class _Judged:
    """The mean loss of a batch's answers, and how many of them name the right class."""

    loss: Tensor
    right: int = 0
    answers: int = 0


def _judge(answer: Tensor, batch: Data) -> _Judged:
    if batch.targets is not None:
        targets = torch.from_numpy(batch.targets.astype(np.float32))
        known = ~torch.isnan(targets)
        return _Judged(torch.nn.functional.mse_loss(answer[known], targets[known]))
    labels = torch.from_numpy(labels_of(batch))
    known = labels >= 0
    logits, labels = answer[known], labels[known]
    loss = torch.nn.functional.cross_entropy(logits, labels)
    return _Judged(loss, int((logits.argmax(dim=-1) == labels).sum()), len(labels))


def _optimizer(model: Model, schedule: Schedule) -> torch.optim.Optimizer:
    dynamics, matrices, others = [], [], []
    for key, parameter in model.parameters.items():
        if key.endswith(_DYNAMICS):
            dynamics.append(parameter)
        elif key.endswith(".weight") and parameter.ndim > 1:
            matrices.append(parameter)
        else:
            others.append(parameter)
    groups = [
        {"params": dynamics, "lr": schedule.learning_rate * _DYNAMICS_RATE, "weight_decay": 0.0},
        {"params": matrices, "weight_decay": schedule.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=schedule.learning_rate)


def _shape(schedule: Schedule, batches: int) -> Callable[[int], float]:
    """Give the learning rate's course over the batches, as a part of its largest value."""
    total = schedule.epochs * batches

    def part(batch: int) -> float:
        if batch < schedule.warmup:
            return (batch + 1) / schedule.warmup
        return 0.5 + 0.5 * float(np.cos(np.pi * min(1.0, batch / total)))

    return part


def _refuse_divergence(loss: float, norm: float, epoch: int, schedule: Schedule) -> None:
    if not (np.isfinite(loss) and np.isfinite(norm)):
        raise ConfigError(
            f"training diverged in epoch {epoch}: the loss is {loss:g}, the gradient's norm "
            f"{norm:g}; choose a learning rate below {schedule.learning_rate:g}"
        )
