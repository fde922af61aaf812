"""``dan-g status`` and ``dan-g mode``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from orchestrator.commands.options import (
    ByOption,
    ConfigOption,
    HomeOption,
    JsonOption,
    Target,
    UrlOption,
    person,
)
from orchestrator.commands.output import console, emit

mode_app = typer.Typer(help="The plant mode.")


class Mode(StrEnum):
    """A plant mode, or ``auto`` for what the assessment finds."""

    AUTO = "auto"
    STEADY = "steady"
    TRANSIENT = "transient"
    STARTUP = "startup"
    SHUTDOWN = "shutdown"
    EMERGENCY = "emergency"


def status(
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Health of every part, the plant, the modules and the model."""
    from orchestrator.commands.client import call

    document = call(Target(config, home, url), lambda api: api.get("/status"))
    if as_json:
        emit(document)
        return
    from orchestrator.commands.views import show_status

    show_status(console(), document)


@mode_app.callback(invoke_without_command=True)
def mode(
    context: typer.Context,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """The plant mode; alone it shows it."""
    if context.invoked_subcommand is None:
        show(config=config, home=home, url=url, as_json=as_json)


@mode_app.command()
def show(
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the plant mode in force and who says so."""
    from orchestrator.commands.client import call

    _print(call(Target(config, home, url), lambda api: api.get("/mode")), as_json=as_json)


@mode_app.command("set")
def set_mode(
    mode: Annotated[Mode, typer.Argument(help="auto hands it back to the assessment.")],
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare the plant mode; it goes before what the assessment finds."""
    from orchestrator.commands.client import call

    body = {"mode": None if mode is Mode.AUTO else mode.value, "by": person(by)}
    _print(call(Target(config, home, url), lambda api: api.put("/mode", body)), as_json=as_json)


def _print(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit(document)
    else:
        console().print(f"{document['mode'] or 'unknown'} ({document['source']})", markup=False)
