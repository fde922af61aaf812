"""Units of a plan: throughput, capacity, turndown, on and off, one mode alone, maintenance."""

from __future__ import annotations

from orchestrator.modules.optimization.linear import INFINITY
from orchestrator.modules.optimization.planning.book import Book, Limit, Side, tagged
from orchestrator.modules.optimization.refinery.flowsheet import Flowsheet, Process
from orchestrator.modules.optimization.refinery.numbers import at, every
from orchestrator.modules.optimization.refinery.parts import Period
from orchestrator.modules.optimization.refinery.unit_parts import Mode, Unit


def add_units(book: Book, sheet: Flowsheet) -> None:
    """Add the flow of each process and the limits of each unit, period by period."""
    of_unit: dict[str, list[Process]] = {name: [] for name in sheet.model.units}
    for process in sheet.processes:
        of_unit[process.unit].append(process)
        for span in sheet.model.spans:
            column = book.column(
                tagged(process.name, span.name),
                worth=-at(process.cost, span.name) * span.days,
                account="operating",
            )
            book.days[column] = span.days
            book.flow(process.feed, span.name, column, -1.0)
            for stream, amount in sheet.yields(process, span.name).items():
                book.flow(stream, span.name, column, amount)
    for name, unit in sheet.model.units.items():
        before = ""
        for span in sheet.model.spans:
            load = {
                tagged(process.name, span.name): at(process.use, span.name)
                for process in of_unit[name]
            }
            on = _switch(book, name, unit, span, before) if unit.on_off else ""
            _capacity(book, sheet, name, unit, span, load, on)
            _modes(book, sheet, name, unit, span, of_unit[name], on)
            fixed = at(unit.fixed_cost, span.name) * span.days
            if fixed and not unit.on_off:
                book.spend("fixed", fixed)
            before = on


def left(unit: Unit, span: Period) -> float:
    """Share of a period's capacity that maintenance leaves."""
    outage = unit.maintenance.get(span.name)
    return 1.0 if outage is None else 1.0 - (1.0 - outage.capacity) * outage.days / span.days


def _switch(book: Book, name: str, unit: Unit, span: Period, before: str) -> str:
    """The decision whether a unit is on, with what that costs."""
    on = book.column(
        tagged(f"on.{name}", span.name),
        worth=-at(unit.fixed_cost, span.name) * span.days,
        account="fixed",
        binary=True,
    )
    cost = at(unit.startup_cost, span.name)
    if any(every(unit.startup_cost)):
        start = book.column(
            tagged(f"start.{name}", span.name), worth=-cost, account="startup", upper=1.0
        )
        ran = 1.0 if unit.on_before else 0.0
        terms = {start: 1.0, on: -1.0} | ({before: 1.0} if before else {})
        book.row(tagged(f"start.{name}", span.name), terms, lower=0.0 if before else -ran)
    return on


def _capacity(
    book: Book,
    sheet: Flowsheet,
    name: str,
    unit: Unit,
    span: Period,
    load: dict[str, float],
    on: str,
) -> None:
    share = left(unit, span)
    path, label = f"units.{name}", f"{sheet.model.quantity_unit}/d"
    most = INFINITY if unit.capacity is None else at(unit.capacity, span.name)
    least = at(unit.minimum, span.name)

    def limit(side: Side, bound: float) -> Limit:
        word, key = ("capacity", "capacity") if side == "max" else ("least load", "minimum")
        factor = None
        if on:
            factor = lambda values: share * values[on]  # noqa: E731
        elif share != 1.0:
            factor = lambda values: share  # noqa: ARG005, E731
        return Limit(
            path,
            f"{path}.{key}",
            f"{word} of {name}",
            side,
            bound,
            label,
            span.name,
            span.days,
            factor,
            fixed_range=not on,
        )

    if on:
        row = tagged(path, span.name)
        book.row(
            row,
            load | {on: -most * share},
            upper=0.0,
            limits={"max": limit("max", most)},
            scale=max(most, 1.0),
        )
        if least > 0:
            row = tagged(f"turndown.{name}", span.name)
            book.row(
                row,
                load | {on: -least * share},
                lower=0.0,
                limits={"min": limit("min", least)},
                scale=max(least, 1.0),
            )
    elif most < INFINITY or least > 0:
        limits: dict[Side, Limit] = {}
        if most < INFINITY:
            limits["max"] = limit("max", most)
        if least > 0:
            limits["min"] = limit("min", least)
        low = least * share if least > 0 else -INFINITY
        book.row(tagged(path, span.name), load, low, most * share, limits)


def _modes(
    book: Book,
    sheet: Flowsheet,
    name: str,
    unit: Unit,
    span: Period,
    processes: list[Process],
    on: str,
) -> None:
    """Limits of single modes, and the choice of one of them alone."""
    chosen = []
    for way, running in unit.ways.items():
        if not isinstance(running, Mode):
            continue
        flow = {tagged(p.name, span.name): 1.0 for p in processes if p.way == way}
        if running.max is not None:
            most = at(running.max, span.name)
            path = f"units.{name}.modes.{way}"
            words = f"largest throughput of {name} in mode {way}"
            label = f"{sheet.model.quantity_unit}/d"
            limit = Limit(path, f"{path}.max", words, "max", most, label, span.name, span.days)
            book.row(
                tagged(f"units.{name}.{way}", span.name), flow, upper=most, limits={"max": limit}
            )
        if unit.one_mode and unit.capacity is not None:
            mode = book.column(tagged(f"mode.{name}.{way}", span.name), binary=True)
            load = {
                tagged(p.name, span.name): at(p.use, span.name) for p in processes if p.way == way
            }
            most = at(unit.capacity, span.name) * left(unit, span)
            book.row(tagged(f"mode.{name}.{way}", span.name), load | {mode: -most}, upper=0.0)
            chosen.append(mode)
    if chosen:
        terms = dict.fromkeys(chosen, 1.0) | ({on: -1.0} if on else {})
        book.row(tagged(f"one_mode.{name}", span.name), terms, upper=0.0 if on else 1.0)
