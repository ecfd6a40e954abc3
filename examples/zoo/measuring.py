"""Measuring an entry: converted, run on its whole test set, and accounted for on each target."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import snn_deploy
from snn_deploy import Deployment
from snn_deploy.checkpoint import read_checkpoint
from snn_deploy.compare.accuracy import AccuracyComparison
from snn_deploy.data.inputs import Data, load_data
from snn_deploy.engines.floating import run_float
from snn_deploy.examples.zoo.entries import TRIED_TOO, Entry
from snn_deploy.examples.zoo.targets import on_boards, on_fpga
from snn_deploy.examples.zoo.training import CHECKPOINT, RECORD
from snn_deploy.io.files import atomic_write

__all__ = ["DEPLOYMENT", "FACTS", "Facts", "is_measured", "measure_entry", "read_facts", "smape"]

DEPLOYMENT = "network.safetensors"
FACTS = "facts.json"

Facts = dict[str, Any]
Tell = Callable[[str], None]


def read_facts(folder: Path) -> Facts | None:
    """Give what was measured of an entry; None where nothing was."""
    path = folder / FACTS
    if not path.is_file():
        return None
    found: Facts = json.loads(path.read_text(encoding="utf-8"))
    return found


def is_measured(entry: Entry, folder: Path) -> bool:
    """Whether the folder holds what was measured of the entry as it is now."""
    facts = read_facts(folder)
    return facts is not None and facts["digest"] == entry.digest


def measure_entry(entry: Entry, folder: Path, tell: Tell = print) -> Facts:
    """Convert the trained checkpoint, test and account for it; write the deployment and FACTS."""
    checkpoint, test = folder / CHECKPOINT, folder / "test.npz"
    tell(f"{entry.name}: converting")
    reading: dict[str, Any] = {"output_steps": entry.what.output_steps}
    deployment = snn_deploy.convert(checkpoint, calibration=folder / "train.npz", **reading)
    deployment.save(folder / DEPLOYMENT)
    data = load_data(test, deployment.network)
    tell(f"{entry.name}: testing {len(data)} sequences")
    evaluation = snn_deploy.evaluate(
        folder / DEPLOYMENT, test, folder / "evaluation.json", fresh=True
    )
    compared = deployment.verify(data, backends=["native"], against=checkpoint, **reading).accuracy
    assert compared is not None  # there is a checkpoint to compare with
    report = deployment.report(data).to_json()
    priced = snn_deploy.convert(
        checkpoint, target="algorithm_45nm", calibration=folder / "train.npz", **reading
    )
    papers = priced.report(data).to_json()["as_papers_count"]
    tell(f"{entry.name}: other targets")
    found = read_checkpoint(checkpoint)
    facts: Facts = {
        "name": entry.name,
        "digest": entry.digest,
        "seconds": found.extras[RECORD]["seconds"],
        "parameters": sum(int(tensor.size) for tensor in found.tensors.values()),
        "data": _data_facts(folder, data),
        "scores": {
            "float": _float_scores(compared),
            "integer": {
                "accuracy": evaluation.accuracy,
                **(evaluation.to_json()["regression"] or {}),
            },
            "agreement": compared.agreement,
            "answer_snr_db": compared.answer_snr_db,
            **(_percentage_errors(deployment, checkpoint, data) if entry.what.positive else {}),
        },
        "advice": compared.advice,
        "tried_too": _tried_too(entry, folder, data),
        "neurobench": report["neurobench"],
        "layers": [
            {key: layer[key] for key in ("name", "spike_rate", "activation_sparsity")}
            for layer in report["layers"]
        ],
        "loihi2": {
            "cores": len(report["placement"]["cores"]),
            "least_cores": report["placement"]["least_cores"],
            "energy": report["energy_per_sequence"],
            "time": {key: report["time"][key] for key in ("step_s", "sequence_s", "token_s")},
        },
        "arithmetic_45nm_j": papers["everything_j"] / len(data),
        "boards": on_boards(deployment, data),
        "fpga": on_fpga(deployment),
    }
    with atomic_write(folder / FACTS) as file:
        file.write(json.dumps(facts, indent=1, sort_keys=True).encode())
    return facts


def _tried_too(entry: Entry, folder: Path, data: Data) -> dict[str, Any] | None:
    """Give accuracy and agreement with other settings; None where none are tried."""
    if entry.family not in TRIED_TOO:
        return None
    settings, why = TRIED_TOO[entry.family]
    checkpoint = folder / CHECKPOINT
    other = snn_deploy.convert(checkpoint, calibration=folder / "train.npz", settings=settings)
    compared = other.verify(data, backends=["native"], against=checkpoint).accuracy
    assert compared is not None  # there is a checkpoint to compare with
    return {
        "settings": settings,
        "why": why,
        "accuracy": compared.integer_accuracy,
        "agreement": compared.agreement,
    }


def _data_facts(folder: Path, test: Data) -> dict[str, int]:
    with np.load(folder / "train.npz") as train:
        sequences = len(train["inputs"])
    steps, width = test.inputs.shape[1:]
    return {"train": sequences, "test": len(test), "steps": steps, "width": width}


def _float_scores(compared: AccuracyComparison) -> dict[str, Any]:
    """Give the scores of the float network with exact neurons."""
    figures = {name: sums.figures() for name, sums in compared.regression.items()}
    return {"accuracy": compared.exact_accuracy, **figures.get("exact", {})}


def _percentage_errors(deployment: Deployment, checkpoint: Path, data: Data) -> dict[str, float]:
    """Give sMAPE of both networks, in percent: the mean of 200 |t - y| / (|t| + |y|)."""
    network = snn_deploy.load_float_network(checkpoint, output_steps="all")
    answers = {
        "smape_float": run_float(network, data.inputs).logits,
        "smape_integer": deployment.simulate(data).logits,
    }
    assert data.targets is not None  # a regression has them
    return {name: smape(answer, data.targets) for name, answer in answers.items()}


def smape(answers: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]) -> float:
    """Give the symmetric mean absolute percentage error of the targets that are known."""
    known = ~np.isnan(targets)
    y, t = answers[known], targets[known]
    return float(np.mean(200 * np.abs(t - y) / (np.abs(t) + np.abs(y))))
