"""What is wrong with a blending problem beyond the form of its fields, and what is odd about it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.blending.problem import (
    Arc,
    BlendInput,
    Mixture,
)
from orchestrator.modules.optimization.refinery.blending_index import INDICES

Fault = tuple[str, str]
DENSITY = "density"


def check(problem: BlendInput) -> None:
    """Refuse a problem that means nothing.

    Raises:
        ParameterError: lists every fault with its place and remedy.
    """
    faults = [
        *_absent(problem),
        *_names(problem),
        *_arcs(problem),
        *_amounts(problem),
        *_qualities(problem),
        *_indices(problem),
    ]
    if faults:
        raise ParameterError.of_fields(
            [{"field": field, "message": text, "type": "value_error"} for field, text in faults],
            where="optimization.blend",
        )


def oddities(problem: BlendInput) -> list[str]:
    """Warnings: parts that can take no part."""
    starts = {arc.ends[0] for _, arc in problem.arcs.listed()}
    ends = {arc.ends[1] for _, arc in problem.arcs.listed()}
    return [
        *(f"feed {f.id!r} has no arc and is not used" for f in problem.feeds if f.id not in starts),
        *(f"nothing flows into pool {p.id!r}" for p in problem.pools if p.id not in ends),
        *(f"nothing flows out of pool {p.id!r}" for p in problem.pools if p.id not in starts),
        *(f"no arc leads to product {p.id!r}" for p in problem.products if p.id not in ends),
    ]


def _absent(problem: BlendInput) -> Iterator[Fault]:
    given = {"feeds": problem.feeds, "products": problem.products, "arcs": problem.arcs.listed()}
    for name, parts in given.items():
        if not parts:
            yield name, "is required, and must name at least one"


def _names(problem: BlendInput) -> Iterator[Fault]:
    count = Counter(part.id for part in problem.nodes)
    for kind in ("feeds", "pools", "products"):
        for number, part in enumerate(getattr(problem, kind)):
            if count[part.id] > 1:
                yield (
                    f"{kind}.{number}.id",
                    f"{part.id!r} is the name of two parts; flows name both ends, so give each its own",
                )


def _arcs(problem: BlendInput) -> Iterator[Fault]:
    known: dict[str, list[str]] = {
        "feed": [feed.id for feed in problem.feeds],
        "pool": [pool.id for pool in problem.pools],
        "product": [product.id for product in problem.products],
    }
    seen: set[tuple[str, str]] = set()
    for place, arc in problem.arcs.listed():
        kinds = place.split(".")[1].split("_to_")
        fields = ("from", "to") if kinds[0] == kinds[1] else kinds
        for kind, field, name in zip(kinds, fields, arc.ends, strict=True):
            if name not in known[kind]:
                yield f"{place}.{field}", _unknown(kind, name, known[kind])
        if arc.ends in seen:
            yield (
                place,
                f"there is already an arc from {arc.ends[0]!r} to {arc.ends[1]!r}; give one",
            )
        if arc.ends[0] == arc.ends[1]:
            yield place, f"the arc leads from {arc.ends[0]!r} to itself; leave it out"
        seen.add(arc.ends)


def _unknown(kind: str, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    listed = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    hint = f"is {near[0]!r} meant?" if near else f"there are: {listed or 'none'}"
    return f"there is no {kind} {name!r}; {hint}"


def _amounts(problem: BlendInput) -> Iterator[Fault]:
    for number, feed in enumerate(problem.feeds):
        place = f"feeds.{number}"
        yield from _span(f"{place}.min", "min", feed.min, "max", feed.max)
        yield from _lots(place, feed.minimum_lot, feed.max, "max")
    for number, product in enumerate(problem.products):
        place = f"products.{number}"
        yield from _span(f"{place}.min", "min", product.min, "max", product.max)
        yield from _lots(place, product.minimum_lot, product.max, "max")
    for number, pool in enumerate(problem.pools):
        yield from _lots(f"pools.{number}", pool.minimum_lot, pool.capacity, "capacity")
    for place, arc in problem.arcs.listed():
        yield from _span(f"{place}.min_flow", "min_flow", arc.min_flow, "max_flow", arc.max_flow)
        yield from _lots(place, arc.minimum_lot, arc.max_flow, "max_flow")
        yield from _span(
            f"{place}.min_fraction",
            "min_fraction",
            arc.min_fraction,
            "max_fraction",
            arc.max_fraction,
        )
    yield from _fractions(problem.arcs.listed())


def _span(
    place: str, low_name: str, low: float | None, high_name: str, high: float | None
) -> Iterator[Fault]:
    if low is not None and high is not None and low > high:
        yield (
            place,
            f"{low_name} ({low:g}) is above {high_name} ({high:g}); exchange or correct them",
        )


def _lots(place: str, lot: float | None, most: float | None, name: str) -> Iterator[Fault]:
    yield from _span(f"{place}.minimum_lot", "minimum_lot", lot, name, most)


def _fractions(arcs: Iterable[tuple[str, Arc]]) -> Iterator[Fault]:
    least: dict[str, float] = {}
    place: dict[str, str] = {}
    for where, arc in arcs:
        end = arc.ends[1]
        least[end] = least.get(end, 0.0) + arc.min_fraction
        place[end] = where
    for end, total in least.items():
        if total > 1 + 1e-9:
            yield (
                f"{place[end]}.min_fraction",
                (
                    f"the least shares of all that flows into {end!r} sum to {total:g}; they must not "
                    "exceed 1"
                ),
            )


def _qualities(problem: BlendInput) -> Iterator[Fault]:
    feeds = {feed.id: (number, feed.quality) for number, feed in enumerate(problem.feeds)}
    counted = set(problem.qualities)
    for place, part in _mixtures(problem):
        yield from _limits(place, part, counted, feeds)
    arcs = {arc.ends[0] for _, arc in problem.arcs.listed()}
    for prop in sorted(_limited(problem)):
        for name, (number, quality) in feeds.items():
            if prop not in quality and name in arcs:
                yield (
                    f"feeds.{number}.quality",
                    f"{name!r} has no {prop!r}, which a limit needs; give its value",
                )


def _mixtures(problem: BlendInput) -> list[tuple[str, Mixture]]:
    pools = [(f"pools.{number}", part) for number, part in enumerate(problem.pools)]
    products = [(f"products.{number}", part) for number, part in enumerate(problem.products)]
    return [*pools, *products]


def _limits(
    place: str,
    part: Mixture,
    counted: set[str],
    feeds: Mapping[str, tuple[int, Mapping[str, float]]],
) -> Iterator[Fault]:
    for side in ("quality_min", "quality_max"):
        for prop, bound in getattr(part, side).items():
            if bound is None:
                continue
            if counted and prop not in counted:
                yield (
                    f"{place}.{side}.{prop}",
                    f"{prop!r} is not listed in qualities; list it there",
                )
            elif not any(prop in quality for _, quality in feeds.values()):
                yield (
                    f"{place}.{side}.{prop}",
                    f"no feed has a {prop!r}; give the quality of each feed",
                )
    for prop, low in part.quality_min.items():
        yield from _span(
            f"{place}.quality_min.{prop}",
            "quality_min",
            low,
            "quality_max",
            part.quality_max.get(prop),
        )


def _limited(problem: BlendInput) -> set[str]:
    return {
        prop
        for part in problem.mixtures
        for limits in (part.quality_min, part.quality_max)
        for prop, bound in limits.items()
        if bound is not None and any(prop in feed.quality for feed in problem.feeds)
    }


def _indices(problem: BlendInput) -> Iterator[Fault]:
    for prop, name in problem.blending.items():
        index = INDICES.get(name)
        if index is None:
            yield (
                f"blending.{prop}",
                f"{name!r} is no blending index; there are: {', '.join(INDICES)}",
            )
            continue
        weighed = index.basis not in ("amount", problem.flow_basis)
        for number, feed in enumerate(problem.feeds):
            value = feed.quality.get(prop)
            if value is None:
                continue
            place = f"feeds.{number}.quality"
            if not index.fits(value):
                text = f"{value:g} is outside what the index {name!r} holds for"
                span = f"above {index.lowest:g} and at most {index.highest:g}"
                yield f"{place}.{prop}", f"{text}, {span}; correct it or blend it linearly"
            if weighed and not feed.quality.get(DENSITY, math.nan) > 0:
                text = f"{prop!r} blends by {index.basis} and flows are {problem.flow_basis}"
                yield f"{place}.{DENSITY}", f"{text}; give the density of {feed.id!r}, above zero"
        for place, part in _mixtures(problem):
            for side in ("quality_min", "quality_max"):
                bound = getattr(part, side).get(prop)
                if bound is not None and not index.fits(bound):
                    yield (
                        f"{place}.{side}.{prop}",
                        f"{bound:g} is outside what the index {name!r} holds for; correct it",
                    )
