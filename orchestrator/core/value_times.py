"""Which time and which statistic a question about a present or past value names.

All functions read text that :func:`orchestrator.core.slots.fold` has brought to lower case without
accents. Days, weeks and months are those of UTC; a week begins on Monday, a shift is eight hours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from orchestrator.core.decision import Statistic

DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
WEEKDAYS = (
    ("monday", "lundi"),
    ("tuesday", "mardi"),
    ("wednesday", "mercredi"),
    ("thursday", "jeudi"),
    ("friday", "vendredi"),
    ("saturday", "samedi"),
    ("sunday", "dimanche"),
)
_NUMBERS = {
    "a": 1.0, "an": 1.0, "one": 1.0, "un": 1.0, "une": 1.0, "two": 2.0, "deux": 2.0, "couple of": 2.0,
    "three": 3.0, "trois": 3.0, "four": 4.0, "five": 5.0, "cinq": 5.0, "six": 6.0, "seven": 7.0,
    "eight": 8.0, "huit": 8.0, "ten": 10.0, "dix": 10.0, "twelve": 12.0, "half an": 0.5,
}  # fmt: skip
_UNITS = (
    (r"min(?:ute)?s?", timedelta(minutes=1)),
    (r"h(?:ou)?rs?|h|heures?", HOUR),
    (r"days?|d|jours?", DAY),
    (r"weeks?|semaines?", 7 * DAY),
    (r"months?|mois", 30 * DAY),
    (r"shifts?|postes?", 8 * HOUR),
)
_COUNT = rf"(?P<number>\d+(?:[.,]\d+)?|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
_UNIT = rf"(?P<unit>{'|'.join(pattern for pattern, _ in _UNITS)})"
_CLOCK = (
    r"(?:(?P<hour>\d{1,2})(?:[:h](?P<minute>\d{2}))? ?(?P<half>am|pm|a\.m\.|p\.m\.|h\b|o'clock|utc|z\b)?"
    r"|(?P<noon>noon|midi)|(?P<midnight>midnight|minuit))"
)
_ISO = r"(?P<iso>\d{4}-\d{2}-\d{2}(?:[t ]\d{2}:\d{2}(?::\d{2})?(?: ?z|[+-]\d{2}:\d{2})?)?)"

STATISTICS: tuple[tuple[re.Pattern[str], Statistic], ...] = (
    (re.compile(r"\b(?:average|averaged|avg|mean|moyenne?|en moyenne)\b"), "mean"),
    (re.compile(r"\b(?:max(?:imum|imal\w*)?|peak(?:ed)?|highest|hottest|top value|plus haute?)\b"), "maximum"),
    (re.compile(r"\b(?:min(?:imum|imal\w*)?|lowest|coldest|plus basse?)\b(?! ?\d)"), "minimum"),
    (re.compile(r"\b(?:change[ds]?|changing|move[ds]?|variation|vary|varied)\b"), "change"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a tag.

    Attributes:
        statistic: ``last`` (the newest sample), ``at`` (the sample that held at ``end``), or one over
            the span.
        start: Begin of the span; ``None`` for ``last`` and ``at``.
        end: End of the span, or the instant; ``None`` for ``last``.
        rest: The words without those that name time and statistic.
    """

    statistic: Statistic
    start: datetime | None
    end: datetime | None
    rest: str


def read_time(text: str, now: datetime) -> Asked:
    """Time and statistic of a question that is asked at ``now``; without any, the newest sample."""
    statistic: Statistic | None = None
    for pattern, name in STATISTICS:
        if pattern.search(text):
            statistic, text = name, pattern.sub(" ", text)
            break
    start: datetime | None = None
    end: datetime | None = None
    for pattern, span_of in _SPANS:
        match = pattern.search(text)
        if match is None:
            continue
        found = span_of(match, now)
        if found is None:
            continue
        (start, end), text = found, pattern.sub(" ", text, count=1)
        break
    if start is not None and end is not None and end - start == DAY:
        clock = re.search(rf"\b(?:at|around|about|a) {_CLOCK}", text)
        at = _clock(clock, start) if clock else None
        if clock and at is not None:
            start, end, text = None, at, text.replace(clock[0], " ")
    if end is None:
        return Asked(*_without_span(statistic, now), text)
    if start is None:
        return Asked("at", None, min(end, now), text)
    if end < now:
        end -= TICK  # the next day's first sample is not of this day
    return Asked(statistic or "mean", start, min(end, now), text)


def _without_span(
    statistic: Statistic | None, now: datetime
) -> tuple[Statistic, datetime | None, datetime | None]:
    return ("last", None, None) if statistic is None else (statistic, now - DAY, now)


Span = tuple[datetime | None, datetime]


def _ago(match: re.Match[str], now: datetime) -> Span | None:
    return None, now - _length(match)


def _last(match: re.Match[str], now: datetime) -> Span | None:
    return now - _length(match), now


def _length(match: re.Match[str]) -> timedelta:
    groups = match.groupdict()
    number = groups.get("number") or "one"
    count = _NUMBERS[number] if number in _NUMBERS else float(number.replace(",", "."))
    unit = next(size for pattern, size in _UNITS if re.fullmatch(pattern, groups["unit"]))
    # Nothing is kept for longer than a human life; a longer span would leave the calendar.
    return min(count * unit, 36_500 * DAY) if count < 1e6 else 36_500 * DAY


def _iso(match: re.Match[str], _: datetime) -> Span | None:
    try:
        given = datetime.fromisoformat(match["iso"].upper().replace(" Z", "Z"))
    except ValueError:
        return None
    at = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return (at, at + DAY) if len(match["iso"]) == 10 else (None, at)


def _yesterday(_: re.Match[str], now: datetime) -> Span | None:
    return _midnight(now) - DAY, _midnight(now)


def _last_night(_: re.Match[str], now: datetime) -> Span | None:
    return _midnight(now) - 6 * HOUR, _midnight(now) + 6 * HOUR


def _morning(_: re.Match[str], now: datetime) -> Span | None:
    return _midnight(now) + 6 * HOUR, _midnight(now) + 12 * HOUR


def _today(_: re.Match[str], now: datetime) -> Span | None:
    return _midnight(now), now


def _week(match: re.Match[str], now: datetime) -> Span | None:
    monday = _midnight(now) - now.weekday() * DAY
    return (monday - 7 * DAY, monday) if _is_last(match) else (monday, now)


def _month(match: re.Match[str], now: datetime) -> Span | None:
    first = _midnight(now).replace(day=1)
    return ((first - DAY).replace(day=1), first) if _is_last(match) else (first, now)


def _year(match: re.Match[str], now: datetime) -> Span | None:
    first = _midnight(now).replace(month=1, day=1)
    return (first.replace(year=first.year - 1), first) if _is_last(match) else (first, now)


def _weekday(match: re.Match[str], now: datetime) -> Span | None:
    number = next(n for n, names in enumerate(WEEKDAYS) if match["day"] in names)
    back = (now.weekday() - number) % 7 or 7
    day = _midnight(now) - back * DAY
    return day, day + DAY


def _at_clock(match: re.Match[str], now: datetime) -> Span | None:
    at = _clock(match, _midnight(now))
    if at is None:
        return None
    return None, at if at <= now else at - DAY


def _since(match: re.Match[str], now: datetime) -> Span | None:
    begun = read_time(match["since"], now)
    start = begun.start or begun.end
    return None if start is None or begun.rest.strip() else (start, now)


def _is_last(match: re.Match[str]) -> bool:
    return re.search(r"last|previous|dernier|derniere|passee?", match[0]) is not None


def _midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _clock(match: re.Match[str] | None, day: datetime) -> datetime | None:
    """The time of day that ``match`` names, on ``day``; ``None`` where it is no time of day."""
    if match is None:
        return None
    if match["noon"] or match["midnight"]:
        return day + (12 * HOUR if match["noon"] else timedelta())
    if match["minute"] is None and match["half"] is None:
        return None
    hour, half = int(match["hour"]), (match["half"] or "").replace(".", "")
    if half in ("am", "pm"):
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or int(match["minute"] or 0) > 59:
        return None
    return datetime.combine(day.date(), time(hour, int(match["minute"] or 0)), UTC)


_SPANS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], datetime], Span | None]], ...] = (
    (re.compile(r"\b(?:since|depuis) (?:the )?(?P<since>.+?)(?=$|[,;?!]|\. )"), _since),
    (re.compile(rf"\b(?:on |at |le |a )?{_ISO}"), _iso),
    (re.compile(rf"\b{_COUNT} ?{_UNIT} (?:ago|back|earlier|avant)\b"), _ago),
    (re.compile(rf"\bil y a {_COUNT} ?{_UNIT}\b"), _ago),
    (re.compile(
        rf"\b(?:(?:over|in|during|for|of|within) )?(?:the )?(?:last|past|previous|trailing) {_COUNT} ?{_UNIT}\b"
    ), _last),
    (re.compile(rf"\b(?:(?:sur|pendant) )?(?:les |des )?{_COUNT} dernier(?:e?s) {_UNIT}\b"), _last),
    (re.compile(r"\b(?:over |in |during )?(?:the )?(?:last|past|previous) (?P<unit>min(?:ute)?|h(?:ou)?r|day|shift)\b"), _last),
    (re.compile(r"\b(?:last|yesterday) (?:night|evening)\b|\bovernight\b|\bcette nuit\b|\bla nuit derniere\b"), _last_night),
    (re.compile(r"\byesterday\b(?:'s)?|\bhier\b"), _yesterday),
    (re.compile(r"\bthis morning\b(?:'s)?|\bce matin\b"), _morning),
    (re.compile(r"\btoday\b(?:'s)?|\bso far today\b|\baujourd'hui\b|\bthis (?:afternoon|evening|shift)\b"), _today),
    (re.compile(r"\b(?:last|this|previous) week\b(?:'s)?|\b(?:cette semaine|la semaine (?:derniere|passee))\b"), _week),
    (re.compile(r"\b(?:last|this|previous) month\b(?:'s)?|\b(?:ce mois(?:-ci)?|le mois (?:dernier|passe))\b"), _month),
    (re.compile(r"\b(?:last|this|previous) year\b(?:'s)?|\b(?:cette annee|l'annee (?:derniere|passee))\b"), _year),
    (re.compile(rf"\b(?:on |last |le )?(?P<day>{'|'.join(n for names in WEEKDAYS for n in names)})\b(?: dernier)?"), _weekday),
    (re.compile(rf"\b(?:at|around|about|a) {_CLOCK}"), _at_clock),
    (re.compile(r"^ *(?P<hour>\d{1,2}):(?P<minute>\d{2})(?P<half>)(?P<noon>)(?P<midnight>) *$|^ *(?P<bare>midnight|minuit) *$"),
     lambda match, now: (None, _midnight(now)) if match["bare"] else _at_clock(match, now)),
)  # fmt: skip
