"""The memory of signals: where each node's last step lies, and the past steps that others read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from snn_deploy.ir.formats import Edge
from snn_deploy.targets.layout import Layout
from snn_deploy.targets.verilog.resources import Resources

__all__ = ["Region", "Signals"]


@dataclass(frozen=True)
class Region:
    """Where ``width`` channels of ``steps`` steps lie; ``offset`` names the newest one's place."""

    base: int
    width: int
    steps: int = 1
    offset: str = ""

    @property
    def size(self) -> int:
        """Words of it."""
        return self.width * self.steps

    def address(self, start: int = 0, steps_back: int = 0) -> str:
        """Write the address of a channel, so many steps back."""
        place = self.base + start
        if self.steps == 1:
            return str(place)
        back = steps_back * self.width
        wrapped = f"({self.offset} >= {back} ? {self.offset} - {back} : "
        return f"{place} + {wrapped}{self.offset} + {self.size - back})"


@dataclass
class Signals:
    """The regions of a layout's nodes, one after the other, and of sums that lie between."""

    layout: Layout
    resources: Resources
    size: int = 0
    regions: dict[str, Region] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.layout.network:
            steps = 1 + self.layout.rings.get(node.name, 0)
            name = f"ring{self.layout.numbers[node.name]}" if steps > 1 else ""
            self.regions[node.name] = self.add(node.width, steps, name)

    def add(self, width: int, steps: int = 1, offset: str = "") -> Region:
        """Add a region."""
        region = Region(self.size, width, steps, offset)
        self.size += region.size
        return region

    @property
    def block(self) -> bool:
        """Whether its memory is made of block RAM."""
        return self.resources.is_block(self.size, constant=False)

    @property
    def rings(self) -> Mapping[str, Region]:
        """Regions of several steps, by the node's name."""
        return {name: region for name, region in self.regions.items() if region.steps > 1}

    def read(self, edge: Edge, part: Any) -> tuple[str, int]:
        """Write the address that an edge reads; give from which step on there is something."""
        region = self.regions[edge.source]
        return region.address(part[0] if part else 0, edge.steps_back), edge.steps_back
