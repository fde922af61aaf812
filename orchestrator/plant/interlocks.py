"""Interlocks: conditions over tag values that must hold for a write, in the Common Expression Language.

Each tag that a condition names must have a good and fresh value, also where the rest of the condition
would decide alone: an interlock that cannot see is not met.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.errors import ConfigurationError

if TYPE_CHECKING:
    import cel

    from orchestrator.write_settings import Interlock

_BACKTICKS = re.compile(r"`([^`]+)`")
_EXAMPLE = "write it over tags, for example: TI131 < 540.0 && FI130 > 2.0"


@dataclass(frozen=True)
class CompiledInterlock:
    """An interlock ready to be asked.

    Attributes:
        interlock: As configured.
        tags: Tags that its condition reads.
    """

    interlock: Interlock
    tags: frozenset[str]
    _program: cel.Program
    _names: Mapping[str, str]
    """Variable of the condition -> tag."""

    def guards(self, tag: str) -> bool:
        """Whether it must hold for a move of ``tag``."""
        return not self.interlock.tags or tag in self.interlock.tags

    def holds(self, values: Mapping[str, float]) -> bool | None:
        """Whether it holds for good values; None where one is missing or it has no truth value."""
        given = {name: values.get(tag, math.nan) for name, tag in self._names.items()}
        if not all(map(math.isfinite, given.values())):
            return None
        try:
            found: Any = self._program.execute(given)
        except (RuntimeError, TypeError, ValueError):
            return None
        return found if isinstance(found, bool) else None


def compile_interlock(interlock: Interlock, known_tags: frozenset[str]) -> CompiledInterlock:
    """An interlock over tags of the plant.

    Raises:
        ConfigurationError: it is no condition, names what is no tag, or mixes types.
    """
    import cel

    where = f"plant.write.interlocks.{interlock.name}"
    names: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        placeholder = f"tag_in_backticks_{len(names)}"
        names[placeholder] = match[1]
        return placeholder

    plain = _BACKTICKS.sub(replace, interlock.when)
    try:
        program = cel.compile(plain)
    except (ValueError, RuntimeError, TypeError) as error:
        said = (str(error).splitlines() or ["it cannot be parsed"])[0]
        raise ConfigurationError(
            f"{interlock.when!r} is not a condition: {said}", where=where, remedy=_EXAMPLE
        ) from error
    names |= {name: name for name in program.variables() if name not in names}
    unknown = sorted(set(names.values()) - known_tags)
    if unknown:
        raise ConfigurationError(
            f"{interlock.when!r} names {unknown[0]!r}, which is no tag of the plant",
            where=where,
            remedy="correct the name; a tag that is no identifier stands in backticks",
        )
    if not names:
        raise ConfigurationError(f"{interlock.when!r} reads no tag", where=where, remedy=_EXAMPLE)
    compiled = CompiledInterlock(interlock, frozenset(names.values()), program, names)
    # Tried once with plausible numbers, so that a mix of types shows now and not at three in the morning.
    try:
        tried = program.execute(dict.fromkeys(names, 1.0))
    except (RuntimeError, TypeError, ValueError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(
            f"{interlock.when!r} cannot be evaluated: {said}",
            where=where,
            remedy=f"write numbers in arithmetic with a decimal point; {_EXAMPLE}",
        ) from error
    if not isinstance(tried, bool):
        raise ConfigurationError(
            f"{interlock.when!r} is not true or false", where=where, remedy=_EXAMPLE
        )
    return compiled
