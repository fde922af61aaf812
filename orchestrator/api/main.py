"""The service as a program: ``python orchestrator/api/main.py --config production.yaml``."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __package__ in (None, ""):
    # Run as a file: import the package that this file is in, not its own folder's names.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import structlog

from orchestrator.config import Settings
from orchestrator.config_file import load_settings
from orchestrator.errors import ConfigurationError, DanGError
from orchestrator.threads import use_one_for_linear_algebra

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

log = structlog.get_logger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""Longest time that the thread which commits waits for the busy event loop to let it go on."""
LONGEST_SHUTDOWN = 9.0
STOP_SIGNAL = signal.SIGUSR1
"""Stops all writing to the plant, where no request gets through."""
BACKLOG = 2048
OnReady = Callable[["FastAPI", str], None]


def bind(host: str, port: int) -> socket.socket:
    """A listening address taken before anything else is opened.

    Raises:
        ConfigurationError: it is taken, or this machine has no such address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationError(
            f"{host!r} is no address of this machine ({error.strerror or error})",
            where="service.host",
            remedy="use 127.0.0.1 for this machine only, or 0.0.0.0 for all its networks",
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            where="service.port",
            remedy="stop the process that listens there, or choose another port with --port "
            "(0 takes any free one)",
            context={"host": host, "port": port},
        ) from error
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> str:
    """The URL of a listening socket, as this machine reaches it."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104  compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(settings: Settings, *, on_ready: OnReady | None = None) -> int:
    """Serve until SIGINT or SIGTERM, and run the live loop when a source is configured.

    Args:
        settings: The configuration.
        on_ready: Called with the application and its address once it accepts requests.

    Returns:
        The exit code, 0 after a signal.

    Raises:
        ConfigurationError: the address is taken.
        DanGError: whatever stops the orchestrator from opening.
    """
    from orchestrator.api.app import create_app
    from orchestrator.api.service import Service

    with bind(settings.service.host, settings.service.port) as listener:
        url = address_of(listener)
        app = create_app(settings, run_loop=True, service=Service(url))
        server = _make_server(app, settings)
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(_serve(server, app, listener, url, on_ready))
    return 0


async def _serve(
    server: uvicorn.Server,
    app: FastAPI,
    listener: socket.socket,
    url: str,
    on_ready: OnReady | None,
) -> None:
    # Signals are taken from the first moment, so that an end during the opening is orderly too.
    with _until_signalled(server, app):
        async with app.router.lifespan_context(app):
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not (server.started or serving.done()):  # noqa: ASYNC110  uvicorn has no event
                await asyncio.sleep(0.01)
            if server.started:
                # What the imports made stays: without this each full collection walks through it,
                # and the requests of that moment wait a tenth of a second.
                gc.collect()
                gc.freeze()
                sys.setswitchinterval(SWITCH_INTERVAL_S)
                log.info("listening", url=url)
                if on_ready is not None:
                    on_ready(app, url)
            await serving
            gc.unfreeze()


def _make_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        """Leaves the signals to :func:`_until_signalled`, so that they end with 0."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app,
        # The lifespan is entered around the server, so that its errors reach the caller as they are.
        lifespan="off",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, int(min(settings.service.shutdown_grace, 5.0))),
        timeout_keep_alive=30,
        backlog=BACKLOG,
    )
    return Server(config)


@contextmanager
def _until_signalled(server: uvicorn.Server, app: FastAPI) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into an orderly end that is over within ten seconds.

    ``STOP_SIGNAL`` stops all writing to the plant and nothing else.
    """
    loop = asyncio.get_running_loop()

    def stop(name: str) -> None:
        if server.should_exit:
            server.force_exit = True
            return
        log.info("ending", signal=name)
        app.state.closing.set()
        server.should_exit = True
        last_resort = threading.Timer(LONGEST_SHUTDOWN, _end_now)
        last_resort.daemon = True
        last_resort.start()

    def stop_writing() -> None:
        orchestrator = getattr(app.state, "orchestrator", None)
        if orchestrator is not None:
            pressed.add(
                asyncio.ensure_future(
                    orchestrator.operator.stop(STOP_SIGNAL.name, "by signal to the process")
                )
            )

    pressed: set[asyncio.Future[Any]] = set()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop, number.name)
    loop.add_signal_handler(STOP_SIGNAL, stop_writing)
    try:
        yield
    finally:
        loop.remove_signal_handler(STOP_SIGNAL)
        for number in signals:
            loop.remove_signal_handler(number)
            # From here to the end of the process a second signal changes nothing.
            signal.signal(number, signal.SIG_IGN)


def _end_now() -> None:
    """Whatever still runs is durable and is resumed at the next start."""
    log.warning("ending without waiting any longer", seconds=LONGEST_SHUTDOWN)
    sys.stdout.flush()
    os._exit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, serve, and return the exit code."""
    from orchestrator.api.logs import configure_logging

    use_one_for_linear_algebra()
    parser = argparse.ArgumentParser(description="Serve the DAN_G Orchestrator over HTTP.")
    parser.add_argument("--config", help="YAML file; a bare name is also looked for in config/")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    given = parser.parse_args(arguments)
    try:
        settings = load_settings(given.config)
        changes: dict[str, Any] = {
            name: value for name in ("host", "port") if (value := getattr(given, name)) is not None
        }
        settings = settings.with_changes(service=changes)
        configure_logging(settings.logging)
        return serve(settings, on_ready=lambda _, url: print_address(url))
    except DanGError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


def print_address(url: str) -> None:
    """Tell a person where the service listens."""
    sys.stdout.write(f"DAN_G Orchestrator listens on {url} (API: {url}/docs, Ctrl-C ends it)\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
