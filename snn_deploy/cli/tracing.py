"""The options that say what ``simulate`` traces, and where that goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from snn_deploy.cli.console import echo

if TYPE_CHECKING:
    from snn_deploy.ir.network import Network
    from snn_deploy.traces.writer import TraceWriter

__all__ = ["StepsType", "TraceRequest", "trace_options"]


class StepsType(click.ParamType):  # type: ignore[type-arg]  # generic in newer click only
    """``START:STOP[:EVERY]``, as a Python slice; any part may be left out."""

    name = "START:STOP[:EVERY]"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, slice):
            return value
        parts = str(value).split(":")
        if len(parts) not in (2, 3) or not all(p.isdecimal() or not p for p in parts):
            self.fail(f"{value!r}: write START:STOP or START:STOP:EVERY, e.g. 0:1000:10")
        return slice(*(int(part) if part else None for part in parts))


@dataclass(frozen=True)
class TraceRequest:
    """What is to be traced, if ``path`` is given."""

    path: str | None
    patterns: tuple[str, ...]
    steps: slice
    form: Literal["dense", "events"]

    def check(self, *sources: str | None) -> None:
        """Refuse options that would have no effect, and a file that cannot or must not be written.

        Raises
        ------
        ConfigError, OutputError
            If there are such.
        """
        from snn_deploy.errors import ConfigError
        from snn_deploy.io.files import check_writable

        if self.path:
            check_writable(self.path, *sources)
        elif self.patterns or self.steps != slice(None) or self.form != "dense":
            raise ConfigError("--trace-nodes, --trace-steps and --trace-format need --trace FILE")

    def check_plain(self, backend: str) -> None:
        """Refuse what only integer engines can.

        Raises
        ------
        ConfigError
            If some of the steps, or lists of spikes, are wanted.
        """
        from snn_deploy.errors import ConfigError

        if self.steps != slice(None) or self.form != "dense":
            raise ConfigError(
                f"--trace-steps and --trace-format need an integer engine, not {backend}"
            )

    def nodes(self, network: Network) -> tuple[str, ...]:
        """Name the nodes to trace: none without a file, all without patterns."""
        from snn_deploy.traces.selection import choose_nodes

        return choose_nodes(network.names, self.patterns or ("*",)) if self.path else ()

    @contextmanager
    def writer(
        self, network: Network, samples: int, first: int, last: int
    ) -> Iterator[TraceWriter | None]:
        """Write the trace of the steps ``first`` … ``last - 1`` while the block runs.

        None without a file, and for a float network, some signals of which have no steps.
        """
        from snn_deploy.io.npz import write_npz
        from snn_deploy.traces.selection import choose_steps
        from snn_deploy.traces.writer import Signal, TraceWriter

        if not self.path or network.stage == "float":
            yield None
            return
        signals = {name: Signal.of(network[name]) for name in self.nodes(network)}
        steps = choose_steps(self.steps, first, last)
        with write_npz(self.path) as npz:
            yield TraceWriter(npz, signals, samples, steps, self.form, steps == range(last))
        echo(f"wrote {self.path}")


def trace_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets them as one ``trace``."""
    import functools

    @click.option("--trace", metavar="TRACE.npz", help="Write nodes' outputs at every step.")
    @click.option(
        "--trace-nodes",
        metavar="NAME,…",
        help="Only these nodes; patterns such as '*.lif' are fine. Default: all.",
    )
    @click.option(
        "--trace-steps",
        type=StepsType(),
        default=slice(None),
        help="Only these steps, counted from 0; STOP is not among them.",
    )
    @click.option(
        "--trace-format",
        type=click.Choice(["dense", "events"]),
        default="dense",
        show_default=True,
        help="Spikes as an array, or as lists of steps and neurons.",
    )
    @functools.wraps(command)
    def wrapped(
        trace: str | None,
        trace_nodes: str | None,
        trace_steps: slice,
        trace_format: Literal["dense", "events"],
        **others: Any,
    ) -> Any:
        patterns = tuple(p.strip() for p in (trace_nodes or "").split(",") if p.strip())
        request = TraceRequest(trace, patterns, trace_steps, trace_format)
        return command(trace=request, **others)

    return wrapped
