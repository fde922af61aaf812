"""Replay of a file of samples: a historian export, a benchmark, a recorded day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.errors import DataError, UnknownTagError
from orchestrator.plant.reading import Reading
from orchestrator.plant.samples import SampleBlock, to_datetime64
from orchestrator.plant.sources.base import split_by_span
from orchestrator.plant.sources.infer import draft_plant
from orchestrator.plant.tables import Table
from orchestrator.plant.tags import Plant
from orchestrator.plant.units import conversion


class ReplaySource:
    """A file as a source. Opening it checks every row; nothing is handed on from a file with errors.

    Args:
        path: CSV (plain or compressed) or Parquet, wide or long.
        plant: What is known about the tags; inferred from the file when None. Only tags that it
            names are replayed, in its units where the file states others.
        time_column: The column with the time; by default the first that holds times.
        tags: Tags wanted; by default all.
        timezone: IANA zone of times that carry none.

    Attributes:
        notes: What a reader should know about the data: columns left out, units converted, rows out
            of order, duplicates. The last two are complete once :meth:`blocks` has ended.

    Raises:
        DataError: the file cannot be used, or a unit in it does not fit the tag's.
        UnknownTagError: a wanted tag is not there, or none of the plant's tags is.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        plant: Plant | None = None,
        time_column: str | None = None,
        tags: Sequence[str] | None = None,
        timezone: str = "UTC",
    ) -> None:
        self._table = Table(path, reading=Reading(time_column=time_column, timezone=timezone))
        self.path = self._table.path
        self.name = f"replay {self.path.name}"
        self.notes: list[str] = list(self._table.notes)
        self.tags: tuple[str, ...] = self._chosen(plant, tags)
        self.plant: Plant = plant or draft_plant(self._table, tags=self.tags)
        self.simulated = self.plant.simulated
        self._conversions = self._unit_conversions() if plant is not None else {}
        self._closed = False
        self._after: datetime | None = None

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return self._table.rows

    def history(self) -> Iterator[SampleBlock]:
        """Nothing: a file has no past of its own."""
        return iter(())

    def resume_after(self, time: datetime) -> None:
        """Skip the rows up to ``time``."""
        self._after = time

    def blocks(self, max_span: timedelta) -> Iterator[SampleBlock]:
        """All rows in order of time, one row a time; see :class:`~.base.Source`.

        Raises:
            DataError: the rows are not in order and cannot be sorted for want of room.
        """
        for block in split_by_span(self._converted(), max_span):
            if self._closed:
                return
            if self._after is not None and block.start <= self._after:
                first = int(block.times.searchsorted(to_datetime64(self._after), side="right"))
                if first == len(block):
                    continue
                block = block.rows(first, len(block))
            yield block
        self._note_duplicates()

    def close(self) -> None:
        """End the replay; an iterator stops after its present block."""
        self._closed = True

    def _chosen(self, plant: Plant | None, tags: Sequence[str] | None) -> tuple[str, ...]:
        facts = self._table.facts
        if tags is not None:
            for tag in tags:
                if plant is not None:
                    plant.tag(tag)
                if tag not in facts:
                    raise self._unknown(f"no column or tag {tag!r}")
            return tuple(dict.fromkeys(tags))
        if plant is None:
            return self._table.tags
        chosen = tuple(name for name in plant.tag_names if name in facts)
        if not chosen:
            raise self._unknown(f"none of the {len(plant.tags)} tags of plant {plant.name!r}")
        missing = [tag.name for tag in plant if tag.name not in facts and tag.expression is None]
        others = [name for name in self._table.tags if name not in plant.by_name]
        for what, names in (("tags of the plant are not in", missing), ("are only in", others)):
            if names:
                shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
                self.notes.append(f"{len(names)} {what} the file: {shown}")
        return chosen

    def _unknown(self, what: str) -> UnknownTagError:
        held = ", ".join(self._table.tags[:12])
        return UnknownTagError(
            what, where=str(self.path),
            remedy=f"the file holds {held}; draft a plant from it with: dan-g tags infer {self.path}",
        )  # fmt: skip

    def _unit_conversions(self) -> dict[int, tuple[float, float]]:
        """Column -> (scale, offset), where the file states another unit than the tag's."""
        conversions: dict[int, tuple[float, float]] = {}
        for position, name in enumerate(self.tags):
            given, wanted = self._table.units.get(name, ""), self.plant.tag(name).unit
            if not given or not wanted:
                continue
            found = conversion(given, wanted)
            if found is None:
                raise DataError(
                    f"tag {name!r} is given in {given!r}, which cannot be converted to its unit"
                    f" {wanted!r}",
                    where=str(self.path),
                    remedy="correct the unit in the file or in the plant file",
                )
            if found != (1.0, 0.0):
                conversions[position] = found
                self.notes.append(f"{name} is converted from {given} to {wanted}")
        return conversions

    def _converted(self) -> Iterator[SampleBlock]:
        for block in self._table.blocks(self.tags):
            for column, (scale, offset) in self._conversions.items():
                block.values[:, column] = block.values[:, column] * scale + offset
            yield block

    def _note_duplicates(self) -> None:
        note = self._table.duplicates.note
        if note is not None and note not in self.notes:
            self.notes.append(note)
