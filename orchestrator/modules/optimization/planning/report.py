"""A plan as a page: its margin, its flows, what it does when, and what holds it back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from orchestrator.modules import report_page
from orchestrator.modules.optimization.linear import LinearSolution
from orchestrator.modules.optimization.planning.flow_picture import flows
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.planning.result import (
    PeriodPlan,
    PlanLimit,
    PlanResult,
    Quality,
)
from orchestrator.modules.optimization.planning.what_if_models import Contribution
from orchestrator.modules.optimization.planning.wording import number
from orchestrator.modules.report_figures import NumberMap, Waterfall
from orchestrator.modules.report_page import Chart, Items, Part, Section, Table, Trace

MOST_STEPS = 16
MOST_LIMITS = 24
MOST_PERIODS = 12
MOST_QUALITY_PERIODS = 4
MOST_ROWS = 60
_BY_NAME = {"sales": "sales of", "crudes": "crude", "purchases": "purchase of", "operating": "running",
            "utilities": "utility", "emissions": "emission"}  # fmt: skip
_WORDS = {"fixed": "fixed costs", "startup": "start-ups", "surplus": "surplus streams",
          "carrying": "carrying of stocks", "closing": "worth of closing stocks"}  # fmt: skip


def page(
    result: PlanResult,
    built: PlanProgram,
    solution: LinearSolution,
    *,
    as_markdown: bool,
    supposed: Sequence[Contribution] = (),
) -> str:
    """The page as HTML or Markdown; every number on it is one of the plan.

    Args:
        result: The plan.
        built: Its program.
        solution: Its solution.
        as_markdown: Whether to write Markdown.
        supposed: What each supposed change adds, where it is the plan of a ``what_if``.
    """
    sections = [section for section in _sections(result, built, solution) if section.parts]
    if supposed and result.compared:
        sections.insert(0, Section("What each change adds", [_supposed(result, supposed)]))
    write = report_page.markdown if as_markdown else report_page.html
    return write(f"Plan of {built.model.name}", result.summary, sections)


def _sections(
    result: PlanResult, built: PlanProgram, solution: LinearSolution
) -> Iterable[Section]:
    notes = [Items(result.warnings)] if result.warnings else []
    yield Section("To be known first", notes)
    if result.conflicts:
        yield Section("Limits that cannot all be kept", _conflicts(result))
    if not solution.solved:
        return
    money = result.money_unit
    yield Section("Margin", [_margin(result, built, solution)])
    if result.compared:
        yield Section("What changed", [_change(result)])
    yield Section("Flows", [flows(built, solution)])
    yield Section("Plan", _plan(result, built))
    yield Section("Qualities of the products", _qualities(result, built))
    yield Section("Stocks", _stocks(result))
    yield Section("What holds the plan back", _limits(result, built))
    yield Section(
        "What is left out",
        [Items(tuple(i.text for i in result.not_done[:12]))] if result.not_done else [],
    )
    yield Section("Other plans that are nearly as good", _alternatives(result))
    yield Section("Scenarios", _scenarios(result, money))


def _margin(result: PlanResult, built: PlanProgram, solution: LinearSolution) -> Waterfall:
    steps = _largest(_parts(built, solution), MOST_STEPS)
    span = f"over {result.days:g} days" if built.model.periods else "a day"
    return Waterfall(
        f"From what is sold to the margin, {result.money_unit} {span}",
        result.money_unit,
        steps,
    )


def _parts(built: PlanProgram, solution: LinearSolution) -> list[tuple[str, float]]:
    """Money by account and name, what earns first; they add up to the margin."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    values, program = solution.values, built.program
    unit_of = {process.name: process.unit for process in built.sheet.processes}
    for column, account in built.book.accounts.items():
        plain = column.removesuffix("]").partition("[")[0]
        name = unit_of.get(plain) or _name(plain)
        key = (account, name if account in _BY_NAME else "")
        found[key] += program.columns[column].worth * values[column]
    for account, money in built.book.constants.items():
        found[account, ""] += money
    order = ("sales", "closing", "surplus", "crudes", "purchases")
    told = sorted(
        found.items(),
        key=lambda item: (
            order.index(item[0][0]) if item[0][0] in order else len(order),
            -abs(item[1]),
        ),
    )
    return [
        (f"{_BY_NAME[account]} {name}" if name else _WORDS.get(account, account), money)
        for (account, name), money in told
        if abs(money) > 1e-6
    ]


def _name(plain: str) -> str:
    """The name in ``crudes.light`` or ``tiers.crudes.light.0``."""
    parts = plain.split(".")
    return ".".join(parts[2:-1]) if parts[0] == "tiers" else ".".join(parts[1:])


def _largest(steps: Sequence[tuple[str, float]], most: int) -> list[tuple[str, float]]:
    """The steps in their order, the smallest gathered in one so that no more than ``most`` are left."""
    if len(steps) <= most:
        return list(steps)
    kept = set(sorted(range(len(steps)), key=lambda i: -abs(steps[i][1]))[: most - 1])
    rest = sum(money for i, (_, money) in enumerate(steps) if i not in kept)
    shown = [step for i, step in enumerate(steps) if i in kept]
    return [*shown, (f"{len(steps) - len(kept)} smaller parts", rest)]


def _change(result: PlanResult) -> Waterfall:
    accounts = dict.fromkeys((*result.compared, *result.margin))
    steps = [
        (
            _WORDS.get(account, account),
            result.margin.get(account, 0.0) - result.compared.get(account, 0.0),
        )
        for account in accounts
    ]
    before = sum(result.compared.values())
    return Waterfall(
        f"From the margin of the plan that it is compared with to its own, {result.money_unit}",
        result.money_unit,
        [step for step in steps if abs(step[1]) > 1e-6],
        start=("margin compared with", before),
    )


def _supposed(result: PlanResult, changes: Sequence[Contribution]) -> Waterfall:
    return Waterfall(
        f"From the margin as it is to that with all changes, {result.money_unit}: the share of each change",
        result.money_unit,
        [(item.what, item.share) for item in changes],
        start=("margin as it is", sum(result.compared.values())),
        total="with all changes",
    )


def _plan(result: PlanResult, built: PlanProgram) -> list[Part]:
    """Amounts per day by period; sums over all days where there are too many periods."""
    unit = f"{result.quantity_unit}/d"
    periods = result.periods
    many = len(periods) > MOST_PERIODS
    rows: list[tuple[str, ...]] = []
    for section, word in (
        ("crudes", "buy"),
        ("purchases", "buy"),
        ("units", "run"),
        ("products", "sell"),
        ("utilities", "utility"),
        ("emissions", "emit"),
    ):
        names = dict.fromkeys(name for period in periods for name in _of(period, section))
        for name in names:
            cells = [_of(period, section).get(name, 0.0) for period in periods]
            whole = sum(c * p.days for c, p in zip(cells, periods, strict=True)) / result.days
            shown = [] if many or len(periods) == 1 else [number(cell) for cell in cells]
            rows.append((word, name, *shown, number(whole), _unit(section, name, built, unit)))
    named = [] if many or len(periods) == 1 else [f"n:{period.name}" for period in periods]
    heads = ("", "what", *named, "n:mean a day" if len(periods) > 1 else "n:a day", "unit")
    parts: list[Part] = [Table(heads, rows[:MOST_ROWS])]
    if len(rows) > MOST_ROWS:
        parts.append(f"{len(rows) - MOST_ROWS} further rows are in the result alone.")
    if many:
        parts.append(f"The {len(periods)} periods are in the result; here are their means.")
    return parts


def _of(period: PeriodPlan, section: str) -> Mapping[str, float]:
    if section == "units":
        return {name: sum(feeds.values()) for name, feeds in period.units.items()}
    found: Mapping[str, float] = getattr(period, section)
    return found


def _unit(section: str, name: str, built: PlanProgram, unit: str) -> str:
    model = built.model
    if section == "utilities":
        return f"{model.utilities[name].unit or 'units'}/d"
    if section == "emissions":
        return f"{model.emissions[name].unit}/d"
    return unit


def _qualities(result: PlanResult, built: PlanProgram) -> list[Part]:
    """Each specified property with its limit, by period; a star where the limit holds it."""
    shown = result.periods[:MOST_QUALITY_PERIODS]
    pairs = dict.fromkeys(
        (product, name)
        for period in shown
        for product, properties in period.qualities.items()
        for name in properties
    )
    rows = []
    for product, name in pairs:
        rule = built.model.properties.get(name)
        cells = [_quality(period.qualities.get(product, {}).get(name)) for period in shown]
        rows.append((product, name, *cells, rule.unit if rule else ""))
    if not rows:
        return []
    heads = [f"n:{period.name or 'value (limits)'}" for period in shown]
    parts: list[Part] = [Table(("product", "property", *heads, "unit"), rows[:MOST_ROWS])]
    parts.append("In brackets the limits; a star marks a value that stands at one.")
    if len(result.periods) > len(shown):
        parts.append(
            f"The other {len(result.periods) - len(shown)} periods are in the result alone."
        )
    return parts


def _quality(quality: Quality | None) -> str:
    if quality is None or quality.value is None:
        return ""
    limits = [f"≥ {number(quality.min)}"] if quality.min is not None else []
    limits += [f"≤ {number(quality.max)}"] if quality.max is not None else []
    room = quality.giveaway
    star = "*" if room is not None and room <= 1e-6 * max(1.0, abs(quality.value)) else ""
    return f"{number(quality.value)}{star} ({', '.join(limits)})"


def _stocks(result: PlanResult) -> list[Part]:
    names = dict.fromkeys(name for period in result.periods for name in period.stocks)
    if not names or len(result.periods) < 2:
        return []
    x = [period.name for period in result.periods]
    style: Literal["bars", "line"] = "bars" if len(x) <= MOST_PERIODS else "line"
    traces = tuple(
        Trace(name, x, [period.stocks.get(name) for period in result.periods], style)
        for name in names
    )
    what = f"Tank {next(iter(names))}" if len(names) == 1 else "Tanks"
    caption = f"{what}: in store at the end of each period, {result.quantity_unit}"
    return [Chart(caption, result.quantity_unit, traces)]


def _limits(result: PlanResult, built: PlanProgram) -> list[Part]:
    """The map of shadow prices by period, and those that weigh most in words."""
    if not result.binding:
        return ["No limit holds the plan back."]
    parts: list[Part] = [
        "What weighs most first, by price times size of the limit:",
        Items(tuple(item.text for item in result.binding[:8])),
    ]
    periods = tuple(period.name for period in result.periods)
    if not built.model.periods:
        return [*parts, _limit_table(result)]
    worth: dict[str, float] = defaultdict(float)
    cells: dict[str, dict[str, PlanLimit]] = defaultdict(dict)
    # A whole percent of sulphur is far outside what the price holds for.
    steps: dict[tuple[str, str], float] = {}
    for item in result.binding:
        row = item.limit, item.side
        steps[row] = min(item.step, steps.get(row, item.step))
    step_of: dict[str, float] = {}
    for item in result.binding:
        step = steps[item.limit, item.side]
        name = f"{item.limit} ({item.side}{'' if step == 1.0 else f', per {step:g}'})"
        step_of[name] = step
        cells[name][item.period] = item
        worth[name] += abs(item.shadow_price * (item.bound or 1.0))
    names = sorted(cells, key=lambda name: -worth[name])[:MOST_LIMITS]
    if len(periods) <= 4 * MOST_PERIODS:
        values = tuple(
            tuple(
                cells[name][period].shadow_price * step_of[name] if period in cells[name] else None
                for period in periods
            )
            for name in names
        )
        caption = (
            f"What binds when: {result.money_unit} of margin over all periods for one more of the limit, "
            "or for so much as its name says (of a flow, for so much a day); shaded within each row"
        )
        parts.append(NumberMap(caption, result.money_unit, periods, tuple(names), values))
    return parts


def _limit_table(result: PlanResult) -> Table:
    rows = [
        (
            item.limit,
            item.side,
            number(item.bound),
            number(item.shadow_price),
            "" if item.from_bound is None else number(item.from_bound),
            "" if item.to_bound is None else number(item.to_bound),
        )
        for item in result.binding[:MOST_LIMITS]
    ]
    price = f"n:{result.money_unit} a day for one more"
    return Table(("limit", "side", "n:bound", price, "n:holds from", "n:holds to"), rows)


def _conflicts(result: PlanResult) -> list[Part]:
    parts: list[Part] = [
        "The least change that makes a plan possible:",
        Items(tuple(item.text for item in result.conflicts)),
    ]
    if result.conflicting:
        parts += ["These cannot be kept together:", Items(result.conflicting)]
    return parts


def _alternatives(result: PlanResult) -> list[Part]:
    parts: list[Part] = []
    if result.alternatives:
        rows = [
            (str(place), item.text, number(item.objective), number(item.lost))
            for place, item in enumerate(result.alternatives, 1)
        ]
        heads = ("", "against the plan", "n:margin", f"n:lost, {result.money_unit}")
        parts.append(Table(heads, rows))
    wide = [item for item in result.latitude if item.largest - item.least > 1e-4 * item.largest]
    if wide:
        rows4 = [
            (item.what, number(item.least), number(item.planned), number(item.largest))
            for item in wide
        ]
        parts.append("How far each may go while the margin keeps within the same share:")
        unit = result.quantity_unit
        parts.append(Table(("what", "n:least", "n:planned", f"n:largest, {unit}"), rows4))
    return parts


def _scenarios(result: PlanResult, money: str) -> list[Part]:
    if not result.scenarios:
        return []
    rows: list[tuple[str, ...]] = [
        (
            item.scenario,
            f"{item.probability:.0%}",
            item.status,
            "" if item.objective is None else number(item.objective),
            "" if item.of_base_plan is None else number(item.of_base_plan),
            "" if item.of_common_plan is None else number(item.of_common_plan),
        )
        for item in result.scenarios
    ]
    heads: tuple[str, ...] = (
        "scenario",
        "n:probability",
        "status",
        f"n:own plan, {money}",
        "n:base plan kept",
        "n:one decision for all",
    )
    if result.common is None:
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    parts: list[Part] = [Table(heads, rows)]
    if result.common is not None:
        parts.insert(0, result.common.text)
        unit = f"{result.quantity_unit}/d"
        decided = [(name, number(value)) for name, value in result.common.decision.items()]
        parts.append(Table(("decided for all scenarios", f"n:{unit}"), decided[:MOST_ROWS]))
    return parts
