"""Alembic's revisions, run from code on a connection that the caller owns; no ``alembic.ini``."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration; ``connection`` is what ``env.py`` runs the revisions on."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def known_revisions() -> list[str]:
    """Revisions of this program, newest first."""
    script = ScriptDirectory.from_config(configuration())
    return [revision.revision for revision in script.walk_revisions()]


def upgrade(connection: Connection) -> None:
    """Run the missing revisions inside the caller's transaction."""
    command.upgrade(configuration(connection), "head")
