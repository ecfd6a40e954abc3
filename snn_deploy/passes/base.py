"""What a pass is: a frozen dataclass that maps a network of one stage to one of another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from snn_deploy.ir.network import Network, Stage

__all__ = ["Pass"]


@dataclass(frozen=True)
class Pass(ABC):
    """A step of the compilation; its fields are its options.

    ``name`` is the same word as its file and its class (``unroll-ssm``, ``unroll_ssm.py``,
    ``UnrollSsm``); ``takes`` and ``gives`` are stages, so that a chain that does not
    fit is refused.
    """

    name: ClassVar[str]
    takes: ClassVar[Stage]
    gives: ClassVar[Stage]

    @abstractmethod
    def __call__(self, network: Network) -> Network:
        """Give the rewritten network; the one that came in is left as it was."""
