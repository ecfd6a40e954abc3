"""When each process works: sequences run back to back through a pipeline that takes time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Clock"]


@dataclass(frozen=True)
class Clock:
    """A process's view of a run of ``sequences`` sequences of ``period`` steps each.

    Its first input arrives ``latency`` steps after the run began; before that, and after its last
    input, it sleeps.
    """

    latency: int
    sequences: int
    period: int

    def place(self, time_step: int) -> tuple[int, int] | None:
        """Give (sequence, step) for Lava's ``time_step``, counted from 1; None while asleep."""
        position = time_step - 1 - self.latency
        if not 0 <= position < self.sequences * self.period:
            return None
        return divmod(position, self.period)

    @property
    def reset_offset(self) -> int:
        """What Lava's ``time_step % period`` is whenever a sequence begins."""
        return (self.latency + 1) % self.period
