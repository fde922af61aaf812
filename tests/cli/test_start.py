"""The command starts fast: what it does not need, it does not import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

HEAVY = (
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "fastapi",
    "sqlalchemy",
    "dbos",
    "duckdb",
)
REPORT = (
    "import sys; from orchestrator.cli import run; run(sys.argv[1:]); "
    f"print('IMPORTED', [m for m in {HEAVY!r} if m in sys.modules])"
)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("invoke", "--help"),
        ("decisions", "list", "--help"),
        ("config", "show"),
        ("mode", "set", "holiday"),
    ],
)
def test_no_scientific_library_and_no_server_is_imported(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", REPORT, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.rstrip().endswith("IMPORTED []"), done.stdout[-300:]


def test_every_command_says_what_it_does(dan_g: Callable[..., object]) -> None:
    import typer

    from orchestrator.cli import app

    def walk(command: object, path: str) -> None:
        assert getattr(command, "help", None), f"{path} has no help"
        for name, child in getattr(command, "commands", {}).items():
            walk(child, f"{path} {name}")

    walk(typer.main.get_command(app), "dan-g")


def test_every_command_takes_json_config_and_home() -> None:
    import typer

    from orchestrator.cli import app

    lacking = []

    def walk(command: object, path: str) -> None:
        children = getattr(command, "commands", {})
        for name, child in children.items():
            walk(child, f"{path} {name}")
        if not children:
            options = {o for p in command.params for o in p.opts}  # type: ignore[attr-defined]
            missing = {"--json", "--config", "--home"} - options
            if missing:
                lacking.append((path, sorted(missing)))

    walk(typer.main.get_command(app), "dan-g")
    # A service prints what happens, not a document, and a protocol speaks for itself; a plant file is drafted from data or a
    # server alone; a run of the twin depends on its scenario and seed alone; a refinery model is a
    # file alone, and its graph has a format of its own.
    assert lacking == [
        ("dan-g run", ["--json"]),
        ("dan-g serve", ["--json"]),
        ("dan-g mcp", ["--json"]),
        ("dan-g tags infer", ["--config", "--home"]),
        ("dan-g tags browse", ["--home"]),
        ("dan-g twin serve", ["--config", "--home"]),
        ("dan-g twin run", ["--config", "--home"]),
        ("dan-g twin scenarios", ["--config", "--home"]),
        ("dan-g model check", ["--config", "--home"]),
        ("dan-g model show", ["--config", "--home"]),
        ("dan-g model plan", ["--config", "--home"]),
        ("dan-g model graph", ["--config", "--home", "--json"]),
    ]
