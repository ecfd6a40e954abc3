"""What a design takes of a part, before anything is synthesised; it goes with the export."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from snn_deploy.errors import DeploymentError, TargetError
from snn_deploy.io.reading import read_regular
from snn_deploy.io.schema import DIGEST, Items, Record, SchemaError, Whole
from snn_deploy.ir.network import Network
from snn_deploy.targets.verilog.design import Design, Width
from snn_deploy.targets.verilog.parts import PARTS, Part

__all__ = ["FILE", "Estimate", "estimate", "fitting"]

FILE = "estimate.json"
_MODES = (4, 2, 1)
_MOST_BYTES = 1 << 20
_COUNT = Whole(0, 1 << 40)
_PAIR = Items(Whole(1, 1 << 24), exactly=2)
_SCHEMA = Record(
    {
        "sha256": DIGEST,
        "memories": Items(_PAIR),
        "products": Items(_PAIR),
        "least_cycles": _COUNT,
        "most_cycles": _COUNT,
        "closing_cycles": _COUNT,
    }
)


@dataclass(frozen=True)
class Estimate:
    """What a design needs.

    Parameters
    ----------
    sha256
        Of the deployment.
    memories
        Of block RAM: (bits, words).
    products
        The widths of factors that are multiplied in hardware.
    least_cycles, most_cycles
        Of a step in which nothing that is weighted speaks, or everything.
    closing_cycles
        The most that an answer takes at the end.
    """

    sha256: str
    memories: tuple[tuple[int, int], ...]
    products: tuple[tuple[int, int], ...]
    least_cycles: int
    most_cycles: int
    closing_cycles: int

    @classmethod
    def read(cls, folder: Path) -> Estimate:
        """Read what was exported into a folder.

        Raises
        ------
        DeploymentError
            If there is none, or it is damaged.
        """
        path = folder / FILE
        try:
            found: Any = json.loads(read_regular(path, _MOST_BYTES))
            _SCHEMA.check(found, "")
            pairs = {
                key: tuple((int(a), int(b)) for a, b in found[key])
                for key in ("memories", "products")
            }
        except OSError as error:
            raise DeploymentError(
                f"{path}: cannot be read: {error.strerror or error}; export the deployment with "
                "--format verilog first"
            ) from error
        except (SchemaError, ValueError, RecursionError) as error:
            raise DeploymentError(f"{path}: damaged: {error}; export it again") from error
        return cls(**{**found, **pairs})

    @property
    def text(self) -> str:
        """Write it down."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def block_rams(self, part: Part) -> int:
        """Give how many block RAMs it takes of a part."""
        return sum(part.blocks(width, depth) for width, depth in self.memories)

    def multipliers(self, part: Part) -> int:
        """Give how many multipliers it takes of a part."""
        return part.products(self.products)

    def fits(self, part: Part) -> bool:
        """Whether block RAMs and multipliers are enough."""
        enough = self.block_rams(part) <= part.block_rams
        return enough and self.multipliers(part) <= part.multipliers

    def check(self, part: Part) -> None:
        """Refuse a part that is too small.

        Raises
        ------
        TargetError
            Saying what is missing, and which part would do.
        """
        if self.fits(part):
            return
        larger = [other.name for other in PARTS.values() if self.fits(other)]
        cure = f"use {larger[0]}" if larger else "use fewer or narrower layers, or fewer modes"
        raise TargetError(
            f"it takes {self.block_rams(part)} block RAMs, {self.multipliers(part)} multipliers; "
            f"{part.name} ({part.device}) has {part.block_rams} and {part.multipliers}: {cure}"
        )


def fitting(network: Network, part: Part) -> Design:
    """Design a network with the most modes at once for which a part is enough.

    One at a time, where it never is.
    """
    for modes in _MODES:
        design = Design(network, Width(modes))
        if estimate(design, "").fits(part):
            break
    return design


def estimate(design: Design, sha256: str) -> Estimate:
    """Estimate a design, once its text is written."""
    memories = [
        (memory.width, memory.depth)
        for memory in design.memories.all
        if memory.block
        for _ in range(design.memories.reads[memory.name])
    ]
    if design.signals.block:
        memories += [(design.signal_bits, design.signals.size)] * design.ports
    least, most = (
        sum(job.cycles(events) for job, events in design.events(jobs, full))
        for jobs, full in ((design.step, False), (design.step, True))
    )
    closing = sum(job.cycles(events) for job, events in design.events(design.close, True))
    entering = design.layout.network.input.width
    return Estimate(
        sha256,
        tuple(memories),
        tuple(pair for loop in design.loops for pair in loop.path.multipliers),
        least + entering + 1,
        most + entering + 1,
        closing + 5 * design.layout.network.output.width,
    )
