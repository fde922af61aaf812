"""What the documents say holds: code runs, files validate, links lead somewhere."""

import json
import re
from pathlib import Path

import pytest
import yaml

from orchestrator.config_file import load_settings
from orchestrator.core.situation import Situation
from orchestrator.modules.analysis.mapping import load_mapping
from orchestrator.modules.analysis.options import MarketOptions
from orchestrator.modules.optimization.planning.trial import trial
from orchestrator.modules.optimization.refinery.loading import validated
from orchestrator.plant.expressions import Expression
from orchestrator.plant.tags import load_plant

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)(?P<target>[^)#\s]+)")
GENERATED = {"reference/api.md", "reference/operations.md", "reference/configuration.md"}


def fences(info: str) -> list[tuple[str, str]]:
    return [
        (
            f"{page.name}:{page.read_text(encoding='utf-8')[: match.start()].count(chr(10)) + 1}",
            body,
        )
        for page in PAGES
        for match in FENCE.finditer(page.read_text(encoding="utf-8"))
        if match["info"].strip() == info and (body := match["body"])
    ]


def each(info: str):
    found = fences(info)
    assert found, f"no ```{info} in the documents"
    return pytest.mark.parametrize("body", [b for _, b in found], ids=[name for name, _ in found])


@each("python")
def test_python_runs(body: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(body, "document", "exec"), {"__name__": "document"})


@each("yaml configuration")
def test_configuration_is_accepted(body: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(body, encoding="utf-8")
    load_settings(path, environment={})


@each("yaml plant")
def test_plant_files_are_accepted_and_their_expressions_parse(body: str, tmp_path: Path) -> None:
    path = tmp_path / "plant.yaml"
    path.write_text(body, encoding="utf-8")
    plant = load_plant(path)
    for kpi in plant.kpis.values():
        assert Expression.parse(kpi.expression).names <= set(plant.tag_names)


@each("yaml market")
def test_mapping_files_are_accepted(body: str, tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(body, encoding="utf-8")
    assert load_mapping(path).files


@each("yaml refinery")
def test_refinery_models_are_usable_and_have_a_plan(body: str) -> None:
    model = validated(yaml.safe_load(body), "document")
    assert model.warnings == ()
    assert trial(model) == []


@each("yaml configuration")
def test_options_of_market_data_are_accepted(body: str) -> None:
    modules = yaml.safe_load(body)["orchestrator"].get("modules", {})
    options = modules.get("analysis", {}).get("options", {})
    read = MarketOptions.of(options)
    assert (read.releases is None) == ("releases" not in options)


@each("json situation")
def test_situations_are_accepted(body: str) -> None:
    assert Situation.model_validate(json.loads(body)).model_extra == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for match in LINK.finditer(page.read_text(encoding="utf-8")):
        target = match["target"]
        if target in GENERATED or target.removeprefix("docs/") in GENERATED:
            continue
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_navigation_names_every_page() -> None:
    def targets(entry) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        values = entry.values() if isinstance(entry, dict) else entry
        return [target for value in values for target in targets(value)]

    named = set(targets(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    present = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert present == {name for name in named if "/" not in name}


def test_every_dependency_has_its_reason() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += extra
    for requirement in wanted:
        name = re.split(r"[\[<>=;~ ]", requirement)[0]
        assert name.lower() in text, f"{name} has no reason in docs/dependencies.md"
