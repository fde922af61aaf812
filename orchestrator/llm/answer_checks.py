"""What is unusual about an answer or a reply under way: tool tokens, repetition, a refusal, another language."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from orchestrator.llm.failures import Failure

_TOOL_TOKENS = re.compile(r"<[|｜]\s*tool[▁_ ]\w+|<tool_call>|<function=", re.IGNORECASE)
_END_TOKENS = re.compile(
    r"(?:<[|｜](?:end[▁_ ]of[▁_ ]sentence|endoftext|im_end|eot_id|end)[|｜]>\s*)+$"
)
_REFUSALS = re.compile(
    r"\bas an ai\b|\bi(?:'m| am) (?:sorry|unable|not able)\b.{0,40}\b(?:but|to|can)\b"
    r"|\bi (?:cannot|can't|do not|don't) (?:have )?(?:access|assist|help)",
    re.IGNORECASE,
)
REFUSAL_WITHIN = 400
"""Characters at the begin of an answer in which a refusal is looked for."""
STRANGE_SHARE, KNOWN_SHARE = 0.05, 0.01
FEWEST_LETTERS = 20


def leaked_tool_tokens(answer: str) -> str | None:
    """The first token of a tool call that leaked into the answer as text."""
    found = _TOOL_TOKENS.search(answer)
    return found[0] if found else None


def without_end_tokens(answer: str) -> str:
    """The answer without the end-of-text tokens that some servers leave in it."""
    return _END_TOKENS.sub("", answer).strip()


def refuses(answer: str) -> bool:
    """Whether an answer in words begins as a refusal does ("As an AI I cannot access …")."""
    return _REFUSALS.search(answer[:REFUSAL_WITHIN]) is not None


def in_other_script(answer: str, asked: Iterable[str]) -> bool:
    """Whether letters of the answer are in a script in which nobody asked.

    R1 falls into Chinese now and then. A script counts as strange with over 5 % of the answer's letters and
    under 1 % of the question's.
    """
    given = _scripts(answer)
    letters = sum(given.values())
    if letters < FEWEST_LETTERS:
        return False
    known: Counter[str] = Counter()
    for text in asked:
        known += _scripts(text)
    total = max(1, sum(known.values()))
    return any(
        count / letters > STRANGE_SHARE and known[script] / total < KNOWN_SHARE
        for script, count in given.items()
    )


def _scripts(text: str) -> Counter[str]:
    """Letters by script; the script is the first word of a character's name (LATIN, CJK, CYRILLIC …)."""
    ascii_letters = sum(text.count(c) for c in "eatoinshrdlu") if text.isascii() else 0
    if ascii_letters:
        return Counter({"LATIN": sum(map(str.isalpha, text))})
    found: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        if letter.isalpha():
            script = unicodedata.name(letter, "UNKNOWN").split()[0]
            # Units and symbols of engineering are no language.
            if script not in (
                "GREEK",
                "MICRO",
                "MODIFIER",
                "OHM",
                "KELVIN",
                "ANGSTROM",
                "SUPERSCRIPT",
            ):
                found[script] += count
    return found


class RepetitionWatch:
    """Sees when a reply repeats the same passage without end.

    The end of the text is compared with itself: the same passage, at least four times in a row and over
    at least 800 characters, is a loop. A check costs a search in the last 8,000 characters, once in 500.
    """

    LEAST, TIMES, WINDOW, EVERY = 800, 4, 8000, 500
    NEEDLE = 24

    def __init__(self) -> None:
        self._tail = ""
        self._new: list[str] = []
        self._unseen = 0

    def see(self, text: str) -> None:
        """Take the next piece of the reply, reasoning or content.

        Raises:
            Failure: ``repetition``.
        """
        self._new.append(text)
        self._unseen += len(text)
        if self._unseen < self.EVERY:
            return
        self._unseen = 0
        self._tail = (self._tail + "".join(self._new))[-self.WINDOW :]
        self._new.clear()
        passage = self._repeated(self._tail)
        if passage is not None:
            raise Failure("repetition", f"the reply repeats itself without end: {passage!r}")

    def check(self, whole: str) -> None:
        """Look at the end of a reply that came whole.

        Raises:
            Failure: ``repetition``.
        """
        passage = self._repeated(whole[-self.WINDOW :])
        if passage is not None:
            raise Failure("repetition", f"the reply repeats itself without end: {passage!r}")

    def _repeated(self, tail: str) -> str | None:
        if len(tail) < self.LEAST:
            return None
        earlier = tail.rfind(tail[-self.NEEDLE :], 0, -1)
        if earlier < 0:
            return None
        period = len(tail) - self.NEEDLE - earlier
        times = max(self.TIMES, -(-self.LEAST // period))
        if period * times > len(tail) or tail[-period * times :] != tail[-period:] * times:
            return None
        return tail[-min(period, 60) :].strip()
