"""``dan-g decide`` and ``dan-g ask``."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.options import (
    ConfigOption,
    HomeOption,
    JsonOption,
    Target,
    UrlOption,
)
from orchestrator.commands.output import console, emit
from orchestrator.errors import (
    DanGError,
    DataError,
    GateRefusedError,
    InputError,
    ParameterError,
    UnknownOperationError,
)

if TYPE_CHECKING:
    from orchestrator.core.decision_engine import DecisionEngine
    from orchestrator.core.situation import Situation


def decide(
    situation: Annotated[
        Path | None, typer.Option("--situation", help="A situation as JSON; - reads stdin.")
    ] = None,
    situations: Annotated[
        Path | None,
        typer.Option("--situations", help="One a line, each with id and situation; - reads stdin."),
    ] = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide on a given situation: no service, no memory, nothing runs."""
    if (situation is None) == (situations is None):
        raise InputError(
            "give either --situation or --situations", remedy="dan-g decide --situation FILE"
        )
    engine = _engine(Target(config, home))
    if situation is not None:
        decision = engine.decide(_situation(_text(situation), str(situation)), dry_run=True)
        document = decision.document
        if as_json:
            emit(document)
            return
        from orchestrator.commands.views import show_decision

        show_decision(console(), document)
        return
    assert situations is not None
    decided = [
        {"id": id_, "decision": engine.decide(given, dry_run=True).document}
        for id_, given in _cases(_text(situations), str(situations))
    ]
    if as_json:
        emit(decided)
        return
    from orchestrator.commands.output import table

    rows = table("id", "conf.", "selected", "deferred")
    for item in decided:
        actions = item["decision"]["actions"]
        names = [f"{a['module']}.{a['operation']}" for a in actions]
        deferred = [n for n, a in zip(names, actions, strict=True) if a["deferred"]]
        confidence = f"{item['decision']['confidence']:.2f}"
        rows.add_row(
            str(item["id"]), confidence, ", ".join(names) or "nothing", ", ".join(deferred)
        )
    console().print(rows)


def ask(
    text: Annotated[str, typer.Argument(help="What you want to know or have done.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide only, run nothing.")] = False,
    session: Annotated[
        str | None, typer.Option("--session", help="Conversation that this is a turn of.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for what was started.")
    ] = True,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask in words: decides which operations answer it, and runs them.

    Ends with 4 when a gate refuses all that is asked for; a dry run only decides, and ends with 0.
    """
    from orchestrator.commands.client import Api, call
    from orchestrator.commands.progress import waiting

    body: dict[str, Any] = {"query": text, "dry_run": dry_run, "session_id": session}

    async def work(api: Api) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        answer = await api.post("/orchestrate", body)
        jobs = answer["jobs"]
        if wait and jobs:
            starting = [job for job in jobs if _starts(job, answer)]
            deferred = [job | {"message": DEFERRED} for job in jobs if job not in starting]
            with waiting(", ".join(f"{j['module']}.{j['operation']}" for j in jobs)) as progress:
                ended = await asyncio.gather(
                    *(api.wait_for_job(job["id"], progress) for job in starting)
                )
            jobs = [*ended, *deferred]
        return answer["decision"], list(jobs)

    decision, jobs = call(Target(config, home, url), work)
    refusal = None if dry_run else _all_refused(decision)
    if as_json:
        if refusal is not None:
            raise refusal
        emit(decision)
        return
    from orchestrator.commands.views import show_decision, show_jobs

    show_decision(console(), decision)
    show_jobs(console(), jobs)
    if refusal is not None:
        raise refusal


DEFERRED = "waits for free resources and then runs by itself; dan-g decisions shows it"


def _all_refused(decision: dict[str, Any]) -> DanGError | None:
    """The error where nothing of what the words ask for runs or is answered; else ``None``."""
    refused = decision["refused"]
    answered = (decision.get("interpretation") or {}).get("values")
    if not refused or decision["actions"] or answered:
        return None
    held = [item for item in refused if item["gate"] != "registry"]
    kind = GateRefusedError if held else UnknownOperationError
    return kind(
        "; ".join(f"{item['operation']}: {item['reason']}" for item in held or refused),
        where="ask",
        remedy="dan-g status shows what the gates see; dan-g mode set declares the plant mode"
        if held
        else "install the module that has it, or ask for another; dan-g status lists them",
        context={"decision": decision},
    )


def _starts(job: dict[str, Any], answer: dict[str, Any]) -> bool:
    """Whether a job starts by itself; a deferred one waits for resources, perhaps for long."""
    deferred = {
        (a["module"], a["operation"]) for a in answer["decision"]["actions"] if a["deferred"]
    }
    return (job["module"], job["operation"]) not in deferred


def _engine(target: Target) -> DecisionEngine:
    from orchestrator.core.decision_engine import DecisionEngine
    from orchestrator.modules.registry import load_registry

    settings = target.settings()
    return DecisionEngine(settings, load_registry(settings.mcp.servers))


def _text(path: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="give a file that exists and that you may read",
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"is not UTF-8 text (byte {error.start})", where=str(path), remedy="save it as UTF-8"
        ) from error


def _situation(text: str, where: str) -> Situation:
    from orchestrator.api.validation import parse_body
    from orchestrator.core.situation import Situation

    return parse_body(text.encode(), Situation, where)


def _cases(text: str, where: str) -> list[tuple[Any, Situation]]:
    cases = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        try:
            case = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"not JSON: {error}", where=place, remedy="one JSON object a line"
            ) from error
        if not isinstance(case, dict) or "id" not in case or "situation" not in case:
            raise ParameterError(
                "id and situation are required", where=place, remedy="one JSON object a line"
            )
        cases.append((case["id"], _situation(json.dumps(case["situation"]), place)))
    if not cases:
        raise DataError("holds no situation", where=where, remedy="one JSON object a line")
    return cases
