"""Options that every command has, and what they lead to."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from orchestrator.config import Settings

ConfigOption = Annotated[
    str | None,
    typer.Option("--config", "-c", help="YAML file; a bare name is also looked for in config/."),
]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the state; also DAN_G_HOME.", show_default=False),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="A running service; else the one on the home, else none."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON; errors as a problem document on stderr.")
]
HostOption = Annotated[str | None, typer.Option("--host", help="Address to listen on.")]
PortOption = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Port; 0 takes any free one.")
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=200, help="Most items shown.")]
UserOption = Annotated[
    str | None,
    typer.Option(
        "--user", help="Whose conversations, kept apart; the user of this machine if not given."
    ),
]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who does it; the user of this machine if not given.")
]


@dataclass(frozen=True, slots=True)
class Target:
    """What a command works on: a service by address, or a home under a configuration."""

    config: str | None = None
    home: Path | None = None
    url: str | None = None
    json: bool = False

    def settings(self, **sections: dict[str, Any]) -> Settings:
        """The configuration with the command's options applied.

        Raises:
            ConfigurationError: names file, key, value and what is accepted.
        """
        from orchestrator.config_file import load_settings

        settings = load_settings(self.config)
        if self.home is not None:
            sections = {**sections, "state": {"home": self.home}}
        return settings.with_changes(**sections) if sections else settings


def person(by: str | None) -> str:
    """Who acts: as said, or the user of this machine."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def utc_text(time: datetime | None) -> str | None:
    """A time given without a zone, as the service takes it: in UTC."""
    return None if time is None else time.isoformat() + "Z"
