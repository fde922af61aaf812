"""Whether an answer of a model can be shown at all, whatever it claims; one check for all who show answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from orchestrator.llm.answer_checks import in_other_script, refuses
from orchestrator.llm.fence import harmless

_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
THINKS_WITHIN = 400
"""Characters at the begin of an answer in which thinking aloud is looked for."""
_THINKS = re.compile(
    r"^\W*(?:ok(?:ay)?|alright|all right|hmm+|wait|well|so|now|right|first)\b\W{1,3}(?:(?:so|now|well|first|then|hmm+)\b\W{1,3})*"
    r"(?:the user|the operator (?:asks|is asking|wants)|the question|let me|let's|let us|i(?:'m| am)? (?:need|should|have to|must|think|will|asked|trying|looking)|i'll|"
    r"we (?:need|should|have to|are asked)|what)\b"
    r"|^\W*hmm+\b|(?:^|[.!?…]\s+|\n\s*)(?:wait|hmm+|hold on),"
    r"|\bthe user (?:asks|is asking|asked|wants|has asked|is looking|says|said|seems|might|needs)\b"
    r"|\blet me (?:think|see|check|look|start|recall|figure|work|re-?read|parse|verify|consider|break)\b"
    r"|\b(?:i|we) (?:should|need to|must|have to) (?:check|look|find|figure|answer|consider|make sure|respond|write|mention|be careful|verify|think|use only)\b"
    r"|^\W*(?:we are|i am|i'm) (?:asked|given)\b"
    r"|^\W*(?:okay|ok|gut|also)\W{1,3}(?:der|die) (?:benutzer|nutzer|anwender)"
    r"|\bпользователь (?:спрашивает|спросил|хочет|просит)|^\W*(?:хорошо|итак|ладно)\W{1,3}(?:мне нужно|давай|пользователь|нужно)",
    re.IGNORECASE,
)
REFUSED = "It refuses. What was found is there: answer from it."
OTHER_LANGUAGE = "It is in another language. Answer in the language of the question."
THINKS = "It thinks aloud. Write only the answer, in plain sentences to the person who asked."
_IN_WORDS = {
    REFUSED: "it refuses to answer",
    OTHER_LANGUAGE: "it is in another language than the question",
    THINKS: "it thinks aloud instead of answering",
}
_TOLD_ELSEWHERE = frozenset({"refusal", "language"})


def shown(text: str) -> str:
    """A model's text without control characters, terminal sequences and a model's own marks."""
    return harmless(_TERMINAL.sub("", text))


def unusable(answer: str, asked: Iterable[str], *, found: bool = True) -> tuple[str, ...]:
    """Why an answer cannot be shown, as the model is told it; empty where it can.

    Args:
        answer: Of a model.
        asked: Texts whose script and language the answer may have.
        found: Whether there is something to answer from: else a refusal may be right.
    """
    why = []
    if in_other_script(answer, asked):
        why.append(OTHER_LANGUAGE)
    if found and refuses(answer):
        why.append(REFUSED)
    if thinks_aloud(answer):
        why.append(THINKS)
    return tuple(why)


def in_words(why: Sequence[str]) -> str:
    """What `unusable` found, as a reader is told it."""
    return " and ".join(_IN_WORDS[item] for item in why)


def thinks_aloud(answer: str) -> bool:
    """Whether an answer begins as a chain of thought does, whose tags a server or model left out."""
    return _THINKS.search(answer[:THINKS_WITHIN]) is not None


def unusual(flags: Iterable[str]) -> str:
    """What a reader must know of a reply's flags; empty where there is nothing."""
    told = [flag.replace("_", " ") for flag in flags if flag not in _TOLD_ELSEWHERE]
    return f"the model's reply was unusual: {', '.join(told)}" if told else ""
