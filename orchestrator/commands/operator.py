"""``dan-g operator``."""

from __future__ import annotations

import asyncio
import os
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

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
from orchestrator.errors import UnavailableError

app = typer.Typer(help="The operator agent: mode, grants, stop.")

WhyOption = Annotated[str, typer.Option("--reason", help="Why.")]
STOP_PATIENCE = 5.0
"""How long a stop waits for the service before it goes to the process by signal, s."""


class AgentMode(StrEnum):
    """What the operator agent may do."""

    ADVISORY = "advisory"
    SUPERVISED = "supervised"
    AUTONOMOUS = "autonomous"


class Seen(StrEnum):
    """What the panel shows of a write."""

    DONE = "done"
    NOT_DONE = "not_done"


@app.callback(invoke_without_command=True)
def operator(
    context: typer.Context,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """The operator agent; alone it shows how it stands."""
    if context.invoked_subcommand is None:
        status(config=config, home=home, url=url, as_json=as_json)


@app.command()
def status(
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mode, stop, grants, what awaits a person and what is under way."""
    from orchestrator.commands.client import call

    target = Target(config, home, url, as_json)
    _print(target, call(target, lambda api: api.get("/operator")))


@app.command()
def mode(
    mode: Annotated[AgentMode, typer.Argument(help="What it may do from now on.")],
    reason: WhyOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the mode, by name."""
    body = {"mode": mode.value, "by": person(by), "reason": reason}
    _post(Target(config, home, url, as_json), "/operator/mode", body)


@app.command()
def grant(
    limits: Annotated[
        list[str],
        typer.Option("--limit", help="TAG=LOW:HIGH:RATE:MOVE, in the tag's unit; repeatable."),
    ],
    minutes: Annotated[float, typer.Option("--minutes", min=1, help="For how long, plant time.")],
    moves: Annotated[int, typer.Option("--moves", min=1, help="Writes that it allows in all.")],
    reason: WhyOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give leave to act without approval, on these tags, within these limits, for this time."""
    from orchestrator.commands.client import call

    body = {
        "by": person(by),
        "tags": dict(map(_granted, limits)),
        "minutes": minutes,
        "max_moves": moves,
        "reason": reason,
    }
    target = Target(config, home, url, as_json)
    found = call(target, lambda api: api.post("/operator/grants", body))
    if as_json:
        emit(found)
    else:
        console().print(f"grant {found['id']} until {found['ends_at']}", markup=False)


@app.command()
def revoke(
    grant_id: Annotated[str, typer.Argument(metavar="GRANT", help="Id of the grant.")],
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a grant back."""
    from orchestrator.commands.client import call

    target = Target(config, home, url, as_json)
    path = f"/operator/grants/{quote(grant_id, safe='')}/revoke"
    found = call(target, lambda api: api.post(path, {"by": person(by)}))
    if as_json:
        emit(found)
    else:
        console().print(f"grant {found['id']} is revoked", markup=False)


@app.command()
def stop(
    reason: WhyOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop all writing to the plant, at once; where the service does not answer, by signal."""
    from orchestrator.commands.client import connect

    target = Target(config, home, url, as_json)
    body = {"by": person(by), "reason": reason}

    # Only a service that runs can fail to answer; without one the stop is kept by this command itself.
    patience = STOP_PATIENCE if target.url is not None or _owner(target) is not None else None

    async def press() -> Any:
        async with asyncio.timeout(patience), connect(target) as api:
            return await api.post("/operator/stop", body)

    try:
        found = asyncio.run(press())
    except (UnavailableError, TimeoutError) as error:
        pid = _signalled(target)
        if pid is None:
            raise UnavailableError(
                "the stop has reached nobody",
                where="dan-g operator stop",
                remedy="put the loops in automatic at the panel; is the service running?",
            ) from error
        console(stderr=True).print(f"no answer; process {pid} was told by signal", markup=False)
        return
    _print(target, found)


@app.command()
def release(
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release the stop, by name; nothing goes on by itself."""
    _post(Target(config, home, url, as_json), "/operator/release", {"by": person(by)})


@app.command()
def settle(
    write_id: Annotated[str, typer.Argument(metavar="WRITE", help="Id of the write.")],
    seen: Annotated[Seen, typer.Argument(help="What the panel shows.")],
    reason: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a write of unknown end was carried out; its tag is unlocked."""
    from orchestrator.commands.client import call

    target = Target(config, home, url, as_json)
    path = f"/operator/writes/{quote(write_id, safe='')}/settle"
    body = {"by": person(by), "state": seen.value, "reason": reason}
    found = call(target, lambda api: api.post(path, body))
    if as_json:
        emit(found)
    else:
        console().print(f"{found['tag']} = {found['value']:g}: {found['state']}", markup=False)


def _granted(text: str) -> tuple[str, dict[str, float]]:
    tag, _, numbers = text.partition("=")
    try:
        low, high, rate, move = (float(number) for number in numbers.split(":"))
    except ValueError:
        raise typer.BadParameter(
            f"expected TAG=LOW:HIGH:RATE:MOVE, for example TC130_SP=360:368:0.2:2, got {text!r}"
        ) from None
    return tag, {"low": low, "high": high, "max_rate": rate, "max_move": move}


def _owner(target: Target) -> int | None:
    """The process that owns the home; null where there is none."""
    from orchestrator.core.home import Home

    owner = Home(target.settings().home).service()
    return None if owner is None else owner.pid


def _signalled(target: Target) -> int | None:
    """The process that owns the home, told to stop writing; null where none could be told."""
    from orchestrator.api.main import STOP_SIGNAL

    pid = _owner(target) if target.url is None else None
    if pid is None:
        return None
    try:
        os.kill(pid, STOP_SIGNAL)
    except OSError:
        return None
    return pid


def _post(target: Target, path: str, body: dict[str, Any]) -> None:
    from orchestrator.commands.client import call

    _print(target, call(target, lambda api: api.post(path, body)))


def _print(target: Target, document: dict[str, Any]) -> None:
    if target.json:
        emit(document)
        return
    from orchestrator.commands.operator_views import show_operator

    show_operator(console(), document)
