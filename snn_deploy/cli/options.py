"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

__all__ = [
    "CHECKPOINT_OPTIONS",
    "EngineType",
    "OutputStepsType",
    "TargetType",
    "checkpoint_options",
    "config_file",
    "config_option",
    "device_option",
    "family_option",
    "gathered",
    "json_option",
    "limit_option",
    "output_steps_option",
    "parse_pairs",
    "target_option",
    "with_options",
]


class OutputStepsType(click.ParamType):  # type: ignore[type-arg]  # generic in newer click only
    """``one``, ``all``, or a number of last steps."""

    name = "one|all|K"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value in ("one", "all"):
            return value
        if isinstance(value, str) and value.isdecimal() and int(value) >= 1:
            return int(value)
        return self.fail(f"{value!r} is none of: one, all, or a number of last steps of at least 1")


class TargetType(click.ParamType):  # type: ignore[type-arg]
    """A hardware profile: its name, or a file's path."""

    name = "target"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return value or self.fail("it is empty; name a target, or a profile's file")

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        from snn_deploy.mapping.profile import list_profiles

        names = [name for name in list_profiles() if name.startswith(incomplete)]
        # files first: in bash they would take the place of what comes before them
        return [CompletionItem(incomplete, type="file"), *map(CompletionItem, names)]


class EngineType(click.ParamType):  # type: ignore[type-arg]
    """An engine by name, ours or another package's, or one of ``more``."""

    name = "engine"

    def __init__(self, *more: str) -> None:
        self.more = more

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        from snn_deploy.engines.registry import engine_names

        names = (*engine_names(), *self.more)
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    def get_metavar(self, param: Any, ctx: Any = None) -> str:
        return f"[{'|'.join(('native', 'reference', 'lava', 'c', *self.more))}|…]"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from snn_deploy.engines.registry import engine_names

        names = (*engine_names(), *self.more)
        if value in names:
            return value
        return self.fail(f"{value!r} is not one of {', '.join(map(repr, names))}", param, ctx)


def parse_pairs(ctx: Any, param: Any, pairs: tuple[str, ...]) -> dict[str, str]:
    """Turn ``KEY=VALUE`` words into a dictionary."""
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals and value):
            raise click.BadParameter(f"{pair!r}: write KEY=VALUE, e.g. weight_bits=4")
        settings[key] = value
    return settings


Decorator = Callable[[Any], Any]
Request = TypeVar("Request")
Outcome = TypeVar("Outcome")


def gathered(
    request: Callable[..., Request],
) -> Callable[[Callable[[Request], Outcome]], Callable[..., Outcome]]:
    """Give a command one thing, made of its arguments and options by their names."""

    def decorate(command: Callable[[Request], Outcome]) -> Callable[..., Outcome]:
        @functools.wraps(command)
        def wrapped(**given: Any) -> Outcome:
            return command(request(**given))

        return wrapped

    return decorate


config_option: Decorator = click.option(
    "--config",
    metavar="FILE",
    help="Configuration (YAML or JSON) of a checkpoint that holds none, or to use instead.",
)
family_option: Decorator = click.option(
    "--family",
    metavar="NAME",
    help="Family of the checkpoint, whatever it says itself.",
)
_CHECKPOINT_OPTIONS: tuple[Decorator, ...] = (
    config_option,
    click.option(
        "--set-model",
        metavar="KEY=VALUE",
        multiple=True,
        callback=parse_pairs,
        help="Set an option of the checkpoint's own configuration, e.g. layer.use_loop=true.",
    ),
    family_option,
    click.option(
        "--state-dict-key",
        metavar="KEY",
        help="Where the checkpoint's state dict is, if it holds several, e.g. model_ema.",
    ),
    click.option(
        "--prefix",
        metavar="PREFIX",
        help="What stands before the keys of the network that is meant, if there are several.",
    ),
    click.option(
        "--ignore-key",
        metavar="PATTERN",
        multiple=True,
        help="Leave keys out of the state dict, * for any text, e.g. 'criterion.*'.",
    ),
    click.option(
        "--weights",
        type=click.Choice(["raw", "ema"]),
        default="raw",
        show_default=True,
        help="The trained weights, or the averages that the optimiser kept of them.",
    ),
)
CHECKPOINT_OPTIONS = (
    *("--config", "--set-model", "--family", "--state-dict-key", "--prefix", "--ignore-key"),
    "--weights",
)
"""What says how a checkpoint is read."""


def with_options(command: Callable[..., Any], options: tuple[Decorator, ...]) -> Callable[..., Any]:
    """Add options to a command, in their order."""
    for option in reversed(options):
        command = option(command)
    return command


def checkpoint_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a checkpoint is read: the command gets them as ``reading``.

    That is arguments of :class:`~snn_deploy.readers.ReadOptions`, without the output steps.
    """

    @functools.wraps(command)
    def reading(
        *args: Any, config: str | None, set_model: dict[str, str], ignore_key: Any, **kwargs: Any
    ) -> Any:
        names = ("family", "state_dict_key", "prefix", "weights")
        how = {name: kwargs.pop(name) for name in names}
        how["config"] = config
        if set_model:
            from snn_deploy.converters.overrides import Overridden

            how["config"] = Overridden(config, set_model)
        how["ignore_keys"] = tuple(ignore_key)
        return command(*args, reading=how, **kwargs)

    return with_options(reading, _CHECKPOINT_OPTIONS)


def config_file(reading: dict[str, Any]) -> str | None:
    """Give the configuration's file, whether ``--set-model`` added to it or not."""
    config = reading["config"]
    file: str | None = getattr(config, "config", config)
    return file


target_option: Decorator = click.option(
    "--target",
    type=TargetType(),
    default="loihi2",
    show_default=True,
    help="Hardware profile, or a file.",
)
json_option: Decorator = click.option(
    "--json", "json_path", metavar="OUT.json", help="Write every figure."
)
limit_option: Decorator = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N sequences."
)
output_steps_option: Decorator = click.option(
    "--output-steps",
    type=OutputStepsType(),
    default="one",
    show_default=True,
    help="Which steps are the answer: one vector, all steps, or the last K.",
)
device_option: Decorator = click.option(
    "--device",
    type=click.Choice(["cpu", "loihi2"]),
    default="cpu",
    show_default=True,
    help="Where the lava backend runs: its CPU simulator, or Intel's hardware.",
)
