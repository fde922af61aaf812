"""``dan-g documents``."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
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
from orchestrator.commands.output import RemoteError, console, emit, exit_code_of
from orchestrator.errors import InputError

if TYPE_CHECKING:
    from orchestrator.commands.client import Api

app = typer.Typer(help="The plant's documents: procedures, manuals, reports.")
SUFFIXES = (".md", ".markdown", ".txt", ".text", ".pdf")
"""Files of a folder that are taken; a file that is named is taken whatever its name."""


@app.callback(invoke_without_command=True)
def documents(
    context: typer.Context,
    limit: LimitOption = 50,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """The plant's documents; alone it lists them."""
    if context.invoked_subcommand is None:
        list_documents(limit=limit, config=config, home=home, url=url, as_json=as_json)


@app.command("list")
def list_documents(
    limit: LimitOption = 50,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List documents, newest first."""
    from orchestrator.commands.client import call

    page = call(Target(config, home, url), lambda api: api.get("/documents", limit=limit))
    if as_json:
        emit(page)
        return
    if not page["items"]:
        console().print("no documents; add some with: dan-g documents add FILE_OR_FOLDER")
    for item in page["items"]:
        pages = f", {item['pages']} pages" if item["pages"] else ""
        console().print(
            f"{item['name']}  ({item['kind']}{pages}, {item['passages']} passages)  {item['id']}",
            markup=False,
        )


@app.command()
def add(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders with files.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the document, for one file.")
    ] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add Markdown, plain text (UTF-8) or PDF; what has not changed is left as it is."""
    from orchestrator.commands.client import call

    files = _named(paths, name)

    async def work(api: Api) -> list[dict[str, Any]]:
        return [await _add(api, name, path, person(by)) for name, path in files]

    results = call(Target(config, home, url), work)
    if as_json:
        emit(results)
    else:
        for result in results:
            _show_added(result)
    failed = [result["problem"] for result in results if "problem" in result]
    if failed:
        raise typer.Exit(exit_code_of(failed[0]))


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="Words to look for.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=50, help="Most passages.")] = 5,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find passages, and quote them word for word."""
    from orchestrator.commands.client import call

    found = call(
        Target(config, home, url),
        lambda api: api.get("/documents/search", q=query, limit=limit),
    )
    if as_json:
        emit(found)
        return
    out = console()
    for warning in found["warnings"]:
        out.print(f"warning: {warning}", markup=False)
    if not found["passages"]:
        out.print("nothing found")
    for number, passage in enumerate(found["passages"], 1):
        out.print(f"{number}. {passage['citation']}", markup=False)
        for line in passage["text"].split("\n"):
            out.print(f"   │ {line}", markup=False)
        out.print()
    out.print(f"ranked by {found['ranked_by']}", markup=False)


@app.command()
def remove(
    names: Annotated[list[str], typer.Argument(help="Ids or names of documents.")],
    by: ByOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove documents."""
    from orchestrator.commands.client import call

    async def work(api: Api) -> list[dict[str, Any]]:
        known = await _ids(api)
        removed = []
        for name in names:
            path = f"/documents/{quote(known.get(name, name), safe='')}"
            removed.append(await api.delete(f"{path}?by={quote(person(by), safe='')}"))
        return removed

    removed = call(Target(config, home, url), work)
    if as_json:
        emit(removed)
        return
    for item in removed:
        console().print(f"removed {item['name']}", markup=False)


async def _ids(api: Api) -> dict[str, str]:
    """Ids by name."""
    found: dict[str, str] = {}
    cursor: str | None = None
    while True:
        page = await api.get("/documents", limit=200, cursor=cursor)
        found.update({item["name"]: item["id"] for item in page["items"]})
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def _add(api: Api, name: str, path: Path, by: str) -> dict[str, Any]:
    """What became of a file; one that cannot be taken does not stop the others."""
    try:
        body = {"name": name, "content": _encoded(path), "by": by}
        taken: dict[str, Any] = await api.post("/documents", body)
    except (RemoteError, InputError) as error:
        return {"name": name, "problem": error.problem()}
    return taken


def _encoded(path: Path) -> str:
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from error


def _named(paths: list[Path], name: str | None) -> list[tuple[str, Path]]:
    """Each file with the name of its document: within a folder its path there.

    Raises:
        InputError: a path is not there, a folder holds none, or ``--name`` is for several files.
    """
    found = [pair for path in paths for pair in _files(path.expanduser())]
    if name is None:
        return found
    if len(found) != 1:
        raise InputError(
            f"one name is given for {len(found)} files", where="--name", remedy="add one file"
        )
    return [(name, found[0][1])]


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not inside:
            raise InputError(
                f"the folder holds no file of {', '.join(SUFFIXES)}",
                where=str(path),
                remedy="name the file itself",
            )
        yield from ((file.relative_to(path).as_posix(), file) for file in inside)
    elif path.exists():
        yield path.name, path
    else:
        raise InputError("there is no such file or folder", where=str(path))


def _show_added(result: dict[str, Any]) -> None:
    if "problem" in result:
        problem: dict[str, Any] = result["problem"]
        console().print(f"{result['name']}: {problem.get('detail', '')}", markup=False)
        return
    console().print(
        f"{result['name']}: {result['change']}, {result['passages']} passages", markup=False
    )
    for warning in result["warnings"]:
        console().print(f"  warning: {warning}", markup=False)
