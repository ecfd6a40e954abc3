"""How a tool makes steps of NIR's differential equations: what its files do not say.

NIR (Pedersen et al. 2024, "Neuromorphic intermediate representation") gives time constants in
seconds and leaves the step, the scheme and the order of events to whoever runs a graph. Tools
differ in all of them, and write nothing of it down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import CheckpointError, ConfigError
from snn_deploy.plugins import unknown_name

__all__ = ["WRITERS", "Conventions", "Decays", "Rule", "chosen_conventions", "stated_conventions"]

Real = npt.NDArray[np.float64]
Rule = Literal["scaled", "whole", "one", "left"]


@dataclass(frozen=True)
class Conventions:
    """What a step of ``dt`` seconds does to ``tau dv/dt = -v + r x``.

    Parameters
    ----------
    dt
        Seconds a step, in the units of the graph's time constants.
    decay
        Of a state in a step: ``euler``, 1 - dt / tau, or ``exponential``, exp(-dt / tau).
    drive
        What a potential gets of ``r x``: ``scaled`` by 1 - decay, or the ``whole`` of it; or of x,
        whatever r is: ``one``, or what a step has ``left``, if it decays as soon as it arrives.
    synapse
        The same of a current, which gets ``w_in x``.
    filter
        The same of a potential that does not fire.
    integrator
        The same of a neuron without a leak, where ``scaled`` is by dt.
    current
        Which one a potential gets: the ``new`` one, of the same step, or the ``old`` one.
    reset
        To the ``value`` v_reset; or ``subtract``, by the threshold; ``subtract-late``: a step
        later, so that what is taken away has not decayed.
    spike
        Where a potential is ``above`` its threshold, or ``at`` it or above.
    """

    dt: float = 1e-4
    decay: Literal["euler", "exponential"] = "euler"
    drive: Rule = "scaled"
    synapse: Rule = "scaled"
    filter: Rule = "scaled"
    integrator: Rule = "scaled"
    current: Literal["new", "old"] = "new"
    reset: Literal["value", "subtract", "subtract-late"] = "value"
    spike: Literal["above", "at"] = "above"

    def decays(self, tau: Real, where: str) -> Decays:
        """Give what is left of states of time constants ``tau``, in seconds, after a step.

        Raises
        ------
        CheckpointError
            If a time constant is not above 0, or shorter than an Euler step.
        """
        if not (tau > 0).all():
            raise CheckpointError(
                f"{where}: a time constant of {float(tau.min()):g} s, not above 0"
            )
        if self.decay == "exponential":
            return Decays(np.exp(-self.dt / tau))
        if (tau < self.dt * (1 - 1e-6)).any():
            raise CheckpointError(
                f"{where}: a time constant of {float(tau.min()):g} s is shorter than the step, "
                f"{self.dt:g} s, so that no Euler step is stable; say which tool wrote the file, "
                "or its step: --set-model writer=NAME, --set-model dt=SECONDS"
            )
        return Decays(np.maximum(1 - self.dt / tau, 0.0))


@dataclass(frozen=True)
class Decays:
    """What is left of each state after a step, 0 … 1."""

    left: Real

    def gain(self, factor: Real, rule: Rule) -> Real:
        """Give what a state gets for an input of 1, where the equation says ``factor``."""
        gains = {"scaled": factor * (1 - self.left), "one": 1 + 0 * factor, "left": self.left}
        return gains.get(rule, factor)


WRITERS: dict[str, Conventions] = {
    "nir": Conventions(),
    "snntorch": Conventions(reset="subtract-late"),
    "norse": Conventions(dt=1e-6, synapse="whole", integrator="whole"),
    "sinabs": Conventions(
        dt=1.0, decay="exponential", filter="whole", reset="subtract", spike="at"
    ),
    "spikingjelly": Conventions(spike="at"),
    "rockpool": Conventions(
        dt=1e-3,
        decay="exponential",
        drive="one",
        synapse="left",
        filter="left",
        reset="subtract",
        spike="at",
    ),
}
"""Whose files, as their exporters write them and their own modules run by default.

``norse`` writes dt / (1 / tau) for tau, at its dt of 1 ms: the step in those units is dt², 1e-6.
"""


def stated_conventions(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options that a graph's metadata state, in a group called ``conventions``."""
    stated = metadata.get("conventions")
    if not isinstance(stated, Mapping):
        return {}
    alone = {k: v for k, v in stated.items() if isinstance(v, np.ndarray) and v.size == 1}
    return {**stated, **{name: value.item() for name, value in alone.items()}}


def chosen_conventions(options: Mapping[str, Any], where: str) -> tuple[str, Conventions]:
    """Choose the conventions of the writer that is told, changed by single options.

    Gives the writer's name, too; "" if nothing says it.

    Raises
    ------
    ConfigError
        If a name or a value is unknown.
    """
    writer = str(options.get("writer", "")).lower()
    if writer and writer not in WRITERS:
        raise ConfigError(f"{where}: {unknown_name('writer', writer, WRITERS)}")
    changes = {
        name: _value(name, value, where) for name, value in options.items() if name != "writer"
    }
    return writer, replace(WRITERS[writer or "nir"], **changes)


def _value(name: str, value: Any, where: str) -> Any:
    known = [field.name for field in fields(Conventions)]
    if name not in known:
        raise ConfigError(f"{where}: {unknown_name('option', name, ['writer', *known, 'readout'])}")
    if name == "dt":
        try:
            dt = float(value)
        except (TypeError, ValueError):
            dt = math.nan
        if not 0 < dt < math.inf:
            raise ConfigError(f"{where}: dt={value} is no number of seconds above 0")
        return dt
    choices = get_args(get_type_hints(Conventions)[name])
    if value not in choices:
        raise ConfigError(f"{where}: {name}={value} is not one of {', '.join(choices)}")
    return value
