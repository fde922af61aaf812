"""Holds an answer to the passages that it rests on: quoted word for word, and never turned into orders.

What a procedure says may be repeated as it stands, between quotation marks or behind ``>``. Told in other
words as something to do, it would be an instruction that nobody wrote, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from orchestrator.llm.fence import harmless
from orchestrator.llm.grounding.check import check
from orchestrator.llm.grounding.evidence import Evidence
from orchestrator.llm.grounding.report import Problem, Report

LEAST_WORDS = 5
"""Words from which something between quotation marks counts as a quotation of a text."""
LEAST_HIDDEN = 3
"""Words from which a quotation claims nothing of its own; a number alone is a claim, quoted or not."""
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|«([^»]+)»|((?:^>[^\n]*(?:\n|$))+)", re.MULTILINE)
_ACTS = (
    "open|close|shut|start|stop|raise|lower|set|increase|decrease|reduce|flush|drain|isolate|switch|turn|"
    "adjust|bypass|trip|write|inject|ramp|vent|purge|ensure|verify|shutdown|put|bring|cut|keep|hold|apply|"
    "admit|fill|empty|connect|disconnect|remove|override|disable|enable|reset|acknowledge|approve|throttle"
)
_DONE = (
    "opened|closed|shut|started|stopped|raised|lowered|set|increased|decreased|reduced|flushed|drained|"
    "isolated|switched|turned|adjusted|bypassed|tripped|written|injected|ramped|vented|purged|put|brought|"
    "cut|filled|emptied|connected|disconnected|removed|overridden|disabled|enabled|reset|approved|throttled"
)
_ORDER = re.compile(
    # What an order begins with …
    rf"^\W*(?:\d+[.)]\s*|step \d+\W*)?(?:(?:please|then|first|next|finally|now|and|so|also|immediately|slowly)\W+)*"
    rf"(?:{_ACTS})\s+(?!(?:is|are|was|were|of|has|have|had|stands|points?|alerts?|alarms?|limits?|time)\b)\w"
    # … who should do something, what should be done, and what is claimed to have been done.
    rf"|\b(?:you|operators?|shift|crew|board)\b[^.;]{{0,20}}\b(?:should|must|need to|have to|has to|shall)\b[^.;]{{0,20}}\b(?:{_ACTS})\b"
    rf"|\b(?:should|must|shall|needs? to|ha(?:s|ve) to)\b[^.;]{{0,15}}\bbe\b[^.;]{{0,15}}\b(?:{_DONE})\b"
    rf"|\bI(?:'ve| have| will|'ll| am going to)\b[^.;]{{0,15}}\b(?:{_ACTS}|{_DONE})\b"
    r"|^\W*(?:\d+[.)]\s*)?\w+(?:йте|ите|ьте)(?:сь)?\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"(?:^|[.!?;:]|\n)\s*(?:(?:\d+[.)]|[-*•#>]+|[A-Z][.)])\s*)*$")
_BEHIND = re.compile(r"\s*(?:$|[.!?;](?!\w))|[ \t]*\n\s*(?:\n|[-*•#>]|\d+[.)]|[A-ZА-Я])")


def check_quoting(
    answer: str, evidence: Evidence, passages: Sequence[str], said: Iterable[str] = ()
) -> Report:
    """Trace every number of ``answer``, and hold what it says of passages to their words.

    Without passages this is `check`. Quotations that stand in a passage claim nothing of their own.

    Args:
        answer: Of a model.
        evidence: Everything that it may rest on, the passages among it.
        passages: Texts, word for word.
        said: Other texts that it may quote: the question, results.
    """
    if not passages:
        return check(answer, evidence)
    texts = [harmless(text) for text in passages]
    others = list(said)
    hidden = answer
    wrong: list[tuple[int, str]] = []
    for begin, end, words in _quotations(answer):
        if len(words.split()) >= LEAST_HIDDEN and any(_holds(text, words) for text in texts):
            hidden = hidden[:begin] + re.sub(r"\S", "x", hidden[begin:end]) + hidden[end:]
        elif len(words.split()) >= LEAST_WORDS and not any(
            _holds(text, words) for text in [*texts, *others]
        ):
            wrong.append((begin, answer[begin:end]))
    report = check(hidden, evidence)
    problems = list(report.problems)
    for number, (begin, end) in enumerate(report.sentences):
        for at, text in wrong:
            if begin <= at < end:
                why = "it is in quotation marks, and stands so in no passage"
                problems.append(Problem("misquoted", text[:120], number, why))
        sentence = hidden[begin:end]
        if _ORDER.search(sentence):
            why = (
                "it tells somebody to act, or that something was done; quote the passage word for word, "
                "in quotation marks"
            )
            problems.append(Problem("instruction", answer[begin:end][:120], number, why))
    return replace(report, answer=answer, problems=tuple(problems))


def _quotations(answer: str) -> Iterator[tuple[int, int, str]]:
    """Begin and end of each quotation, and its words."""
    for match in _QUOTED.finditer(answer):
        words = _flat(re.sub(r"^>[ \t]?", "", match[0], flags=re.MULTILINE).strip('"“”«»'))
        if words:
            yield match.start(), match.end(), words


def _holds(text: str, words: str) -> bool:
    """Whether words of ``text`` are these, as they stand and in their order.

    An order must be whole: without the "do not" before it or the "once …" behind it, it is another one.
    """
    order = _ORDER.search(words) is not None
    pattern = r"\s+".join(re.escape(word) for word in words.split())
    return any(
        not order or (_BEFORE.search(text[: at.start()]) and _BEHIND.match(text[at.end() :]))
        for at in re.finditer(rf"(?<![\w.,]){pattern}(?!\w|[.,]\d)", text, re.IGNORECASE)
    )


def _flat(text: str) -> str:
    return " ".join(text.split()).strip(" .…")
