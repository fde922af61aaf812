"""``dan-g mcp`` as a host starts it: a process that speaks on standard input and output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp_types import Implementation

Run = Callable[..., Any]
ROWS = [{"time": f"2026-03-01T00:{n:02d}:00Z", "TI1": 20.0 + n % 3} for n in range(60)]


def host(home: Path, *arguments: str, mode: str = "auto") -> Client:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "orchestrator.cli", "mcp", *arguments],
        env={"DAN_G_HOME": str(home)},
    )
    return Client(server, mode=mode, client_info=Implementation(name="host", version="1"))


async def test_it_works_on_the_home_where_no_service_runs(home: Path, dan_g: Run) -> None:
    async with host(home) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert "etl_validate" in tools
        assert "etl_ingest" not in tools
        done = await client.call_tool("etl_validate", {"data": {"rows": ROWS}})
        assert not done.is_error, done.content
        situation = await client.read_resource("dan-g://situation")
        assert "timestamp" in json.loads(situation.contents[0].text)  # type: ignore[union-attr]
    # the home is free again, and the job is there
    status = dan_g("status", "--json")
    assert status.code == 0, status.err


async def test_it_hands_requests_on_to_the_service_whose_configuration_counts(
    home: Path, start: Run, tmp_path: Path
) -> None:
    wide = tmp_path / "wide.yaml"
    wide.write_text("orchestrator: {mcp: {allow: ['*']}}\n")
    told: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    with start("serve", "--port", "0") as service:
        async with host(home, "--config", str(wide), mode="legacy") as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert "etl_validate" in tools
            assert "etl_ingest" not in tools
            rows = {"data": {"rows": ROWS}}
            done = await client.call_tool("etl_validate", rows, progress_callback=note)
            assert not done.is_error, done.content
            refused = await client.call_tool("etl_ingest", {"text": "time,a\n2026-03-01,1\n"})
            assert refused.structured_content["type"] == "urn:dan-g:problem:not-granted"
            wrong = await client.call_tool("etl_validate", {"data": 3})
            assert wrong.structured_content["status"] == 422
            import httpx

            jobs = httpx.get(f"{service.url}/jobs", trust_env=False).json()["items"]
            assert jobs[0]["origin"] == {"way": "mcp", "client": "host 1"}
            service.end()
            gone = await client.call_tool("etl_validate", rows)
            assert gone.is_error
            assert gone.structured_content["type"] == "urn:dan-g:problem:unavailable"
            assert gone.structured_content["retryable"] is True
    assert told == sorted(told)


def test_a_wrong_address_is_told_before_anything_is_served(dan_g: Run) -> None:
    wrong = dan_g("mcp", "--url", "nowhere")
    assert wrong.code == 2
    assert "http://host:port" in wrong.err
    assert wrong.out == ""


def test_secrets_of_servers_are_masked(dan_g: Run, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "orchestrator:\n"
        "  mcp:\n"
        "    servers:\n"
        "      - {name: a, url: 'http://h/mcp', headers: {authorization: hush-hush}, allow: [t]}\n"
        "      - {name: b, command: [x], environment: {KEY: hush-hush}, allow: [t]}\n"
        "  knowledge:\n"
        "    embeddings: {base_url: 'http://h/v1', model: m, api_key: hush-hush}\n"
    )
    shown = dan_g("config", "show", "--config", site, "--json")
    assert shown.code == 0, shown.err
    assert "hush-hush" not in shown.out + shown.err
    checked = dan_g("config", "check", site)
    assert checked.code == 0, checked.err
    assert "a (" in dan_g("doctor", "--config", site).out
