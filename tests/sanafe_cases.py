"""One placed spiking network in this project's Loihi 1 model and in SANA-FE, alike in all else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import lowered
import numpy as np

from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Result, Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.network import Network
from snn_deploy.mapping.mesh import site_of
from snn_deploy.mapping.placement import Placement
from snn_deploy.mapping.profile import Profile, load_profile
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.synapses import Synapses
from snn_deploy.reports.activity import message_sources
from snn_deploy.reports.report import Report, build_report

STEPS = 60
QUIET = 8  # steps without input at the end, so that no spike is cut off on its way


def small_profile() -> Profile:
    """SANA-FE's constants, on a chip so small that the network spreads over many tiles."""
    return load_profile("loihi1_fitted").with_overrides({"limits.neurons_per_core": 2})


def leakless_network() -> Network:
    """Somas without leak: their integers are exact in SANA-FE's floating point, too."""
    return lowered.spiking_network((16, 60, 40, 10), decay=0)


def simulate(network: Network) -> tuple[Result, Any]:
    random = np.random.default_rng(3)
    inputs = (random.random((1, STEPS, network.input.width)) < 0.2).astype(np.int64)
    inputs[:, -QUIET:] = 0
    names = tuple(node.name for node in message_sources(network))
    run = Run(inputs, np.array([STEPS]), trace=names)
    return run_whole(ReferenceEngine(), network, run), inputs[0]


def task(
    network: Network, report: Report, profile: Profile, inputs: Any, force_update: bool
) -> dict[str, Any]:
    """Describe the placed network and its input for the other program."""
    assert report.placement is not None
    typical = {key: number.typical for key, number in energies(profile).items()}
    return {
        "columns": 8,
        "rows": 4,
        "steps": STEPS,
        "force_update": force_update,
        "inputs": inputs.T.tolist(),
        "layers": [
            layer(network, report.placement, profile, soma) for soma in network.of_kind(LifSoma)
        ],
        "energy_pj": {
            "synop": typical["ac_pj"],
            "neuron_access": profile.energy.neuron_update_pj.low,  # type: ignore[union-attr]
            "neuron_update": typical["neuron_update_pj"] - profile.energy.neuron_update_pj.low,  # type: ignore[union-attr]
            "spike_out": typical["spike_out_pj"],
            "message_out": typical["message_out_pj"],
            "hop_east_west": typical["hop_east_west_pj"],
            "hop_north_south": typical["hop_north_south_pj"],
        },
    }


def energies(profile: Profile) -> dict[str, Any]:
    return {k.split(".")[1]: n for k, n in profile.constants() if k.startswith("energy.")}


def layer(
    network: Network, placement: Placement, profile: Profile, soma: LifSoma
) -> dict[str, Any]:
    (synapses,) = network.sources(soma)
    assert isinstance(synapses, Synapses)
    places: list[tuple[int, int]] = [(0, 0)] * soma.width
    for core in placement.cores:
        for part in core.slices:
            if part.population == synapses.name:
                site = site_of(core.chip, core.index, profile)
                tile = site.column * 4 + site.row  # SANA-FE numbers tiles down the columns
                for channel in range(part.start, part.stop):
                    places[channel] = (tile, core.index % 4)
    return {
        "threshold": soma.threshold,
        "places": places,
        "weights_from": synapses.weight.T.tolist(),
    }


def ask_sanafe(given: dict[str, Any]) -> dict[str, Any]:
    """Run the other program; it must be installed."""
    program = Path(__file__).with_name("sanafe_program.py")
    done = subprocess.run(
        [sys.executable, str(program)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(f"SANA-FE failed: {done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def by_unit(report: Report) -> dict[str, float]:
    """Our energies, added up as SANA-FE's units are."""
    items = {item.constant: item.energy_j.typical for item in report.total.energy}
    units = {
        "synapse": ["ac_pj"],
        "soma": ["neuron_update_pj", "spike_out_pj"],
        "network": ["message_out_pj", "hop_east_west_pj", "hop_north_south_pj"],
    }
    return {
        unit: sum(items.get(f"energy.{key}", 0.0) for key in keys) for unit, keys in units.items()
    }


def run_both(force_update: bool) -> tuple[Report, dict[str, Any]]:
    """Give our report and SANA-FE's answer; ``force_update`` prices every neuron as active."""
    network, profile = leakless_network(), small_profile()
    result, inputs = simulate(network)
    report = build_report(network, profile, [result], STEPS)
    return report, ask_sanafe(task(network, report, profile, inputs, force_update))


def compare() -> tuple[dict[str, float], dict[str, float]]:
    """Give joules by kind, here and there."""
    report, answer = run_both(force_update=True)
    ours = by_unit(report)
    theirs = {unit: float(answer["energy_j"][unit]) for unit in ours}
    return ours, theirs
