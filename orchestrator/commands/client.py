"""One client for all commands: the running service over HTTP, or the same application in process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

from orchestrator.commands.options import Target
from orchestrator.commands.output import RemoteError
from orchestrator.errors import ConfigurationError, HomeLockedError, UnavailableError

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from orchestrator.config import Settings

Result = TypeVar("Result")
OnProgress = Callable[[float, str], None]

REQUEST_TIMEOUT = 60.0
CONNECT_TIMEOUT = 5.0
LONGEST_CHAT = 900.0
"""More than any configured deadline of a turn: the service ends it first."""
SILENCE = 60.0
"""A stream without even a comment for so long has broken, s."""
STARTING_PATIENCE = 10.0
IN_PROCESS_BODY_MB = 1024.0
"""Largest request that a command sends to the application in its own process."""
FIRST_POLL, LONGEST_POLL = 0.02, 0.5
FINAL = frozenset({"succeeded", "failed", "cancelled", "timed_out"})


class Api:
    """The HTTP API as a command sees it.

    Every method raises :class:`RemoteError` with the service's problem document, or
    ``UnavailableError`` when no service answers.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, app: FastAPI | None = None) -> None:
        self._http = http
        self.url = url
        self._app = app

    @property
    def in_process(self) -> bool:
        """Whether the application runs in this process."""
        return self._app is not None

    async def get(self, path: str, **query: Any) -> Any:
        """``GET``; a query value of ``None`` is left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return await self._request("GET", path, params=given)

    async def post(self, path: str, body: dict[str, Any], *, key: str | None = None) -> Any:
        """``POST`` with an idempotency key, so that a repeat after a lost answer does nothing twice."""
        return await self._request(
            "POST", path, json=body, headers={"Idempotency-Key": key or uuid4().hex}
        )

    async def put(self, path: str, body: dict[str, Any]) -> Any:
        """``PUT``."""
        return await self._request("PUT", path, json=body)

    async def delete(self, path: str) -> Any:
        """``DELETE``."""
        return await self._request("DELETE", path)

    async def chat(self, body: dict[str, Any]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """The events of one turn of a conversation, as they come; ``body`` as of ``POST /chat``."""
        if self._app is not None:
            # The transport in process hands a response over when it is whole; here it is to stream.
            from orchestrator.llm.copilot import Said

            said = Said(
                text=body["message"],
                session_id=body["session_id"],
                user=body["user"],
                show_reasoning=body["show_reasoning"],
                deadline=body["deadline"],
            )
            async with aclosing(self._app.state.copilot.answer(said)) as events:
                async for event in events:
                    yield event.kind, event.data
            return
        import httpx

        patience = (body["deadline"] or LONGEST_CHAT) + CONNECT_TIMEOUT
        timeout = httpx.Timeout(SILENCE, connect=CONNECT_TIMEOUT)
        try:
            async with (
                asyncio.timeout(patience),
                self._http.stream("POST", "/chat", json=body, timeout=timeout) as answer,
            ):
                if not answer.is_success:
                    await answer.aread()
                    raise RemoteError(_problem(answer))
                kind = ""
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        kind = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        data = json.loads(line.removeprefix("data: "))
                        if kind == "error":
                            raise RemoteError(data)
                        yield kind, data
        except (httpx.TransportError, httpx.InvalidURL, TimeoutError) as error:
            raise self._gone(error, "POST /chat") from error

    async def wait_for_job(self, job_id: str, on_progress: OnProgress | None = None) -> Any:
        """The job once it has ended; cancels it when the wait is interrupted."""
        pause = FIRST_POLL
        try:
            while True:
                job = await self.get(f"/jobs/{quote(job_id, safe='')}")
                if job["status"] in FINAL:
                    return job
                if on_progress is not None:
                    on_progress(job["progress"], job["message"] or job["status"])
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_POLL)
        except asyncio.CancelledError:
            await asyncio.shield(self._cancel(job_id))
            raise

    async def _cancel(self, job_id: str) -> None:
        try:
            await self.delete(f"/jobs/{quote(job_id, safe='')}")
        except (RemoteError, UnavailableError):
            return

    async def _request(self, method: str, path: str, **options: Any) -> Any:
        import httpx

        try:
            answer = await self._http.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._gone(error, f"{method} {path}") from error
        if answer.is_success:
            return answer.json() if answer.content else None
        raise RemoteError(_problem(answer))

    def _gone(self, error: Exception, where: str) -> UnavailableError:
        return UnavailableError(
            f"no service answers at {self.url} ({type(error).__name__})",
            where=where,
            remedy="start one with dan-g serve, or leave --url out to work on the home",
        )


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if isinstance(document, dict) and "status" in document:
        return document
    return {
        "type": "about:blank",
        "title": answer.reason_phrase,
        "status": answer.status_code,
        "detail": f"{answer.request.url} answered {answer.status_code}, not as this service does; "
        "is --url the address of a DAN_G Orchestrator?",
    }


def call(
    target: Target,
    work: Callable[[Api], Coroutine[Any, Any, Result]],
    options: dict[str, dict[str, Any]] | None = None,
) -> Result:
    """Connect, do ``work``, disconnect; see :func:`connect`."""

    async def main() -> Result:
        async with connect(target, options) as api:
            return await work(api)

    return asyncio.run(main())


@asynccontextmanager
async def connect(
    target: Target, options: dict[str, dict[str, Any]] | None = None
) -> AsyncIterator[Api]:
    """The service at ``--url``; else the one that owns the home; else the application in process.

    ``options`` are further options of modules, by module, for the application in process only.
    """
    import httpx

    settings = target.settings()
    url = await service_url(target, settings)
    async with AsyncExitStack() as stack:
        if url is None and options:
            settings = settings.with_module_options(options)
        app = None if url else await stack.enter_async_context(_in_process(settings))
        transport = httpx.ASGITransport(app) if app is not None else None
        base = url or "http://localhost"
        client = httpx.AsyncClient(
            base_url=base,
            transport=transport,
            timeout=httpx.Timeout(REQUEST_TIMEOUT, connect=CONNECT_TIMEOUT),
            trust_env=False,
        )
        yield Api(await stack.enter_async_context(client), base, app)


async def service_url(target: Target, settings: Settings) -> str | None:
    """The address of the service that a command works on; null where nobody owns the home.

    Raises:
        ConfigurationError: ``--url`` is no address.
        HomeLockedError: a process without a service owns the home.
    """
    if target.url is None:
        return await _owner_url(settings)
    if not target.url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"{target.url!r} is no address of a service",
            where="--url",
            remedy="give it as http://host:port",
        )
    return target.url.rstrip("/")


def running_service(settings: Settings) -> str | None:
    """The address of the service that owns the home; see :func:`connect`."""
    return asyncio.run(_owner_url(settings))


async def _owner_url(settings: Settings) -> str | None:
    """The address of the service that owns the home; null when nobody owns it.

    Raises:
        HomeLockedError: a process without a service owns it, or one that does not get ready.
    """
    from orchestrator.core.home import Home

    home = Home(settings.home)
    give_up = time.monotonic() + STARTING_PATIENCE
    while (owner := home.service()) is not None:
        if owner.url:
            return owner.url
        if time.monotonic() > give_up:
            raise HomeLockedError(
                f"process {owner.pid} owns this home and serves no requests",
                where=str(home.path),
                remedy="wait for it to end, or use another home with --home",
            )
        await asyncio.sleep(0.2)
    return None


@asynccontextmanager
async def _in_process(settings: Settings) -> AsyncIterator[FastAPI]:
    from orchestrator.api.app import create_app
    from orchestrator.api.logs import configure_logging
    from orchestrator.api.service import open_without_source

    configure_logging(settings.logging.model_copy(update={"level": "error"}))
    # the limit guards a service from its clients; here the command talks to itself
    body = max(settings.service.max_body_mb, IN_PROCESS_BODY_MB)
    service = settings.service.model_copy(update={"max_body_mb": body})
    # Most commands run no operation; one that does waits less for a worker than two cost it.
    coordination = settings.coordination.model_copy(update={"start_workers": "on_demand"})
    settings = settings.model_copy(update={"service": service, "coordination": coordination})
    app = create_app(settings, open_without_source)
    async with app.router.lifespan_context(app):
        yield app
