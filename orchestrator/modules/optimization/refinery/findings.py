"""What is wrong, or looks wrong, with a refinery model: where, what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong (``error``) or looks wrong (``warning``).

    Attributes:
        level: Whether the model can be used.
        path: Place in the file, outermost key first.
        text: What is wrong, and the remedy.
    """

    level: Literal["error", "warning"]
    path: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}: {self.text}"
