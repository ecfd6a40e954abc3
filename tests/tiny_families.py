"""Small random networks of the families other than SpikingSSM, as the checkpoints hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
from synthetic import Tensors, tiny_spikingssm_state

H, N, LAYERS, CLASSES = 4, 3, 2, 3

__all__ = ["CLASSES", "LAYERS", "H", "N", "tiny_backbone", "tiny_longspike", "tiny_prf_neuron"]
__all__ += ["tiny_pspikessm", "tiny_silif", "tiny_spiking_s4d"]


def tiny_backbone(
    name: str, seed: int = 0, model: dict[str, Any] | None = None, **layer: Any
) -> tuple[Tensors, dict[str, Any]]:
    """Give state dict and configuration of a network behind S4's backbone, layers ``name``."""
    rng = np.random.default_rng(seed)
    options = {"_name_": name, **_LAYERS[name][1], **layer}
    section = {
        "_name_": "model",
        "n_layers": LAYERS,
        "d_model": H,
        "prenorm": True,
        "norm": "batch",
        "residual": "R",
        "layer": options,
        **(model or {}),
    }
    tensors: Tensors = {
        "encoder.0.weight": rng.normal(size=(H, 1)),
        "encoder.0.bias": rng.normal(size=H),
        "decoder.0.output_transform.weight": rng.normal(size=(CLASSES, H)),
        "decoder.0.output_transform.bias": rng.normal(size=CLASSES),
    }
    for index in range(LAYERS):
        keys = f"model.layers.{index}."
        made = _LAYERS[name][0](rng, options)
        tensors |= {f"{keys}layer.{key}": value for key, value in made.items()}
        tensors |= _norm(rng, f"{keys}norm.norm.", section["norm"])
    if section["prenorm"]:
        tensors |= _norm(rng, "model.norm.norm.", section["norm"])
    return tensors, {
        "model": section,
        "encoder": "linear",
        "decoder": {"_name_": "sequence", "mode": "pool"},
    }


def _norm(rng: Any, keys: str, kind: str | None) -> Tensors:
    if kind is None:
        return {}
    made = {f"{keys}weight": rng.uniform(0.5, 2, H), f"{keys}bias": rng.normal(size=H) / 2}
    if kind == "batch":
        made |= {f"{keys}running_mean": rng.normal(size=H) / 2}
        made |= {f"{keys}running_var": rng.uniform(0.5, 2, H)}
    return made


def _kernel(rng: Any) -> Tensors:
    return {
        "D": rng.normal(size=H),
        "kernel.C": rng.normal(size=(H, N, 2)),
        "kernel.log_dt": rng.uniform(-3, -1, H),
        "kernel.log_A_real": rng.normal(size=(H, N)),
        "kernel.A_imag": 3 * rng.normal(size=(H, N)),
    }


def _mix(rng: Any, name: str, rows: int, columns: int, convolution: bool = False) -> Tensors:
    shape = (rows, columns, 1) if convolution else (rows, columns)
    return {f"{name}weight": rng.normal(size=shape) / 2, f"{name}bias": rng.normal(size=rows)}


def _s4d(rng: Any, options: dict[str, Any]) -> Tensors:
    return _kernel(rng) | _mix(rng, "output_linear.0.", 2 * H, H, convolution=True)


def _s4block(rng: Any, options: dict[str, Any]) -> Tensors:
    rows = 2 if options.get("bidirectional") else 1
    made = {
        "layer.D": rng.normal(size=(1, H)),
        "layer.kernel.inv_dt": rng.uniform(-3, -1, (H, 1)),
        "layer.kernel.C": rng.normal(size=(rows, H, N, 2)),
        "layer.kernel.B": rng.normal(size=(1, H, N, 2)),
        "layer.kernel.A_real": rng.normal(size=(H, N)),
        "layer.kernel.A_imag": 3 * rng.normal(size=(H, N)),
    }
    if options["mode"] != "diag":
        made |= {"layer.kernel.P": rng.normal(size=(1, H, N, 2)) / 2}
        made |= {"layer.kernel.l_kernel": np.array(0)}
    final = options.get("final_act", "glu")
    if final is None:
        return made
    return made | _mix(rng, "output_linear.0.", 2 * H if final == "glu" else H, H)


def _gsu(rng: Any, options: dict[str, Any]) -> Tensors:
    keys = "output_linear."
    made = _kernel(rng)
    if options.get("ternary_scale", True):
        for k in (1, 2):
            made[f"{keys}ternay{k}.log_w"] = rng.normal(size=1) / 4
    if options.get("matrices", 2) == 1:
        made |= {f"{keys}w": rng.normal(size=(H, H))}
        made |= {f"{keys}{bias}": rng.normal(size=H) for bias in ("b", "c")}
    else:
        for k in (1, 2):
            made |= _mix(rng, f"{keys}pro_linear{k}.", H, H)
    if options.get("inner_norm"):
        made |= _norm(rng, f"{keys}LN.", "layer")
    return made


def _prf(rng: Any, options: dict[str, Any]) -> Tensors:
    both = bool(options.get("bidirectional"))
    temporal, spatial = options.get("temporal"), options.get("spatial")
    made: Tensors = {}
    neurons = ["neuron1", "reverse_neuron1"] if both else ["neuron1"]
    if temporal in ("lif", "decoupled_reset", "identity"):
        neurons = []
    for neuron in neurons:
        made[f"{neuron}.log_dt"] = rng.uniform(-2, 0, H)
        made[f"{neuron}.theta_log"] = rng.normal(size=H)
        if temporal == "prf_train":
            made[f"{neuron}.gamma"] = rng.normal(size=H)
    if temporal != "identity":
        made |= _mix(rng, "pro_linear1.", H, 2 * H if both else H)
    if spatial in ("Binary", "Binary_vec"):
        made |= _mix(rng, "pro_linear2.", H, H)
        made["alpha"] = rng.normal(size=1 if spatial == "Binary" else H)
    return made


def _prf_block(rng: Any, options: dict[str, Any]) -> Tensors:
    made = _prf(rng, {}) | _mix(rng, "pro_linear2.", H, H)
    return made | _norm(rng, "norm.norm.", "batch")


def _drf(rng: Any, options: dict[str, Any]) -> Tensors:
    made = {key: rng.normal(size=(H, N)) for key in ("log_tau", "log_omega", "gamma", "C")}
    made |= {"log_dt": rng.uniform(-2, 0, H), "alpha_logit": rng.normal(size=2)}
    return made | _mix(rng, "output_linear.", H, H)


def _refractory(rng: Any, options: dict[str, Any]) -> Tensors:
    made = _s4d(rng, options) | {key: rng.normal(size=H) / 2 for key in ("ln_vth", "ln_rho")}
    return made | {key: rng.normal(size=()) for key in ("tau_logit", "tau_r_logit")}


_LAYERS: dict[str, Any] = {
    "s4d": (_s4d, {"d_state": 2 * N, "activation": "spike"}),
    "s4block": (_s4block, {"d_state": 2 * N, "mode": "diag", "activation": "spike"}),
    "s4d_gsu": (_gsu, {"d_state": 2 * N}),
    "spikingblockgate": (_prf, {"spatial": "Binary"}),
    "spikingblock": (_prf_block, {}),
    "pSpikeSSM": (_s4block, {"d_state": 2 * N, "mode": "diag", "final_act": None}),
    "drf": (_drf, {"dendrites": N, "threshold_taps": 2}),
    "s4d_refractory": (_refractory, {"d_state": 2 * N}),
}


def tiny_pspikessm(two: bool = False) -> tuple[Tensors, dict[str, Any]]:
    """Give a P-SpikeSSM of one branch or two."""
    tensors, config = tiny_backbone("pSpikeSSM", model={"bidirectional": two})
    rng = np.random.default_rng(1)
    for index in range(LAYERS):
        keys = f"model.layers.{index}."
        for name in ("inp", "inp2", "out") if two else ("inp", "out"):
            tensors |= {f"{keys}{name}_{part}": rng.normal(size=H) for part in ("a", "b")}
        if two:
            other = _s4block(rng, _LAYERS["pSpikeSSM"][1])
            tensors |= {f"{keys}reverse_layer.{key}": value for key, value in other.items()}
        mix = "bidirectional_linear" if two else "bidirectional_linear1"
        tensors |= _mix(rng, f"{keys}{mix}.", H, 2 * H if two else H)
    return tensors, config


def tiny_longspike(scales: int = 2, **form: Any) -> tuple[Tensors, dict[str, Any]]:
    """Give a LongSpike: a SpikingSSM whose kernels have so many time scales."""
    made, config = tiny_spikingssm_state(**form)
    tensors = {key.replace(".s4_layers.", ".loongspike_layers."): x for key, x in made.items()}
    rng = np.random.default_rng(1)
    for key in [key for key in tensors if key.endswith("kernel.C")]:
        for name in ("omega_logit", "eta_logit"):
            tensors[key.removesuffix("C") + name] = rng.normal(size=scales) - 3
    config["model"] |= {"_name_": "loongspikingssm"}
    return tensors, config


def tiny_prf_neuron() -> Tensors:
    """Give a layer of PRF neurons alone."""
    rng = np.random.default_rng(0)
    return {"log_dt": rng.uniform(-2, 0, H), "theta_log": rng.normal(size=H)}


def tiny_silif(kind: str, seed: int = 0) -> Tensors:
    """Give the state dict of a network of the SiLIF family: 5 inputs, twice H neurons."""
    rng = np.random.default_rng(seed)
    own = {
        "silif": ("dt", "alpha", "beta", "a", "b"),
        "cadlif": ("alpha", "beta", "a", "b"),
        "csilif": ("log_dt", "log_log_alpha", "alpha_img", "b"),
        "rf": ("alpha_real", "alpha_im"),
    }[kind]
    tensors: Tensors = {}
    for layer, (rows, columns) in enumerate(((H, 5), (H, H), (CLASSES, H))):
        keys = f"snn.{layer}."
        names = own if layer < 2 else ("alpha",)
        tensors |= {f"{keys}{name}": rng.normal(size=rows) for name in names}
        tensors[f"{keys}W.weight"] = rng.normal(size=(rows, columns))
        for name in ("weight", "bias", "running_mean"):
            tensors[f"{keys}norm.{name}"] = rng.normal(size=rows)
        tensors[f"{keys}norm.running_var"] = rng.uniform(0.5, 2, rows)
        tensors[f"{keys}norm.num_batches_tracked"] = np.array(7)
    return tensors


def tiny_spiking_s4d(leaky: bool = False, seed: int = 0) -> Tensors:
    """Give the state dict of a language model of 6 tokens in the layout ``body.layers.i``."""
    rng = np.random.default_rng(seed)
    tensors: Tensors = {f"{name}.weight": rng.normal(size=(6, H)) for name in ("emb", "head")}
    for index in range(LAYERS):
        made = _s4d(rng, {}) | {"ln_vth": rng.normal(size=(H, 1)) / 4}
        made["kernel.C"] = made["kernel.C"][None]
        if leaky:
            made["neuron.alpha_logit"] = rng.normal(size=())
        tensors |= {f"body.layers.{index}.{key}": value for key, value in made.items()}
        tensors |= _norm(rng, f"body.norms.{index}.", "layer")
    return tensors | _norm(rng, "ln_out.", "layer")
