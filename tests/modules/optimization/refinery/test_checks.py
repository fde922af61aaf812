"""A wrong refinery model is refused at its own place, in the file's words, with a remedy."""

import copy
import json

import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.modules.optimization.refinery.loading import load_model, validated

GOOD = {
    "periods": {"january": 31, "february": 28},
    "crudes": {"light": {"price": 70, "max": 60}, "heavy": {"price": 60, "max": 80}},
    "units": {
        "cdu": {
            "capacity": 100,
            "modes": {
                "max_diesel": {
                    "feeds": {
                        "light": {"yields": {"naphtha": 0.4, "diesel": 0.55}, "cost": 1},
                        "heavy": {"yields": {"naphtha": 0.2, "diesel": 0.7}, "cost": 1},
                    }
                }
            },
            "utilities": {"fuel": 0.1},
        }
    },
    "streams": {
        "naphtha": {"properties": {"octane": 70}},
        "diesel": {"properties": {"sulphur": 0.2}},
    },
    "utilities": {"fuel": {"price": 9}},
    "products": {
        "gasoline": {"price": 100, "components": ["naphtha"], "specs": {"octane": {"min": 60}}},
        "diesel": {"price": 110, "components": ["diesel"], "specs": {"sulphur": {"max": 0.5}}},
    },
}
MODE = "units.cdu.modes.max_diesel"


def changed(path, value, document=GOOD):
    found = copy.deepcopy(document)
    place = found
    *parents, last = path.split("/")
    for part in parents:
        place = place.setdefault(part, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return found


def refusal(document):
    with pytest.raises(ConfigurationError) as caught:
        validated(document, "plan.yaml")
    return caught.value


def test_a_good_model_has_nothing_to_say():
    model = validated(GOOD, "plan.yaml")
    assert model.warnings == ()
    # What was read can be read again, also as JSON.
    assert validated(model.model_dump(), "again") == model
    assert validated(json.loads(model.model_dump_json()), "again") == model


FEEDS = "units/cdu/modes/max_diesel/feeds"
WRONG = {
    f"{FEEDS}/light/yields/naphtha": ("much", f"{MODE}.feeds.light.yields.naphtha", "a number"),
    f"{FEEDS}/light/yeilds": ({}, f"{MODE}.feeds.light.yeilds", "unknown field"),
    f"{FEEDS}/lihgt": ({"yields": {"naphtha": 1}}, f"{MODE}.feeds.lihgt", "did you mean 'light'"),
    f"{FEEDS}/light/yields/hydrogen": (-0.1, f"{MODE}.feeds.light.yields.hydrogen", "nothing supplies"),
    f"{FEEDS}/light/yields": (..., f"{MODE}.feeds.light", "has no yields; give yields"),
    f"{FEEDS}/light/deltas": ({"sulphur": {"naphtha": 0.1}}, f"{MODE}.feeds.light", "base has no"),
    f"{FEEDS}/light/use": (0, f"{MODE}.feeds.light.use", "greater than 0"),
    f"{FEEDS}": ({}, f"{MODE}.feeds", "is empty"),
    "units/cdu/capacity": (-1, "units.cdu.capacity", "at least 0"),
    "units/cdu/minimum": (120, "units.cdu", "minimum (120) is above capacity (100) in january"),
    "units/cdu/feeds": ({"light": {"yields": {}}}, "units.cdu", "each has its own; give one"),
    "units/cdu/modes": (..., "units.cdu", "nothing to run"),
    "units/cdu/maintenance": ({"march": 3}, "units.cdu.maintenance.march", "january, february"),
    "units/cdu/maintenance/february": (29, "units.cdu.maintenance.february", "more than the 28"),
    "units/cdu/utilities/steam": (1, "units.cdu.utilities.steam", "utilities.steam is not in"),
    "units/cdu/startup_cost": (9, "units.cdu", "startup_cost without on_off"),
    "crudes/light/price": (..., "crudes.light", "has no price; give price, or tiers"),
    "crudes/light/tiers": ([{"price": 1}], "crudes.light", "both price and tiers"),
    "crudes/light/min": (70, "crudes.light", "min (70) is above max (60)"),
    "crudes/light/max": ({"january": 3}, "crudes.light.max", "no number for february"),
    "crudes/light.er": ({"price": 3}, "crudes.light.er", "has '.' in its name"),
    "crudes/light@sea": ({"price": 3}, "crudes.light@sea", "has '@' in its name"),
    f"{FEEDS}/light/yields/no.6": (0.1, f"{MODE}.feeds.light.yields.no.6", "has '.' in its name"),
    f"{FEEDS}/light/cost": ("1 EUR/bbl", f"{MODE}.feeds.light.cost", "money_unit is USD"),
    "products/diesel/specs/sulphur/max": ("0.5 %", "products.diesel.specs.sulphur.max", "number alone"),
    "purchases/light": ({"price": 3}, "purchases.light", "is a crude as well"),
    "utilities/fuel/price": (..., "utilities.fuel", "purchase: false"),
    "streams/nafta": ({}, "streams.nafta", "did you mean 'naphtha'"),
    "streams/naphtha/properties": ({}, "streams.naphtha", "has no 'octane'"),
    "products/diesel/specs/sulphur": ({}, "products.diesel.specs.sulphur", "neither min nor max"),
    "products/diesel/specs/sulphur/min": (0.6, "products.diesel.specs.sulphur", "min (0.6) is above"),
    "products/diesel/components": (["gasoil"], "products.diesel.components", "'gasoil' is neither"),
    "products/diesel/components/diesel": ({"min": 1.2}, "products.diesel.components", "above 1"),
    "products/diesel/recipe": ({"diesel": 1}, "products.diesel", "components and recipe"),
    "products/lost": ({"price": 1}, "products.lost", "give components or a recipe"),
    "tanks/store": ({"holds": "oil"}, "tanks.store.holds", "neither a stream nor a product"),
    "tanks/diesel": ({}, "tanks.diesel", "is a stream and a product made of others"),
    "tanks/naphtha": ({"opening": 9, "capacity": 5}, "tanks.naphtha", "opening (9) is above capacity"),
    "tanks/raffinate": (
        {"holds": "naphtha", "heel": 9, "closing": 5},
        "tanks.raffinate",
        "heel (9) is above closing (5)",
    ),
    "pools/mix": ({"mixes": ["tar"]}, "pools.mix.mixes", "'tar' is neither"),
    "limits/share": ({"terms": {"products.jet": 1}, "max": 1}, "limits.share.terms.products.jet", "write"),
    "limits/empty": ({"terms": {"products.diesel": 1}}, "limits.empty", "neither min nor max"),
    "properties/octane": ({"blends": "cubic"}, "properties.octane.blends", "known are: linear"),
    "quantity_unit": ("furlong", "quantity_unit", "neither a volume nor a mass"),
    "periods": (["a", "a"], "periods", "has 'a' twice"),
    "crudes": ({}, "crudes", "nothing can be bought"),
    "products": ({}, "products", "at least 1 item"),
}  # fmt: skip


@pytest.mark.parametrize("path", WRONG)
def test_a_wrong_model_names_the_place_and_the_remedy(path):
    value, place, words = WRONG[path]
    # Lists by name become mappings here, so that a single component can be changed.
    document = changed("products/diesel/components", {"diesel": {}})
    error = refusal(changed(path, value, document))
    found = {item["field"]: item["message"] for item in error.context["errors"]}
    assert place in found, found
    assert words in found[place]
    # What was given is told where it helps, and never as a null that nobody wrote.
    assert "got null" not in str(error)
    assert "plan.yaml" in str(error)


def test_every_wrong_place_is_told_at_once():
    document = changed("crudes/light/max", "x", changed("units/cdu/capacity", -1))
    assert len(refusal(document).context["errors"]) == 2


def test_streams_that_only_feed_each_other_are_refused():
    ring = {
        "feeds": {
            "a": {"yields": {"b": 0.9}},
            "b": {"yields": {"a": 0.9}},
        }
    }
    assert "'a' and 'b' only feed each other" in str(refusal(changed("units/loop", ring)))
    entered = {
        "feeds": {
            "naphtha": {"yields": {"a": 1.0}},
            "a": {"yields": {"b": 0.9}},
            "b": {"yields": {"a": 0.9}},
        }
    }
    assert "reach no product" in str(refusal(changed("units/loop", entered)))
    leaves = changed("products/b", {"price": 1}, changed("units/loop", entered))
    assert validated(leaves, "plan.yaml").warnings == ()


def test_a_stream_without_a_way_out_stops_what_makes_it():
    document = changed("surplus", "forbidden", changed("products/gasoline", ...))
    error = str(refusal(document))
    assert "'naphtha'" in error
    assert "surplus: allowed" in error
    allowed = changed("streams/naphtha/surplus", "allowed", document)
    assert any(
        "is used by nothing" in str(item) for item in validated(allowed, "plan.yaml").warnings
    )


def test_a_product_that_nobody_may_buy_is_told():
    one = validated(changed("products/diesel/max", 0), "plan.yaml")
    assert [str(item) for item in one.warnings] == [
        "products.diesel.max: is 0: none of it can be sold"
    ]
    none = changed("products/gasoline/max", 0, changed("products/diesel/max", 0))
    assert "give a demand" in str(refusal(none))


def test_yields_beyond_reason_are_told():
    document = changed(f"{FEEDS}/light/yields/diesel", 0.95)
    assert "yields 1.35 for each unit of feed" in str(validated(document, "plan.yaml").warnings[0])
    by_mass = changed("quantity_unit", "t", changed(f"{FEEDS}/light/yields/diesel", 0.61))
    assert "more mass than goes in" in str(validated(by_mass, "plan.yaml").warnings[0])


def test_a_mixed_stream_with_two_qualities_needs_one_or_keeping_apart():
    cuts = {
        name: {
            "naphtha": {"yield": 0.3, "properties": {"octane": octane}},
            "diesel": {"yield": 0.6},
        }
        for name, octane in (("light", 70), ("heavy", 60))
    }
    document = {
        "crudes": {name: {"price": 60, "cuts": given} for name, given in cuts.items()},
        "units": {
            "cdu": {"capacity": 9, "feeds": ["light", "heavy"], "cuts": ["naphtha", "diesel"]}
        },
        "products": {
            "gasoline": {"price": 90, "components": ["naphtha"], "specs": {"octane": {"min": 65}}},
            "diesel": {"price": 90},
        },
    }
    error = str(refusal(document))
    assert "'naphtha' has no 'octane'" in error
    assert "segregate" in error
    assert "computed: true" in error
    assert validated(changed("units/cdu/segregate", True, document), "plan.yaml")
    assert validated(
        changed("streams/naphtha", {"properties": {"octane": 66}}, document), "plan.yaml"
    )


def test_a_value_outside_its_index_is_refused():
    document = changed("properties/rvp", {"blends": "rvp"})
    document = changed("streams/naphtha/properties/rvp", -2, document)
    assert "streams.naphtha.properties.rvp: is -2, and the index 'rvp' holds above 0" in str(
        refusal(document)
    )


def test_a_property_by_mass_needs_the_density():
    document = changed("properties/sulphur", {"blends": "mass"})
    assert "'diesel' has no 'density', which sulphur, by mass needs" in str(refusal(document))


@pytest.mark.parametrize("document", ["a text", [1, 2], None, 3])
def test_a_document_without_fields_is_refused(document):
    assert "named fields" in str(refusal(document))


def test_a_file_with_a_key_twice_is_refused(tmp_path):
    file = tmp_path / "plan.json"
    file.write_text('{"crudes": {"a": {"price": 1}, "a": {"price": 2}}, "products": {}}')
    with pytest.raises(ConfigurationError, match='key "a" is given twice'):
        load_model(file)


def test_a_file_may_be_json(tmp_path):
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(GOOD))
    assert load_model(file) == validated(GOOD, "plan.yaml")
