"""Runs one placed spiking network in SANA-FE; started as a program of its own by a test.

Takes JSON on standard input and writes JSON to standard output. SANA-FE (GPL-3) is not part of this
project: this file alone imports it, in a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any


def architecture(task: dict[str, Any]) -> str:
    """Describe a mesh of tiles with the task's constants; the host is a core of the first tile.

    YAML may be written as JSON.
    """
    pj = {key: value * 1e-12 for key, value in task["energy_pj"].items()}
    tile = {
        "energy_east_hop": pj["hop_east_west"],
        "energy_west_hop": pj["hop_east_west"],
        "energy_north_hop": pj["hop_north_south"],
        "energy_south_hop": pj["hop_north_south"],
        **{f"latency_{way}_hop": 0.0 for way in ("east", "west", "north", "south")},
    }
    chip = {
        "topology": "mesh",
        "width": task["columns"],
        "height": task["rows"],
        "link_buffer_size": 16,
        "sync_model": "fixed",
        "latency_sync": 0.0,
    }
    last = task["columns"] * task["rows"] - 1
    cores = core("core[0..3]", pj)
    host = core("host", dict.fromkeys(pj, 0.0))
    tiles = [
        {"name": "first[0..0]", "attributes": tile, "core": [cores, host]},
        {"name": f"tile[1..{last}]", "attributes": tile, "core": [cores]},
    ]
    return json.dumps({"architecture": {"name": "chip", "attributes": chip, "tile": tiles}})


def core(name: str, pj: dict[str, float]) -> dict[str, Any]:
    timeless = {f"latency_{what}": 0.0 for what in ("access_neuron", "update_neuron", "spike_out")}
    lif = {
        "energy_access_neuron": pj["neuron_access"],
        "energy_update_neuron": pj["neuron_update"],
        "energy_spike_out": pj["spike_out"],
    }
    free = dict.fromkeys(lif, 0.0)
    units = {
        "axon_in": [("in", {"energy_message_in": 0.0, "latency_message_in": 0.0})],
        "soma": [
            ("lif", {"model": "leaky_integrate_fire", **lif, **timeless}),
            ("spikes[0..63]", {"model": "input", **free, **timeless}),
        ],
        "dendrite": [
            ("sum", {"model": "accumulator", "energy_update": 0.0, "latency_update": 0.0})
        ],
        "synapse": [
            (
                "dense",
                {
                    "model": "current_based",
                    "energy_process_spike": pj["synop"],
                    "latency_process_spike": 0.0,
                },
            )
        ],
        "axon_out": [
            ("out", {"energy_message_out": pj["message_out"], "latency_message_out": 0.0})
        ],
    }
    described: dict[str, Any] = {
        unit: [{"name": each, "attributes": attributes} for each, attributes in found]
        for unit, found in units.items()
    }
    position = {
        "buffer_position": "soma",
        "buffer_inside_unit": False,
        "max_neurons_supported": 4096,
    }
    return {"name": name, "attributes": position, **described}


def run(task: dict[str, Any]) -> dict[str, Any]:
    import sanafe

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chip.yaml"
        path.write_text(architecture(task), encoding="utf-8")
        chip = sanafe.load_arch(str(path))
    network = sanafe.Network()
    host = chip.tiles[0].cores[-1]
    before = []
    for index, spikes in enumerate(task["inputs"]):
        train = {"spikes": [bool(spike) for spike in spikes]}
        unit = f"spikes[{index}]"
        group = network.create_neuron_group(f"input{index}", 1, train, soma_hw_name=unit)
        group.neurons[0].map_to_core(host)
        before.append(group.neurons[0])
    for index, layer in enumerate(task["layers"]):
        soma = {"threshold": layer["threshold"], "leak_decay": 1.0, "reset_mode": "hard"}
        soma["force_update"] = task["force_update"]
        group = network.create_neuron_group(
            f"layer{index}", len(layer["places"]), soma, soma_hw_name="lif"
        )
        for neuron, (tile, number) in zip(group.neurons, layer["places"], strict=True):
            neuron.map_to_core(chip.tiles[tile].cores[number])
        for source, weights in zip(before, layer["weights_from"], strict=True):
            for target, weight in zip(group.neurons, weights, strict=True):
                source.connect_to_neuron(target, {"weight": float(weight)})
        before = list(group.neurons)
    loaded = sanafe.SpikingChip(chip)
    loaded.load(network)
    results = loaded.sim(task["steps"])
    return {
        "energy_j": results["energy"],
        "synaptic_operations": results["spikes"],
        "packets": results["packets_sent"],
        "fired": results["neurons_fired"],
    }


if __name__ == "__main__":
    given = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        answer = run(given)
    json.dump(answer, sys.stdout)
