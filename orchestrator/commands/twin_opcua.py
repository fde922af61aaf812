"""``dan-g twin serve --opcua``: the simulated unit behind a real OPC UA server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands.options import HostOption, JsonOption
from orchestrator.commands.output import console, emit
from orchestrator.errors import ConfigurationError, InputError

DEFAULT_PORT = 4840


def serve(
    opcua: Annotated[
        bool, typer.Option("--opcua", help="Serve OPC UA, the one protocol there is.")
    ] = False,
    scenario: Annotated[
        Path | None, typer.Option("--scenario", help="Scenario file or name; else the demo's.")
    ] = None,
    host: HostOption = None,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")
    ] = DEFAULT_PORT,
    speed: Annotated[
        float, typer.Option("--speed", min=0.0, help="Times real time; 0 is as fast as possible.")
    ] = 60.0,
    seed: Annotated[int, typer.Option("--seed", help="Seed of all randomness.")] = 0,
    now: Annotated[
        bool, typer.Option("--now/--scenario-start", help="Begin at the present time.")
    ] = True,
    history: Annotated[
        Path | None,
        typer.Option(
            "--history", help="File of the server's history; else a new one in the folder."
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="Server certificate, PEM or DER.")
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", help="Its private key.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the SIMULATED crude unit by OPC UA, with history; Ctrl-C ends it."""
    if not opcua:
        raise InputError(
            "There is one protocol, and it must be named", remedy="dan-g twin serve --opcua"
        )
    if (certificate is None) != (private_key is None):
        raise ConfigurationError("A certificate and a private key are given together or not at all")
    from orchestrator.plant.opcua.server import SourceServer
    from orchestrator.plant.sources.opcua import require_asyncua
    from orchestrator.plant.twin.source import TwinSource

    require_asyncua()
    start = datetime.now(UTC).replace(second=0, microsecond=0) if now else None
    source = TwinSource(scenario, seed=seed, start=start)
    url = f"opc.tcp://{host or '127.0.0.1'}:{port}"
    server = SourceServer(
        source,
        url,
        history or Path("twin-history.sqlite"),
        speed=speed,
        certificate=certificate,
        private_key=private_key,
    )

    async def served() -> None:
        started = asyncio.Event()
        running = asyncio.ensure_future(server.run(started))
        waiting = asyncio.ensure_future(started.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if started.is_set():
            if as_json:
                emit({"url": url, "tags": len(source.plant.tags), "simulated": True})
            else:
                text = (
                    f"SIMULATED: {len(source.plant.tags)} tags at {url}, {speed:g} times real time"
                )
                console().print(text, markup=False)
        await running

    try:
        asyncio.run(served())
    except KeyboardInterrupt:
        console(stderr=True).print("stopped", markup=False)
