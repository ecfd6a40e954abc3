"""TRACE.npz: nodes' outputs at chosen steps, written while a network runs; ``docs/traces.md``.

================  ================================================================================
``selection``     which nodes and steps
``writer``        TraceWriter: from an engine's parts to the file
``reader``        read_trace: the file, whichever form it has, as arrays or as events
================  ================================================================================
"""

from __future__ import annotations

from snn_deploy.traces.reader import Events, Trace, read_trace
from snn_deploy.traces.selection import choose_nodes, choose_steps
from snn_deploy.traces.writer import TraceWriter

__all__ = ["Events", "Trace", "TraceWriter", "choose_nodes", "choose_steps", "read_trace"]
