"""Rows of real databases: SQLite, and PostgreSQL where the test machine can start one."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestrator.errors import DatabaseUnavailableError, DataError, ParameterError
from orchestrator.field_errors import field_errors
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl.ingest import run
from orchestrator.modules.etl.models import IngestInput, IngestResult
from orchestrator.plant.tags import Plant


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "plant.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE samples (ts TEXT, tag TEXT, value REAL, quality INTEGER)")
    connection.executemany(
        "INSERT INTO samples VALUES (?, ?, ?, ?)",
        [
            ("2025-01-01 00:00:00", "FI1", 1.5, 192), ("2025-01-01 00:00:00", "TI1", 350.0, 192),
            ("2025-01-01 00:01:00", "FI1", None, 0), ("2025-01-01 00:01:00", "TI1", 351.0, 64),
        ],
    )  # fmt: skip
    connection.commit()
    connection.close()
    return path


def ingest(settings: dict[str, object] | None = None, **sql: object) -> IngestResult:
    context = OperationContext(
        now=datetime(2025, 1, 1, tzinfo=UTC),
        plant=Plant(),
        settings={"local_access": True} if settings is None else settings,
    )
    return run(IngestInput.model_validate({"sql": sql}), context)


def test_a_table_and_a_query_are_read(database):
    url = f"sqlite:///{database}"
    result = ingest(url=url, table="samples")
    assert result.columns["FI1"] == [1.5, None]
    assert result.columns["TI1"] == [350.0, 351.0]
    query = (
        "SELECT ts, value AS TI1 FROM samples WHERE tag = 'TI1' AND ts >= '2025-01-01 00:01:00';"
    )
    assert ingest(url=url, query=query).columns["TI1"] == [351.0]


@pytest.mark.parametrize(
    "query", ["DELETE FROM samples", "SELECT 1; DROP TABLE samples", "PRAGMA journal_mode = delete"]
)
def test_a_statement_that_could_write_is_refused(database, query):
    with pytest.raises(ParameterError, match="one statement that reads"):
        ingest(url=f"sqlite:///{database}", query=query)


def test_the_database_itself_refuses_to_write(database):
    query = "WITH x AS (SELECT 1) INSERT INTO samples SELECT 'now', 'X', 1, 0 FROM x RETURNING ts"
    with pytest.raises((DataError, DatabaseUnavailableError), match=r"readonly|read-only"):
        ingest(url=f"sqlite:///{database}", query=query)
    assert sqlite3.connect(database).execute("SELECT count(*) FROM samples").fetchone() == (4,)


def test_a_query_that_takes_too_long_is_stopped(database):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    started = time.monotonic()
    with pytest.raises(DataError, match=r"longer than 0\.3 s"):
        ingest(url=f"sqlite:///{database}", query=endless, timeout_seconds=0.3)
    assert time.monotonic() - started < 10


def test_a_missing_file_a_missing_table_and_no_rows_are_named(tmp_path, database):
    with pytest.raises(DatabaseUnavailableError, match="cannot be read"):
        ingest(url=f"sqlite:///{tmp_path / 'none.db'}", table="samples")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(DataError, match="no such table: tanks"):
        ingest(url=f"sqlite:///{database}", table="tanks")
    with pytest.raises(DataError, match="gives no row"):
        ingest(url=f"sqlite:///{database}", query="SELECT * FROM samples WHERE tag = 'none'")


@pytest.mark.parametrize(
    "url", ["postgresql://me:s3cret@db/plant", "mysql://db/plant?user=me&password=s3cret"]
)
def test_a_password_is_refused_and_never_shown(url):
    with pytest.raises(ValidationError) as caught:
        IngestInput.model_validate({"sql": {"url": url, "table": "t"}})
    (found,) = field_errors(caught.value.errors(), {"sql": {"url": url, "table": "t"}})
    assert found["field"] == "sql.url"
    assert "must not hold a password" in found["message"]
    assert "s3cret" not in found["message"]


def test_the_password_comes_from_the_environment_and_stays_out_of_the_error(monkeypatch):
    monkeypatch.setenv("PLANT_DB_PASSWORD", "s3cret/with@signs")
    url = "postgresql://me:${PLANT_DB_PASSWORD}@127.0.0.1:1/plant"
    with pytest.raises(DatabaseUnavailableError) as caught:
        ingest(url=url, table="samples")
    assert "s3cret" not in str(caught.value.problem())
    assert "me:***@127.0.0.1:1" in str(caught.value)
    monkeypatch.delenv("PLANT_DB_PASSWORD")
    with pytest.raises(ParameterError, match="PLANT_DB_PASSWORD is not set"):
        ingest(url=url, table="samples")


def test_a_service_reads_only_the_connections_it_is_configured_for(database):
    with pytest.raises(ParameterError, match="may not come with a request"):
        ingest({}, url=f"sqlite:///{database}", table="samples")
    settings = {"connections": {"plant": f"sqlite:///{database}"}}
    assert ingest(settings, connection="plant", table="samples").rows_kept == 2
    with pytest.raises(ParameterError, match=r"no connection 'other'.*there are: plant"):
        ingest(settings, connection="other", table="samples")


def test_a_postgresql_table_is_read_and_cannot_be_written(postgres_url, monkeypatch):
    import sqlalchemy as sa

    url = sa.make_url(postgres_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE tanks (at timestamptz, level numeric(8,3))"))
        connection.execute(sa.text("CREATE SEQUENCE numbers"))
        connection.execute(sa.text("INSERT INTO tanks VALUES ('2025-01-01 01:00+01', 12.345)"))
    engine.dispose()
    plain = url.render_as_string(hide_password=False)
    if url.password:
        monkeypatch.setenv("TEST_DB_PASSWORD", str(url.password))
        plain = url.set(password=None).render_as_string(hide_password=False)
        plain = plain.replace(f"{url.username}@", f"{url.username}:${{TEST_DB_PASSWORD}}@")
    result = ingest(url=plain, table="public.tanks")
    assert result.columns == {"time": ["2025-01-01T00:00:00Z"], "level": [12.345]}
    for query, told in (
        ("WITH x AS (DELETE FROM tanks RETURNING *) SELECT * FROM x", "data-modifying"),
        ("SELECT nextval('numbers')", "read-only transaction"),
    ):
        with pytest.raises((DataError, DatabaseUnavailableError), match=told):
            ingest(url=plain, query=query)
    with pytest.raises(DataError, match="longer than"):
        ingest(url=plain, query="SELECT pg_sleep(20)", timeout_seconds=0.3)
