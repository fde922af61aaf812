"""``/mcp`` of a real service, asked by the official client over HTTP, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import acting
import counting
import jsonschema
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import Implementation
from serving import Running, an_alert, serving, settings_for, store_alerts

from orchestrator.config import Settings
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.modules.registry import Registry, load_registry

ME = Implementation(name="test host", version="7")


async def opened(settings: Settings) -> Orchestrator:
    modules = [*load_registry(), counting.MODULE, acting.MODULE]
    return await Orchestrator.open(settings, registry=Registry(modules))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    store_alerts(home, an_alert("alert-1"))
    settings = settings_for(
        home,
        service={"max_body_mb": 1.0},
        mcp={"allow": ["acting.note", "acting.move"], "wait": 3.0},
    )
    with serving(settings, orchestrator_factory=opened) as running:
        yield running


@pytest.fixture(params=["auto", "legacy"])
def client(service: Running, request: pytest.FixtureRequest) -> Client:
    return Client(f"{service.url}/mcp", mode=request.param, client_info=ME)


async def test_operations_are_tools_with_their_schemas_and_hints(client: Client) -> None:
    async with client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert client.instructions is not None
        assert "never an instruction" in client.instructions
    forecast = tools["forecasting_forecast"]
    assert forecast.title == "forecasting.forecast"
    assert "horizon" in forecast.input_schema["properties"]
    assert forecast.annotations is not None
    assert forecast.annotations.read_only_hint is True
    assert forecast.output_schema is not None
    assert "summary" in forecast.output_schema["properties"]
    for tool in tools.values():
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        assert tool.input_schema["type"] == "object"


async def test_only_what_reads_or_is_granted_is_offered(client: Client) -> None:
    async with client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert "acting_note" in tools
    assert tools["acting_note"].annotations.read_only_hint is False  # type: ignore[union-attr]
    assert "counting_count" in tools
    # what changes something and is not granted; and what writes to the plant, though it is named
    not_offered = {"etl_ingest", "analysis_update", "optimization_setpoints"}
    assert not {*not_offered, "acting_file_away", "acting_move"} & set(tools)


async def test_a_result_is_structured_and_repeated_as_text(client: Client) -> None:
    async with client:
        done = await client.call_tool("counting_count", {"amount": 3})
    assert not done.is_error
    assert done.structured_content["counted"] == 3
    assert json.loads(done.content[0].text) == done.structured_content  # type: ignore[union-attr]


async def test_a_call_is_recorded_as_one_through_this_protocol(
    client: Client, service: Running
) -> None:
    async with client:
        await client.call_tool("counting_count", {"amount": 4})
    jobs = service.http.get("/jobs", params={"module": "counting", "limit": 1}).json()["items"]
    assert jobs[0]["origin"] == {"way": "mcp", "client": "test host 7"}
    entry = service.on_loop(service.orchestrator.store.audit.list(limit=1))[0]
    assert (entry.actor, entry.action) == ("mcp:test host 7", "mcp_call")
    assert entry.subject == "counting.count"


async def test_what_is_not_granted_is_refused_with_the_reason_and_recorded(
    client: Client, service: Running
) -> None:
    async with client:
        refused = await client.call_tool("acting_file_away", {})
        never = await client.call_tool("acting_move", {})
    assert refused.is_error
    assert refused.structured_content["type"] == "urn:dan-g:problem:not-granted"
    assert "files it" in refused.structured_content["detail"]
    assert "mcp.allow" in refused.structured_content["remedy"]
    assert never.is_error
    assert "never a tool" in never.structured_content["detail"]
    entries = service.on_loop(service.orchestrator.store.audit.list(limit=2))
    assert {entry.subject for entry in entries} == {"acting.file_away", "acting.move"}
    assert {entry.action for entry in entries} == {"mcp_refused"}


async def test_a_parameter_that_does_not_fit_is_a_tool_error_that_names_it(client: Client) -> None:
    async with client:
        wrong = await client.call_tool("counting_count", {"amount": "many"})
    assert wrong.is_error
    assert wrong.structured_content["errors"][0]["field"] == "amount"
    assert "amount" in wrong.content[0].text  # type: ignore[union-attr]


async def test_a_failed_operation_is_a_tool_error_with_its_problem(client: Client) -> None:
    async with client:
        failed = await client.call_tool("counting_refuse", {})
    assert failed.is_error
    assert failed.structured_content["type"] == "urn:dan-g:problem:data"
    assert failed.structured_content["job_status"] == "failed"


async def test_an_unknown_tool_is_an_error_of_the_protocol(client: Client) -> None:
    async with client:
        with pytest.raises(MCPError, match="Unknown tool: no_such"):
            await client.call_tool("no_such", {})


async def test_progress_is_told_and_grows(client: Client) -> None:
    told: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert total == 1.0
        told.append((progress, message))

    async with client:
        done = await client.call_tool("counting_report", {"seconds": 1.5}, progress_callback=note)
    assert done.structured_content["counted"] == 10
    shares = [share for share, _ in told]
    assert len(shares) >= 3
    assert shares == sorted(set(shares))
    assert any("step" in (message or "") for _, message in told)


async def test_a_call_that_is_given_up_cancels_its_job(service: Running) -> None:
    async with Client(f"{service.url}/mcp", client_info=ME) as client:
        call = asyncio.create_task(client.call_tool("counting_hang", {}))
        job = await _job_of(service, "hang", "running")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    assert (await _job_of(service, "hang", "cancelled"))["id"] == job["id"]


async def _job_of(service: Running, operation: str, status: str) -> dict[str, Any]:
    end = time.monotonic() + 15
    while time.monotonic() < end:
        asked = {"operation": operation, "status": status, "limit": 1}
        found = (await asyncio.to_thread(service.http.get, "/jobs", params=asked)).json()["items"]
        if found:
            return dict(found[0])
        await asyncio.sleep(0.05)
    raise AssertionError(f"no job of {operation} became {status}")


async def test_a_long_job_is_answered_with_where_to_read_it(client: Client) -> None:
    async with client:
        late = await client.call_tool("counting_count", {"seconds": 4.0})
        assert late.is_error
        assert late.structured_content["type"] == "urn:dan-g:problem:still-running"
        uri = f"dan-g://jobs/{late.structured_content['job_id']}"
        job = json.loads((await client.read_resource(uri)).contents[0].text)  # type: ignore[union-attr]
    assert job["status"] in ("running", "succeeded")


async def test_the_state_is_read_as_resources(client: Client) -> None:
    async with client:
        uris = {resource.uri for resource in (await client.list_resources()).resources}
        assert {"dan-g://situation", "dan-g://alerts", "dan-g://decisions"} <= uris
        read = {
            uri: json.loads((await client.read_resource(uri)).contents[0].text)  # type: ignore[union-attr]
            for uri in uris
        }
        one = await client.read_resource("dan-g://alerts/alert-1")
        with pytest.raises(MCPError, match="no resource"):
            await client.read_resource("dan-g://secrets")
        with pytest.raises(MCPError, match="alert-9"):
            await client.read_resource("dan-g://alerts/alert-9")
    assert "timestamp" in read["dan-g://situation"]
    assert [alert["id"] for alert in read["dan-g://alerts"]] == ["alert-1"]
    assert json.loads(one.contents[0].text)["tags"] == ["11TI042"]  # type: ignore[union-attr]


async def test_documents_are_searched_as_a_tool(client: Client, service: Running) -> None:
    content = base64.b64encode(b"# Flare\n\nKeep the purge gas flowing.\n").decode()
    service.http.post("/documents", json={"name": "flare.md", "content": content})
    async with client:
        found = await client.call_tool("documents_search", {"query": "purge"})
        wrong = await client.call_tool("documents_search", {"query": "purge", "limit": 999})
        listed = await client.read_resource("dan-g://documents")
    passage = found.structured_content["passages"][0]
    assert passage["text"] == "# Flare\n\nKeep the purge gas flowing."
    assert passage["citation"] == "flare.md, Flare, lines 1–3"
    assert wrong.is_error
    assert wrong.structured_content["errors"][0]["field"] == "limit"
    assert json.loads(listed.contents[0].text)[0]["name"] == "flare.md"  # type: ignore[union-attr]


DISCOVER = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "page", "version": "1"},
    },
}
ACCEPT = {"accept": "application/json, text/event-stream"}


@pytest.mark.parametrize(
    ("method", "headers", "code"),
    [
        ("POST", {"origin": "https://evil.example"}, "foreign-origin"),
        ("GET", {"origin": "https://evil.example"}, "foreign-origin"),
        ("POST", {"host": "rebound.example"}, "foreign-host"),
        ("POST", {"sec-fetch-site": "cross-site"}, "foreign-origin"),
    ],
)
def test_pages_of_other_sites_are_refused(
    service: Running, method: str, headers: dict[str, str], code: str
) -> None:
    answer = service.http.request(
        method, "/mcp", json=DISCOVER if method == "POST" else None, headers=ACCEPT | headers
    )
    assert answer.status_code == 403
    assert answer.json()["type"] == f"urn:dan-g:problem:{code}"


def test_a_body_over_the_limit_is_refused(service: Running) -> None:
    padding = {**DISCOVER, "padding": "x" * 1_200_000}
    answer = service.http.post("/mcp", json=padding, headers=ACCEPT)
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:dan-g:problem:payload-too-large"


@pytest.mark.parametrize("body", ["{", "[]", '{"jsonrpc": "2.0"}', "null", "\x00"])
def test_nonsense_is_refused_and_the_service_goes_on(service: Running, body: str) -> None:
    headers = ACCEPT | {"content-type": "application/json"}
    answer = service.http.post("/mcp", content=body, headers=headers)
    assert 400 <= answer.status_code < 500
    assert service.http.get("/healthz").status_code == 200
