"""The sections of a hardware profile; ``profile.py`` puts them together and reads the files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from snn_deploy.nodes.lif_registers import LOIHI, LifRegisters

__all__ = [
    "LARGEST",
    "Board",
    "Data",
    "Energy",
    "Fpga",
    "Known",
    "LifWidths",
    "Limit",
    "Limits",
    "Mesh",
    "Power",
    "Quantity",
    "Supports",
    "Time",
]

LARGEST = 10**15
"""The largest number of a profile: sums of products of a few of them are exact, or finite."""

Known = Literal["measured", "modelled", "derived", "assumed", "specified", "unpublished"]
"""How well a number is known.

``measured`` on silicon; ``modelled`` by the vendor before silicon, or fitted; ``derived`` from
other numbers; ``assumed``; ``specified`` as a fact of the design; ``unpublished``: no number.
"""


class Data(BaseModel):
    """Base of all sections: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class _Number(Data):
    known: Known
    source: str = Field(min_length=1, description="a key of the profile's [sources]")
    note: str = ""


class Limit(_Number):
    """A whole number that the chip cannot exceed; None where nobody has published it."""

    value: int | None = Field(None, ge=0, le=LARGEST)

    @model_validator(mode="after")
    def _has_value(self) -> Limit:
        if (self.value is None) != (self.known == "unpublished"):
            raise ValueError("a limit has a value, or is known = 'unpublished'")
        return self


class Quantity(_Number):
    """An energy, time or power: ``low <= typical <= high``, in the unit that its key ends with."""

    low: float = Field(ge=0, le=LARGEST)
    typical: float = Field(ge=0, le=LARGEST)
    high: float = Field(ge=0, le=LARGEST)

    @model_validator(mode="after")
    def _in_order(self) -> Quantity:
        if not self.low <= self.typical <= self.high:
            raise ValueError(f"not low <= typical <= high: {self.low}, {self.typical}, {self.high}")
        if self.known == "unpublished":
            raise ValueError("an unpublished quantity has no numbers: leave it out")
        return self


class Supports(Data):
    """What the chip's neurons and messages can be.

    Parameters
    ----------
    lif_neurons
        Whether there are leaky integrate-and-fire neurons with Loihi's arithmetic.
    programmable_neurons
        Whether a neuron can run a program (``ir/program.py``).
    tables
        Whether such a program can look a table up.
    graded_messages
        Whether a message may carry a number rather than be a bare spike.
    reversed_time
        Whether a dendrite may run backwards over a sequence that was buffered for it.
    product_sums
        Whether a neuron can add two products before it shifts and rounds their sum.
    """

    lif_neurons: bool
    programmable_neurons: bool
    tables: bool
    graded_messages: bool
    reversed_time: bool
    product_sums: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_names(cls, data: Any) -> Any:
        """Read a profile of before schema 3, which named the kinds of node that can run."""
        if not isinstance(data, dict) or not isinstance(data.get("nodes"), list | tuple):
            return data
        names = data["nodes"]
        told = {
            "lif_neurons": "LifSoma" in names,
            "programmable_neurons": "Dendrite" in names,
            "tables": "Gate" in names,
        }
        return told | {key: value for key, value in data.items() if key != "nodes"}

    @property
    def words(self) -> str:
        """What it supports, for people."""
        names = [name for name, value in self if value]
        return ", ".join(name.replace("_", " ") for name in names) or "nothing but synapses"


_LARGEST_SYSTEM = {"chips": 2**32, "cores_per_chip": 2**16}


class Limits(Data):
    """The chip's limits; None where there is none.

    The ``_bits`` are widths of signed integers: a synapse's weight; a coefficient of a
    multiply-and-shift in a neuron; a state variable; a message; an accumulator of synaptic input; a
    soma's drive.
    """

    chips: Limit | None = None
    cores_per_chip: Limit | None = None
    neurons_per_core: Limit | None = None
    memory_per_core_bytes: Limit | None = None
    synaptic_memory_per_core_bytes: Limit | None = None
    state_per_neuron_bytes: Limit | None = None
    synapses_per_chip: Limit | None = None
    in_axons_per_core: Limit | None = None
    out_axons_per_core: Limit | None = None
    weight_bits: Limit | None = None
    coefficient_bits: Limit | None = None
    state_bits: Limit | None = None
    message_bits: Limit | None = None
    sum_bits: Limit | None = None
    drive_bits: Limit | None = None

    @model_validator(mode="after")
    def _can_be_laid_out(self) -> Limits:
        for name, most in _LARGEST_SYSTEM.items():
            if (self.get(name) or 0) > most:
                raise ValueError(
                    f"{name} is {self.get(name):,}; the most that can be laid out is {most:,}"
                )
        return self

    def get(self, name: str) -> int | None:
        """Give the limit called ``name``, or None where there is none or none is known."""
        limit: Limit | None = getattr(self, name)
        return None if limit is None else limit.value


class LifWidths(Data):
    """Widths of the chip's own LIF neuron, in bits: see ``LifRegisters``; None: as Loihi's."""

    decay_bits: Limit | None = None
    align_bits: Limit | None = None
    membrane_bits: Limit | None = None
    threshold_bits: Limit | None = None

    @property
    def registers(self) -> LifRegisters:
        """All of them, with Loihi's for what is not told."""
        told: dict[str, Limit | None] = dict(self)
        known = {k: limit.value for k, limit in told.items() if limit and limit.value is not None}
        return replace(LOIHI, **known)


class Energy(Data):
    """Energy per event, pJ. What is None is not part of the model.

    Parameters
    ----------
    ac_pj, mac_pj
        A synaptic operation caused by a binary spike (accumulate), by a graded message
        (multiply-accumulate).
    neuron_update_pj
        One LIF update; programs of other neurons count by their operations relative to it.
    neuron_mac_pj
        One multiplication inside a neuron's program, where a profile counts those instead.
    spike_out_pj
        A neuron's sending a message at all, however many cores it goes to.
    message_out_pj, message_in_pj
        Sending it to one core, receiving it there, beyond its transport.
    within_tile_pj, hop_east_west_pj, hop_north_south_pj
        Transport: delivery within the router's tile, and each hop from tile to tile.
    """

    ac_pj: Quantity | None = None
    mac_pj: Quantity | None = None
    neuron_update_pj: Quantity | None = None
    neuron_mac_pj: Quantity | None = None
    spike_out_pj: Quantity | None = None
    message_out_pj: Quantity | None = None
    message_in_pj: Quantity | None = None
    within_tile_pj: Quantity | None = None
    hop_east_west_pj: Quantity | None = None
    hop_north_south_pj: Quantity | None = None


class Time(Data):
    """Time per event on the core that it happens on, ns; as :class:`Energy`.

    ``barrier_ns`` is the shortest step: what synchronising all cores takes.
    """

    ac_ns: Quantity | None = None
    mac_ns: Quantity | None = None
    neuron_update_ns: Quantity | None = None
    spike_out_ns: Quantity | None = None
    message_out_ns: Quantity | None = None
    message_in_ns: Quantity | None = None
    within_tile_ns: Quantity | None = None
    hop_east_west_ns: Quantity | None = None
    hop_north_south_ns: Quantity | None = None
    barrier_ns: Quantity | None = None


class Power(Data):
    """Power that is drawn whatever the activity, mW for each powered chip."""

    static_per_chip_mw: Quantity | None = None


class Mesh(Data):
    """The network on chip: a grid of routers, dimension-order routing."""

    router_columns: Limit | None = None
    router_rows: Limit | None = None
    cores_per_router: Limit | None = None


class Board(Data):
    """A microcontroller's memory and clock: what C99 of a network must fit into."""

    flash_bytes: Limit | None = None
    ram_bytes: Limit | None = None
    clock_mhz: Limit | None = None


class Fpga(Data):
    """What an FPGA has for Verilog of a network.

    Parameters
    ----------
    block_rams, block_ram_bits, block_ram_word_bits, block_ram_words
        Block RAMs; the bits of each, its widest word, and its most words of fewer bits: each half
        as wide has twice as many, a power of two.
    logic_ram_words
        The most words of memories that are made of logic; larger ones are block RAM.
    multipliers, multiplier_bits
        Multipliers, and how wide their signed factors are.
    luts
        Look-up tables of four inputs.
    """

    block_rams: Limit | None = None
    block_ram_bits: Limit | None = None
    block_ram_word_bits: Limit | None = None
    block_ram_words: Limit | None = None
    logic_ram_words: Limit | None = None
    multipliers: Limit | None = None
    multiplier_bits: Limit | None = None
    luts: Limit | None = None
