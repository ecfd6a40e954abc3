"""Energy of the arithmetic alone, as papers on spiking networks count it, and what they leave out.

The usual table takes only layers that spikes feed. As an artificial network each of their weights
costs a multiply-accumulate at every step; as a spiking one each spike costs an accumulate for every
weight behind it. The state-space recurrence between them, which runs at every step whatever the
spikes do, is not in it; here it stands beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snn_deploy.ir.formats import SPIKE
from snn_deploy.ir.network import Network
from snn_deploy.mapping.profile import Profile
from snn_deploy.reports.events import Events

__all__ = ["PaperCount", "count_as_papers_do"]

MACS_PER_MODE = 6
"""Real multiply-accumulates of a complex mode in a step: four to turn it, two to read it out."""


@dataclass(frozen=True)
class PaperCount:
    """Operations and typical energies, joules, of all sequences together.

    Parameters
    ----------
    ann_macs, ann_j
        Layers behind spikes as an artificial network's: every weight at every step.
    snn_acs, snn_j
        The same as spikes drive them.
    recurrence_macs, recurrence_j
        The state-space modes, which such tables leave out.
    everything_j
        All arithmetic of the spiking network: both, encoder and decoder, gates and somas.
    """

    ann_macs: int
    ann_j: float
    snn_acs: int
    snn_j: float
    recurrence_macs: int
    recurrence_j: float
    everything_j: float


def count_as_papers_do(
    network: Network, events: Mapping[str, Events], steps: int, profile: Profile
) -> PaperCount | None:
    """Count a lowered network's arithmetic; None where the target prices more or less than that.

    Parameters
    ----------
    network, events
        The network, and its nodes' events.
    steps
        Of all sequences together.
    profile
        One that prices accumulates and multiply-accumulates and has no cores.
    """
    ac, mac, inner = profile.energy.ac_pj, profile.energy.mac_pj, profile.energy.neuron_mac_pj
    if ac is None or mac is None or inner is None or profile.cores is not None:
        return None
    spiking = [
        events[node.name]
        for node in network
        if node.synaptic and network.sources(node)[0].output == SPIKE  # type: ignore[attr-defined]  # lowered stage
    ]
    ann_macs, snn_acs = sum(e.dense for e in spiking), sum(e.acs for e in spiking)
    modes = sum(node.width * (node.modes or 0) for node in network)
    recurrence = MACS_PER_MODE * modes * steps
    graded = sum(e.macs for e in events.values()) * mac.typical
    neurons = sum(e.neuron_macs for e in events.values()) * inner.typical
    spikes = sum(e.acs for e in events.values()) * ac.typical
    return PaperCount(
        ann_macs=ann_macs,
        ann_j=ann_macs * mac.typical * 1e-12,
        snn_acs=snn_acs,
        snn_j=snn_acs * ac.typical * 1e-12,
        recurrence_macs=recurrence,
        recurrence_j=recurrence * inner.typical * 1e-12,
        everything_j=(graded + neurons + spikes) * 1e-12,
    )
