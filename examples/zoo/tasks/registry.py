"""The tasks by name."""

from __future__ import annotations

from snn_deploy.examples.zoo.tasks import (
    chirps,
    denoising,
    digits,
    mackey_glass,
    mnist1d,
    recall,
    vowels,
)
from snn_deploy.examples.zoo.tasks.task import Task

__all__ = ["TASKS"]

EVERY_STEP = {"mode": "last"}
"""S4's decoder for networks that answer at every step."""

TASKS = {
    "digits": Task(
        "Sequential digits",
        "scikit-learn's 8 × 8 digits, read as 64 numbers; which digit is it?",
        digits.make,
        outputs=10,
    ),
    "mnist1d": Task(
        "MNIST-1D",
        "ten shapes of 12 points, moved, sheared and with noise, as 40 numbers "
        "(the package `mnist1d` generates them); which shape is it?",
        mnist1d.make,
        outputs=10,
    ),
    "vowels": Task(
        "Japanese vowels",
        'recordings of "ae", 7 to 29 steps of 12 cepstra (bundled with the package `aeon`); '
        "which of nine men speaks?",
        vowels.make,
        outputs=9,
        decoder={"use_lengths": True},
    ),
    "chirps": Task(
        "Chirped keywords",
        "ten synthetic words of three gliding tones each, as spike counts of 16 bands of an ear; "
        "which word is it?",
        chirps.make,
        outputs=10,
        options={"train": 1500, "test": 500, "steps": 64, "bands": 16, "noise": 0.15},
    ),
    "recall": Task(
        "Copying",
        "ten symbols of eight are shown, 40 steps later they are to be said in order; the share "
        "of right symbols, by chance 12.5%",
        recall.make,
        outputs=8,
        options={"train": 2000, "test": 500, "symbols": 8, "count": 10, "wait": 40},
        output_steps="all",
        decoder=EVERY_STEP,
    ),
    "mackey_glass": Task(
        "Mackey-Glass",
        "a chaotic series (τ = 17); at each step, what is it 10 steps later?",
        mackey_glass.make,
        outputs=1,
        options={
            "train": 500,
            "test": 200,
            "steps": 128,
            "horizon": 10,
            "unknown": 32,
            "delay": 17,
        },
        output_steps="all",
        decoder=EVERY_STEP,
        regression=True,
        positive=True,
    ),
    "denoising": Task(
        "Denoising",
        "three tones of any pitch in as much white noise; at each step, what is the clean signal?",
        denoising.make,
        outputs=1,
        options={"train": 800, "test": 200, "steps": 128, "noise": 1.0, "unknown": 32},
        output_steps="all",
        decoder=EVERY_STEP,
        regression=True,
    ),
}
