"""The record that the agents share: who said what, in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.llm.fence import harmless

Act = Literal["propose", "object", "withdraw", "veto", "verdict", "decide", "silent"]
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing said: who, in which round, what it does to which subject, why, and by whom it was written.

    ``subject`` is an operation, or the id of a recommendation. ``by`` is a model's name, ``stand-in`` or ``code``.
    """

    agent: str
    round: int
    act: Act
    subject: str
    reason: str
    by: str

    def document(self) -> dict[str, Any]:
        """The entry as JSON."""
        return {
            "agent": self.agent,
            "round": self.round,
            "act": self.act,
            "subject": self.subject,
            "reason": self.reason,
            "by": self.by,
        }


@dataclass
class SharedRecord:
    """Entries in order, and what stands after them."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, agent: str, round_: int, act: Act, subject: str, reason: str, by: str) -> None:
        """Write something down."""
        text = harmless(reason)[:LONGEST_REASON]
        self.entries.append(Entry(agent, round_, act, subject, text, by))

    def proposed(self) -> dict[str, str]:
        """Operations that are proposed and neither withdrawn by all who did nor vetoed; with the first reason."""
        backers: dict[str, dict[str, str]] = {}
        for entry in self.entries:
            if entry.act == "propose":
                backers.setdefault(entry.subject, {})[entry.agent] = entry.reason
            elif entry.act == "withdraw":
                backers.get(entry.subject, {}).pop(entry.agent, None)
        vetoed = self.vetoed()
        return {
            name: next(iter(reasons.values()))
            for name, reasons in backers.items()
            if reasons and name not in vetoed
        }

    def objections(self) -> dict[str, list[str]]:
        """Agents that object, by operation."""
        found: dict[str, list[str]] = {}
        for entry in self.entries:
            if entry.act == "object":
                found.setdefault(entry.subject, []).append(entry.agent)
        return found

    def vetoed(self) -> frozenset[str]:
        """What the safety agent has vetoed."""
        return frozenset(entry.subject for entry in self.entries if entry.act == "veto")

    def text(self) -> str:
        """The record as lines."""
        return "\n".join(
            f"{entry.round}. {entry.agent}: {entry.act} {entry.subject}: {entry.reason}"
            for entry in self.entries
        )

    def documents(self) -> tuple[dict[str, Any], ...]:
        """The transcript as JSON."""
        return tuple(entry.document() for entry in self.entries)


def known(names: Iterable[str], allowed: Iterable[str]) -> list[str]:
    """Those of the names that are allowed, each once."""
    may = frozenset(allowed)
    return [name for name in dict.fromkeys(names) if name in may]
