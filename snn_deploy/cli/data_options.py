"""Options that say how data files are read, which several commands share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, cast

import click

from snn_deploy.cli.options import Decorator, with_options

__all__ = ["BinningType", "data_forms", "data_option"]


class BinningType(click.ParamType):  # type: ignore[type-arg]  # generic in newer click only
    """How long a step of events is, and how many steps there are if a comma follows."""

    name = "STEP[,STEPS]"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from snn_deploy.data.data_file import Binning

        if isinstance(value, Binning):
            return value
        step, _, steps = str(value).partition(",")
        try:
            length, count = float(step), int(steps) if steps else None
        except ValueError:
            length, count = math.nan, None
        if not 0 < length < math.inf or (count is not None and not count > 0):
            self.fail(f"{value!r} is no length of a step, such as 0.01, or 0.01,100 for 100 steps")
        return Binning(length, count)


_FORM_OPTIONS: tuple[Decorator, ...] = (
    click.option("--inputs-key", metavar="NAME", help="What the inputs are called in the data."),
    click.option("--labels-key", metavar="NAME", help="What the labels are called; '': none."),
    click.option("--lengths-key", metavar="NAME", help="What the lengths are called; '': none."),
    click.option(
        "--targets-key", metavar="NAME", help="What real-valued targets are called; '': none."
    ),
    click.option(
        "--layout",
        type=click.Choice(["bld", "bdl"]),
        default="bld",
        show_default=True,
        help="Order of the inputs' axes: sequences, steps, features; or features before steps.",
    ),
    click.option(
        "--bin",
        "binning",
        type=BinningType(),
        metavar="STEP[,STEPS]",
        help="The data are events (times and channels): how long a step is, in the unit of their "
        "times, and how many steps there are.",
    ),
)


def data_forms(*paths: str) -> Decorator:
    """Add the options that say how data files are read, and give them to the named paths."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def named(
            *args: Any,
            inputs_key: Any,
            labels_key: Any,
            lengths_key: Any,
            targets_key: Any,
            layout: Any,
            binning: Any,
            **given: Any,
        ) -> Any:
            keys = (inputs_key, labels_key, lengths_key, targets_key)
            if any(key is not None for key in (*keys, binning)) or layout != "bld":
                from snn_deploy.data.data_file import DataFile

                for path in paths:
                    if given[path] is not None:
                        given[path] = DataFile(given[path], *keys, layout, binning)
            return command(*args, **given)

        return with_options(named, _FORM_OPTIONS)

    return decorate


def data_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--data`` and how it is read."""
    option = click.option(
        "--data",
        "data_path",
        metavar="DATA.npz",
        required=True,
        help="Arrays 'inputs' and, where there are any, 'labels' or real-valued 'targets', and "
        "'lengths'.",
    )
    return cast("Callable[..., Any]", option(data_forms("data_path")(command)))
