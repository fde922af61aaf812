"""``dan-g sessions``."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from orchestrator.commands.options import (
    ConfigOption,
    HomeOption,
    JsonOption,
    LimitOption,
    Target,
    UrlOption,
    UserOption,
    person,
)
from orchestrator.commands.output import console, emit, short_time, table

app = typer.Typer(help="Conversations with the copilot.", no_args_is_help=True)
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the session.")]


@app.command("list")
def list_sessions(
    limit: LimitOption = 20,
    user: UserOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List conversations, last used first."""
    from orchestrator.commands.client import call

    page = call(
        Target(config, home, url), lambda api: api.get("/sessions", limit=limit, user=person(user))
    )
    if as_json:
        emit(page)
        return
    rows = table("id", "turns", "last used", "about")
    rows.columns[0].no_wrap = True
    for item in page["items"]:
        slots = ", ".join(f"{name} {value}" for name, value in item["slots"].items())
        about = "; ".join(filter(None, (", ".join(item["operations"]), slots)))
        rows.add_row(item["id"], str(item["turns"]), short_time(item["updated_at"]), about)
    console().print(rows if page["items"] else "no sessions")


@app.command()
def show(
    id_: IdArgument,
    user: UserOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one conversation with its turns."""
    from orchestrator.commands.client import call

    session: dict[str, Any] = call(
        Target(config, home, url),
        lambda api: api.get(f"/sessions/{quote(id_, safe='')}", user=person(user)),
    )
    if as_json:
        emit(session)
        return
    out = console()
    if session["summary"]:
        out.print(f"Summary of the first {session['summarised']} turns:", markup=False)
        out.print(session["summary"], markup=False)
    for turn in session["history"]:
        out.print(f"\n{turn['number']}. > {turn['text']}", markup=False)
        out.print(f"[{turn['state']}] {turn['answer']}", markup=False)


@app.command()
def delete(
    id_: IdArgument,
    user: UserOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget one conversation; decisions and results that came of it stay."""
    from orchestrator.commands.client import call

    path = f"/sessions/{quote(id_, safe='')}?user={quote(person(user), safe='')}"
    call(Target(config, home, url), lambda api: api.delete(path))
    if as_json:
        emit({"deleted": id_})
        return
    console().print(f"deleted {id_}", markup=False)
