"""A module for tests whose operations change something, and one that would write to the plant."""

from __future__ import annotations

from dataclasses import replace

import counting

from orchestrator.modules.base import Module, Needs

_COUNT = replace(counting.OPERATIONS[0], module="acting")
MODULE = Module(
    name="acting",
    summary="Operations that change something.",
    operations=(
        replace(_COUNT, name="note", changes="notes it"),
        replace(_COUNT, name="file_away", changes="files it"),
        replace(_COUNT, name="move", needs=Needs(writes_to_plant=True)),
    ),
)
