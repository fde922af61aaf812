"""``/operator``: the operator agent's mode, grants and stop."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from orchestrator.api.bodies import documented_body, read_body
from orchestrator.api.dependencies import PROBLEMS, answer, orchestrator_of
from orchestrator.api.operator_schemas import (
    GrantRequest,
    NamedRequest,
    OperatorModeRequest,
    OperatorView,
    SettleRequest,
    StopRequest,
    UnderWay,
)
from orchestrator.core.operator_desk import named
from orchestrator.errors import ParameterError
from orchestrator.state.records import GrantRecord
from orchestrator.write_records import WriteRecord

router = APIRouter(prefix="/operator", tags=["operator"], responses=PROBLEMS)
SHOWN: dict[int | str, dict[str, Any]] = {200: {"model": OperatorView}}


@router.get("", summary="How the operator agent stands", responses=SHOWN)
async def get_operator(request: Request) -> Response:
    """Mode, stop, grants in force, what is awaited or under way, and writes of unknown end."""
    orchestrator = orchestrator_of(request)
    desk = orchestrator.operator
    live = []
    for record in await desk.live():
        steps = await orchestrator.store.recommendation_steps.of(record.id)
        live.append(
            UnderWay(
                id=record.id,
                state=record.state,
                summary=str(record.document.get("summary") or ""),
                steps_done=sum(step.state == "done" for step in steps),
                steps=len(steps) or len(record.document.get("steps", ())),
            )
        )
    view = OperatorView(
        mode=desk.modes.mode,
        mode_set_by=desk.modes.set_by,
        write_enabled=orchestrator.settings.plant.write_enabled,
        stop=await desk.stopped(),
        grants=await desk.modes.grants(),
        recommendations=tuple(live),
        open_writes=await orchestrator.store.writes.open_writes(),
    )
    return answer(view, OperatorView)


@router.post(
    "/mode",
    summary="Set the operator agent's mode",
    openapi_extra=documented_body(OperatorModeRequest),
    responses=SHOWN,
)
async def set_mode(request: Request) -> Response:
    """By name; what is under way is held when the mode becomes advisory."""
    given = await read_body(request, OperatorModeRequest)
    modes = orchestrator_of(request).operator.modes
    await modes.set(given.mode, named(given.by), given.reason)
    return await get_operator(request)


@router.post(
    "/grants",
    summary="Give leave to act without approval",
    openapi_extra=documented_body(GrantRequest),
    status_code=201,
    responses={201: {"model": GrantRecord}},
)
async def give_grant(request: Request) -> Response:
    """For these tags, within these limits, which are never wider than the plant's, and for this time."""
    given = await read_body(request, GrantRequest)
    orchestrator = orchestrator_of(request)
    record = await orchestrator.operator.modes.grant(
        given.tags,
        by=named(given.by),
        starts_at=given.starts,
        ends_at=_end(given, orchestrator.clock.now(), request.url.path),
        max_moves=given.max_moves,
        reason=given.reason,
    )
    return answer(record, GrantRecord, status=201)


@router.post(
    "/grants/{grant_id}/revoke",
    summary="Take a grant back",
    openapi_extra=documented_body(NamedRequest),
    responses={200: {"model": GrantRecord}},
)
async def revoke_grant(grant_id: str, request: Request) -> Response:
    """It is void from now on; what is under way by it is held at its next step."""
    given = await read_body(request, NamedRequest)
    record = await orchestrator_of(request).operator.modes.revoke(grant_id, named(given.by))
    return answer(record, GrantRecord)


@router.post(
    "/stop",
    summary="Stop all writing, at once",
    openapi_extra=documented_body(StopRequest, required=False),
    responses=SHOWN,
)
async def stop(request: Request) -> Response:
    """Nothing more is written until a named person releases it, also after a restart."""
    given = await read_body(request, StopRequest)
    await orchestrator_of(request).operator.stop(given.by, given.reason)
    return await get_operator(request)


@router.post(
    "/release",
    summary="Release the stop",
    openapi_extra=documented_body(NamedRequest),
    responses=SHOWN,
)
async def release(request: Request) -> Response:
    """By name; nothing that the stop ended goes on by itself."""
    given = await read_body(request, NamedRequest)
    await orchestrator_of(request).operator.release(given.by)
    return await get_operator(request)


@router.post(
    "/writes/{write_id}/settle",
    summary="Settle a write of unknown end",
    openapi_extra=documented_body(SettleRequest),
    responses={200: {"model": WriteRecord}},
)
async def settle(write_id: str, request: Request) -> Response:
    """Say what the panel shows: whether the set point was written; its tag is unlocked."""
    given = await read_body(request, SettleRequest)
    record = await orchestrator_of(request).operator.settle(
        write_id, given.state, given.by, given.reason
    )
    return answer(record, WriteRecord)


def _end(given: GrantRequest, now: datetime, where: str) -> datetime:
    if (given.until is None) == (given.minutes is None):
        message = "give exactly one of until and minutes"
        raise ParameterError.of_fields(
            [
                {"field": name, "message": message, "type": "value_error"}
                for name in ("until", "minutes")
            ],
            where=where,
            why="a grant ends by itself",
        )
    return given.until or (given.starts or now) + timedelta(minutes=given.minutes or 0.0)
