"""What a design takes of a part, before anything is synthesised; it goes with the export."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from snn_deploy.engines.result import IntArray
from snn_deploy.errors import DeploymentError, TargetError
from snn_deploy.io.reading import read_regular
from snn_deploy.io.schema import DIGEST, Choice, Items, Record, SchemaError, Whole
from snn_deploy.ir.network import Network
from snn_deploy.targets.verilog.activity import cycles_of
from snn_deploy.targets.verilog.design import Design, Width
from snn_deploy.targets.verilog.parts import PARTS, Part
from snn_deploy.targets.verilog.resources import Resources

__all__ = ["FILE", "Estimate", "estimate", "fitting"]

FILE = "estimate.json"
_WIDTHS = (Width(4), Width(2), Width(1), Width(1, spikes=4), Width(1, spikes=1))
_MOST_BYTES = 1 << 20
_CONTROL_PINS = 9  # of the core: clk, rst, and what goes with words
_COUNT = Whole(0, 1 << 40)
_PAIR = Items(Whole(1, 1 << 24), exactly=2)
_SCHEMA = Record(
    {
        "sha256": DIGEST,
        "pins": _COUNT,
        "part": Choice(tuple(PARTS)),
        "memories": Items(_PAIR),
        "products": Items(_PAIR),
        "least_cycles": _COUNT,
        "most_cycles": _COUNT,
        "usual_cycles": _COUNT,
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
    part
        What it was designed for.
    pins
        Bits of the core's ports.
    memories
        Of block RAM: (bits, words).
    products
        The widths of factors that are multiplied in hardware.
    least_cycles, most_cycles
        Of a step in which nothing that is weighted speaks, or everything.
    usual_cycles
        Of a step of the test vectors, on average; 0: not known.
    closing_cycles
        The most that an answer takes at the end.
    """

    sha256: str
    part: str
    pins: int
    memories: tuple[tuple[int, int], ...]
    products: tuple[tuple[int, int], ...]
    least_cycles: int
    most_cycles: int
    usual_cycles: int
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

    def block_rams(self, resources: Resources) -> int:
        """Give how many block RAMs it takes."""
        return sum(resources.blocks(width, depth) for width, depth in self.memories)

    def multipliers(self, resources: Resources) -> int:
        """Give how many multipliers it takes."""
        return resources.products(self.products)

    def fits(self, resources: Resources) -> bool:
        """Whether block RAMs and multipliers are enough."""
        enough = self.block_rams(resources) <= resources.block_rams
        return enough and self.multipliers(resources) <= resources.multipliers

    def check(self, part: Part) -> None:
        """Refuse a part that is too small.

        Raises
        ------
        TargetError
            Saying what is missing, and which part would do.
        """
        there = part.resources
        if there.logic_ram_words < PARTS[self.part].resources.logic_ram_words:
            raise TargetError(
                f"it was exported for {self.part}, which has memory in its logic; {part.name} "
                f"({part.device}) has none: export it with --part {part.name}"
            )
        if self.fits(there):
            return
        larger = [other.name for other in PARTS.values() if self.fits(other.resources)]
        cure = f"use {larger[0]}" if larger else "use fewer or narrower layers, or fewer modes"
        raise TargetError(
            f"it takes {self.block_rams(there)} block RAMs, {self.multipliers(there)} multipliers; "
            f"{part.name} ({part.device}) has {there.block_rams} and {there.multipliers}: {cure}"
        )


def fitting(network: Network, resources: Resources) -> Design:
    """Design a network that does as much at once as there are resources for.

    The narrowest, where there never are enough.
    """
    for width in _WIDTHS:
        design = Design(network, resources, width)
        if estimate(design).fits(resources):
            break
    return design


def estimate(
    design: Design, sha256: str = "", part: str = "", inputs: IntArray | None = None
) -> Estimate:
    """Estimate a design; name the deployment and the part that it is for.

    ``inputs`` (B, L, d_input) are those of the test vectors.
    """
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
    around = design.layout.network.input.width + 1  # what goes in, and the end of a step
    usual = 0 if inputs is None else round(cycles_of(design, inputs)) + around
    return Estimate(
        sha256,
        part,
        _CONTROL_PINS + sum(design.port_bits),
        tuple(memories),
        tuple(pair for loop in design.loops for pair in loop.path.multipliers),
        least + around,
        most + around,
        usual,
        closing + 5 * design.layout.network.output.width,
    )
