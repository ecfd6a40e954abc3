"""The Lava engine: the network as Lava processes, stock LIF and Dense wherever they fit."""

from __future__ import annotations

import tempfile

import numpy as np

from snn_deploy.engines.host import Host
from snn_deploy.engines.lava.availability import check_available
from snn_deploy.engines.lava.folders import temporary_job_folder
from snn_deploy.engines.lava.job import Device, Job, JobFolder
from snn_deploy.engines.lava.segments import cut_network, recorded_nodes
from snn_deploy.engines.lava.supervisor import run_supervised
from snn_deploy.engines.result import Result, Run
from snn_deploy.engines.session import WholeEngine
from snn_deploy.errors import BackendError, NetworkError
from snn_deploy.ir.network import Network

__all__ = ["LavaEngine"]

MESSAGE_BITS = 31  # what a signed 32-bit message holds, with room for Dense's doubled weights


class LavaEngine(WholeEngine):
    """Runs a lowered network on Lava, in a supervised child process.

    Parameters
    ----------
    device
        ``cpu`` for Lava's simulator, ``loihi2`` for Lava's hardware run configuration.
    """

    name = "lava"

    def __init__(self, device: Device = "cpu") -> None:
        self.device: Device = device

    def compute(self, network: Network, run: Run) -> Result:
        """Run one batch: its sequences one after the other, in one run of each segment.

        Saturated values are not counted: stock processes do not tell.

        Raises
        ------
        BackendUnavailableError
            If Lava, or what the device needs, is not installed.
        BackendError
            If Lava crashed or hung.
        NetworkError
            If the network is not lowered, or sends messages that are too wide for Lava's ports.
        """
        check_available(self.device)
        host = Host(network)
        _check_network(host.chip)
        at_host = host.compute(run.inputs)
        recorded = recorded_nodes(host.chip, run.trace)
        chip = host.chip.answering(head=())  # that part of the host stays here
        job = Job(chip, at_host.entering, run.lengths, recorded, self.device)
        try:
            with temporary_job_folder() as folder:
                folder.write_job(job)
                self._supervise(job, folder, run)
                signals = {
                    node: np.array(folder.open_signal(job, node), dtype=np.int64)
                    for node in recorded
                }
        except OSError as error:
            raise BackendError(_no_room(error)) from error
        return Result.collect(network, run, {**at_host.signals, **signals}, {})

    def _supervise(self, job: Job, folder: JobFolder, run: Run) -> None:
        valid = len(run.inputs) * run.inputs.shape[1]
        steps = sum(valid + segment.delay for segment in cut_network(job.network))
        done = 0

        def moved(now: int) -> None:
            nonlocal done
            run.progress((now - done) / steps)
            done = now

        run_supervised(job, folder, steps, moved)
        moved(steps)


def _check_network(network: Network) -> None:
    if network.stage != "lowered":
        raise NetworkError(f"Lava runs networks of stage 'lowered', not '{network.stage}'")
    for node in network:
        if hasattr(node, "run"):
            raise NetworkError(f"node '{node.name}' has no step of its own, for Lava to take")
        bits = node.output.bits  # type: ignore[attr-defined]  # lowered stage
        if bits > MESSAGE_BITS:
            raise NetworkError(
                f"node '{node.name}' sends {bits} bits, but Lava's messages hold {MESSAGE_BITS}: "
                "take the backend native or reference"
            )


def _no_room(error: OSError) -> str:
    try:
        place = tempfile.gettempdir()
    except OSError as none:
        place = str(none)
    return (
        f"cannot write the job for Lava to {place}: {error.strerror or error}; "
        "the environment variable TMPDIR names another folder for temporary files"
    )
