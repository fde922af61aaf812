"""What may be written is never more than the plant file allows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config_file import load_settings
from orchestrator.errors import ConfigurationError, ParameterError
from orchestrator.plant.economic_model import EconomicModel
from orchestrator.plant.envelope import Envelope, Grant, GrantedTag, outer_range
from orchestrator.plant.interlocks import compile_interlock
from orchestrator.plant.tags import Limits, Plant, Tag, load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.write_rules import persons
from orchestrator.write_settings import Interlock, TagEnvelope, WriteSettings

T0 = datetime(2026, 3, 1, 6, tzinfo=UTC)
OWN = TagEnvelope(
    hard=(560, 620), soft=(580, 610), max_rate=2, max_move=10, max_cumulative=20, tolerance=0.1
)
PLANT = load_plant(PLANT_FILE)
LOW, HIGH = outer_range(PLANT.tag("FC101_SP"), PLANT)


def envelope_of(**tags: TagEnvelope) -> Envelope:
    return Envelope.of(WriteSettings(tags=tags), PLANT)


def test_the_simulated_unit_takes_an_envelope_inside_its_plant_file() -> None:
    assert envelope_of(FC101_SP=OWN).tag("FC101_SP") == OWN
    assert envelope_of(FC101_SP=OWN).tag("TI131") is None


@pytest.mark.parametrize(
    ("tag", "changes", "said"),
    [
        ("FC101_SP", {"hard": (LOW - 1, 620)}, f"below the plant file's {LOW:g} t/h"),
        ("FC101_SP", {"hard": (560, HIGH + 1)}, f"above the plant file's {HIGH:g} t/h"),
        ("FC101_SP", {"max_rate": 2.1}, "max_rate 2.1 is above the plant file's rate_limit 2"),
        ("FC101_SP", {"reads": ("NOPE",)}, "reads names 'NOPE'"),
        ("FC101_SP", {"conflicts": ("NOPE",)}, "conflicts names 'NOPE'"),
        ("TI131", {}, "TI131 is not controllable"),
        ("NOPE", {}, "NOPE is no tag of the plant"),
    ],
)
def test_an_envelope_wider_than_the_plant_file_is_an_error(
    tag: str, changes: dict, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        envelope_of(**{tag: OWN.model_copy(update={"soft": None, **changes})})
    assert said in str(caught.value)
    assert caught.value.where == "plant.write.tags"


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e3, 1e3)), min_size=4, max_size=4),
    st.one_of(st.none(), st.tuples(st.floats(-1e3, 0), st.floats(0.5, 1e3))),
    st.tuples(
        st.one_of(st.none(), st.floats(-1e3, 1e3)), st.one_of(st.none(), st.floats(-1e3, 1e3))
    ),
)
def test_no_accepted_range_goes_beyond_any_limit_of_the_plant_file(
    given_limits: list, normal: tuple | None, bounds: tuple
) -> None:
    ordered = sorted({n for n in given_limits if n is not None})
    limits = dict(zip(("low_low", "low", "high", "high_high"), ordered, strict=False))
    tag = Tag(name="X", controllable=True, normal=normal, limits=Limits(**limits))
    plant = Plant(tags=(tag,), economics=EconomicModel(handles={"X": bounds}, objective="X"))
    low, high = outer_range(tag, plant)
    lows = [limits.get("low_low"), limits.get("low"), bounds[0]]
    highs = [limits.get("high"), limits.get("high_high"), bounds[1]]
    assert all(low >= n for n in lows if n is not None)
    assert all(high <= n for n in highs if n is not None)
    if normal is not None and not any(name in limits for name in ("low_low", "low")):
        assert low >= normal[0]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("hard", (620, 560), "low < high"),
        ("hard", (560, float("inf")), "finite"),
        ("soft", (550, 610), "inside hard"),
        ("max_rate", 0, "greater than 0"),
        ("max_rate", float("inf"), "finite"),
        ("min_interval", float("inf"), "finite"),
        ("readback_timeout", float("nan"), "finite"),
        ("tolerance", -1, "greater than 0"),
    ],
)
def test_settings_that_make_no_envelope_are_refused(field: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TagEnvelope(**{**OWN.model_dump(), field: value})


GRANT = Grant(
    "g1",
    "Shift supervisor",
    T0,
    T0 + timedelta(hours=8),
    {"FC101_SP": GrantedTag(590, 605, 1, 5)},
    max_moves=10,
)


def test_a_grant_inside_the_soft_limits_is_accepted() -> None:
    envelope_of(FC101_SP=OWN).check_grant(GRANT)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"granted_by": " "}, "name of who gives it"),
        ({"ends": T0}, "ends after it starts"),
        ({"max_moves": 0}, "at least one move"),
        ({"tags": {}}, "names tags"),
        ({"tags": {"TC130_SP": GrantedTag(360, 365, 1, 1)}}, "not on the write list"),
        ({"tags": {"FC101_SP": GrantedTag(579, 605, 1, 5)}}, "low = 579"),
        ({"tags": {"FC101_SP": GrantedTag(590, 611, 1, 5)}}, "high = 611"),
        ({"tags": {"FC101_SP": GrantedTag(605, 590, 1, 5)}}, "high = 590"),
        ({"tags": {"FC101_SP": GrantedTag(590, 605, 2.5, 5)}}, "max_rate = 2.5"),
        ({"tags": {"FC101_SP": GrantedTag(590, 605, 1, 11)}}, "max_move = 11"),
        ({"tags": {"FC101_SP": GrantedTag(590, float("nan"), 1, 5)}}, "high = nan"),
    ],
)
def test_a_grant_that_is_wider_or_of_nobody_is_refused(changes: dict, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        envelope_of(FC101_SP=OWN).check_grant(replace(GRANT, **changes))


def test_no_grant_covers_a_tag_that_needs_two_persons() -> None:
    envelope = envelope_of(FC101_SP=OWN.model_copy(update={"two_person": True}))
    with pytest.raises(ParameterError, match="two persons"):
        envelope.check_grant(GRANT)


def test_a_grant_is_void_outside_its_time_and_when_it_is_taken_back() -> None:
    hour = timedelta(hours=1)
    assert [GRANT.valid_at(T0 + n * hour) for n in (-1, 0, 7, 8)] == [False, True, True, False]
    assert not replace(GRANT, revoked_at=T0 + hour).valid_at(T0 + hour)


class TestInterlocks:
    KNOWN = frozenset({"TI131", "11FI001.PV"})

    def compiled(self, when: str):
        return compile_interlock(Interlock(name="skin", when=when), self.KNOWN)

    def test_it_holds_or_not_by_the_values(self) -> None:
        skin = self.compiled("TI131 < 540.0 && `11FI001.PV` > 2.0")
        assert skin.tags == {"TI131", "11FI001.PV"}
        assert skin.holds({"TI131": 530.0, "11FI001.PV": 3.0}) is True
        assert skin.holds({"TI131": 541.0, "11FI001.PV": 3.0}) is False

    @pytest.mark.parametrize("flow", [None, float("nan"), float("inf")])
    def test_a_value_that_is_not_there_leaves_it_unknown_also_where_the_rest_decides(
        self, flow: float | None
    ) -> None:
        either = self.compiled("TI131 < 540.0 || `11FI001.PV` > 2.0")
        values = {"TI131": 530.0} | ({} if flow is None else {"11FI001.PV": flow})
        assert either.holds(values) is None

    @pytest.mark.parametrize(
        ("when", "said"),
        [
            ("TI131 <", "is not a condition"),
            ("TI999 < 540.0", "'TI999', which is no tag"),
            ("1 < 2", "reads no tag"),
            ("TI131 + 1.0", "is not true or false"),
            ("TI131 + 1 < 540.0", "cannot be evaluated"),
        ],
    )
    def test_what_is_no_condition_over_tags_is_an_error(self, when: str, said: str) -> None:
        with pytest.raises(ConfigurationError, match=said):
            self.compiled(when)

    def test_one_that_guards_a_tag_off_the_write_list_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="not on the write list"):
            WriteSettings(interlocks=(Interlock(name="x", when="TI131 < 1.0", tags=("FC101_SP",)),))


def test_the_section_is_read_from_a_file(tmp_path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "orchestrator: {plant: {write: {tags: {FC101_SP: {hard: [560, 620], max_rate: 2, max_move: 10,"
        " max_cumulative: 20, tolerance: 0.1}}}}}"
    )
    settings = load_settings(path, environment={})
    assert settings.plant.write.tags["FC101_SP"].usual == (560, 620)
    assert not settings.plant.write_enabled


@pytest.mark.parametrize("field", ["max_age", "clock_tolerance", "permit_seconds", "call_timeout"])
def test_a_time_without_end_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        WriteSettings.model_validate({field: float("inf")})


@pytest.mark.parametrize(
    "other",
    ["ann müller", "Ann  Müller ", "ANN MU\u0308LLER", "Ann\u200b Müller", "\uff21nn\tMüller"],
)
def test_one_person_by_another_spelling_is_one_person(other: str) -> None:
    assert len(persons(["Ann Müller", other])) == 1
    assert len(persons(["Ann Müller", other, "Bob"])) == 2


def test_a_name_of_which_nothing_is_seen_is_no_person() -> None:
    assert persons(["\u200b", " \u2060 ", ""]) == frozenset()
