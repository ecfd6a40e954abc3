"""Every family's trained networks: the native engine beside Lava's simulator, and beside torch.

Beside torch, both are timed by what they use of a core, so that others on the machine do not count.
Lava's processes mostly wait for each other: beside it, both are timed by the clock, on all cores.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from engines import Row, lava_step, native
from timing import take_turns

from snn_deploy import convert
from snn_deploy.data.inputs import check_data
from snn_deploy.engines.lava.availability import check_available
from snn_deploy.engines.native import threads
from snn_deploy.engines.result import Run
from snn_deploy.errors import SnnDeployWarning
from snn_deploy.ir.network import Network
from snn_deploy.run.simulation import encode_inputs

sys.path.append(str(Path(__file__).parent.parent / "docs"))  # where the checkpoints are listed
from make_families import DIGITS, OTHERS, SHARED, Case


@dataclass(frozen=True)
class Trained:
    """A trained network, in float and deployed, and its test sequences, as many as were asked for.

    Parameters
    ----------
    inputs, lengths
        (B, L, C) or, of tokens, (B, L); (B,).
    run
        The same as the deployed network takes them in.
    """

    name: str
    float_network: Network
    network: Network
    inputs: Any
    run: Run

    @classmethod
    def of(cls, case: Case, batch: int) -> Trained:
        """Deploy a checkpoint for ``loihi2``; test sequences start again if there are too few."""
        float_network, test = case.network(), case.arrays("test")
        taken = np.arange(batch) % len(test["inputs"])
        given = {key: test[key][taken] for key in ("inputs", "lengths") if key in test}
        data = check_data(float_network, **given)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SnnDeployWarning)
            calibration = case.calibration(data)
            network = convert(case.checkpoint(), target="loihi2", calibration=calibration).network
        run = Run(encode_inputs(network, data), data.lengths)
        return cls(f"{case.family}: {case.name}", float_network, network, data.inputs, run)

    @property
    def sample_steps(self) -> int:
        return int(self.inputs.shape[0] * self.inputs.shape[1])

    def alone(self) -> Trained:
        """Give it with the first of its sequences."""
        run = Run(self.run.inputs[:1], self.run.lengths[:1])
        return replace(self, inputs=self.inputs[:1], run=run)


def trained(batch: int, names: tuple[str, ...] = ()) -> Iterator[Trained]:
    """Give the networks of all checkpoints that are there, or of those named."""
    for case in (*DIGITS, *OTHERS):
        if (SHARED / case.folder).is_dir() and case.name in (names or (case.name,)):
            yield Trained.of(case, batch)


def against_lava(batch: int, rounds: int, names: tuple[str, ...] = ()) -> list[Row]:
    """A step of one sequence in Lava's simulator, beside one of a batch in the native engine."""
    check_available("cpu")
    rows = []
    for one in trained(batch, names):
        works = {"native": native(one.network, one.run)}
        timing = take_turns(works, rounds)["native"]
        seconds, others = timing.best / one.sample_steps, lava_step(one.network, one.run)
        rows.append(
            {
                "what": one.name,
                "sequences": len(one.inputs),
                "native_us_per_sample_step": seconds * 1e6,
                "lava_us_per_sample_step": others * 1e6,
                "native_is_faster": others / seconds,
            }
        )
    return rows


def against_torch(batch: int, rounds: int, names: tuple[str, ...] = ()) -> list[Row]:
    """A step of a batch, and of one sequence alone, as a sensor gives it: torch's recurrence in
    float32, beside the native engine, each on one core.
    """
    import torch
    from recurrences import Recurrence

    available = threads.thread_count()
    threads.use_threads(1)  # more of them wait for each other, which counts
    torch.set_num_threads(1)
    rows = []
    for one in trained(batch, names):
        peer, row = Recurrence(one.float_network), {"what": one.name}
        tokens = one.float_network.input.reads_tokens
        for some in (one, one.alone()):
            inputs = torch.as_tensor(some.inputs)
            inputs = inputs.long() if tokens else inputs.to(torch.float32)
            lengths = torch.as_tensor(some.run.lengths)
            works = {
                "native": native(some.network, some.run),
                "torch": lambda peer=peer, x=inputs, n=lengths: peer(x, n),
            }
            times = take_turns(works, rounds, time.process_time)
            own, others = (times[name].best / some.sample_steps for name in works)
            label = f"of {len(some.inputs)}"
            row |= {f"native_us,_{label}": own * 1e6, f"torch_us,_{label}": others * 1e6}
            row[f"faster,_{label}"] = others / own
        rows.append(row)
    threads.use_threads(available)
    return rows
