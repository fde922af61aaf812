"""Words of direction around a number, and whether they agree with the sign of what is known."""

from __future__ import annotations

import re

_UP = (
    r"ris(?:e|es|ing|en)|rose|increas(?:e|es|ed|ing)|climb(?:s|ed|ing)?|grow(?:s|ing|n)?|grew|gain(?:s|ed)?|up|"
    r"higher|improv(?:e|es|ed|ing|ement)|widen(?:s|ed)?|jump(?:s|ed)?|upward|went up|going up|rais(?:e|es|ed|ing)|surg(?:e|ed)|rall(?:y|ied)|"
    r"exceed(?:s|ed)?|above|strengthen(?:s|ed)?|warmer|hotter"
)
_DOWN = (
    r"fall(?:s|ing|en)?|fell|decreas(?:e|es|ed|ing)|drop(?:s|ped|ping)?|declin(?:e|es|ed|ing)|shr(?:inks?|ank|unk)|"
    r"los(?:e|es|t)|loss|down|lower(?:s|ed|ing)?|worsen(?:s|ed)?|deteriorat(?:e|es|ed|ing|ion)|narrow(?:s|ed)?|slid(?:es?)?|downward|"
    r"went down|going down|reduc(?:e|es|ed|ing|tion)|below|under|short|weaken(?:s|ed)?|colder|cooler|less|degrad(?:e|es|ed|ing|ation)"
)
_CHANGE_UP = re.compile(
    rf"\b(?:{_UP})\b(?:[\w\s]{{0,40}}?\b)?(?:by|of|some|about|around|roughly|nearly|approximately|almost|a further|another|~|≈|\s)*\s*$",
    re.IGNORECASE,
)
_CHANGE_DOWN = re.compile(
    rf"\b(?:{_DOWN})\b(?:[\w\s]{{0,40}}?\b)?(?:by|of|some|about|around|roughly|nearly|approximately|almost|a further|another|~|≈|\s)*\s*$",
    re.IGNORECASE,
)
_AFTER_UP = re.compile(rf"^\s*(?:\w+\s){{0,1}}(?:{_UP})\b", re.IGNORECASE)
_AFTER_DOWN = re.compile(rf"^\s*(?:\w+\s){{0,1}}(?:{_DOWN})\b", re.IGNORECASE)
_LEVEL = re.compile(
    r"\b(?:to|at|is|was|are|were|stands? at|reach(?:es|ed)?|from|and|between|limit of|of its|than)\s*(?:about|around|some|roughly)?\s*$",
    re.IGNORECASE,
)


_HIGHER = frozenset({"higher", "up", "more", "above", "over"})


def direction_of(before: str, after: str) -> int:
    """1 where the words say that something rises by the number, -1 falls, 0 neither.

    Args:
        before: The clause up to the number.
        after: The clause from the end of the number's unit.
    """
    if _LEVEL.search(before):
        # "is 3 % lower": the comparative follows; all else after "is" is a level.
        compared = re.match(r"^\s*(higher|lower|up|down|more|less|above|below|over|under)\b", after)
        return 0 if compared is None else 1 if compared[1] in _HIGHER else -1
    near = re.split(r"[,;:(]|\band\b|\bwhile\b|\bbut\b", before)[-1]
    ups = [m.start() for m in re.finditer(rf"\b(?:{_UP})\b", near, re.IGNORECASE)]
    downs = [m.start() for m in re.finditer(rf"\b(?:{_DOWN})\b", near, re.IGNORECASE)]
    up = _CHANGE_UP.search(near) is not None
    down = _CHANGE_DOWN.search(near) is not None
    if up and down:
        return 1 if max(ups) > max(downs) else -1
    if up or down:
        return 1 if up else -1
    follow = re.split(r"[,;:(]|\band\b|\bwhile\b|\bbut\b", after)[0]
    if _AFTER_UP.match(follow):
        return 1
    if _AFTER_DOWN.match(follow):
        return -1
    return 0


def trend_of(clause: str) -> int:
    """1 where a clause says that its subject rises, -1 falls, 0 says neither or both."""
    if re.search(
        r"\b(?:if|would|could|might|may|should|unless|until|when|once|will|to)\b",
        clause,
        re.IGNORECASE,
    ):
        return 0
    negated = re.search(r"\b(?:not|n't|no longer|never|without)\b", clause, re.IGNORECASE)
    verbs_up = r"(?:rising|increasing|climbing|growing|improving|has risen|has increased|has improved|is up|rose|increased|improved|grew)"
    verbs_down = r"(?:falling|decreasing|dropping|declining|worsening|deteriorating|has fallen|has dropped|has decreased|is down|fell|dropped|declined|decreased|worsened)"
    up = re.search(rf"\b{verbs_up}\b", clause, re.IGNORECASE)
    down = re.search(rf"\b{verbs_down}\b", clause, re.IGNORECASE)
    if negated or bool(up) == bool(down):
        return 0
    return 1 if up else -1
