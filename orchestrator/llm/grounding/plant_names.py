"""Finds words of the shape of a tag or piece of equipment (TI130, E-102, FC101_SP) in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SHAPED = re.compile(
    r"(?<![\w./:-])(?!(?:usd|us|eur|iso|iec|isa|rfc|api|astm|en|din|nfpa|osha|un|fy|v|p|ron|mon|no|nr|job|run|rev|page)[-_]?\d)"
    r"[a-z]{1,5}[-_]?\d{3,5}[a-z]?(?:[._][a-z0-9]{1,5})*(?![\w-])",
    re.IGNORECASE,
)
_NOT_KNOWN = re.compile(
    r"\b(?:no|not|unknown|nothing|never|neither|without)\b|n't\b", re.IGNORECASE
)


def shaped_names(text: str) -> Iterator[tuple[int, str]]:
    """Where each begins, and how it is written."""
    for found in _SHAPED.finditer(text):
        yield found.start(), found[0]


def bare_name(name: str) -> str:
    """A name without what differs from writer to writer: case and joints."""
    return re.sub(r"[-_\s]", "", name).casefold()


def denies(sentence: str) -> bool:
    """Whether a sentence may name what is not there ("TI999 is not known")."""
    return _NOT_KNOWN.search(sentence) is not None
