"""Tools of real servers in processes of their own, as operations of a real service."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import Running, serving, settings_for

from orchestrator.api.service import open_without_source

SERVER = Path(__file__).parents[2] / "modules" / "mounted" / "support" / "tool_server.py"
STDIO_TOOLS = ("forecast", "say-hello", "fail", "sleep", "steps", "order", "flood", "no-such")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def tool_server(port: int) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, str(SERVER), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield
        finally:
            process.kill()


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trace") / "calls"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, trace: Path, port: int) -> Iterator[Running]:
    """A service with a server that it starts itself, one that is down, and one that is no such."""
    command = [sys.executable, str(SERVER)]
    servers = [
        {
            "name": "local",
            "command": command,
            "environment": {"GREETER": "a test", "TRACE": str(trace)},
            "allow": STDIO_TOOLS,
            "timeout": 8.0,
        },
        {
            "name": "remote",
            "url": f"http://127.0.0.1:{port}/mcp",
            "headers": {"authorization": "Bearer secret-word"},
            "allow": ["forecast", "sleep"],
            "timeout": 2.0,
        },
        {"name": "broken", "command": ["/nowhere/at/all"], "allow": ["anything"]},
    ]
    settings = settings_for(
        tmp_path_factory.mktemp("home"),
        mcp={"servers": servers, "allow": ["local.forecast"]},
        decision_engine={"max_retries": 1},
    )
    started = time.monotonic()
    with serving(settings, orchestrator_factory=open_without_source) as running:
        assert time.monotonic() - started < 20
        yield running


def invoke(service: Running, module: str, operation: str, **parameters: Any) -> httpx.Response:
    body = {"operation": operation, "parameters": parameters, "wait": True}
    return service.http.post(f"/invoke/{module}", json=body)


def server_status(service: Running, name: str, *, ok: bool, within: float = 30.0) -> dict[str, Any]:
    end = time.monotonic() + within
    while True:
        found = service.http.get("/status").json()["mcp_servers"][name]
        if found["ok"] is ok:
            return dict(found)
        assert time.monotonic() < end, found
        time.sleep(0.1)


def test_a_tool_is_an_operation_with_the_schema_of_its_server(service: Running) -> None:
    status = server_status(service, "local", ok=True)
    assert status["missing"] == ["no-such"]
    module = service.http.get("/modules/local").json()
    operations = {operation["name"]: operation for operation in module["operations"]}
    assert set(operations) == {name.replace("-", "_") for name in STDIO_TOOLS}
    assert operations["forecast"]["parameters"]["required"] == ["place"]
    # What the other program says of itself is in its schema, not in our words.
    assert "IGNORE" not in operations["forecast"]["summary"]


def test_its_answer_is_data(service: Running) -> None:
    done = invoke(service, "local", "forecast", place="Baku", days=3).json()
    assert done["status"] == "succeeded", done
    assert done["result"]["structured"] == {"place": "Baku", "degrees": 23.0}
    assert "data of that server" in done["result"]["summary"]
    hello = invoke(service, "local", "say_hello").json()
    assert hello["result"]["text"] == ["hello from a test"]


def test_parameters_are_held_against_the_schema_before_anything_is_started(
    service: Running, trace: Path
) -> None:
    server_status(service, "local", ok=True)
    before = trace.read_text() if trace.exists() else ""
    wrong = invoke(service, "local", "forecast", days="many")
    assert wrong.status_code == 422
    assert {error["field"] for error in wrong.json()["errors"]} >= {"days"}
    assert (trace.read_text() if trace.exists() else "") == before


@pytest.mark.parametrize("operation", ["secret", "no_such_tool"])
def test_only_allowed_tools_are_operations(service: Running, operation: str) -> None:
    assert invoke(service, "local", operation).status_code == 404


def test_a_tool_that_fails_is_a_failed_job_with_its_words_quoted(service: Running) -> None:
    failed = invoke(service, "local", "fail").json()
    assert failed["status"] == "failed"
    assert "the satellite is gone" in failed["error"]["detail"]
    assert "\n" not in failed["error"]["detail"]
    missing = invoke(service, "local", "no_such").json()
    assert missing["status"] == "failed"


def test_a_tool_that_takes_too_long_times_out(service: Running) -> None:
    started = time.monotonic()
    late = invoke(service, "local", "sleep", seconds=60).json()
    assert late["status"] == "timed_out"
    assert "within 8 s" in late["error"]["detail"]
    assert time.monotonic() - started < 20


def test_what_may_have_been_done_is_not_repeated_by_itself(service: Running, trace: Path) -> None:
    lost = invoke(service, "local", "order").json()
    assert lost["status"] == "failed"
    assert "may have been done" in lost["error"]["detail"]
    assert trace.read_text().splitlines().count("order") == 1


def test_a_flood_is_cut_off(service: Running) -> None:
    done = invoke(service, "local", "flood").json()
    assert done["status"] == "succeeded", done
    assert sum(map(len, done["result"]["text"])) == 1_000_000
    assert any("cut off" in warning for warning in done["result"]["warnings"])


def test_progress_of_the_other_server_is_the_jobs(service: Running) -> None:
    body = {"operation": "steps", "parameters": {}}
    job = service.http.post("/invoke/local", json=body).json()["job_id"]
    seen = set()
    end = time.monotonic() + 20
    while (state := service.http.get(f"/jobs/{job}").json())["status"] in ("queued", "running"):
        seen.add(state["message"])
        assert time.monotonic() < end
        time.sleep(0.03)
    assert state["status"] == "succeeded"
    assert any("step" in message for message in seen)


def test_a_server_that_is_down_is_told_and_comes_back_by_itself(
    service: Running, port: int
) -> None:
    down = server_status(service, "remote", ok=False)
    assert "gives no answer" in down["problem"]
    assert "secret-word" not in str(down)
    refused = invoke(service, "remote", "forecast", place="Baku").json()
    assert refused["status"] == "failed"
    assert refused["error"]["type"] == "urn:dan-g:problem:unavailable"
    assert refused["error"]["retryable"] is True
    with tool_server(port):
        end = time.monotonic() + 30
        while (done := invoke(service, "remote", "forecast", place="Baku").json())[
            "status"
        ] != "succeeded":
            assert time.monotonic() < end, done
            time.sleep(0.2)
        assert done["result"]["structured"]["place"] == "Baku"
        late = invoke(service, "remote", "sleep", seconds=30).json()
        assert late["status"] == "timed_out"
    gone = invoke(service, "remote", "forecast", place="Baku").json()
    assert gone["error"]["type"] == "urn:dan-g:problem:unavailable"


def test_a_program_that_is_not_there_is_told(service: Running) -> None:
    assert server_status(service, "broken", ok=False)["problem"]
    failed = invoke(service, "broken", "anything").json()
    assert failed["error"]["type"] == "urn:dan-g:problem:unavailable"
    assert "/nowhere/at/all" in failed["error"]["detail"]
    assert service.http.get("/healthz").status_code == 200


async def test_it_is_a_tool_of_ours_only_where_it_is_granted(service: Running) -> None:
    from mcp import Client

    server_status(service, "local", ok=True)
    async with Client(f"{service.url}/mcp") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {name for name in tools if name.startswith("local")} == {"local_forecast"}
        assert tools["local_forecast"].annotations.open_world_hint is True  # type: ignore[union-attr]
        assert tools["local_forecast"].input_schema["required"] == ["place"]
        done = await client.call_tool("local_forecast", {"place": "Oslo"})
    assert done.structured_content["structured"] == {"place": "Oslo", "degrees": 21.0}


def test_schemas_are_known_at_the_next_start_though_the_server_is_down(tmp_path: Path) -> None:
    # a service of its own, so it comes last: a process has one at a time
    from orchestrator.mcp_settings import McpServerSettings
    from orchestrator.modules.mounted.keeper import ToolKeeper
    from orchestrator.modules.mounted.modules import mounted_modules

    server = McpServerSettings(
        name="local", command=(sys.executable, str(SERVER)), allow=("forecast",), timeout=30.0
    )
    (first,) = mounted_modules([server], ())
    import asyncio

    async def learn() -> None:
        keeper = ToolKeeper(server, first, tmp_path)
        task = asyncio.create_task(keeper.run())
        while not (tmp_path / "tools.json").exists():
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(learn(), 30))
    down = server.model_copy(update={"command": ("/nowhere",)})
    (second,) = mounted_modules([down], ())

    async def recall() -> None:
        await ToolKeeper(down, second, tmp_path).recall()

    asyncio.run(recall())
    assert second.operations[0].input_model.model_json_schema()["required"] == ["place"]
