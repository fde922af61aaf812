"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.api.dependencies import accepted_parameters
from orchestrator.clock import json_default
from orchestrator.errors import PROBLEM_TYPE_PREFIX, DanGError, NotFoundError, ParameterError
from orchestrator.field_errors import field_errors

MEDIA_TYPE = "application/problem+json"


def problem_response(document: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """An HTTP answer that carries a problem document."""
    status = int(document["status"])
    headers = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("retry-after", "1")
    body = json.dumps(document, default=json_default, ensure_ascii=False).encode()
    return Response(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def problem_of(error: DanGError, path: str, request_id: str | None) -> dict[str, Any]:
    """The problem document of one of our errors."""
    document = error.problem(path)
    if request_id:
        document["request_id"] = request_id
    return document


def unexpected(path: str, request_id: str | None) -> dict[str, Any]:
    """The problem document of an error that nobody foresaw; details are in the log only."""
    return {
        "type": PROBLEM_TYPE_PREFIX + "internal",
        "title": "Internal error",
        "status": 500,
        "detail": "The service met an error that it did not foresee. "
        f"Look for request {request_id} in its log",
        "retryable": False,
        "instance": path,
        "request_id": request_id,
        "remedy": f"look for request {request_id} in the service's log",
    }


async def http_exception(request: Request, error: Exception) -> Response:
    """Problem documents for what the framework refuses: no such route, wrong method."""
    assert isinstance(error, HTTPException)
    path, request_id = request.url.path, request.scope.get("request_id")
    if error.status_code == HTTPStatus.NOT_FOUND:
        missing = NotFoundError(f"there is no {path}", remedy="the routes are listed at /docs")
        return problem_response(problem_of(missing, path, request_id))
    status = HTTPStatus(error.status_code)
    document = {
        "type": PROBLEM_TYPE_PREFIX + status.phrase.lower().replace(" ", "-"),
        "title": status.phrase,
        "status": int(status),
        "detail": str(error.detail),
        "retryable": False,
        "instance": path,
        "request_id": request_id,
    }
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("allow") or (error.headers or {}).get("Allow", "")
        document["detail"] = f"{request.method} is not accepted at {path}; use {allowed}"
    return problem_response(document, dict(error.headers or {}))


async def request_validation(request: Request, error: Exception) -> Response:
    """Problem documents for query and path parameters that do not fit."""
    given = {**request.path_params, **request.query_params}
    raised = ParameterError.of_fields(
        field_errors(error.errors(), given, ("query", "path", "body")),  # type: ignore[attr-defined]
        where=f"{request.method} {request.url.path}",
        remedy=f"it accepts: {', '.join(accepted_parameters(request)) or 'no parameters'}",
    )
    return problem_response(problem_of(raised, request.url.path, request.scope.get("request_id")))
