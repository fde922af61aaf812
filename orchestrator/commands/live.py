"""What happens while ``dan-g run`` runs, line by line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rich.text import Text

from orchestrator.commands.output import console

if TYPE_CHECKING:
    from fastapi import FastAPI

    from orchestrator.core.events import Event

SEVERITY_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
STATUS_STYLES = {"succeeded": "green", "failed": "red", "timed_out": "red", "cancelled": "yellow"}
SERIOUS_STATES = frozenset({"held", "vetoed", "stopped", "rolling_back", "rolled_back"})
PAST_TENSE = {"raise": "raised", "escalate": "escalated", "return": "back to normal"}


class LivePrinter:
    """Prints decisions, alerts and results as they come."""

    def __init__(self) -> None:
        self._out = console()
        self._task: asyncio.Task[None] | None = None

    def start(self, app: FastAPI, url: str) -> None:
        """Print the head, then follow the events on the running loop."""
        orchestrator = app.state.orchestrator
        source = orchestrator.source
        if source is not None and source.simulated:
            speed = orchestrator.settings.plant.source.speed
            pace = f"{speed:g} times real time" if speed else "as fast as possible"
            self._line("SIMULATED", f"plant {orchestrator.plant.name!r}, {pace}", "bold magenta")
        self._line("LISTENING", f"{url} (API at {url}/docs; Ctrl-C ends it)", "bold")
        note = orchestrator.settings.llm.why_unusable
        if note:
            self._line("NO MODEL", note, "dim")
        self._task = asyncio.ensure_future(self._follow(app))

    async def _follow(self, app: FastAPI) -> None:
        with app.state.orchestrator.events.subscribe() as events:
            async for event in events:
                line = describe(event)
                if line is not None:
                    self._line(*line, at=event.at.strftime("%H:%M:%S"))

    def _line(self, kind: str, text: str, style: str, *, at: str = "        ") -> None:
        written = Text.assemble((at, "dim"), "  ", (f"{kind:<9}", style), " ", text)
        self._out.print(written, soft_wrap=True)


def describe(event: Event) -> tuple[str, str, str] | None:
    """Kind, text and style of an event's line; null for events that are not worth one."""
    payload = event.payload
    if event.kind == "decision":
        return "DECISION", _decision(payload), "bold blue"
    if event.kind == "alert":
        return _alert(payload)
    if event.kind == "job" and "seconds" in payload:
        text = payload.get("summary") or (payload.get("error") or {}).get("detail") or ""
        name = f"{payload['module']}.{payload['operation']}"
        style = STATUS_STYLES.get(payload["status"], "")
        return "RESULT", f"{name} {payload['status']} in {payload['seconds']:.1f} s: {text}", style
    if event.kind == "recommendation":
        return _recommendation(payload)
    if event.kind == "mode":
        return "MODE", f"{payload['mode'] or 'as assessed'} (set by {payload['by']})", "bold"
    if event.kind == "notice":
        return "NOTICE", str(payload.get("message", "")), "yellow"
    return None


def _decision(decision: dict[str, Any]) -> str:
    runs = ", ".join(
        f"{a['module']}.{a['operation']}" + (" (deferred)" if a["deferred"] else "")
        for a in decision["actions"]
    )
    if not decision["actions"]:
        held = [f"{a['operation']}: {a['why_not']}" for a in decision["alternatives"]]
        return f"run nothing: {'; '.join(held[:3]) or decision['rationale']}"
    running = {f"{a['module']}.{a['operation']}" for a in decision["actions"]}
    behind = [t for t in decision["triggers"] if running & set(t["operations"])]
    because = dict.fromkeys(trigger["because"] for trigger in behind or decision["triggers"])
    dry = "dry run, would " if decision["dry_run"] else ""
    said = "; ".join(because) or decision["rationale"]
    return f"{dry}run {runs} (confidence {decision['confidence']:.2f}): {said}"


def _recommendation(payload: dict[str, Any]) -> tuple[str, str, str]:
    summary, state = payload.get("summary") or "", str(payload["state"]).replace("_", " ")
    if payload["event"] == "propose":
        return "PROPOSAL", f"{payload['id'][:8]}: {summary}", "bold green"
    style = "bold red" if payload["state"] in SERIOUS_STATES else "green"
    why = f": {payload['reason']}" if payload["reason"] else ""
    return "OPERATOR", f"{payload['id'][:8]} {state} ({payload['by']}){why}", style


def _alert(payload: dict[str, Any]) -> tuple[str, str, str]:
    alert = payload["alert"]
    transition = str(payload["transition"])
    transition = PAST_TENSE.get(transition, transition.replace("_", " "))
    text = f"{alert['severity']} {alert['kind']}, {transition}: {alert['message']}"
    return "ALERT", text, SEVERITY_STYLES.get(alert["severity"], "")
