"""``dan-g model``: a person checks, reads and draws a refinery model."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.cli import run
from orchestrator.modules.optimization.refinery.loading import load_model

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "refinery" / "textbook.yaml"


@pytest.fixture
def here(capsys):
    """``here(*arguments)``: one command in this process, which is quicker than one of its own."""

    def command(*arguments):
        code = run([str(item) for item in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err, json=lambda: json.loads(out))

    return command


def written(tmp_path, old, new):
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return file


def test_a_usable_model_is_counted(dan_g):
    done = dan_g("model", "check", EXAMPLE)
    assert done.code == 0
    assert "usable model: 2 crudes" in " ".join(done.out.split())
    assert dan_g("model", "check", EXAMPLE, "--json").json()["warnings"] == []


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("max: 60}", "max: sixty}", "crudes.light.max", "must be a number"),
        (
            "components: [gas_oil",
            "components: [gasoil",
            "products.heating_oil.components",
            "gas_oil",
        ),
        ("min: 8", "min: 80", "products.heating_oil.min", "cannot all be met"),
        ("price: 98000\n    max: 40", "price: 98000", None, None),
        ("max: 3.0", "max: 3.0 bbl", "products.fuel_oil.specs.sulphur.max", "number alone"),
    ],
)
def test_a_wrong_model_is_refused_at_its_place(here, tmp_path, old, new, field, words):
    done = here("model", "check", written(tmp_path, old, new), "--json")
    if field is None:
        assert done.code == 0
        return
    assert done.code == 2
    (error,) = json.loads(done.err)["errors"][:1]
    assert error["field"] == field
    assert words in error["message"]


def test_a_margin_without_end_is_refused_with_the_number_that_is_missing(here, tmp_path):
    text = "crudes: {oil: {price: 10}}\nproducts: {fuel: {price: 20, components: [oil]}}\n"
    file = tmp_path / "open.yaml"
    file.write_text(text)
    done = here("model", "check", file)
    assert done.code == 2
    assert "Give crudes.oil.max or products.fuel.max" in " ".join(done.err.split())


def test_a_discount_without_end_is_refused_where_it_stands(here, tmp_path):
    tiers = "tiers: [{price: 71000, max: 20}, {price: 60000}]}"
    file = written(tmp_path, "price: 71000, max: 60}", tiers)
    done = here("model", "check", file, "--json")
    assert done.code == 2
    (error,) = json.loads(done.err)["errors"]
    assert error["field"] == "crudes.light.tiers.1.max"


def test_warnings_do_not_stop_it(here, tmp_path):
    file = written(tmp_path, "residue: 0.27", "residue: 0.27, slop: 0.01")
    done = here("model", "check", file)
    assert done.code == 0
    assert "'slop'" in done.out


def test_a_file_that_is_not_there_is_told(here, tmp_path):
    done = here("model", "show", tmp_path / "none.yaml", "--json")
    assert done.code == 2
    assert "none.yaml" in json.loads(done.err)["detail"]


def test_it_is_shown_as_tables_and_as_json(here):
    shown = here("model", "show", EXAMPLE)
    assert shown.code == 0
    for words in ("Processes", "Products", "reformate 0.86", "octane ≥ 91"):
        assert words in shown.out
    again = here("model", "show", EXAMPLE, "--json").json()
    assert again["crudes"]["light"]["price"] == 71000


@pytest.mark.parametrize("name", ["textbook", "topping", "conversion"])
def test_what_is_shown_as_json_is_the_same_model(here, tmp_path, name):
    file = EXAMPLE.with_stem(name)
    again = tmp_path / "again.json"
    again.write_text(here("model", "show", file, "--json").out)
    assert load_model(again) == load_model(file)


def test_it_is_drawn_in_every_format(here, tmp_path):
    text = here("model", "graph", EXAMPLE).out
    assert "naphtha → [reformer] → reformate" in text
    assert here("model", "graph", EXAMPLE, "-f", "mermaid").out.startswith("flowchart LR")
    assert here("model", "graph", EXAMPLE, "-f", "dot").out.startswith("digraph")
    graph = json.loads(here("model", "graph", EXAMPLE, "-f", "json").out)
    ids = {node["id"] for node in graph["nodes"]}
    assert {"units.cracker", "products.gasoline", "crudes.light"} <= ids
    assert all(edge["source"] in ids and edge["target"] in ids for edge in graph["edges"])
    out = tmp_path / "sheet.html"
    here("model", "graph", EXAMPLE, "-f", "html", "-o", out)
    page = out.read_text(encoding="utf-8")
    assert page.count("<rect") == len(graph["nodes"])
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_plan_is_printed_as_tables_or_as_json(here):
    shown = here("model", "plan", EXAMPLE)
    assert shown.code == 0
    for words in ("Margin", "gasoline", "What holds it back", "units.reformer.capacity"):
        assert words in shown.out
    result = here("model", "plan", EXAMPLE, "--json").json()
    assert result["status"] == "optimal"
    assert result["periods"][0]["qualities"]["gasoline"]["octane"]["min"] == 91


def test_a_price_that_follows_a_tag_cannot_be_planned_without_its_data(here, tmp_path):
    done = here(
        "model", "plan", written(tmp_path, "price: 71000", "price: PR_CRUDE * 1000"), "--json"
    )
    assert done.code == 2
    assert "PR_CRUDE" in json.loads(done.err)["detail"]
