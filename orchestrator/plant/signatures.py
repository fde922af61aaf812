"""Fault signatures: which tags move, and how, when a known fault is there."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Direction = Literal["up", "down", "unsteady", "any"]


class SignaturePart(BaseModel):
    """Tags that take part in a signature.

    A tag is meant when every field that is given fits: its name is like one of ``tags`` (shell
    patterns, ``*`` and ``?``), its kind one of ``kinds``, its area one of ``areas``, and its
    description holds one of ``words``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tags: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    direction: Direction = "any"


class Signature(BaseModel):
    """One fault and how it shows.

    Attributes:
        cause: The likely cause, in words.
        check: What to look at first.
        parts: Which tags take part.
        least_share: Share of an alert's contributions that the tags of all parts must make up.
        alone: Whether one tag must make up that share, and the next tag less than half of it: an
            instrument, not the process.
        all_parts: Whether every part must have a tag among the main contributions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cause: str = Field(min_length=1)
    check: str = ""
    parts: tuple[SignaturePart, ...] = Field(min_length=1)
    least_share: float = Field(default=0.5, gt=0, le=1)
    alone: bool = False
    all_parts: bool = False
