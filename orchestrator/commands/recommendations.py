"""``dan-g recommendations``."""

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

app = typer.Typer(help="What is proposed to be moved, and what people say to it.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the recommendation.")]
AllOption = Annotated[bool, typer.Option("--all", help="Those that have ended, too.")]
WhyOption = Annotated[str, typer.Option("--reason", help="Why.")]
LIVE = (
    "proposed",
    "awaiting_approval",
    "awaiting_second_approval",
    "approved",
    "applying",
    "verifying",
    "held",
    "rolling_back",
)


@app.callback(invoke_without_command=True)
def recommendations(
    context: typer.Context,
    every: AllOption = False,
    limit: LimitOption = 50,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is proposed to be moved; alone it lists what has not ended."""
    if context.invoked_subcommand is None:
        list_recommendations(
            every=every, limit=limit, config=config, home=home, url=url, as_json=as_json
        )


@app.command("list")
def list_recommendations(
    every: AllOption = False,
    limit: LimitOption = 50,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List recommendations, newest first."""
    from orchestrator.commands.client import call

    query: dict[str, Any] = {"limit": limit, "state": None if every else list(LIVE)}
    target = Target(config, home, url)
    page = call(target, lambda api: api.get("/recommendations", **query))
    if as_json:
        emit(page)
        return
    from orchestrator.commands.operator_views import show_recommendations

    ended = ""
    if not page["items"] and not every:
        rest = call(target, lambda api: api.get("/recommendations", limit=limit))
        count = len(rest["items"])
        has = "has" if count == 1 and not rest["next_cursor"] else "have"
        ended = f"{count}{' or more' if rest['next_cursor'] else ''} {has}" if count else ""
    show_recommendations(console(), page["items"], ended)


@app.command()
def show(
    id_: IdArgument,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """One recommendation: moves, worth, verdict, and what has become of it."""
    from orchestrator.commands.client import call

    target = Target(config, home, url, as_json)
    _print(target, call(target, lambda api: api.get(f"/recommendations/{quote(id_, safe='')}")))


@app.command()
def approve(
    id_: IdArgument,
    digest: Annotated[
        str | None,
        typer.Option("--digest", help="Of the content that was seen; else it is shown and asked."),
    ] = None,
    comment: Annotated[str, typer.Option("--comment", help="Kept with the approval.")] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a recommendation for the content that its digest stands for.

    Without --digest it is shown first, and approved when the question is answered with yes.
    """
    from orchestrator.commands.client import call

    target = Target(config, home, url, as_json)
    if digest is None:
        found = call(target, lambda api: api.get(f"/recommendations/{quote(id_, safe='')}"))
        from orchestrator.commands.operator_views import show_recommendation

        show_recommendation(console(stderr=True), found)
        typer.confirm("Approve it?", abort=True, err=True)
        digest = found["digest"]
    _change(target, id_, "approve", {"by": person(by), "digest": digest, "comment": comment})


@app.command()
def reject(
    id_: IdArgument,
    reason: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reject a recommendation, with the reason."""
    body = {"by": person(by), "reason": reason}
    _change(Target(config, home, url, as_json), id_, "reject", body)


@app.command()
def resume(
    id_: IdArgument,
    reason: WhyOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a held recommendation go on from where the handles are now."""
    body = {"by": person(by), "reason": reason}
    _change(Target(config, home, url, as_json), id_, "resume", body)


@app.command()
def rollback(
    id_: IdArgument,
    reason: WhyOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the handles back to where they came from, at the allowed rate."""
    body = {"by": person(by), "reason": reason}
    _change(Target(config, home, url, as_json), id_, "rollback", body)


@app.command()
def leave(
    id_: IdArgument,
    reason: WhyOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a held recommendation with the handles where they are; a reason is needed."""
    body = {"by": person(by), "reason": reason}
    _change(Target(config, home, url, as_json), id_, "leave", body)


def _change(target: Target, id_: str, verb: str, body: dict[str, Any]) -> None:
    from orchestrator.commands.client import call

    path = f"/recommendations/{quote(id_, safe='')}/{verb}"
    _print(target, call(target, lambda api: api.post(path, body)))


def _print(target: Target, document: dict[str, Any]) -> None:
    if target.json:
        emit(document)
        return
    from orchestrator.commands.operator_views import show_recommendation

    show_recommendation(console(), document)
