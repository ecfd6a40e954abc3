"""The Loihi 1 energy model against SANA-FE, on the same placed network, spikes and constants."""

from __future__ import annotations

import pytest
import sanafe_cases


@pytest.fixture(autouse=True)
def _sanafe() -> None:
    pytest.importorskip("sanafe", reason="needs SANA-FE (pip install 'snn-deploy[crosscheck]')")


def test_energies_agree() -> None:
    report, answer = sanafe_cases.run_both(force_update=True)
    assert report.placement is not None
    assert len(report.placement.cores) > 40
    events = report.total.events
    assert answer["synaptic_operations"] == events.acs
    assert answer["packets"] == events.deliveries
    assert answer["fired"] == events.messages
    assert min(events.hops_east_west, events.hops_north_south) > 0
    for unit, joules in sanafe_cases.by_unit(report).items():
        assert joules == pytest.approx(answer["energy_j"][unit], rel=1e-6), unit
    assert report.dynamic_j.typical == pytest.approx(answer["energy_j"]["total"], rel=1e-6)


def test_neurons_that_rest_lie_within_the_range() -> None:
    """SANA-FE can price neurons without input as inactive; our range covers both."""
    report, answer = sanafe_cases.run_both(force_update=False)
    assert report.dynamic_j.low <= answer["energy_j"]["total"] <= report.dynamic_j.high
