"""Answers about a made-up plant, half of them honest and half with one thing wrong. Knows nothing of the check.

A world is drawn from a seed: tags with limits, a situation, results of operations, a passage of a document.
A template says something of it with numbers in honest forms: rounded, converted, derived, in words. A wrong
answer is an honest one with one number or word spoiled.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.plant.samples import Quality, Sample
from orchestrator.plant.tags import Limits, Plant, Tag

NOW = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
KINDS = (
    ("TI042", "Furnace outlet temperature", "degC", 355, 372, "°C"),
    ("TI118", "Desalter temperature", "degC", 118, 139, "°C"),
    ("FI101", "Crude feed flow", "m**3/h", 590, 690, "m³/h"),
    ("FI205", "Kerosene draw", "t/h", 38, 56, "t/h"),
    ("PI210", "Column top pressure", "bar", 1.2, 2.4, "bar"),
    ("LI330", "Overhead drum level", "percent", 35, 65, "%"),
    ("AI501", "Diesel 95 % point", "degC", 345, 362, "°C"),
    ("TI077", "Heavy naphtha side draw temperature", "degC", 148, 171, "°C"),
)
OTHER_UNITS = {
    "°C": ("bar", "m³/h", "°F", "kPa"),
    "m³/h": ("t/h", "bbl/d", "°C"),
    "t/h": ("m³/h", "kg/h", "%"),
    "bar": ("kPa", "psi", "°C"),
    "%": ("°C", "bar", "t/h"),
    "USD/bbl": ("USD/t", "°C"),
    "USD/h": ("USD/bbl", "t/h"),
    "h": ("min", "days"),
    "%s": ("bar",),
}


@dataclass
class World:
    """What is known."""

    plant: Plant
    values: dict[str, float]
    samples: dict[str, Sample]
    situation: dict[str, Any]
    results: dict[str, dict[str, Any]]
    passage: str
    numbers: dict[str, float]
    shown: dict[str, str] = field(default_factory=lambda: {k[0]: k[5] for k in KINDS})


@dataclass
class Scripted:
    """An answer; ``spoiled`` says what is wrong with it, and is empty for an honest one."""

    text: str
    template: str
    spoiled: str = ""


def make_world(draw: random.Random) -> World:
    """A plant at one instant."""
    tags, values = [], {}
    for name, description, unit, low, high, _ in KINDS:
        span = high - low
        places = 2 if span < 5 else 1
        value = round(draw.uniform(low, high), places)
        over = draw.random() < 0.25
        limit = (
            round(value - span * draw.uniform(0.03, 0.2), places)
            if over
            else round(value + span * draw.uniform(0.05, 0.6), places)
        )
        bottom = round(min(value, limit) - span * draw.uniform(0.5, 1.2), places)
        tags.append(
            Tag(
                name=name,
                description=description,
                unit=unit,
                limits=Limits(low=bottom, high=limit),
                controllable=name.startswith("F"),
            )
        )
        values[name] = value
    at = NOW - timedelta(minutes=draw.randint(1, 9))
    samples = {n: Sample(n, v, Quality.GOOD, at, at) for n, v in values.items()}
    n = {
        "margin": round(draw.uniform(4, 12), 2),
        "margin_change": -round(draw.uniform(2.1, 6.9), 1),
        "energy": round(draw.uniform(97, 106), 1),
        "energy_change": round(draw.uniform(2.1, 5.9), 1),
        "crude_change": round(draw.choice([-1, 1]) * draw.uniform(3.1, 7.9), 1),
        "score": round(draw.uniform(0.86, 0.99), 2),
        "health": round(draw.uniform(0.41, 0.69), 2),
        "lower": 0.0,
        "gain": round(draw.uniform(150, 4900), 1),
        "hours": round(draw.uniform(2.1, 19.9), 1),
        "probability": round(draw.uniform(0.61, 0.97), 2),
        "price": round(draw.uniform(81, 119), 2),
        "volatility": round(draw.uniform(21, 44), 1),
        "alerts": draw.randint(3, 7),
        "design": round(draw.uniform(366, 389), 1),
        "fouling": round(draw.uniform(0.11, 0.39), 2),
    }
    n["forecast"] = round(values["TI042"] + draw.uniform(1.5, 9), 1)
    n["lower"] = round(n["forecast"] - draw.uniform(2, 6), 1)
    n["upper"] = round(n["forecast"] + draw.uniform(2, 6), 1)
    n["move_from"] = values["FI205"]
    n["move_to"] = round(values["FI205"] + draw.choice([-1, 1]) * draw.uniform(0.6, 3.4), 1)
    severities = ["critical", *draw.choices(["low", "medium", "high"], k=int(n["alerts"]) - 1)]
    situation = {
        "timestamp": "2026-03-01T06:30:00Z",
        "plant_mode": draw.choice(["steady", "transient", "startup"]),
        "data_quality": {"score": n["score"], "stale_tags": 0, "frozen_tags": 0},
        "kpis": {
            "margin_usd_per_bbl": n["margin"],
            "margin_change_pct": n["margin_change"],
            "energy_index": n["energy"],
            "energy_index_change_pct": n["energy_change"],
        },
        "market": {"crude_change_pct": n["crude_change"]},
        "equipment": [{"id": "E-101", "health": n["health"], "trend_per_day": -0.01}],
        "alerts": [
            {"tag": draw.choice(KINDS)[0], "kind": "anomaly", "severity": s, "age_minutes": 12.0}
            for s in severities
        ],
    }
    results = {
        "forecasting.forecast": {
            "summary": f"Furnace outlet temperature (TI042) is forecast at {n['forecast']} °C in 24 h.",
            "horizon_hours": 24,
            "series": [
                {
                    "tag": "TI042",
                    "unit": "degC",
                    "value": n["forecast"],
                    "lower": n["lower"],
                    "upper": n["upper"],
                }
            ],
        },
        "forecasting.time_to_limit": {
            "summary": "One tag reaches its limit.",
            "items": [
                {"tag": "AI501", "hours_to_limit": n["hours"], "probability": n["probability"]}
            ],
        },
        "optimization.setpoints": {
            "summary": "One move is worth making.",
            "moves": [{"tag": "FI205", "from": n["move_from"], "to": n["move_to"], "unit": "t/h"}],
            "gain_usd_per_hour": n["gain"],
        },
        "analysis.prices": {
            "summary": "Diesel is volatile.",
            "prices": [
                {
                    "product": "diesel",
                    "price_usd_per_bbl": n["price"],
                    "volatility_pct": n["volatility"],
                }
            ],
        },
    }
    passage = (
        f"The furnace tubes are designed for a skin temperature of {n['design']} °C; fouling above "
        f"{n['fouling']} m2K/kW calls for cleaning."
    )
    return World(Plant(tags=tuple(tags)), values, samples, situation, results, passage, n)


# -- forms of a number ----------------------------------------------------------------------------

Spoil = Callable[[float, int], tuple[float, str]]


class Says:
    """Writes numbers; spoils the one that it is told to."""

    def __init__(self, world: World, draw: random.Random, spoil: str = "", place: int = 0) -> None:
        self.world = world
        self.draw = draw
        self.spoil = spoil
        self.place = place
        self.count = 0
        self.done = ""

    def number(
        self,
        value: float,
        unit: str,
        places: int,
        *,
        like: float | None = None,
        signed: bool = False,
        space: str = " ",
    ) -> str:
        """``value`` with ``places`` decimals and its unit; ``like`` is another thing's value."""
        mine = self.count == self.place and self.spoil not in ("", "word")
        self.count += 1
        if mine:
            value, unit = self._spoiled(value, unit, places, like, signed)
        text = f"{value:,.{places}f}" if abs(value) >= 1000 else f"{value:.{places}f}"
        if signed and value > 0:
            text = f"+{text}"
        joiner = "" if unit == "%" and self.draw.random() < 0.5 else space
        return f"{text}{joiner}{unit}" if unit else text

    def word(self, right: str, wrong: str) -> str:
        """``right``, or ``wrong`` where the words are to be spoiled."""
        if self.spoil == "word" and not self.done:
            self.done = f"said {wrong!r} for {right!r}"
            return wrong
        return right

    def _spoiled(
        self, value: float, unit: str, places: int, like: float | None, signed: bool
    ) -> tuple[float, str]:
        kind = self.spoil
        if kind == "unit" and unit not in OTHER_UNITS:
            kind = "times ten"
        if kind == "sign" and not signed:
            kind = "swap"
        if kind == "other" and (
            like is None or abs(round(like, places) - round(value, places)) < 1.5 * 10**-places
        ):
            kind = "invented"
        self.done = kind
        if kind == "unit":
            return value, self.draw.choice(OTHER_UNITS[unit])
        if kind == "sign":
            return -value, unit
        if kind == "times ten":
            return (value * 10 if self.draw.random() < 0.6 else value / 10), unit
        if kind == "other":
            assert like is not None
            return like, unit
        if kind == "invented":
            factor = self.draw.choice([0.55, 0.7, 0.82, 1.13, 1.3, 1.6])
            made = value * factor + self.draw.uniform(0.05, 0.4) * abs(value) * 0.1
            if abs(made - value) < 2 * 10**-places:
                made = value + 7 * 10**-places
            return made, unit
        return self._swapped(value, places), unit

    def _swapped(self, value: float, places: int) -> float:
        text = list(f"{abs(value):.{places}f}")
        digits = [i for i, c in enumerate(text) if c.isdigit()]
        pairs = [(a, b) for a, b in itertools.pairwise(digits) if text[a] != text[b]]
        if pairs:
            a, b = self.draw.choice(pairs)
            text[a], text[b] = text[b], text[a]
            swapped = float("".join(text))
        else:
            swapped = abs(value) + 10**-places * 3
        return swapped if value >= 0 else -swapped


Template = Callable[[World, Says, random.Random], str]


def plain_value(w: World, s: Says, d: random.Random) -> str:
    one, other = d.sample(list(w.values), 2)
    tag = w.plant.tags[[t.name for t in w.plant.tags].index(one)]
    name = d.choice([one, f"{tag.description} ({one})", f"The {tag.description.lower()}"])
    places = 2 if one == "PI210" else 1
    return (
        f"{name} is at {s.number(w.values[one], w.shown[one], places, like=w.values[other])} now."
    )


def rounded_value(w: World, s: Says, d: random.Random) -> str:
    one = d.choice(["TI042", "FI101", "TI118", "AI501", "TI077"])
    others = [v for k, v in w.values.items() if k != one and w.shown[k] == w.shown[one]]
    like = d.choice(others) if others else None
    return (
        f"As of 06:30 UTC on 1 March 2026, {one} reads {s.number(w.values[one], w.shown[one], 0, like=like)}, "
        "so it deserves attention."
    )


def converted_value(w: World, s: Says, d: random.Random) -> str:
    form = d.randrange(4)
    if form == 0:
        return f"PI210 stands at {s.number(w.values['PI210'] * 100, 'kPa', 0, like=170.0)}."
    if form == 1:
        return (
            f"The furnace outlet (TI042) is at {s.number(w.values['TI042'] * 1.8 + 32, '°F', 1)}."
        )
    if form == 2:
        return f"Kerosene draw FI205 runs at {s.number(w.values['FI205'] * 1000, 'kg/h', 0)}."
    return (
        f"Crude feed FI101 is {s.number(w.values['FI101'] / 0.158987294928 * 24 / 1000, 'kbd', 1)}."
    )


def limit_beside(w: World, s: Says, d: random.Random) -> str:
    tag = d.choice(w.plant.tags)
    value, limit = w.values[tag.name], tag.limits.high
    assert limit is not None
    places = 2 if tag.name == "PI210" else 1
    over = value > limit
    unit = w.shown[tag.name]
    where = s.word("above" if over else "below", "below" if over else "above")
    return (
        f"{tag.name} is {s.number(value, unit, places)}, {where} its high limit of "
        f"{s.number(limit, unit, places, like=tag.limits.low)}."
    )


def distance_to_limit(w: World, s: Says, d: random.Random) -> str:
    tag = d.choice(w.plant.tags)
    value, limit = w.values[tag.name], tag.limits.high
    assert limit is not None
    places = 2 if tag.name == "PI210" else 1
    where = s.word("above" if value > limit else "below", "below" if value > limit else "above")
    gap = abs(value - limit)
    return f"{tag.description} ({tag.name}) is {s.number(gap, w.shown[tag.name], places)} {where} its high limit."


def kpis(w: World, s: Says, d: random.Random) -> str:
    n = w.numbers
    fell = s.word(
        d.choice(["fell", "dropped", "is down"]), d.choice(["rose", "increased", "is up"])
    )
    return (
        f"The margin {fell} by {s.number(-n['margin_change'], '%', 1, like=n['energy_change'])} and now stands at "
        f"{s.number(n['margin'], 'USD/bbl', 2)}, while the energy index is {s.number(n['energy'], '', 1)}."
    )


def kpi_signed(w: World, s: Says, d: random.Random) -> str:
    n = w.numbers
    return f"Margin change: {s.number(n['margin_change'], '%', 1, signed=True, like=n['energy_change'])}; energy index change: {s.number(n['energy_change'], '%', 1, signed=True)}."


def crude_market(w: World, s: Says, d: random.Random) -> str:
    change = w.numbers["crude_change"]
    up = change > 0
    verb = s.word("rose" if up else "fell", "fell" if up else "rose")
    return f"In the market, the crude price {verb} {s.number(abs(change), d.choice(['%', 'percent']), 1)}."


def quality(w: World, s: Says, d: random.Random) -> str:
    score = w.numbers["score"]
    if d.random() < 0.5:
        return (
            f"The data-quality score is {s.number(score, '', 2)}, which is enough for optimization."
        )
    return f"Data quality stands at {s.number(score * 100, '%', 0)}."


def equipment(w: World, s: Says, d: random.Random) -> str:
    health = w.numbers["health"]
    form = d.choice(["Exchanger E-101 has a health of", "Health of E-101:"])
    return f"{form} {s.number(health, '', 2)}; plan its cleaning."


def counted_alerts(w: World, s: Says, d: random.Random) -> str:
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    count = int(w.numbers["alerts"])
    if s.spoil:
        s.done = "count"
        count += d.choice([-1, 1, 2])
    shown = words[count].capitalize() if d.random() < 0.5 else str(count)
    return f"{shown} alerts are open at this time. 1. Look at the critical one first."


def forecast(w: World, s: Says, d: random.Random) -> str:
    n = w.numbers
    return (
        f"TI042 is forecast to reach {s.number(n['forecast'], '°C', 1, like=w.values['TI118'])} in 24 hours "
        f"(between {s.number(n['lower'], '', 1, like=w.values['TI077'])} and {s.number(n['upper'], '°C', 1)})."
    )


def forecast_rise(w: World, s: Says, d: random.Random) -> str:
    n = w.numbers
    rise = n["forecast"] - w.values["TI042"]
    verb = s.word("rise", "fall")
    return f"TI042 will {verb} from {w.values['TI042']:.1f} °C to {s.number(n['forecast'], '°C', 1, like=w.values['TI118'])}, a difference of {s.number(rise, '°C', 1)}."


def time_to_limit(w: World, s: Says, d: random.Random) -> str:
    n = w.numbers
    if d.random() < 0.5:
        return f"AI501 reaches its limit in {s.number(n['hours'], 'h', 1)}, with a probability of {s.number(n['probability'] * 100, '%', 0)}."
    return f"The diesel 95 % point (AI501) will be at its limit in about {s.number(n['hours'] * 60, 'minutes', 0)}."


def setpoint(w: World, s: Says, d: random.Random) -> str:
    n = w.numbers
    up = n["move_to"] > n["move_from"]
    verb = s.word("Raise" if up else "Lower", "Lower" if up else "Raise")
    return (
        f"{verb} FI205 from {s.number(n['move_from'], 't/h', 1)} to {s.number(n['move_to'], 't/h', 1, like=w.values['LI330'])}; "
        f"this is worth {s.number(n['gain'], 'USD/h', 0)}."
    )


def worth(w: World, s: Says, d: random.Random) -> str:
    gain = w.numbers["gain"]
    if d.random() < 0.5:
        return f"The move gains {s.number(gain, 'USD per hour', 1)}."
    return f"The expected gain is {s.number(gain * 24, 'USD per day', 0)}."


def relative_move(w: World, s: Says, d: random.Random) -> str:
    n = w.numbers
    change = (n["move_to"] - n["move_from"]) / n["move_from"] * 100
    way = "an increase" if change > 0 else "a decrease"
    return f"FI205 goes from {n['move_from']:.1f} t/h to {n['move_to']:.1f} t/h, {way} of {s.number(abs(change), '%', 1)}."


def price(w: World, s: Says, d: random.Random) -> str:
    n = w.numbers
    return f"Diesel trades at {s.number(n['price'], 'USD/bbl', 2)} with a volatility of {s.number(n['volatility'], '%', 1, like=w.values['LI330'])}."


def price_ratio(w: World, s: Says, d: random.Random) -> str:
    one, other = w.values["TI042"], w.values["TI118"]
    return f"TI042 at {one:.1f} °C is {s.number(one / other, '', 2)} times TI118 at {other:.1f} °C."


def document(w: World, s: Says, d: random.Random) -> str:
    return f"According to the manual [1], the tubes are designed for {s.number(w.numbers['design'], '°C', 1, like=w.values['TI042'])}."


def mode(w: World, s: Says, d: random.Random) -> str:
    right = w.situation["plant_mode"]
    wrong = d.choice([m for m in ("steady", "transient", "startup") if m != right])
    return f"The plant is in {s.word(right, wrong)} operation, as step 2 of the check shows."


def alarms(w: World, s: Says, d: random.Random) -> str:
    there = s.word("There are open alerts, one of them critical", "There are no active alarms")
    return f"{there}."


def within(w: World, s: Says, d: random.Random) -> str:
    tag = d.choice(w.plant.tags)
    limit = tag.limits.high
    assert limit is not None
    over = w.values[tag.name] > limit
    right, wrong = f"{tag.name} is within its limits", f"{tag.name} exceeds its high limit"
    return s.word(wrong if over else right, right if over else wrong) + "."


def average(w: World, s: Says, d: random.Random) -> str:
    one, other = w.values["TI118"], w.values["TI077"]
    return f"TI118 reads {one:.1f} °C and TI077 reads {other:.1f} °C; their average is {s.number((one + other) / 2, '°C', 1)}."


def difference(w: World, s: Says, d: random.Random) -> str:
    one, other = w.values["TI042"], w.values["TI077"]
    return f"The difference between TI042 and TI077 is {s.number(one - other, '°C', 1)}."


def two_lines(w: World, s: Says, d: random.Random) -> str:
    return (
        f"1. TI042: {s.number(w.values['TI042'], '°C', 1, like=w.values['AI501'])}\n"
        f"2. FI101: {s.number(w.values['FI101'], 'm3/h', 1, like=w.values['TI042'])}\n"
        f"3. LI330: {s.number(w.values['LI330'], '%', 1, like=w.values['FI205'])}"
    )


NUMBERS: tuple[Template, ...] = (
    plain_value,
    plain_value,
    rounded_value,
    converted_value,
    limit_beside,
    distance_to_limit,
    kpis,
    kpi_signed,
    crude_market,
    quality,
    equipment,
    counted_alerts,
    forecast,
    forecast_rise,
    time_to_limit,
    setpoint,
    worth,
    relative_move,
    price,
    price_ratio,
    document,
    average,
    difference,
    two_lines,
)
WORDS: tuple[Template, ...] = (
    limit_beside,
    distance_to_limit,
    kpis,
    crude_market,
    forecast_rise,
    setpoint,
    mode,
    alarms,
    within,
)
HOW = ("swap", "unit", "times ten", "other", "invented", "sign")
FILLERS = (
    "",
    "",
    "I looked at the newest values. ",
    "Two things matter here. ",
    "In short: ",
    "Based on the data of 2026-03-01 06:30 UTC: ",
    "First, the facts. ",
)


def answers(seed: int, count: int = 200) -> Iterator[tuple[World, Scripted]]:
    """``count`` answers, every second one spoiled, each in a world of its own."""
    draw = random.Random(seed)
    for number in range(count):
        world = make_world(draw)
        if number % 2 == 0:
            template = draw.choice((*NUMBERS, mode, alarms, within))
            says = Says(world, draw)
            yield (
                world,
                Scripted(draw.choice(FILLERS) + template(world, says, draw), template.__name__),
            )
            continue
        words = draw.random() < 0.2
        template = draw.choice(WORDS if words else NUMBERS)
        state = draw.getstate()
        probe = Says(world, draw)
        template(world, probe, draw)
        draw.setstate(state)
        how = "word" if words else draw.choice(HOW)
        place = draw.randrange(max(1, probe.count))
        says = Says(world, draw, how, place)
        text = template(world, says, draw)
        if not says.done:
            says = Says(world, draw, "invented", 0)
            text = template(world, says, draw)
        yield world, Scripted(draw.choice(FILLERS) + text, template.__name__, f"{how}: {says.done}")
