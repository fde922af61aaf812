"""``dan-g doctor``: what is installed, reachable, missing, and how to mend it."""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import typer

from orchestrator.commands.options import ConfigOption, HomeOption, JsonOption, Target, UrlOption
from orchestrator.commands.output import console, emit, table
from orchestrator.errors import DanGError

if TYPE_CHECKING:
    from orchestrator.config import Settings

State = Literal["ok", "missing", "problem"]

EXTRAS = {
    "forecasting": (
        "statsforecast",
        "mlforecast",
        "utilsforecast",
        "lightgbm",
        "scikit-learn",
        "pandas",
        "matplotlib",
    ),
    "knowledge": ("pypdf",),
    "mcp": ("mcp",),
    "postgres": ("asyncpg", "psycopg"),
    "redis": ("redis",),
    "twin": ("gymnasium",),
}
LEAST_FREE_GB = 1.0
PROBE_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Something missing is optional; a problem is not."""

    subject: str
    state: State
    details: str
    remedy: str | None = None


def doctor(
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is installed, reachable and missing, and how to mend it; 5 when something is wrong."""
    from orchestrator.api.logs import configure_logging

    target = Target(config, home, url)
    findings = [*_installation()]
    try:
        settings = target.settings()
    except DanGError as error:
        findings.append(_problem("configuration", error))
    else:
        configure_logging(settings.logging.model_copy(update={"level": "error"}))
        findings.append(Finding("configuration", "ok", config or "embedded defaults"))
        findings += [*_policy(settings), *_plant(settings), _home(settings)]
        findings += asyncio.run(_reachable(settings, url))
    healthy = all(finding.state != "problem" for finding in findings)
    if as_json:
        emit({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
    else:
        rows = table("subject", "state", "details", "remedy")
        for finding in findings:
            state = "PROBLEM" if finding.state == "problem" else finding.state
            rows.add_row(finding.subject, state, finding.details, finding.remedy or "")
        console().print(rows)
    if not healthy:
        raise typer.Exit(5)


def _installation() -> Iterator[Finding]:
    from orchestrator import __version__

    details = f"{__version__} on Python {platform.python_version()}, {platform.system()}"
    yield Finding("dan-g", "ok", f"{details}, {sys.prefix}")
    for extra, packages in EXTRAS.items():
        missing = [name for name in packages if not _installed(name)]
        if missing:
            remedy = f"pip install 'dan-g-orchestrator[{extra}]'"
            yield Finding(f"extra {extra}", "missing", ", ".join(missing), remedy)
        else:
            shown = ", ".join(f"{name} {version(name)}" for name in packages[:2])
            yield Finding(f"extra {extra}", "ok", shown)


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _policy(settings: Settings) -> Iterator[Finding]:
    from orchestrator.core.decision_engine import DecisionEngine
    from orchestrator.modules.registry import load_registry

    registry = load_registry(settings.mcp.servers)
    operations = registry.operations.values()
    absent = [op.full_name for op in operations if not find_spec(op.handler.partition(":")[0])]
    if absent:
        remedy = "install the package whole"
        yield Finding("modules", "problem", f"no handler for {', '.join(absent)}", remedy)
    else:
        names = ", ".join(f"{m.name} ({len(m.operations)})" for m in registry)
        yield Finding("modules", "ok", names)
    try:
        engine = DecisionEngine(settings, registry)
    except DanGError as error:
        yield _problem("rules", error)
    else:
        yield Finding("rules", "ok", f"compiled, policy {engine.policy_version}")


def _plant(settings: Settings) -> Iterator[Finding]:
    from orchestrator.core.sources import configured_plant

    source = settings.plant.source
    try:
        plant = configured_plant(settings)
    except DanGError as error:
        yield _problem("plant file", error)
        plant = None
    if plant is not None:
        yield Finding("plant file", "ok", f"{plant.name}: {len(plant.tags)} tags")
    if source.kind == "none":
        remedy = "set plant.source, or try dan-g run for the simulated unit"
        yield Finding("source", "missing", "no source is configured: the loop does not run", remedy)
    elif source.kind == "replay" and (source.path is None or not source.path.is_file()):
        remedy = "set plant.source.path to a CSV or Parquet file"
        yield Finding("source", "problem", f"no file {source.path}", remedy)
    elif source.kind == "opcua":
        yield _opcua(source.url)
    else:
        yield Finding("source", "ok", f"{source.kind} {source.path or '(demo scenario)'}")


def _opcua(url: str | None) -> Finding:
    from importlib.util import find_spec

    if url is None:
        return Finding("source", "problem", "no address", "set plant.source.url to opc.tcp://…")
    if find_spec("asyncua") is None:
        remedy = "pip install 'dan-g-orchestrator[opcua]'"
        return Finding("source", "problem", "the package asyncua is not installed", remedy)
    return Finding("source", "ok", f"opcua {url}")


def _home(settings: Settings) -> Finding:
    from orchestrator.core.home import Home

    try:
        home = Home(settings.home)
    except DanGError as error:
        return _problem("home", error)
    free = shutil.disk_usage(home.path).free / 1e9
    if free < LEAST_FREE_GB:
        details = f"{home.path}: {free:.1f} GB free"
        return Finding("home", "problem", details, "free some space, or move it with --home")
    owner = home.service()
    held = f"owned by process {owner.pid}" if owner else "not in use"
    return Finding("home", "ok", f"{home.path}, {held}, {free:.0f} GB free")


async def _model(settings: Settings) -> list[Finding]:
    from orchestrator.llm.probe import probe
    from orchestrator.llm_settings import HOSTED_MODELS

    why = settings.llm.why_unusable
    if why is not None:
        remedy = (
            "set llm.api_key, and llm.base_url for a server of your own"
            if settings.llm.api_key is None
            else f"set llm.base_url to your own server, or llm.model to {' or '.join(HOSTED_MODELS)}"
        )
        return [Finding("model", "missing", why, remedy)]
    findings = []
    for number, model in enumerate(settings.llm.chain):
        said = await probe(model, PROBE_TIMEOUT)
        subject = "model" if number == 0 else f"model, fallback {number}"
        # Everything works without it, so a model that is away is no problem of the installation.
        findings.append(Finding(subject, "ok" if said.ok else "missing", said.details, said.remedy))
    return findings


async def _reachable(settings: Settings, url: str | None) -> list[Finding]:
    return [
        *await _model(settings),
        await _database(settings),
        await _cache(settings),
        await _service(settings, url),
    ]


async def _database(settings: Settings) -> Finding:
    from orchestrator.core.home import Home
    from orchestrator.state.database import Database

    address = settings.state.database_url
    if address is None:
        file = Home(settings.home).state
        details = "SQLite in the home" if file.exists() else "SQLite in the home, made at first use"
        return Finding("database", "ok", details)
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            database = await Database.open(address.get_secret_value(), settings.home)
            try:
                await database.ping()
            finally:
                await database.close()
    except TimeoutError:
        details = f"no answer within {PROBE_TIMEOUT:g} s"
        return Finding("database", "problem", details, "check state.database_url and the server")
    except DanGError as error:
        return _problem("database", error)
    return Finding("database", "ok", "PostgreSQL answers")


async def _cache(settings: Settings) -> Finding:
    from orchestrator.state.cache import open_cache

    address = settings.state.cache_url
    if address is None:
        return Finding("cache", "ok", "memory")
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            cache = open_cache(address.get_secret_value())
            try:
                answers = await cache.ping()
            finally:
                await cache.close()
    except (DanGError, TimeoutError):
        answers = False
    if answers:
        return Finding("cache", "ok", "Redis answers")
    remedy = "start Redis, or check state.cache_url; the service runs without, slower"
    return Finding("cache", "missing", "Redis does not answer", remedy)


async def _service(settings: Settings, url: str | None) -> Finding:
    import httpx

    from orchestrator.core.home import Home

    if url is None:
        owner = Home(settings.home).service()
        url = owner.url if owner else None
    if url is None:
        return Finding("service", "missing", "none runs on this home", "start it: dan-g serve")
    try:
        async with httpx.AsyncClient(timeout=PROBE_TIMEOUT, trust_env=False) as client:
            answer = await client.get(f"{url.rstrip('/')}/readyz")
            parts = answer.json()["parts"]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
        details = f"{url} does not answer as this service does ({type(error).__name__})"
        return Finding("service", "problem", details, "start it, or give another --url")
    state: State = "ok" if answer.is_success else "problem"
    return Finding("service", state, f"{url}: " + ", ".join(f"{k} {v}" for k, v in parts.items()))


def _problem(subject: str, error: DanGError) -> Finding:
    where = f"{error.where}: " if error.where else ""
    return Finding(subject, "problem", f"{where}{error.what}", error.remedy)
