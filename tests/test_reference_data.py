"""Tests that need the data beside the repository are skipped without it, and the run says so."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
SKIPPING = """
import pytest

@pytest.mark.parametrize("n", range(3))
def test_of_the_data(n):
    pytest.skip("reference data is absent: nowhere")

def test_of_something_else():
    pytest.skip("needs another platform")
"""


def test_the_run_says_how_many_tests_the_missing_data_cost(tmp_path: Path) -> None:
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    for workers in ("0", "2"):
        options = ["-q", "-n", workers, "-p", "no:cacheprovider", "-c", "/dev/null"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, "--rootdir", tmp_path, tmp_path],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "3 tests were skipped because reference data is absent" in done.stdout
