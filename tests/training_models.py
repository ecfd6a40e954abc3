"""Models to train and data for them; importing this needs torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from synthetic import checkpoint_of, random_inputs, tiny_spikingssm_state

from snn_deploy.data.inputs import Data
from snn_deploy.training.model import Model


def make_model(**layout: Any) -> Model:
    tensors, config = tiny_spikingssm_state(**layout)
    return Model.read(checkpoint_of(tensors, config))


def make_data(model: Model, count: int = 24, steps: int = 30, seed: int = 3) -> Data:
    config, rng = model.source.config or {}, np.random.default_rng(seed)
    inputs = random_inputs(config, model.source.tensors, count, steps, seed)
    labels = rng.integers(0, model.network.output.width, count)
    return Data(inputs, labels, rng.integers(1, steps + 1, count))
