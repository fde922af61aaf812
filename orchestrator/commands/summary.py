"""``dan-g summary``."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from orchestrator.commands.options import (
    ConfigOption,
    HomeOption,
    JsonOption,
    Target,
    UrlOption,
    utc_text,
)
from orchestrator.commands.output import console, emit, short_time


class SpanName(StrEnum):
    """What is summarised."""

    SHIFT = "shift"
    DAY = "day"


def summary(
    span: Annotated[SpanName, typer.Argument(help="A shift or a day.")],
    at: Annotated[
        datetime | None,
        typer.Option("--at", help="A moment in it, plant time in UTC; now if not given."),
    ] = None,
    previous: Annotated[
        bool,
        typer.Option("--previous", help="The one before: for the hand-over of what just ended."),
    ] = False,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Show ids of the records under each statement.")
    ] = False,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand a shift over, or sum a day up, from what is on record."""
    from orchestrator.commands.client import call

    query = {"at": utc_text(at), "previous": "true" if previous else None}
    document: dict[str, Any] = call(
        Target(config, home, url), lambda api: api.get(f"/summaries/{span.value}", **query)
    )
    if as_json:
        emit(document)
        return
    out = console()
    simulated = " (SIMULATED)" if document["simulated"] else ""
    so_far = "" if document["complete"] else ", so far"
    out.print(
        f"{span.value.capitalize()} of {document['plant'] or 'the plant'}{simulated}: "
        f"{short_time(document['start'])} to {short_time(document['end'])}{so_far}",
        markup=False,
        soft_wrap=True,
    )
    for section in document["sections"]:
        out.print(f"\n{section['title']}", markup=False, style="bold")
        for statement in section["statements"]:
            refs = dict.fromkeys(f"{e['source']} {e['ref']}" for e in statement["evidence"])
            shown = f" [{', '.join(refs)}]" if evidence and refs else ""
            lines = statement["text"].split("\n")
            out.print(f"  - {' '.join(lines)}{shown}", markup=False, soft_wrap=True)
