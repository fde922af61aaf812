"""Whether each property that a specification or a yield needs is known, and fits its blending index."""

from __future__ import annotations

import math
from collections.abc import Iterator

from orchestrator.modules.optimization.refinery.findings import Finding
from orchestrator.modules.optimization.refinery.flowsheet import APART, Flowsheet
from orchestrator.modules.optimization.refinery.numbers import PerPeriod, every
from orchestrator.modules.optimization.refinery.parts import Spec


def properties(sheet: Flowsheet) -> Iterator[Finding]:
    """Properties that are missing or out of the range of their index; specs that nothing can be held to."""
    model, rules = sheet.model, sheet.rules
    for name, product in model.products.items():
        if product.specs and not product.components:
            streams = list(product.recipe) or [name]
        else:
            streams = list(product.components)
        needed: dict[tuple[str, str], str] = {}
        for prop, spec in product.specs.items():
            where = ("products", name, "specs", prop)
            if spec.min is None and spec.max is None:
                yield Finding("error", where, "has neither min nor max; give one")
            for bound in (spec.min, spec.max):
                yield from _fits(sheet, where, prop, bound)
            yield from _reachable(sheet, where, prop, spec, streams)
            for given in streams:
                for stream in sheet.actual(given):
                    needed[stream, prop] = f"products.{name}.specs.{prop}"
                    if rules.needs_density(prop):
                        needed.setdefault(
                            (stream, rules.density_name), f"{prop}, by {rules.index(prop).basis}"
                        )
        yield from _known(sheet, name, needed)
        yield from _weighed(sheet, needed)
    for process in sheet.processes:
        for prop in process.deltas:
            known = sheet.properties.get(process.feed, {})
            if prop not in known and not sheet.computed(process.feed):
                yield Finding(
                    "error",
                    (*process.path, "deltas", prop),
                    f"needs the {prop} of {process.feed!r}, which is not known"
                    + _why(sheet, process.feed, prop),
                )
    for stream, known in sheet.properties.items():
        for prop, value in known.items():
            yield from _fits(sheet, ("streams", stream, "properties", prop), prop, value)


def _reachable(
    sheet: Flowsheet, where: tuple[str, ...], prop: str, spec: Spec, streams: list[str]
) -> Iterator[Finding]:
    """A mix lies between its components: a bound beyond all of them leaves nothing to sell."""
    parts = [stream for given in streams for stream in sheet.actual(given)]
    known = [sheet.properties.get(stream, {}).get(prop) for stream in parts]
    values = [number for value in known if value is not None for number in every(value)]
    if not values or any(value is None for value in known):
        return
    for side, bound, beyond, best in (
        ("min", spec.min, max(values), "largest"),
        ("max", spec.max, min(values), "least"),
    ):
        if bound is None:
            continue
        least = min(every(bound)) if side == "min" else max(every(bound))
        if least > beyond if side == "min" else least < beyond:
            text = f"{side} is {least:g}, and the {best} {prop} of its components is {beyond:g}: none can be made"
            yield Finding("warning", where, text)


def _known(sheet: Flowsheet, product: str, needed: dict[tuple[str, str], str]) -> Iterator[Finding]:
    for (stream, prop), by in needed.items():
        if prop in sheet.properties.get(stream, {}) or sheet.computed(stream):
            continue
        base = stream.partition(APART)[0]
        written = stream if stream in sheet.model.streams else base
        yield Finding(
            "error",
            ("streams", written) if written in sheet.model.streams else ("products", product),
            f"the stream {stream!r} has no {prop!r}, which {by} needs{_why(sheet, stream, prop)}",
        )


def _weighed(sheet: Flowsheet, needed: dict[tuple[str, str], str]) -> Iterator[Finding]:
    """Densities that are needed as weights must be above 0; those of gravities always are."""
    density = sheet.rules.density_name
    if sheet.rules.index(density).name == "api":
        return
    for stream, prop in needed:
        value = sheet.properties.get(stream, {}).get(density)
        if prop == density and value is not None and min(every(value)) <= 0:
            text = f"is {min(every(value)):g}; a density must be above 0"
            yield Finding("error", ("streams", stream, "properties", density), text)


def _why(sheet: Flowsheet, stream: str, prop: str) -> str:
    """Why a property is not known, and the remedy."""
    sources = sheet.sources.get(stream, [])
    given = f"give streams.{stream}.properties.{prop}"
    if len(sources) < 2:
        return f"; {given}"
    return (
        f": it comes from {', '.join(sources)}, which do not all give the same {prop}; {given}, keep the "
        "stream apart (segregate), or let a pool with computed: true mix it"
    )


def _fits(
    sheet: Flowsheet, where: tuple[str, ...], prop: str, value: PerPeriod | None
) -> Iterator[Finding]:
    index = sheet.rules.index(prop)
    if value is None:
        return
    for number in every(value):
        if not index.fits(number):
            least = "" if math.isinf(index.lowest) else f" above {index.lowest:g}"
            most = "" if math.isinf(index.highest) else f" up to {index.highest:g}"
            unit = f" {index.unit}" if index.unit else ""
            yield Finding(
                "error",
                where,
                f"is {number:g}, and the index {index.name!r} holds{least}{most}{unit}; "
                "mend the number, its unit, or properties."
                f"{prop}.blends",
            )
            return
