"""``/alerts``: the alert list and its life cycle."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from orchestrator.api.bodies import documented_body, read_body
from orchestrator.api.dependencies import PROBLEMS, Cursor, Limit, answer, orchestrator_of
from orchestrator.api.schemas import AlertView, Page, PersonRequest, ReasonRequest, ShelveRequest
from orchestrator.clock import iso
from orchestrator.core.situation import Severity
from orchestrator.errors import ParameterError
from orchestrator.monitoring.life_cycle import AlertKind
from orchestrator.state.records import AlarmState

router = APIRouter(prefix="/alerts", tags=["alerts"], responses=PROBLEMS)
SHOWN: dict[int | str, dict[str, Any]] = {200: {"model": AlertView}}


@router.get("", summary="Alerts, newest first", responses={200: {"model": Page[AlertView]}})
async def list_alerts(
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = None,
    is_open: Annotated[bool | None, Query(alias="open", description="Not yet ended.")] = None,
    state: AlarmState | None = None,
    kind: AlertKind | None = None,
    severity: Severity | None = None,
) -> Response:
    """One page of alerts."""
    page = await orchestrator_of(request).store.alerts.list(
        is_open=is_open,
        state=state,
        kind=kind,
        severity=severity,
        cursor=cursor,
        limit=limit,
    )
    items = [AlertView.of(alert) for alert in page.items]
    return answer(Page[AlertView](items=items, next_cursor=page.next_cursor), Page[AlertView])


@router.get("/{alert_id}", summary="One alert", responses=SHOWN)
async def get_alert(alert_id: str, request: Request) -> Response:
    """An alert with its contributions."""
    return answer(
        AlertView.of(await orchestrator_of(request).store.alerts.get(alert_id)), AlertView
    )


@router.post(
    "/{alert_id}/acknowledge",
    summary="Acknowledge an alert",
    openapi_extra=documented_body(PersonRequest, required=False),
    responses=SHOWN,
)
async def acknowledge(alert_id: str, request: Request) -> Response:
    """Say that it was seen."""
    given = await read_body(request, PersonRequest)
    alert = await orchestrator_of(request).alerts.acknowledge(alert_id, given.by)
    return answer(AlertView.of(alert), AlertView)


@router.post(
    "/{alert_id}/shelve",
    summary="Shelve an alert for a time",
    openapi_extra=documented_body(ShelveRequest),
    responses=SHOWN,
)
async def shelve(alert_id: str, request: Request) -> Response:
    """Put an alert aside, with a reason and an expiry; it comes back by itself."""
    given = await read_body(request, ShelveRequest)
    orchestrator = orchestrator_of(request)
    until = _expiry(given, orchestrator.clock.now(), request.url.path)
    alert = await orchestrator.alerts.shelve(alert_id, given.reason, until, given.by)
    return answer(AlertView.of(alert), AlertView)


@router.post(
    "/{alert_id}/unshelve",
    summary="Bring a shelved alert back",
    openapi_extra=documented_body(PersonRequest, required=False),
    responses=SHOWN,
)
async def unshelve(alert_id: str, request: Request) -> Response:
    """End the shelving before its expiry."""
    given = await read_body(request, PersonRequest)
    alert = await orchestrator_of(request).alerts.unshelve(alert_id, given.by)
    return answer(AlertView.of(alert), AlertView)


@router.post(
    "/{alert_id}/suppress",
    summary="Suppress an alert by design",
    openapi_extra=documented_body(ShelveRequest),
    responses=SHOWN,
)
async def suppress(alert_id: str, request: Request) -> Response:
    """Withhold what the state of the plant explains; without an expiry until it is ended by hand."""
    given = await read_body(request, ShelveRequest)
    orchestrator = orchestrator_of(request)
    until = None
    if given.until is not None or given.minutes is not None:
        until = _expiry(given, orchestrator.clock.now(), request.url.path)
    alert = await orchestrator.alerts.withhold(alert_id, "suppress", given.reason, given.by, until)
    return answer(AlertView.of(alert), AlertView)


@router.post(
    "/{alert_id}/unsuppress",
    summary="End the suppression of an alert",
    openapi_extra=documented_body(PersonRequest, required=False),
    responses=SHOWN,
)
async def unsuppress(alert_id: str, request: Request) -> Response:
    """The design no longer explains it; what still holds is annunciated."""
    given = await read_body(request, PersonRequest)
    alert = await orchestrator_of(request).alerts.give_back(alert_id, "unsuppress", given.by)
    return answer(AlertView.of(alert), AlertView)


@router.post(
    "/{alert_id}/remove-from-service",
    summary="Take an alarm out of service",
    openapi_extra=documented_body(ReasonRequest),
    responses=SHOWN,
)
async def remove_from_service(alert_id: str, request: Request) -> Response:
    """For maintenance: neither this alert nor new ones of its condition are annunciated."""
    given = await read_body(request, ReasonRequest)
    alert = await orchestrator_of(request).alerts.withhold(
        alert_id, "remove_from_service", given.reason, given.by
    )
    return answer(AlertView.of(alert), AlertView)


@router.post(
    "/{alert_id}/return-to-service",
    summary="Return an alarm to service",
    openapi_extra=documented_body(PersonRequest, required=False),
    responses=SHOWN,
)
async def return_to_service(alert_id: str, request: Request) -> Response:
    """The maintenance is over; what still holds is annunciated."""
    given = await read_body(request, PersonRequest)
    alert = await orchestrator_of(request).alerts.give_back(alert_id, "return_to_service", given.by)
    return answer(AlertView.of(alert), AlertView)


def _expiry(given: ShelveRequest, now: datetime, where: str) -> datetime:
    if (given.until is None) == (given.minutes is None):
        message = "give exactly one of until and minutes"
        raise ParameterError.of_fields(
            [
                {"field": name, "message": message, "type": "value_error"}
                for name in ("until", "minutes")
            ],
            where=where,
            why="a shelved alert must come back by itself",
            remedy='for example {"reason": "sensor is being changed", "minutes": 60}',
        )
    until = given.until or now + timedelta(minutes=given.minutes or 0.0)
    if until <= now:
        raise ParameterError.of_field(
            "until" if given.until else "minutes",
            f"{iso(until)} is not after the plant's time {iso(now)}",
            where=where,
            remedy="give a later time",
        )
    return until
