"""The safety agent and the writer, as one thing for the operator agent to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Literal

from orchestrator.clock import Clock
from orchestrator.core.operator_modes import OperatorModes
from orchestrator.core.write_alarms import WriteAlarms
from orchestrator.errors import UnavailableError
from orchestrator.modules.optimization.safety import (
    Proposal,
    Rehearse,
    Verdict,
    check,
    issue_permit,
)
from orchestrator.plant.envelope import Envelope
from orchestrator.plant.samples import Quality
from orchestrator.plant.stop_switch import StopSwitch
from orchestrator.plant.write_facts import Facts, TagValue
from orchestrator.plant.write_target import WriteTarget
from orchestrator.plant.writer import Writer
from orchestrator.state.repositories import Store
from orchestrator.write_records import WriteRecord


class Gate:
    """Asks the safety agent before each step, and writes through the one door.

    Args:
        envelope: What may be written.
        modes: The operator agent's mode and grants.
        writer: The door; null where this process has no plant to write to.
        target: What the writer writes to, for reading set points.
        rehearse: Tries moves on a model; null where there is none.
        alarms: Told when a person has settled a write.

    Attributes:
        envelope: What may be written.
        stop: The stop of all writing.
    """

    def __init__(
        self,
        envelope: Envelope,
        modes: OperatorModes,
        store: Store,
        clock: Clock,
        *,
        writer: Writer | None,
        target: WriteTarget | None,
        rehearse: Rehearse | None,
        alarms: WriteAlarms,
    ) -> None:
        self._alarms = alarms
        self.envelope = envelope
        self._modes = modes
        self._store = store
        self._clock = clock
        self._writer = writer
        self._target = target
        self._rehearse = rehearse
        # Without a door there still is a stop: it is kept, and others that write look at it.
        self.stop = writer.stop if writer is not None else StopSwitch(store.writes, clock)

    async def check(
        self, proposal: Proposal, facts: Facts, *, done: int = 0, under_way: bool = False
    ) -> Verdict:
        """The safety agent's verdict on a proposal whose first ``done`` steps are made.

        ``under_way`` says that writes of its recommendation were made before it.

        In advisory mode it is on moves that a person makes by hand.
        """
        advice = self._modes.mode == "advisory"
        grant, used = None, 0
        if proposal.grant_id is not None:
            grant = await self._modes.grant_called(proposal.grant_id)
            used = await self._store.writes.moves_under_grant(proposal.grant_id)
        if not advice:
            facts = await self._with_set_points(proposal, facts)
        # In a thread: a rehearsal computes for a while.
        return await asyncio.to_thread(
            check,
            proposal,
            facts,
            self.envelope,
            rehearse=self._rehearse,
            grant=grant,
            grant_used=used,
            done=done,
            under_way=under_way,
            advice=advice,
        )

    async def _with_set_points(self, proposal: Proposal, facts: Facts) -> Facts:
        """Handles as the control system holds them: samples of a set point come later than it moves."""
        held = await self.values(sorted({step.tag for step in proposal.steps}))
        fresh = {tag: TagValue(value, Quality.GOOD, facts.at) for tag, value in held.items()}
        return replace(facts, values={**facts.values, **fresh})

    async def write(
        self, proposal: Proposal, verdict: Verdict, step: int, number: int, facts: Facts
    ) -> WriteRecord:
        """Make one step; the record tells how it ended.

        Args:
            proposal: What was checked.
            verdict: On it, with ``done=step``.
            step: Index of the step in the proposal.
            number: Its number within the recommendation, which no other step ever has.
            facts: Those of the verdict.

        Raises:
            UnavailableError: this process has no plant to write to, or the journal cannot be reached.
            UnsafeError: the verdict does not allow it.
        """
        if self._writer is None:
            raise UnavailableError(
                "this service writes to no plant",
                remedy="run it over the plant's source, with plant.write_enabled",
            )
        permit = issue_permit(proposal, verdict, step, facts, self.envelope)
        return await self._writer.write(replace(permit, step=number))

    async def restore_alarms(self, held: Collection[str]) -> None:
        """Return alerts whose cause ended while no process of ours ran; ``held`` are held still."""
        locked = {record.tag for record in await self._store.writes.open_writes()}
        await self._alarms.restore(locked, held)

    async def recover(self) -> None:
        """Find the end of writes that the end of a process interrupted."""
        if self._writer is not None:
            await self._writer.recover()

    async def writes_of(self, recommendation_id: str) -> dict[int, WriteRecord]:
        """The last write of each step number."""
        writes = await self._store.writes.of_recommendation(recommendation_id)
        return {write.step: write for write in writes}

    async def values(self, tags: Sequence[str]) -> dict[str, float]:
        """Set points as the control system holds them; one that cannot be read is left out."""
        found: dict[str, float] = {}
        if self._target is None:
            return found
        for tag in tags:
            try:
                async with asyncio.timeout(self.envelope.settings.call_timeout):
                    seen = await self._target.read(tag)
            except (UnavailableError, TimeoutError, OSError):
                continue
            if seen.value is not None and seen.quality is Quality.GOOD:
                found[tag] = seen.value
        return found

    async def open_writes(self) -> tuple[WriteRecord, ...]:
        """Writes of unknown end, which lock their tags."""
        return await self._store.writes.open_writes()

    async def settle(
        self, write_id: str, state: Literal["done", "not_done"], *, by: str, why: str
    ) -> WriteRecord:
        """Give an unverified write the end that a person has seen at the panel.

        Raises:
            NotFoundError: there is no such write.
            ConflictError: it is not unverified.
        """
        now = self._clock.now()
        record = await self._store.writes.settle(write_id, state, now, by=by, why=why)
        await self._alarms.settled(record)
        return record

    async def close(self) -> None:
        """Release the connection to the plant."""
        if self._target is not None:
            await self._target.close()
