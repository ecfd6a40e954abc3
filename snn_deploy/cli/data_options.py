"""Options that say how data files are read, which several commands share."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from typing import Any, cast

import click

from snn_deploy.cli.options import Decorator, with_options

__all__ = ["BinningType", "data_forms", "data_option"]


_NUMBER = r"[1-9]\d{0,8}"
_BINNING = re.compile(
    rf"(?P<step>[^,]+)(?:,(?P<steps>{_NUMBER}))?(?:,(?P<columns>{_NUMBER})x(?P<rows>{_NUMBER}))?"
)


class BinningType(click.ParamType):  # type: ignore[type-arg]  # generic in newer click only
    """How long a step of events is; behind commas how many steps, and how large a camera."""

    name = "STEP[,STEPS][,COLUMNSxROWS]"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from snn_deploy.data.data_file import Binning

        if isinstance(value, Binning):
            return value
        found = _BINNING.fullmatch(str(value))
        try:
            length = float(found["step"]) if found else math.nan
        except ValueError:
            length = math.nan
        if found is None or not 0 < length < math.inf:
            self.fail(
                f"{value!r} is no length of a step, such as 0.01, or 0.01,100 for 100 steps, or "
                "1000,34x34 for a camera of 34 columns and 34 rows"
            )
        steps, camera = found["steps"], (found["columns"], found["rows"])
        size = None if None in camera else (int(camera[0]), int(camera[1]))
        return Binning(length, int(steps) if steps else None, size)


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
        metavar=BinningType.name,
        help="The data are events (times and channels, or pixels), in a file or in a folder for "
        "each class: how long a step is, in the unit of their times, how many steps there are, "
        "and how large a camera is.",
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
