"""``dan-g chat``, ``sessions`` and ``summary`` as a person and a script use them."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.commands.options import person
from tests.cli.conftest import COMMAND, environment

Run = Callable[..., Any]


def events(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_pipe_is_a_conversation_and_only_answers_reach_standard_output(
    dan_g: Run, start: Run
) -> None:
    said = dan_g("chat", stdin="hello\n\nwrite 600 to FC101_SP\nhello")  # in its own process
    assert said.code == 4
    greeting, refusal, again = said.out.splitlines()
    assert greeting.startswith("Hello.")
    assert "operator gate" in refusal
    assert again == greeting
    assert said.err == ""
    with start("serve", "--port", "0"):
        listed = dan_g("sessions", "list", "--json").json()["items"]
        assert [item["turns"] for item in listed] == [3]
        shown = dan_g("sessions", "show", listed[0]["id"]).out
        assert "2. > write 600 to FC101_SP" in shown
        assert "[refused]" in shown
        whose = dan_g("sessions", "list", "--user", person(None), "--json").json()["items"]
        assert [item["id"] for item in whose] == [listed[0]["id"]]
        on = dan_g("chat", "are there alerts?", "--json", "--session", listed[0]["id"])
        assert on.code == 0
        kinds = [event["event"] for event in events(on.out)]
        assert kinds[:3] == ["session", "reading", "decision"]
        assert events(on.out)[-1]["turn"] == 4
        words = dan_g("chat", "are there alerts?", "--evidence")
        assert words.out.splitlines()[:2] == ["No alert is open.", "no evidence"]
        failed = dan_g("chat", "is the data good?", "--json")
        assert failed.code == 5  # there is no data
        others = dan_g("chat", "hello", "--session", listed[0]["id"], "--user", "bob", "--json")
        assert others.code == 4
        assert others.problem()["type"].endswith(":conflict")
        assert dan_g("sessions", "delete", listed[0]["id"]).code == 0
        assert dan_g("sessions", "show", listed[0]["id"], "--json").code == 3
        told = dan_g("summary", "shift", "--json").json()
        assert told["complete"] is False
        assert [section["name"] for section in told["sections"]][:2] == ["raised", "standing"]
        assert "Nothing was written to the plant." in dan_g("summary", "day").out


def test_a_line_that_is_too_long_does_not_end_the_others(dan_g: Run) -> None:
    said = dan_g("chat", stdin=f"{'x' * 5000}\nhello")
    assert said.out.startswith("Hello.")
    assert "too long" in said.err
    assert said.code == 5


def test_what_cannot_be_said_is_a_problem_on_standard_error(dan_g: Run) -> None:
    url = ("--url", "http://127.0.0.1:9")
    long = dan_g("chat", "x" * 5000, "--json", *url)
    assert long.code == 2
    assert "too long" in long.problem()["detail"]
    nobody = dan_g("chat", "hello", "--json", *url)
    assert nobody.code == 5
    assert nobody.problem()["type"].endswith(":unavailable")


def test_an_interrupt_ends_it_cleanly_while_it_waits_for_words(home: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "chat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(home),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("hello\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("Hello.")
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        # first its end, then the rest: to close its input would end it too, with 0
        process.wait(timeout=30)
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - begun < 15
    assert process.returncode == 130
    assert "Traceback" not in err
