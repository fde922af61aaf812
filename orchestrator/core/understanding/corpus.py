"""Reads the sentences from which the reader learns, and varies them as people do."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from orchestrator.yaml_files import read_yaml

CORPUS = Path(__file__).with_name("corpus")
_CHOICE = re.compile(r"\(([^()]*)\)")
_FILLING = re.compile(r"\{([a-z]+)\}")
_POLITE_BEFORE = (
    "please ",
    "can you ",
    "could you please ",
    "hey, ",
    "quick one: ",
    "pls ",
    "ok ",
    "i would like you to ",
)
_POLITE_AFTER = (" please", " pls", " thanks", ", thank you", " asap", "?", "!!", " now please")  # fmt: skip
_CHANCE_OF_POLITE, _CHANCE_OF_ASIDE = 0.15, 0.08
FOLDS = 5
"""A line lies in the fold of its number's remainder, and so does the remark that is put beside it."""
_LEAST_LETTERS = 5


class Sentence(NamedTuple):
    """A sentence with its label; all variants of one line of a file share ``line``."""

    text: str
    label: str
    line: int


def digest() -> str:
    """A digest of all that is learned from; weights with another one are out of date."""
    files = sorted(
        (*CORPUS.glob("*.txt"), CORPUS / "fillings.yaml", CORPUS.with_name("concepts.yaml"))
    )
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def labels() -> list[str]:
    """All labels: operations, and kinds of words that run none."""
    return sorted(file.stem for file in CORPUS.glob("*.txt"))


def sentences(most: int, seed: int = 1) -> Iterator[Sentence]:
    """Variants of every line.

    Args:
        most: Variants of a line with many choices; one with few has fewer. Some are polite, some have
            a remark before or after, one has a slip of the finger.
        seed: Of the choices.
    """
    rng = random.Random(seed)  # noqa: S311 - it varies sentences
    plain = list(_plain(most, rng))
    asides: list[list[str]] = [[] for _ in range(FOLDS)]
    for sentence in plain:
        if sentence.label == "aside":
            asides[sentence.line % FOLDS].append(sentence.text)
    for sentence in plain:
        yield sentence
        if "." in sentence.label and rng.random() < _CHANCE_OF_ASIDE:
            remark = rng.choice(asides[sentence.line % FOLDS])
            pair = (sentence.text, remark) if rng.random() < 1 / 2 else (remark, sentence.text)
            yield sentence._replace(text=rng.choice((", ", ". ", "; ", " - ")).join(pair))


def _plain(most: int, rng: random.Random) -> Iterator[Sentence]:
    fillings = read_yaml(CORPUS / "fillings.yaml")
    number = 0
    for label in labels():
        for line in (CORPUS / f"{label}.txt").read_text(encoding="utf-8").splitlines():
            if not line.strip() or line.startswith("# "):
                continue
            number += 1
            choices = line.count("|") + 2 * line.count("{")
            seen: set[str] = set()
            for _ in range(min(most, 2 + choices)):
                text = written(line, fillings, rng)
                seen.add(text)
                if rng.random() < _CHANCE_OF_POLITE and label not in ("aside", "vague", "greeting"):
                    seen.add(polite(text, rng))
            seen |= {slipped(text, rng) for text in sorted(seen)[:1]}
            for text in sorted(seen):
                yield Sentence(text, label, number)


def written(line: str, fillings: dict[str, list[str]], rng: random.Random) -> str:
    """One sentence of a line: a choice of each ``(a|b)`` and a filling of each name in braces."""
    while (found := _CHOICE.search(line)) is not None:
        line = line[: found.start()] + rng.choice(found[1].split("|")) + line[found.end() :]
    filled = _FILLING.sub(lambda match: str(rng.choice(fillings[match[1]])), line)
    return re.sub(r"\s+", " ", filled).strip()


def polite(text: str, rng: random.Random) -> str:
    """The sentence with a courtesy before or after."""
    if rng.random() < 1 / 2:
        return rng.choice(_POLITE_BEFORE) + text
    return text.rstrip("?. ") + rng.choice(_POLITE_AFTER)


def slipped(text: str, rng: random.Random) -> str:
    """The sentence with a slip of the finger in one longer word."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) >= _LEAST_LETTERS and word.isalpha()]
    if not long:
        return text
    i = rng.choice(long)
    word, at = words[i], rng.randrange(1, len(words[i]) - 1)
    kind = rng.randrange(3)
    words[i] = (
        word[:at] + word[at + 1 :]
        if kind == 0
        else word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if kind == 1
        else word[:at] + word[at] + word[at:]
    )
    return " ".join(words)
