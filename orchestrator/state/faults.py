"""What a database's own errors mean to the orchestrator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy import exc

from orchestrator.errors import DanGError, DatabaseUnavailableError

# SQLSTATE classes: connection, authorization, transaction rollback, resources, operator, system;
# then: unknown database, read-only transaction.
_GONE_STATES = ("08", "28", "40", "53", "57", "58", "3D000", "25006")
_WAIT = "it is retried by itself; see that the server runs and can be reached"


def unavailable(what: str, address: str, remedy: str = _WAIT) -> DatabaseUnavailableError:
    """The error of a database that cannot do its work now; ``address`` holds no password."""
    return DatabaseUnavailableError(
        what,
        where=f"state database {address}",
        why="nothing new is accepted while it cannot be stored",
        remedy=remedy,
    )


def collision(error: exc.IntegrityError) -> Literal["duplicate", "missing_parent", "other"]:
    """What an integrity error says: the row is there already, or what it belongs to is not."""
    state = getattr(error.orig, "sqlstate", None)
    name = getattr(error.orig, "sqlite_errorname", "")
    if state == "23505" or name in {"SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"}:
        return "duplicate"
    if state == "23503" or name == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return "missing_parent"
    return "other"


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn an unreachable, locked, full or unprepared database into `DatabaseUnavailableError`.

    Integrity errors pass, for the repositories know what they mean.
    """
    try:
        yield
    except (DanGError, exc.IntegrityError):
        raise
    except exc.TimeoutError as error:
        raise unavailable("all connections are in use", address) from error
    except exc.StatementError as error:
        if isinstance(error.orig, DanGError):
            raise error.orig from None
        fault = _fault(error, address)
        if fault is None:
            raise
        raise fault from error
    except (OSError, TimeoutError) as error:
        reason = str(error) or "it does not answer in time"
        raise unavailable(f"cannot be reached ({reason})", address) from error
    except Exception as error:
        # Before a connection stands, asyncpg's errors come as they are.
        if not type(error).__module__.startswith("asyncpg"):
            raise
        raise unavailable(f"cannot be reached ({error})", address) from error


def _fault(error: exc.StatementError, address: str) -> DatabaseUnavailableError | None:
    reason = str(error.orig).strip().split("\n")[0]
    if ": " in reason and reason.startswith("<class"):
        reason = reason.split(": ", 1)[1]
    state = getattr(error.orig, "sqlstate", None)
    if state == "42P01" or "no such table" in reason:
        return unavailable(reason, address, remedy="migrate it first: dan-g doctor says how")
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return unavailable(f"the connection was lost ({reason})", address)
    if state is not None:
        return unavailable(reason, address) if state.startswith(_GONE_STATES) else None
    if isinstance(error, exc.DataError | exc.ProgrammingError | exc.NotSupportedError):
        return None
    if "is not a database" in reason or "malformed" in reason:
        return unavailable(reason, address, remedy="restore the file from a backup")
    return unavailable(reason, address) if isinstance(error, exc.DBAPIError) else None
