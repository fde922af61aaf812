"""``dan-g decisions``."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
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
    utc_text,
)
from orchestrator.commands.output import console, emit, number, table

app = typer.Typer(help="What was decided, why, and what came of it.", no_args_is_help=False)


class Verdict(StrEnum):
    """What a person says of a decision."""

    RIGHT = "right"
    WRONG = "wrong"
    UNCLEAR = "unclear"


IdArgument = Annotated[str, typer.Argument(help="Id of the decision.")]
SinceOption = Annotated[
    datetime | None, typer.Option("--since", help="Not before; UTC.", show_default=False)
]
UntilOption = Annotated[
    datetime | None, typer.Option("--until", help="Before; UTC.", show_default=False)
]


@app.callback(invoke_without_command=True)
def decisions(
    context: typer.Context,
    limit: LimitOption = 20,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was decided, why, and what came of it; alone it lists the newest."""
    if context.invoked_subcommand is None:
        list_decisions(limit=limit, config=config, home=home, url=url, as_json=as_json)


@app.command("list")
def list_decisions(
    limit: LimitOption = 20,
    cursor: Annotated[str | None, typer.Option("--cursor", help="From the page before.")] = None,
    module: Annotated[str | None, typer.Option("--module", help="With an action of it.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List decisions, newest first."""
    page = _get(
        Target(config, home, url),
        "/decisions",
        limit=limit,
        cursor=cursor,
        module=module,
        since=utc_text(since),
        until=utc_text(until),
    )
    if as_json:
        emit(page)
        return
    from orchestrator.commands.views import show_decisions

    show_decisions(console(), page["items"])
    if page["next_cursor"]:
        console().print(f"more: --cursor {page['next_cursor']}", markup=False, soft_wrap=True)


@app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Id of the decision.")],
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one decision with its jobs, their outcomes and the feedback."""
    trail = _get(Target(config, home, url), f"/decisions/{quote(id_, safe='')}")
    if as_json:
        emit(trail)
        return
    from orchestrator.commands.views import show_decision, show_jobs

    out = console()
    show_decision(out, trail["decision"])
    show_jobs(out, trail["jobs"])
    for item in trail["feedback"]:
        out.print(f"feedback: {item['verdict']} {item['comment']} ({item['author']})", markup=False)


@app.command()
def analytics(
    since: SinceOption = None,
    until: UntilOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Statistics of decisions and their outcomes."""
    document = _get(
        Target(config, home, url),
        "/decisions/analytics",
        since=utc_text(since),
        until=utc_text(until),
    )
    if as_json:
        emit(document)
        return
    rows = table("what", "value")
    for name, value in _flat(document):
        rows.add_row(name, number(value))
    console().print(rows)


@app.command()
def feedback(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Id of the decision.")],
    verdict: Annotated[Verdict, typer.Option("--verdict", help="What came of it.")],
    benefit_usd: Annotated[
        float | None, typer.Option("--benefit-usd", help="Measured benefit, USD.")
    ] = None,
    comment: Annotated[str, typer.Option("--comment")] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what came of a decision; the confidence learns from it."""
    from orchestrator.commands.client import call

    body = {
        "verdict": verdict.value,
        "benefit_usd": benefit_usd,
        "comment": comment,
        "author": person(by),
    }
    path = f"/decisions/{quote(id_, safe='')}/feedback"
    record = call(Target(config, home, url), lambda api: api.post(path, body))
    if as_json:
        emit(record)
    else:
        console().print(f"feedback on {id_}: {verdict.value}", markup=False)


def _get(target: Target, path: str, **query: Any) -> Any:
    from orchestrator.commands.client import call

    return call(target, lambda api: api.get(path, **query))


def _flat(document: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in document.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name} ")
        else:
            rows.append((prefix + name.replace("_", " "), value))
    return rows
