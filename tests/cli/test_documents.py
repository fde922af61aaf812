"""``dan-g documents`` as a person uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_a_folder_is_added_searched_and_removed(dan_g: Run, tmp_path: Path) -> None:
    folder = tmp_path / "manuals"
    (folder / "units").mkdir(parents=True)
    (folder / "units" / "cdu.md").write_text("# CDU\n\nThe overhead is 11-TI-042.\n")
    (folder / "notes.txt").write_text("Check the reflux drum.\n")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "broken.txt").write_bytes(b"\xff\x00")
    added = dan_g("documents", "add", folder, "--by", "ann", "--json")
    assert added.code == 2
    results = {item["name"]: item for item in added.json()}
    assert set(results) == {"units/cdu.md", "notes.txt", "broken.txt"}
    assert results["units/cdu.md"]["change"] == "added"
    assert "NUL" in results["broken.txt"]["problem"]["detail"]
    found = dan_g("documents", "search", "11TI042", "--json").json()
    assert found["passages"][0]["document"] == "units/cdu.md"
    shown = dan_g("documents", "search", "reflux drum")
    assert "│ Check the reflux drum." in shown.out
    assert "notes.txt, line 1" in shown.out
    listed = dan_g("documents")
    assert "units/cdu.md" in listed.out
    removed = dan_g("documents", "remove", "units/cdu.md", "--json")
    assert [item["name"] for item in removed.json()] == ["units/cdu.md"]
    assert dan_g("documents", "search", "11TI042", "--json").json()["passages"] == []
    missing = dan_g("documents", "remove", "units/cdu.md", "--json")
    assert missing.code == 3
    assert missing.problem()["status"] == 404


def test_what_is_not_there_is_told(dan_g: Run, tmp_path: Path) -> None:
    nowhere = dan_g("documents", "add", tmp_path / "nowhere", "--json")
    assert nowhere.code == 2
    assert "no such file" in nowhere.problem()["detail"]
    (tmp_path / "empty").mkdir()
    assert "holds no file" in dan_g("documents", "add", tmp_path / "empty").err
    assert dan_g("documents", "search", "* -", "--json").problem()["status"] == 422
