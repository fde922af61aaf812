"""``dan-g run`` and ``dan-g serve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.options import (
    ConfigOption,
    HomeOption,
    HostOption,
    PortOption,
    Target,
)

if TYPE_CHECKING:
    from orchestrator.config import Settings

DEMO_SPEED = 60.0


def run(
    speed: Annotated[
        float | None, typer.Option("--speed", min=0, help="Times real time; 0: no pacing.")
    ] = None,
    host: HostOption = None,
    port: PortOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
) -> None:
    """Serve, and run the loop over the demo's simulated crude unit (or the configured source)."""
    settings = _listening(Target(config, home).settings(), host, port)
    source = settings.plant.source
    if source.kind == "none":
        source = source.model_copy(update={"kind": "twin", "speed": DEMO_SPEED})
    if speed is not None:
        source = source.model_copy(update={"speed": speed})
    settings = settings.with_changes(plant={"source": source})
    if "level" not in settings.logging.model_fields_set:
        # The lines on standard output say what happens; the log is for what goes wrong.
        settings = settings.with_changes(logging={"level": "warning"})
    from orchestrator.commands.live import LivePrinter

    raise typer.Exit(_serve(settings, LivePrinter().start))


def serve(
    host: HostOption = None,
    port: PortOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
) -> None:
    """Serve the HTTP API, and run the loop when the configuration names a source."""
    from orchestrator.api.main import print_address

    settings = _listening(Target(config, home).settings(), host, port)
    raise typer.Exit(_serve(settings, lambda _, url: print_address(url)))


def _listening(settings: Settings, host: str | None, port: int | None) -> Settings:
    changes: dict[str, Any] = {}
    if host is not None:
        changes["host"] = host
    if port is not None:
        changes["port"] = port
    return settings.with_changes(service=changes)


def _serve(settings: Settings, on_ready: Any) -> int:
    from orchestrator.api import main
    from orchestrator.api.logs import configure_logging

    configure_logging(settings.logging)
    return main.serve(settings, on_ready=on_ready)
