"""The engines by name, imported on use; what each of them does is in ``session.py``.

Other packages add engines as entry points of the group ``snn_deploy.engines``.
"""

from __future__ import annotations

from snn_deploy.engines.session import Engine
from snn_deploy.errors import ConfigError
from snn_deploy.plugins import blaming, named, unknown_name

__all__ = ["ENGINES", "FLOAT_ENGINES", "Engine", "engine_names", "get_engine"]

ENGINES: dict[str, str] = {
    "native": "snn_deploy.engines.native:NativeEngine",
    "reference": "snn_deploy.engines.reference:ReferenceEngine",
    "lava": "snn_deploy.engines.lava.engine:LavaEngine",
    "c": "snn_deploy.targets.engine:CEngine",
    "verilog": "snn_deploy.targets.engine:VerilogEngine",
    "onnx": "snn_deploy.formats.onnx.engine:OnnxEngine",
}

FLOAT_ENGINES: dict[str, str] = {
    "float": "snn_deploy.engines.floating:FloatEngine",
    "float-surrogate": "snn_deploy.engines.floating:SurrogateEngine",
}
"""Those of float networks."""


def get_engine(name: str) -> Engine:
    """Import and make the engine called ``name``.

    Raises
    ------
    ConfigError
        If there is no engine of that name, or a package's cannot be imported.
    """
    engines = named("engines", {**ENGINES, **FLOAT_ENGINES})
    if name not in engines:
        raise ConfigError(unknown_name("backend", name, engines))
    make = engines[name].load()
    with blaming(engines[name], "cannot be made"):
        engine: Engine = make()
    return engine


def engine_names() -> tuple[str, ...]:
    """Name the engines of deployed networks: ours, then those that other packages add."""
    return tuple(named("engines", ENGINES))
