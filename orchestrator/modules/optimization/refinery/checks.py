"""Checks of a whole refinery model: each looks for one sort of fault and says how to mend it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.refinery.findings import Finding
from orchestrator.modules.optimization.refinery.flow_checks import flows
from orchestrator.modules.optimization.refinery.flowsheet import APART, Flowsheet, place_of
from orchestrator.modules.optimization.refinery.numbers import PerPeriod, at, every
from orchestrator.modules.optimization.refinery.property_checks import properties

if TYPE_CHECKING:
    from orchestrator.modules.optimization.refinery.model import RefineryModel

YIELD_WARNING = 1.2
"""Sum of yields by volume above which a warning is given: hydrocracking gains volume, but not this much."""


def findings(model: RefineryModel) -> list[Finding]:
    """Everything that is wrong or looks wrong, in the order of the file."""
    sheet = Flowsheet(model)
    found = [
        *_nothing_to_do(model),
        *_names_stand_once(model),
        *_feeds(sheet),
        *_references(sheet),
        *_bounds(model),
        *_maintenance(model),
        *_yields(sheet),
        *_limits(sheet),
    ]
    # What follows from names that lead nowhere would only repeat them.
    if not any(item.level == "error" for item in found):
        found += [*flows(sheet), *properties(sheet)]
    return found


def _nothing_to_do(model: RefineryModel) -> Iterator[Finding]:
    if not model.supplies:
        yield Finding(
            "error", ("crudes",), "is empty: nothing can be bought; give a crude or a purchase"
        )
    zero = [
        name
        for name, item in model.products.items()
        if item.max is not None and max(every(item.max)) <= 0
    ]
    for name in zero:
        everything = len(zero) == len(model.products)
        yield Finding(
            "error" if everything else "warning",
            ("products", name, "max"),
            "is 0: none of it can be sold" + ("; give a demand" if everything else ""),
        )
    spans = [span.name for span in model.periods]
    for name in sorted({name for name in spans if spans.count(name) > 1}):
        yield Finding("error", ("periods",), f"has {name!r} twice; give each period its own name")


def _names_stand_once(model: RefineryModel) -> Iterator[Finding]:
    for name in model.crudes.keys() & model.purchases.keys():
        yield Finding("error", ("purchases", name), "is a crude as well; keep one of the two")
    sections = ("crudes", "purchases", "units", "pools", "tanks", "products", "utilities")
    names = [
        (section, name) for section in (*sections, "emissions") for name in getattr(model, section)
    ]
    for section, name in names:
        yield from _plain_name((section, name), name, "@")
    for name, unit in model.units.items():
        for way, running in unit.ways.items():
            path = place_of(name, unit, way)
            if way:
                yield from _plain_name(path, way, "@")
            for feed_name, feed in running.feeds.items():
                yield from _plain_name((*path, "feeds", feed_name), feed_name)
                for stream in feed.yields:
                    yield from _plain_name(
                        (*path, "feeds", feed_name, "yields", stream), stream, "@"
                    )
            for stream in running.cuts:
                yield from _plain_name((*path, "cuts", stream), stream, "@")
            for stream in running.yields:
                yield from _plain_name((*path, "yields", stream), stream, "@")
    for span in model.periods:
        yield from _plain_name(("periods", span.name), span.name)


def _plain_name(path: tuple[str, ...], name: str, more: str = "") -> Iterator[Finding]:
    """Names may not hold the signs that part a path, a period or what is kept apart."""
    if not name.strip():
        yield Finding("error", path, "has an empty name; give it one")
    for sign in (*".[]", *more):
        if sign in name:
            text = (
                f"has {sign!r} in its name, which parts names in what is reported; use another sign"
            )
            yield Finding("error", path, text)
            return


def _feeds(sheet: Flowsheet) -> Iterator[Finding]:
    model = sheet.model
    for name, unit in model.units.items():
        for way, running in unit.ways.items():
            path = place_of(name, unit, way)
            if not unit.fed(running):
                yield Finding("error", (*path, "feeds"), "is empty; name what is run")
    seen = set()
    for process in sheet.processes:
        if process.feed not in sheet.made and process.path not in seen:
            seen.add(process.path)
            yield Finding(
                "error",
                process.path,
                f"{process.feed!r} is neither a crude, a purchase, a pool nor the yield of a unit"
                + _meant(process.feed, sheet.made),
            )
        for stream, share in process.yields.items():
            if min(every(share)) < 0 and not set(sheet.actual(stream)) & sheet.made:
                yield Finding(
                    "error",
                    (*process.path, "yields", stream),
                    "is used up here, and nothing supplies it" + _meant(stream, sheet.made),
                )
            elif min(every(share)) < 0 and stream not in sheet.made:
                yield Finding(
                    "error",
                    (*process.path, "yields", stream),
                    f"is kept apart; name one of {', '.join(sheet.actual(stream))}",
                )
    for path, stream in sheet.missing:
        yield Finding(
            "error",
            path,
            "has no yields; give yields"
            + (
                f", or cuts to {'.'.join(path[:2])} and crudes.{stream}"
                if stream in model.crudes
                else ""
            ),
        )
    for path, cut in sheet.absent_cuts:
        yield Finding("error", path, f"has no cut {cut!r} in its assay (crudes.{path[-1]}.cuts)")


def _references(sheet: Flowsheet) -> Iterator[Finding]:
    model = sheet.model
    for path, name in sheet.named:
        if not set(sheet.actual(name)) & sheet.made:
            own = path == ("products", name)
            yield Finding(
                "error",
                path,
                f"{name!r} is neither a crude, a purchase, a pool nor the yield of a unit"
                + ("; give components or a recipe" if own else _meant(name, sheet.made)),
            )
    bases = {stream.partition(APART)[0] for stream in sheet.made}
    for name in model.streams:
        if name not in sheet.made and name not in bases and name not in sheet.used:
            yield Finding(
                "error",
                ("streams", name),
                "is neither a crude, a purchase, a pool nor the yield of a unit"
                + _meant(name, sheet.made),
            )
    for name, tank in model.tanks.items():
        held = tank.holds or name
        if held in model.products:
            product = model.products[held]
            if held in sheet.made and (product.components or product.recipe):
                yield Finding(
                    "error",
                    ("tanks", name),
                    f"holds {held!r}, which is a stream and a product made of others; give the stream "
                    "another name",
                )
            continue
        if not set(sheet.actual(held)) & {*sheet.made, *sheet.used}:
            yield Finding(
                "error",
                ("tanks", name, *(("holds",) if tank.holds else ())),
                f"holds {held!r}, which is neither a stream nor a product"
                + _meant(held, sheet.made),
            )
        elif held not in sheet.actual(held):
            yield Finding(
                "error",
                ("tanks", name),
                f"holds {held!r}, which is kept apart; give a tank for each of "
                f"{', '.join(sheet.actual(held))}",
            )
    yield from _loads(sheet)


def _loads(sheet: Flowsheet) -> Iterator[Finding]:
    model = sheet.model
    places: list[tuple[tuple[str, ...], str, dict[str, PerPeriod]]] = []
    for name, unit in model.units.items():
        for way, running in unit.ways.items():
            path = place_of(name, unit, way)
            items = [(path, running)] + [((*path, "feeds", f), x) for f, x in running.feeds.items()]
            items += [(("units", name), unit)] if way else []
            for where, load in items:
                places.append((where, "utilities", load.utilities))
                places.append((where, "emissions", load.emissions))
    places += [(("streams", n), "emissions", s.emissions) for n, s in model.streams.items()]
    places += [(("utilities", n), "emissions", u.emissions) for n, u in model.utilities.items()]
    for where, section, given in dict.fromkeys((w, s, tuple(g)) for w, s, g in places):
        known = getattr(model, section)
        for name in given:
            if name not in known:
                yield Finding(
                    "error",
                    (*where, section, name),
                    f"{section}.{name} is not in the file" + _meant(name, frozenset(known)),
                )


def _bounds(model: RefineryModel) -> Iterator[Finding]:
    pairs: list[tuple[tuple[str, ...], PerPeriod | None, PerPeriod | None, str, str]] = []
    for section in ("crudes", "purchases", "products"):
        for name, item in getattr(model, section).items():
            pairs.append(((section, name), item.min, item.max, "min", "max"))
    for name, product in model.products.items():
        here = ("products", name)
        pairs += [
            ((*here, "specs", k), s.min, s.max, "min", "max") for k, s in product.specs.items()
        ]
        pairs += [
            ((*here, "components", k), c.min, c.max, "min", "max")
            for k, c in product.components.items()
        ]
        yield from _shares(model, name)
    yield from _loads_of_units(model)
    pairs += [(("utilities", n), u.min, u.max, "min", "max") for n, u in model.utilities.items()]
    pairs += [(("limits", n), x.min, x.max, "min", "max") for n, x in model.limits.items()]
    for name, tank in model.tanks.items():
        here = ("tanks", name)
        pairs.append((here, tank.heel, tank.capacity, "heel", "capacity"))
        pairs.append((here, tank.opening, tank.capacity, "opening", "capacity"))
        pairs.append((here, tank.closing.min, tank.capacity, "closing", "capacity"))
        pairs.append(
            (here, at(tank.heel, model.spans[-1].name), tank.closing.max, "heel", "closing")
        )
        pairs.append(((*here, "closing"), tank.closing.min, tank.closing.max, "min", "max"))
    for path, low, high, lower, upper in pairs:
        if low is None or high is None:
            continue
        for span in model.spans:
            if at(low, span.name) > at(high, span.name):
                when = f" in {span.name}" if span.name else ""
                yield Finding(
                    "error",
                    path,
                    f"{lower} ({at(low, span.name):g}) is above {upper} ({at(high, span.name):g})"
                    f"{when}; lower one or raise the other",
                )
                break
    for name, limit in model.limits.items():
        if limit.min is None and limit.max is None:
            yield Finding("error", ("limits", name), "has neither min nor max; give one")


def _loads_of_units(model: RefineryModel) -> Iterator[Finding]:
    """A unit that may be off is off in a period without capacity; another one cannot be."""
    for name, unit in model.units.items():
        for span in model.spans:
            least = at(unit.minimum, span.name)
            most = math.inf if unit.capacity is None else at(unit.capacity, span.name)
            if least > most and not (unit.on_off and most == 0):
                when = f" in {span.name}" if span.name else ""
                remedy = "lower one or raise the other"
                if most == 0:
                    remedy = "give on_off: true where it may be shut"
                yield Finding(
                    "error",
                    ("units", name),
                    f"minimum ({least:g}) is above capacity ({most:g}){when}; {remedy}",
                )
                break


def _shares(model: RefineryModel, name: str) -> Iterator[Finding]:
    components = model.products[name].components
    for span in model.spans:
        least = math.fsum(at(c.min, span.name) for c in components.values() if c.min is not None)
        most = math.fsum(
            1.0 if c.max is None else at(c.max, span.name) for c in components.values()
        )
        where = ("products", name, "components")
        if least > 1.0 + 1e-9:
            yield Finding(
                "error", where, f"the least shares add up to {least:g}, above 1; lower some"
            )
            return
        if components and most < 1.0 - 1e-9:
            yield Finding(
                "error", where, f"the largest shares add up to {most:g}, below 1; raise some"
            )
            return


def _maintenance(model: RefineryModel) -> Iterator[Finding]:
    days = {span.name: span.days for span in model.periods}
    for name, unit in model.units.items():
        for period, outage in unit.maintenance.items():
            path = ("units", name, "maintenance", period)
            if period not in days:
                listed = ", ".join(days) or "none"
                yield Finding("error", path, f"is not a period; the model's periods are: {listed}")
            elif outage.days > days[period]:
                yield Finding(
                    "error",
                    path,
                    f"{outage.days:g} days are more than the {days[period]:g} of {period}",
                )
        if unit.maintenance and unit.capacity is None:
            yield Finding(
                "error",
                ("units", name),
                "has maintenance without capacity, which it would take away",
            )


def _yields(sheet: Flowsheet) -> Iterator[Finding]:
    if sheet.model.basis == "mass":
        most, why = 1.0 + 1e-6, "more mass than goes in"
    else:
        most, why = YIELD_WARNING, "more volume than hydrocracking gains"
    makes: dict[tuple[str, str], str] = {}
    for process in sheet.processes:
        for stream, share in process.yields.items():
            if min(every(share)) > 0:
                makes.setdefault((f"{process.unit}.{process.way}", stream), process.name)
    for process in sheet.processes:
        for stream, share in process.yields.items():
            other = makes.get((f"{process.unit}.{process.way}", stream))
            if other and min(every(share)) < 0:
                yield Finding(
                    "warning",
                    (*process.path, "yields", stream),
                    f"is negative, so that {process.name} uses {stream} up, while {other} makes it; "
                    "check the sign",
                )
        for span in sheet.model.spans:
            total = math.fsum(at(share, span.name) for share in process.yields.values())
            if total > most:
                yield Finding(
                    "warning",
                    (*process.path, "yields"),
                    f"{process.name} yields {total:.4g} for each unit of feed, {why}",
                )
                break


def _limits(sheet: Flowsheet) -> Iterator[Finding]:
    for name, limit in sheet.model.limits.items():
        for term in limit.terms:
            if not is_term(sheet, term):
                yield Finding(
                    "error",
                    ("limits", name, "terms", term),
                    f"names {term!r}, which the model has not; write crudes.NAME, products.NAME, "
                    "units.NAME, units.NAME.FEED, blends.PRODUCT.STREAM, tanks.NAME, "
                    "utilities.NAME, emissions.NAME, or on.NAME of a unit with on_off",
                )


def is_term(sheet: Flowsheet, term: str) -> bool:
    """Whether a term of a limit names a quantity of the model."""
    model = sheet.model
    kind, _, rest = term.partition(".")
    if kind in ("crudes", "purchases", "products", "tanks", "utilities", "emissions"):
        return rest in getattr(model, kind)
    if kind == "on":
        return rest in model.units and model.units[rest].on_off
    if kind == "units":
        return rest in model.units or any(term in covers(p.name) for p in sheet.processes)
    if kind == "surplus":
        return bool(set(sheet.actual(rest)) & sheet.made)
    if kind in ("blends", "pools"):
        name, _, stream = rest.partition(".")
        if kind == "pools":
            return name in model.pools and stream in model.pools[name].mixes
        return name in model.products and any(
            stream == given or stream in sheet.actual(given)
            for given in model.products[name].components
        )
    return False


def covers(name: str) -> tuple[str, ...]:
    """The terms that count a process: its own name, its mode or feed, its feed without what keeps it apart."""
    parts = name.split(".")
    found = [".".join(parts[:n]) for n in range(2, len(parts) + 1)]
    found.append(f"{parts[0]}.{parts[1]}.{parts[-1]}")
    return tuple(dict.fromkeys([*found, *(item.partition(APART)[0] for item in found)]))


def _meant(name: str, known: frozenset[str]) -> str:
    """``; did you mean …`` where a known name is close."""
    import difflib

    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
