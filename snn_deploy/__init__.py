"""snn-deploy: trained spiking state-space networks on neuromorphic hardware.

>>> import snn_deploy
>>> deployment = snn_deploy.convert("model.ckpt", target="loihi2", calibration="train.npz")
>>> deployment.save("model.safetensors")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snn_deploy.version import __version__

if TYPE_CHECKING:
    from snn_deploy.api import check, convert, load, load_float_network, search
    from snn_deploy.compare.regression import Regression
    from snn_deploy.compare.verification import Verification
    from snn_deploy.deployment import Deployment
    from snn_deploy.evaluation.run import Evaluation, evaluate
    from snn_deploy.progress import progress_bar
    from snn_deploy.readers import Source, read_source
    from snn_deploy.reports.compare import Comparison, compare_deployments
    from snn_deploy.reports.report import Report
    from snn_deploy.run.simulation import Simulation
    from snn_deploy.run.streaming import Stream, StreamOutput

__all__ = [
    "Comparison",
    "Deployment",
    "Evaluation",
    "Regression",
    "Report",
    "Simulation",
    "Source",
    "Stream",
    "StreamOutput",
    "Verification",
    "__version__",
    "check",
    "compare_deployments",
    "convert",
    "evaluate",
    "load",
    "load_float_network",
    "progress_bar",
    "read_source",
    "search",
]

_HOMES = {
    "Comparison": "snn_deploy.reports.compare",
    "Deployment": "snn_deploy.deployment",
    "Evaluation": "snn_deploy.evaluation.run",
    "Regression": "snn_deploy.compare.regression",
    "Report": "snn_deploy.reports.report",
    "Simulation": "snn_deploy.run.simulation",
    "Stream": "snn_deploy.run.streaming",
    "StreamOutput": "snn_deploy.run.streaming",
    "Source": "snn_deploy.readers.source",
    "Verification": "snn_deploy.compare.verification",
    "check": "snn_deploy.api",
    "compare_deployments": "snn_deploy.reports.compare",
    "convert": "snn_deploy.api",
    "evaluate": "snn_deploy.evaluation.run",
    "load": "snn_deploy.api",
    "load_float_network": "snn_deploy.api",
    "progress_bar": "snn_deploy.progress",
    "read_source": "snn_deploy.readers.registry",
    "search": "snn_deploy.api",
}


def __getattr__(name: str) -> Any:
    # imported on use, so that the command line answers --help without loading numpy
    if name not in _HOMES:
        raise AttributeError(f"module 'snn_deploy' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
