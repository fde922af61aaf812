"""A diagnosis in words: where the contributing tags are, how they move, and what usually causes that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import numpy as np

from orchestrator.monitoring.delays import FloatArray
from orchestrator.plant.signatures import Direction, Signature, SignaturePart
from orchestrator.plant.tags import Tag
from orchestrator.yaml_files import read_yaml

MOVED = 1.5
"""Mean deviation, in normal standard deviations, from which a tag is high or low."""
UNSTEADY = 2.0
"""Spread over the rows, in normal standard deviations, from which it is unsteady."""
MAIN = 0.05
"""Least share of a tag that is a main contribution."""
NAMED = 3


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Where, how, why.

    Attributes:
        areas: Areas with their share of the contributions, largest first; empty where tags have none.
        cause: Likely cause, null where no signature fits.
        text: All of it in words.
    """

    areas: tuple[tuple[str, float], ...]
    cause: str | None
    text: str


@cache
def general_signatures() -> tuple[Signature, ...]:
    """The shipped table, ``signatures.yaml`` of this package."""
    document = read_yaml(Path(__file__).with_name("signatures.yaml"))
    return tuple(Signature.model_validate(item) for item in document)


def directions(z: FloatArray) -> list[Direction]:
    """How each tag stands over rows of scaled values, shape ``(n_rows, n_tags)``; NaN is left out."""
    known = np.isfinite(z)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, z, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, z - mean, 0.0) ** 2).sum(axis=0) / count)
    found: list[Direction] = []
    for level, unsteadiness in zip(mean, spread, strict=True):
        if unsteadiness >= UNSTEADY and unsteadiness > abs(level):
            found.append("unsteady")
        elif abs(level) >= MOVED:
            found.append("up" if level > 0 else "down")
        else:
            found.append("any")
    return found


def diagnose(
    tags: Sequence[Tag],
    shares: FloatArray,
    moves: Sequence[Direction],
    signatures: Sequence[Signature] = (),
) -> Diagnosis:
    """Put an alert's contributions into words.

    Args:
        tags: Tags of the model.
        shares: Contribution of each, sum 1.
        moves: How each stands, as :func:`directions` tells.
        signatures: Those of the plant; the shipped ones come after them.
    """
    order = np.argsort(-shares, kind="stable")
    areas = _areas(tags, shares)
    found = _best(tags, shares, moves, signatures) or _best(
        tags, shares, moves, general_signatures()
    )
    words = {"up": "high", "down": "low", "unsteady": "unsteady"}
    named = []
    for j in order[:NAMED]:
        tag = tags[j]
        what = f" ({tag.description})" if tag.description else ""
        how = f" {words[moves[j]]}" if moves[j] in words else ""
        named.append(f"{tag.name}{what}{how} {shares[j]:.0%}")
    text = "; ".join(named)
    if areas:
        text += ". Area: " + ", ".join(f"{area} {share:.0%}" for area, share in areas[:2])
    if found is not None:
        text += f". Likely {found.cause}"
        if found.check:
            text += f". Check: {found.check}"
    else:
        text += ". No known signature fits"
    return Diagnosis(areas, found.cause if found else None, text + ".")


def _areas(tags: Sequence[Tag], shares: FloatArray) -> tuple[tuple[str, float], ...]:
    total: dict[str, float] = {}
    for tag, share in zip(tags, shares, strict=True):
        if tag.area:
            total[tag.area] = total.get(tag.area, 0.0) + float(share)
    return tuple(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _best(
    tags: Sequence[Tag],
    shares: FloatArray,
    moves: Sequence[Direction],
    signatures: Sequence[Signature],
) -> Signature | None:
    best, most = None, 0.0
    for signature in signatures:
        score = _score(tags, shares, moves, signature)
        if score >= signature.least_share and score > most:
            best, most = signature, score
    return best


def _score(
    tags: Sequence[Tag], shares: FloatArray, moves: Sequence[Direction], signature: Signature
) -> float:
    fits = np.array(
        [
            [_fits(part, tag, move) for part in signature.parts]
            for tag, move in zip(tags, moves, strict=True)
        ]
    )
    meant = np.asarray(fits.any(axis=1))
    if signature.all_parts and not (fits & (shares >= MAIN)[:, None]).any(axis=0).all():
        return 0.0
    if signature.alone:
        leader = int(np.argmax(shares))
        second = float(np.partition(shares, -2)[-2]) if len(shares) > 1 else 0.0
        alone = meant[leader] and second < 0.5 * shares[leader]
        return float(shares[leader]) if alone else 0.0
    return float(shares[meant].sum())


def _fits(part: SignaturePart, tag: Tag, move: Direction) -> bool:
    text = tag.description.casefold()
    return (
        (not part.tags or any(fnmatchcase(tag.name, pattern) for pattern in part.tags))
        and (not part.kinds or tag.kind in part.kinds)
        and (not part.areas or tag.area in part.areas)
        and (not part.words or any(word.casefold() in text for word in part.words))
        and part.direction in ("any", move)
    )
