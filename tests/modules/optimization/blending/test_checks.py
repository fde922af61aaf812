"""What is refused, in which words, and what is only told."""

import copy
import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from orchestrator.errors import ConfigurationError, ParameterError
from orchestrator.modules.optimization.blending.blend import run
from orchestrator.modules.optimization.blending.problem import BlendInput


def changed(problem, path, value):
    document = copy.deepcopy(problem)
    place = document
    *parents, last = path.split(".")
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    if isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "field", "words"),
    [
        ("arcs.feed_to_pool.0.feed", "swet", "arcs.feed_to_pool.0.feed", "is 'sweet' meant"),
        (
            "arcs.pool_to_product.1.product",
            "z",
            "arcs.pool_to_product.1.product",
            "there are: x, y",
        ),
        ("products.0.min", 200, "products.0.min", r"min \(200\) is above max \(100\)"),
        ("products.0.quality_min", {"sulphur": 2.6}, "products.0.quality_min.sulphur", "is above"),
        ("products.0.quality_max", {"octane": 90}, "products.0.quality_max.octane", "no feed has"),
        ("feeds.0.quality", {}, "feeds.0.quality", "no 'sulphur', which a limit needs"),
        ("feeds.0.id", "tank", "feeds.0.id", "the name of two parts"),
        ("arcs.feed_to_product.1.product", "x", "arcs.feed_to_product.1", "already an arc"),
        ("feeds.0.minimum_lot", 900, "feeds.0.minimum_lot", r"is above max \(300\)"),
        ("arcs.feed_to_pool.0.min_fraction", 0.7, "arcs.feed_to_pool.1.min_fraction", "sum to 1.4"),
        ("blending", {"sulphur": "no"}, "blending.sulphur", "no blending index; there are"),
        ("blending", {"sulphur": "mass"}, "feeds.0.quality.density", "give the density"),
    ],
)
def test_a_problem_that_means_nothing_is_refused_with_place_and_remedy(
    pooled, blend, path, value, field, words
):
    pooled["feeds"][0]["max"] = 300
    if "min_fraction" in path:
        pooled["arcs"]["feed_to_pool"][1]["min_fraction"] = 0.7
    with pytest.raises(ParameterError, match=words) as caught:
        blend(changed(pooled, path, value))
    assert field in [item["field"] for item in caught.value.context["errors"]]


def test_all_faults_are_told_at_once(pooled, blend):
    pooled["arcs"]["feed_to_pool"][0]["feed"] = "nobody"
    pooled["products"][0] |= {"min": 5, "max": 1}
    with pytest.raises(ParameterError) as caught:
        blend(pooled)
    assert len(caught.value.context["errors"]) == 2


@pytest.mark.parametrize(
    ("kind", "what", "why"),
    [
        ("products", "demand", "no arc leads to product 'z'"),
        ("feeds", "supply", "feed 'z' has no arc"),
    ],
)
def test_what_must_flow_and_has_no_path_makes_the_blend_infeasible(pooled, blend, kind, what, why):
    pooled[kind].append({"id": "z", "min": 5, "price": 1, "quality": {"sulphur": 1}})
    result = blend(pooled)
    assert (result.status, result.infeasibility_proven) == ("infeasible", True)
    assert [(item.limit, item.side) for item in result.conflicts] == [(f"{what} of z", "min")]
    assert result.conflicts[0].relax_by == pytest.approx(5, rel=1e-3)
    assert any(why in text for text in result.warnings)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("feeds.0.price", float("nan")),
        ("feeds.0.price", None),
        ("feeds.0.max", -1),
        ("feeds.0.quality", {"sulphur": float("inf")}),
        ("arcs.feed_to_pool.0.max_fraction", 1.5),
        ("products.0.max_components", 0),
        ("sense", "most"),
        ("feeds.0.lot_size", 0),
        ("feeds.0.price", True),
        ("products.1.price", "15"),
        ("feeds.0.quality", {"sulphur": "3"}),
        ("products.0.quality_max", {"sulphur": True}),
        ("arcs.feed_to_pool.0.max_fraction", True),
        ("products.0.max_components", True),
        ("feeds.0.price", 1e308),
        ("feeds.0.max", 1e30),
    ],
)
def test_a_number_that_is_none_never_reaches_the_solver(pooled, path, value):
    with pytest.raises(ValidationError):
        BlendInput.model_validate(changed(pooled, path, value))


@pytest.mark.parametrize(
    ("part", "known", "written"),
    [
        ("feeds", "quality", "qualty"),
        ("pools", "capacity", "capcity"),
        ("arcs", "feed_to_pool", "feed_pool"),
    ],
)
def test_a_field_that_is_nearly_a_known_one_is_refused(pooled, part, known, written):
    place = pooled[part] if part == "arcs" else pooled[part][0]
    place[written] = place.pop(known, None)
    with pytest.raises(ValidationError, match=f"is '{known}' meant"):
        BlendInput.model_validate(pooled)


def test_what_was_not_read_is_told_and_what_describes_is_not(pooled, blend):
    pooled["source"] = {"primary": "a paper"}
    pooled["remarks"] = []
    pooled["feeds"][0]["colour"] = "black"
    pooled["feeds"][0]["wax"] = 3
    warnings = blend(pooled).warnings
    assert [text for text in warnings if "wax" in text]
    assert not [text for text in warnings if "source" in text or "colour" in text]


def test_parts_that_can_take_no_part_are_told(pooled, blend):
    pooled["feeds"].append({"id": "spare", "price": 1, "quality": {"sulphur": 0}})
    pooled["pools"].append({"id": "empty"})
    result = blend(pooled)
    assert result.objective == pytest.approx(-400)
    assert any("'spare' has no arc" in text for text in result.warnings)
    assert any("into pool 'empty'" in text for text in result.warnings)


def test_without_a_problem_the_configured_one_is_taken(pooled, bare, tmp_path):
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(pooled), encoding="utf-8")
    none = run(BlendInput(), bare)
    assert (none.status, none.objective) == ("no_model", None)
    assert "blend_problem" in none.configure
    configured = replace(bare, settings={"blend_problem": str(path)})
    assert run(BlendInput(), configured).objective == pytest.approx(-400)
    path.write_text(json.dumps(pooled | {"sense": "most"}), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="sense"):
        run(BlendInput(), configured)


@pytest.mark.parametrize("part", ["feeds", "products", "arcs"])
def test_each_part_of_a_problem_is_required(pooled, blend, part):
    pooled[part] = {} if part == "arcs" else []
    with pytest.raises(ParameterError, match=f"{part}: is required"):
        blend(pooled)
