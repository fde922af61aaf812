"""The home: one owner, who says where it can be reached."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.core.home import Home, ServiceInfo
from orchestrator.errors import ConfigurationError, HomeLockedError

HOLD = """
import sys
from pathlib import Path
from orchestrator.core.home import Home
home = Home.take(Path(sys.argv[1]))
home.announce("http://127.0.0.1:8000")
print("held", flush=True)
sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that owns the home until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_folders_are_made(tmp_path: Path) -> None:
    home = Home(tmp_path / "new" / "home")
    assert all(folder.is_dir() for folder in (home.exchange, home.models, home.jobs))
    assert home.state.parent == home.workflows.parent == home.historian.parent == home.path
    assert not home.owned


def test_a_second_process_is_refused_and_told_who_owns_it(tmp_path: Path) -> None:
    with hold(tmp_path) as other:
        with pytest.raises(HomeLockedError) as raised:
            Home.take(tmp_path)
        assert f"process {other.pid} owns this home" in str(raised.value)
        assert "http://127.0.0.1:8000" in str(raised.value)
        assert raised.value.context == {"pid": other.pid, "url": "http://127.0.0.1:8000"}
        assert Home(tmp_path).service() == ServiceInfo(other.pid, "http://127.0.0.1:8000")
        other.kill()


def test_the_lock_of_a_killed_owner_is_free_and_its_address_forgotten(tmp_path: Path) -> None:
    with hold(tmp_path) as other:
        other.kill()
        other.wait(10)
    assert (tmp_path / "service.json").exists()
    assert Home(tmp_path).service() is None
    home = Home.take(tmp_path)
    assert home.service() == ServiceInfo(os.getpid(), None)
    home.release()


def test_a_second_owner_in_one_process_is_refused(tmp_path: Path) -> None:
    home = Home.take(tmp_path)
    with pytest.raises(HomeLockedError, match=str(os.getpid())):
        Home.take(tmp_path)
    home.release()
    assert not home.owned
    assert not (tmp_path / "service.json").exists()
    Home.take(tmp_path).release()


def test_only_the_owner_announces(tmp_path: Path) -> None:
    with pytest.raises(HomeLockedError):
        Home(tmp_path).announce("http://127.0.0.1:1")


def test_a_home_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="DAN_G_HOME"):
        Home(tmp_path / "file" / "home")


def test_an_unreadable_service_file_does_not_hide_the_lock(tmp_path: Path) -> None:
    home = Home.take(tmp_path)
    (tmp_path / "service.json").write_text("{")
    assert home.service() is None
    with pytest.raises(HomeLockedError, match="another process owns"):
        Home.take(tmp_path)
    home.release()
