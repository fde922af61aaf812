"""``dan-g alerts``."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from orchestrator.commands.options import (
    ByOption,
    ConfigOption,
    HomeOption,
    JsonOption,
    LimitOption,
    Target,
    UrlOption,
    person,
)
from orchestrator.commands.output import console, emit

app = typer.Typer(help="The alert list and its life cycle.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the alert.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why it is withheld.")]
MinutesOption = Annotated[
    float | None, typer.Option("--minutes", min=0.1, help="For how long, plant time.")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Until when, ISO 8601 with zone.")]
AllOption = Annotated[bool, typer.Option("--all", help="Those that have ended, too.")]


@app.callback(invoke_without_command=True)
def alerts(
    context: typer.Context,
    every: AllOption = False,
    limit: LimitOption = 50,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """The alert list and its life cycle; alone it lists what is open."""
    if context.invoked_subcommand is None:
        list_alerts(every=every, limit=limit, config=config, home=home, url=url, as_json=as_json)


@app.command("list")
def list_alerts(
    every: AllOption = False,
    limit: LimitOption = 50,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List alerts, newest first."""
    from orchestrator.commands.client import call

    query: dict[str, Any] = {"limit": limit, "open": None if every else True}
    page = call(Target(config, home, url), lambda api: api.get("/alerts", **query))
    if as_json:
        emit(page)
        return
    from orchestrator.commands.views import show_alerts

    show_alerts(console(), page["items"])


@app.command()
def report(
    days: Annotated[float, typer.Option("--days", min=0.01, help="Days back, plant time.")] = 7.0,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """How the alarm system performs: rates, peaks, standing, stale and chattering alarms."""
    from orchestrator.commands.alarm_report import made, show

    found = made(Target(config, home, url), days)
    if as_json:
        emit(found.model_dump(mode="json"))
    else:
        show(console(), found)


@app.command()
def ack(
    id_: IdArgument,
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge an alert."""
    _change(Target(config, home, url, as_json), id_, "acknowledge", {"by": person(by)})


@app.command()
def shelve(
    id_: IdArgument,
    reason: ReasonOption,
    minutes: MinutesOption = None,
    until: UntilOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put an alert aside for a time; it comes back by itself."""
    body = {"reason": reason, "minutes": minutes, "until": until, "by": person(by)}
    _change(Target(config, home, url, as_json), id_, "shelve", body)


@app.command()
def unshelve(
    id_: IdArgument,
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a shelved alert back at once."""
    _change(Target(config, home, url, as_json), id_, "unshelve", {"by": person(by)})


@app.command()
def suppress(
    id_: IdArgument,
    reason: ReasonOption,
    minutes: MinutesOption = None,
    until: UntilOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Suppress an alert by design, for a time or until it is ended."""
    body = {"reason": reason, "minutes": minutes, "until": until, "by": person(by)}
    _change(Target(config, home, url, as_json), id_, "suppress", body)


@app.command()
def unsuppress(
    id_: IdArgument,
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the suppression of an alert."""
    _change(Target(config, home, url, as_json), id_, "unsuppress", {"by": person(by)})


@app.command("remove-from-service")
def remove_from_service(
    id_: IdArgument,
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an alarm out of service, for maintenance."""
    body = {"reason": reason, "by": person(by)}
    _change(Target(config, home, url, as_json), id_, "remove-from-service", body)


@app.command("return-to-service")
def return_to_service(
    id_: IdArgument,
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Return an alarm to service."""
    _change(Target(config, home, url, as_json), id_, "return-to-service", {"by": person(by)})


def _change(target: Target, id_: str, verb: str, body: dict[str, Any]) -> None:
    from orchestrator.commands.client import call

    path = f"/alerts/{quote(id_, safe='')}/{verb}"
    alert = call(target, lambda api: api.post(path, body))
    if target.json:
        emit(alert)
        return
    from orchestrator.commands.views import show_alerts

    show_alerts(console(), [alert])
