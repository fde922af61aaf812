"""What the system says of itself: alerts, decisions, recommendations, writes and status, from its records."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from orchestrator.clock import iso
from orchestrator.core.slots import fold
from orchestrator.errors import NotFoundError
from orchestrator.llm.answers.draft import Draft, Listed, as_sentence, clock, joined, number
from orchestrator.llm.answers.results import answer_of

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator

MOST = 5
SEVERITIES = ("critical", "high", "medium", "low")
_TOPICS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("alerts", re.compile(r"\b(?:alerts?|alarms?|alarmes?|acknowledg\w*|acquitt\w*|shelv\w*)\b")),
    ("recommendations", re.compile(r"\b(?:recommend\w*|propos\w*|advis\w*|approv\w*)\b")),
    ("writes", re.compile(r"\b(?:writes?|wrote|written)\b")),
    (
        "status",
        re.compile(r"\b(?:status|uptime|health|version|which model|(?:who|what) are you)\b"),
    ),
    ("help", re.compile(r"\b(?:help|what can you)\b")),
    (
        "decisions",
        re.compile(r"\b(?:decision|decid|why|did|run|ran|start|chose|select|refus)\w*\b"),
    ),
)
HELP = (
    "Ask for forecasts, soft sensors and times to a limit, for the quality of the data and the balances, "
    "for prices, cracks, stocks and demand, for the plan, blends and set points, for what-ifs and what a "
    "limit costs; for the value of a tag now or before; and for alerts, decisions, recommendations and "
    "status. Nothing that is said here writes to the plant or approves anything."
)


_WRONG = re.compile(
    r"(?:so |and |ok |hey )?(?:what(?: is|'?s)? |is (?:anything|something) |(?:anything|something) )"
    r"(?:is )?(?:going )?(?:wrong|amiss|abnormal)"
    r"(?: (?:with|in|at|on) (?:the |our )?(?:plant|refinery|unit))?"
    r"(?: (?:right )?now| at the moment| today| currently| here)?"
)


def asks_what_is_wrong(text: str) -> bool:
    """Whether words ask what is wrong in general, of nothing that they name."""
    return _WRONG.fullmatch(fold(text).rstrip(" ?!.")) is not None


class OwnAnswers:
    """Answers from the records of one orchestrator."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._store = orchestrator.store

    async def answer(self, text: str) -> Draft:
        """What the words ask of the system itself."""
        folded = fold(text)
        topic = next((name for name, words in _TOPICS if words.search(folded)), "status")
        if topic == "help":
            draft = Draft("status", "help")
            draft.say(HELP)
            return draft
        tell = {
            "alerts": self.alerts,
            "recommendations": self.recommendations,
            "writes": self.writes,
            "decisions": self.decisions,
        }.get(topic, self.status)
        return await tell()

    async def about(self, item: Listed) -> Draft:
        """All that is kept of one thing that an earlier answer listed."""
        try:
            if item.kind == "alert":
                return await self._alert(item.ref)
            if item.kind == "recommendation":
                return await self._recommendation(item.ref)
            if item.kind == "decision":
                return await self._decision(item.ref)
            outcome = await self._store.outcomes.get(item.ref)
        except NotFoundError as error:
            draft = Draft("status", item.ref)
            draft.say(as_sentence(str(error)))
            return draft
        if outcome is not None:
            return answer_of(outcome)
        draft = Draft("status", item.ref)
        draft.say(f"{item.label} has not ended yet.")
        return draft

    async def alerts(self) -> Draft:
        """What is open, the most severe first; what is shelved."""
        draft = Draft("alert", "alerts")
        page = await self._store.alerts.list(is_open=True, limit=1000)
        shelved = [a for a in page.items if a.state == "shelved"]
        shown = [a for a in page.items if a.state != "shelved"]
        shown.sort(key=lambda a: (SEVERITIES.index(a.severity), -a.started_at.timestamp()))
        if not shown:
            draft.say("No alert is open.")
        else:
            count = Counter(a.severity for a in shown)
            told = joined(f"{count[s]} {s}" for s in SEVERITIES if count[s])
            draft.say(f"{_several(len(shown), 'alert')} open: {told}.")
            draft.cite("alerts", "open", len(shown))
        for alert in shown[:MOST]:
            message = str(alert.document.get("message", "")) or alert.key
            state = alert.state.replace("_", " ")
            since = clock(iso(alert.started_at))
            draft.ref = alert.id
            draft.say(
                f"{alert.severity} {alert.kind}: {message.rstrip('.')} (since {since}, {state})."
            )
            draft.cite(", ".join(alert.tags), alert.kind, message, time=iso(alert.started_at))
            draft.list("alert", message, state)
        if len(shown) > MOST:
            draft.say(f"{len(shown) - MOST} more: dan-g alerts.")
        if shelved:
            draft.say(f"{_several(len(shelved), 'alert')} shelved.")
        return draft

    async def decisions(self) -> Draft:
        """The newest decisions that ran or held something, with their reasons."""
        draft = Draft("decision", "decisions")
        page = await self._store.decisions.list(limit=50)
        worth = [d for d in page.items if d.document["actions"] or d.document["triggers"]]
        if not worth:
            draft.say("No decision has run or held anything yet.")
        for record in worth[:MOST]:
            draft.ref = record.id
            names = [f"{a['module']}.{a['operation']}" for a in record.document["actions"]]
            at = iso(record.created_at)
            draft.say(f"{clock(at)}: {record.document['rationale']}")
            draft.cite(
                ", ".join(names) or "nothing", "ran because", record.document["rationale"], time=at
            )
            draft.cite("decision", "confidence", record.confidence, time=at)
            draft.list("decision", f"decision {record.id}", ", ".join(names))
        return draft

    async def recommendations(self) -> Draft:
        """The newest recommendations and where they are."""
        draft = Draft("recommendation", "recommendations")
        page = await self._store.recommendations.list(limit=MOST)
        if not page.items:
            draft.say("There is no recommendation.")
        for record in page.items:
            draft.ref = record.id
            summary = str(record.document.get("summary") or "moves")
            at = iso(record.created_at)
            draft.say(f"{clock(at)}, {record.state.replace('_', ' ')}: {summary}")
            worth = record.document.get("worth_usd_per_day")
            draft.cite("recommendation", "worth", worth, "USD/d", time=at)
            draft.list("recommendation", f"recommendation {record.id}", summary)
        if any(record.state.startswith("awaiting") for record in page.items):
            draft.say("What awaits approval is approved or rejected with dan-g recommendations.")
        return draft

    async def writes(self) -> Draft:
        """The newest writes to the plant."""
        draft = Draft("write", "writes")
        page = await self._store.writes.list(limit=MOST)
        if not page.items:
            draft.say("Nothing has been written to the plant.")
        for write in page.items:
            draft.ref = write.id
            at = iso(write.intended_at)
            draft.say(
                f"{clock(at)}: {write.tag} to {number(write.value)}, {write.state.replace('_', ' ')}."
            )
            draft.cite(write.tag, f"written, {write.state}", write.value, time=at)
        return draft

    async def status(self) -> Draft:
        """How every part is."""
        draft = Draft("status", "status")
        status = await self._orchestrator.status()
        plant, model = status["plant"], status["model"]
        draft.say(
            f"The service is {status['status']}; the plant is {plant['mode'] or 'in an unknown mode'} "
            f"at {clock(plant['time'])}{', simulated' if plant['simulated'] else ''}."
        )
        draft.cite("service", "status", status["status"])
        draft.cite(plant["name"], "mode", plant["mode"], time=plant["time"])
        wrong = [
            name for name, part in status["parts"].items() if part is not None and not part["ok"]
        ]
        draft.say(f"Not well: {joined(wrong)}." if wrong else "Every part is well.")
        said = (
            f"The language model is {model['name']}."
            if model["usable"]
            else f"No model: {model['note']}."
        )
        draft.say(said)
        writing = "; all writing is stopped" if status["operator"]["stopped"] else ""
        draft.say(f"The operator agent is {status['operator']['mode']}{writing}.")
        return draft

    async def _alert(self, id_: str) -> Draft:
        alert = await self._store.alerts.get(id_)
        draft = Draft("alert", id_)
        at = iso(alert.started_at)
        message = str(alert.document.get("message") or alert.key)
        draft.say(f"{alert.severity} {alert.kind} since {clock(at)}: {message}")
        draft.cite(", ".join(alert.tags), alert.kind, message, time=at)
        if alert.document.get("diagnosis"):
            draft.say(f"Diagnosis: {alert.document['diagnosis']}")
        for item in (alert.document.get("contributions") or [])[:3]:
            draft.cite(str(item.get("tag", "")), "contribution", item.get("share"))
        told = [f"{step.to_state.replace('_', ' ')} at {clock(iso(step.at))}" + _by(step)
                for step in await self._store.alerts.journal(id_)]  # fmt: skip
        draft.say(f"Its course: {joined(told, 8)}.")
        return draft

    async def _recommendation(self, id_: str) -> Draft:
        record = await self._store.recommendations.get(id_)
        draft = Draft("recommendation", id_)
        draft.say(
            f"{record.state.replace('_', ' ').capitalize()}: {record.document.get('summary') or ''}"
        )
        for move in record.document.get("moves", ()):
            draft.cite(move["tag"], "proposed", move["to"], move.get("unit"))
            draft.cite(move["tag"], "present", move["from"], move.get("unit"))
        draft.cite("moves", "worth", record.document.get("worth_usd_per_day"), "USD/d")
        for step in (await self._store.recommendations.trail(id_))[-4:]:
            draft.say(
                f"{clock(iso(step.at))}: {step.event.replace('_', ' ')} by {step.by}. {step.reason}"
            )
        return draft

    async def _decision(self, id_: str) -> Draft:
        record = await self._store.decisions.get(id_)
        draft = Draft("decision", id_)
        at = iso(record.created_at)
        draft.say(f"{clock(at)}, decided by {record.decided_by}: {record.document['rationale']}")
        draft.cite("decision", "confidence", record.confidence, time=at)
        for held in record.document["alternatives"][:MOST]:
            draft.say(f"{held['operation']} was not run: {as_sentence(held['why_not'])}")
        for outcome in await self._store.outcomes.of_decision(id_):
            found = answer_of(outcome)
            draft.say(found.sentences[0])
            draft.evidence += found.evidence
        return draft


def _several(count: int, noun: str) -> str:
    return f"1 {noun} is" if count == 1 else f"{count} {noun}s are"


def _by(step: Any) -> str:
    return f" by {step.by}" if step.by else ""
