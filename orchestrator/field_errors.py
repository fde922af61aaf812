"""What is wrong with values that do not fit a model: field, message and type, in the words of JSON.

One shape wherever something given is checked: request bodies, query parameters, parameters of an
operation, configuration and plant files. Names of Python types and of the validation library's inner
parts are not shown.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

SHOWN_LENGTH = 80
MOST_LISTED, MOST_TOLD = 50, 5
WHOLE = "(all)"
_URL_SECRET = re.compile(
    r"(://[^/\s:@\"]*:|[?&](?:password|passwd|pwd|token|secret)=)[^\s\"&]+(@|&|(?=\"))",
    re.IGNORECASE,
)
AN_OBJECT = "must be an object with named fields"
SAYS_ALL = "finding"
"""Type of an error whose message already says what was given."""
_MESSAGES: dict[str, str] = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "none_required": "must be null",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "dict_type": AN_OBJECT,
    "model_type": AN_OBJECT,
    "model_attributes_type": AN_OBJECT,
    "mapping_type": AN_OBJECT,
    "timezone_aware": "needs a time zone, for example 2026-03-01T06:00:00Z",
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid"),
        "must be a time in ISO 8601, for example 2026-03-01T06:00:00Z",
    ),
}  # fmt: skip
_WITH_BOUND: dict[str, str] = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
}
_MISFIT = {"extra_forbidden": 2, "missing": 1, "model_type": 1, "dict_type": 1}
"""How strongly an error says that a branch was not meant: what is written counts more than what is not."""


def field_errors(
    errors: Iterable[Any],
    given: Any = None,
    prefix: Sequence[str] = (),
    secret: Callable[[str], bool] = lambda field: False,  # noqa: ARG005
) -> list[dict[str, str]]:
    """Each error as ``{"field", "message", "type"}``.

    Args:
        errors: The validation library's error list.
        given: The document that was checked; tells the parts of a location that somebody wrote from
            those that name a branch inside the model. Without it every part is kept.
        prefix: Leading parts of each location that the caller did not write, dropped.
        secret: Whether the value of a field must not be shown.
    """
    placed: list[tuple[Any, str, Branch | None]] = []
    for item in errors:
        location = list(item["loc"])
        while location and location[0] in prefix:
            location.pop(0)
        if given is None:
            placed.append((item, ".".join(map(str, location)) or WHOLE, None))
            continue
        placed.append((item, *_written(location, given, missing=item["type"] == "missing")))
    kept = _closest_branches(placed)[:MOST_LISTED]
    return [_described(item, field, secret(field)) for item, field, _ in kept]


def in_words(found: Sequence[Mapping[str, str]]) -> str:
    """The errors as one text, the first five told."""
    text = "; ".join(f"{item['field']}: {item['message']}" for item in found[:MOST_TOLD])
    return f"{text}; and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else text


def json_text(value: Any) -> str:
    """A value as JSON spells it, cut to a readable length; a password in a URL is not shown."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = _URL_SECRET.sub(r"\1(hidden)\2", text)
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…"


Branch = tuple[tuple[Any, ...], Any]


def _written(location: Sequence[Any], given: Any, *, missing: bool) -> tuple[str, Branch | None]:
    """The dotted field that somebody wrote, and the branch of a union that was tried, if any."""
    parts: list[str] = []
    branch: Branch | None = None
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if (isinstance(given, Mapping) and part in given) or (
            isinstance(given, list | tuple) and isinstance(part, int) and part < len(given)
        ):
            given = given[part]
        elif not (missing and last):
            branch = branch or (tuple(location[:position]), part)
            continue
        parts.append(str(part))
    return ".".join(parts) or WHOLE, branch


def _closest_branches(
    placed: Sequence[tuple[Any, str, Branch | None]],
) -> list[tuple[Any, str, Branch | None]]:
    """The errors less those of union branches that were clearly not meant."""
    misfits: dict[tuple[Any, ...], dict[Any, int]] = defaultdict(lambda: defaultdict(int))
    for item, _, branch in placed:
        if branch is not None:
            misfits[branch[0]][branch[1]] += _MISFIT.get(item["type"], 0)
    kept: dict[tuple[str, str], tuple[Any, str, Branch | None]] = {}
    for item, field, branch in placed:
        if branch is not None:
            tried = misfits[branch[0]]
            if tried[branch[1]] > min(tried.values()):
                continue
        kept.setdefault((field, item["type"]), (item, field, branch))
    return list(kept.values())


def _described(item: Any, field: str, secret: bool) -> dict[str, str]:
    kind = item["type"]
    message = _message(item)
    told = kind in ("missing", SAYS_ALL) or (kind == "value_error" and field == WHOLE)
    if not told:
        shown = "(hidden)" if secret else json_text(item.get("input"))
        message = f"{message}, got {shown}"
    return {"field": field, "message": message, "type": kind}


def _message(item: Any) -> str:
    kind, context = item["type"], item.get("ctx") or {}
    if kind in _MESSAGES:
        return _MESSAGES[kind]
    if kind in _WITH_BOUND:
        bounds = {k: f"{v:g}" if isinstance(v, float) else v for k, v in context.items()}
        text = _WITH_BOUND[kind].format(**bounds)
        return text.replace(" 1 characters", " 1 character").replace(" 1 items", " 1 item")
    if kind in ("literal_error", "enum"):
        expected = str(context.get("expected", "")).replace("'", '"')
        return f"must be {expected}"
    text = str(item["msg"])
    for start in ("Value error, ", "Assertion failed, "):
        text = text.removeprefix(start)
    return text
