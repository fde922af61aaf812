"""The safety agent: every reason is given, and nothing that is approved for one thing serves another."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UnsafeError
from orchestrator.modules.optimization.safety import (
    Approval,
    Proposal,
    Rehearsal,
    SteadyRehearsal,
    Step,
    Verdict,
    check,
    digest_of,
    issue_permit,
    ramp,
)
from orchestrator.plant.envelope import Envelope
from orchestrator.plant.samples import Quality
from orchestrator.plant.tags import Plant, Product
from orchestrator.plant.write_facts import ActiveAlert, Facts, PastMove, TagValue
from orchestrator.write_records import Stop
from orchestrator.write_settings import TagEnvelope
from tests.plant.write_world import ENVELOPE, EPOCH, FC1, GRANT, PLANT, SETTINGS, World

REHEARSE = SteadyRehearsal(PLANT)
HOUR = timedelta(hours=1)


def facts(**changes: Any) -> Facts:
    return replace(World().fresh_facts(), **changes)


def proposal(*steps: Step, by: tuple[str, ...] = ("Ann",), **changes: Any) -> Proposal:
    made = Proposal(
        id="r1",
        steps=steps or (Step("FC1", 600.0, 602.0),),
        made_by="optimization.setpoints",
        made_at=EPOCH,
        expires_at=EPOCH + HOUR,
        situation_digest="situation",
        digest="",
    )
    made = replace(made, **changes)
    made = replace(made, digest=digest_of(made))
    return replace(made, approvals=tuple(Approval(name, EPOCH, made.digest) for name in by))


def codes(verdict: Verdict) -> list[str]:
    return [item.code for item in verdict.findings]


def looked_at(what: Proposal, known: Facts | None = None, **options: Any) -> Verdict:
    return check(what, known or facts(), ENVELOPE, rehearse=REHEARSE, **options)


def with_value(
    tag: str, value: float | None, quality: Quality = Quality.GOOD, age: float = 0.0
) -> Facts:
    known = facts()
    at = known.at - timedelta(seconds=age)
    return replace(known, values={**known.values, tag: TagValue(value, quality, at)})


def test_a_small_move_of_a_steady_plant_is_allowed_and_what_was_looked_at_is_said() -> None:
    verdict = looked_at(proposal())
    assert (verdict.outcome, verdict.findings) == ("allowed", ())
    assert {"expiry", "digest", "plant-mode", "interlocks", "rate", "alerts"} <= set(verdict.checks)
    assert verdict.checks[-2] == "rehearsal on the steady-state model of the plant file"
    permit = issue_permit(proposal(), verdict, 0, facts(), ENVELOPE)
    assert (permit.tag, permit.before, permit.value, permit.approvers) == (
        "FC1",
        600.0,
        602.0,
        ("Ann",),
    )
    assert permit.valid_until == EPOCH + timedelta(seconds=SETTINGS.permit_seconds)


@pytest.mark.parametrize(
    ("known", "code"),
    [
        (facts(write_enabled=False), "write-disabled"),
        (facts(stop=Stop("s", "Bob", EPOCH, "flooding")), "stopped"),
        (facts(locked=frozenset({"FC1"})), "tag-locked"),
        (facts(plant_mode="transient"), "plant-mode"),
        (facts(plant_mode=None), "plant-mode"),
        (facts(data_quality=0.84), "data-quality"),
        (facts(data_quality=None), "data-quality"),
        (facts(alerts=None), "alerts-unknown"),
        (facts(situation_digest="other"), "situation-changed"),
        (facts(situation_digest=None), "situation-changed"),
        (facts(at=EPOCH + HOUR), "expired"),
        (facts(at=EPOCH - HOUR), "not-yet-made"),
        (with_value("PI4", 500.0, Quality.BAD), "value-bad"),
        (with_value("PI4", None), "value-missing"),
        (with_value("PI4", 500.0, age=301), "value-stale"),
        (with_value("PI4", 500.0, age=-6), "value-stale"),
        (with_value("TI3", 536.0), "interlock"),
        (with_value("TI3", math.nan), "interlock"),
        (with_value("FC1", 601.0), "moved-since"),
        (facts(moves=(PastMove("FC1", EPOCH - timedelta(seconds=30), 3.0),)), "rate"),
        (facts(moves=(PastMove("FC1", EPOCH - timedelta(seconds=10), 0.1),)), "min-interval"),
        (facts(moves=(PastMove("FC1", EPOCH - timedelta(minutes=59), 13.0),)), "cumulative-move"),
    ],
)
def test_each_fact_that_forbids_it_is_a_veto_with_a_reason_and_a_remedy(
    known: Facts, code: str
) -> None:
    verdict = looked_at(proposal(), known)
    assert verdict.outcome == "vetoed"
    assert code in codes(verdict)
    found = next(item for item in verdict.vetoes if item.code == code)
    assert found.text
    assert found.remedy
    assert found.text in verdict.text
    with pytest.raises(UnsafeError):
        issue_permit(proposal(), verdict, 0, known, ENVELOPE)


@pytest.mark.parametrize(
    "known",
    [
        facts(moves=(PastMove("FC1", EPOCH - timedelta(minutes=60), 13.0),)),
        facts(moves=(PastMove("TC2", EPOCH, 13.0),)),
        facts(moves=(PastMove("FC1", EPOCH - timedelta(seconds=60), 4.0),)),
    ],
)
def test_moves_out_of_the_window_or_of_other_tags_forbid_nothing(known: Facts) -> None:
    assert looked_at(proposal(), known).outcome == "allowed"


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ((Step("FC1", 600.0, 610.0),), "hard-limit"),
        ((Step("FC1", 600.0, 604.1),), "rate"),
        ((Step("FC1", 600.0, 600.0),), "no-change"),
        ((Step("FC1", 600.0, 603.0), Step("FC1", 603.0, 605.0, 0.5)), "rate"),
        ((Step("FC1", 600.0, 601.0), Step("FC1", 601.0, 602.0, 0.2)), "min-interval"),
        ((Step("FC1", 600.0, 604.0), Step("FC1", 604.0, 607.5, 1.1)), "max-move"),
        ((Step("FC1", 600.0, 602.0), Step("FC1", 601.0, 603.0, 1.1)), "broken-chain"),
        ((Step("PI4", 500.0, 501.0),), "not-on-write-list"),
        ((Step("FC1", 600.0, math.nan),), "no-sound-steps"),
        ((Step("FC1", 600.0, 602.0, 5.0), Step("FC1", 602.0, 603.0, 1.0)), "no-sound-steps"),
        ((Step("FC1", 600.0, 602.0, -1.0),), "no-sound-steps"),
    ],
)
def test_each_step_that_is_too_far_or_too_fast_is_named(steps: tuple[Step, ...], code: str) -> None:
    verdict = looked_at(proposal(*steps))
    assert verdict.outcome == "vetoed"
    assert code in codes(verdict)


def test_a_tag_that_the_plant_does_not_have_is_a_veto_too() -> None:
    known = facts(alerts=(ActiveAlert(("PI4", "GONE"), "limit", "critical", "high"),))
    verdict = looked_at(proposal(Step("NOPE", 1.0, 2.0)), known)
    assert {"not-on-write-list", "value-missing"} <= set(codes(verdict))


def test_a_way_there_and_back_adds_up() -> None:
    places = [600.0, 604.0, 600.0, 604.0, 600.0]
    steps = [Step("FC1", a, b, i * 1.1) for i, (a, b) in enumerate(itertools.pairwise(places))]
    verdict = looked_at(proposal(*steps))
    assert [(i.code, i.step, i.value) for i in verdict.vetoes] == [("cumulative-move", 3, 16.0)]


def test_all_reasons_are_given_at_once() -> None:
    known = facts(plant_mode="emergency", data_quality=0.1, write_enabled=False)
    assert {"plant-mode", "data-quality", "write-disabled", "hard-limit", "rate"} <= set(
        codes(looked_at(proposal(Step("FC1", 600.0, 700.0)), known))
    )


class TestApproval:
    def test_nobody_has_approved(self) -> None:
        verdict = looked_at(proposal(by=()))
        assert (verdict.outcome, verdict.approvers_needed) == ("allowed", 1)
        with pytest.raises(UnsafeError, match="0 of 1 approvals"):
            issue_permit(proposal(by=()), verdict, 0, facts(), ENVELOPE)

    @pytest.mark.parametrize(
        ("by", "outcome"),
        [
            (("Ann",), "second_person"),
            (("Ann", " ANN "), "second_person"),
            (("Ann", "Bob"), "allowed"),
        ],
    )
    def test_beyond_the_soft_limits_a_second_person_is_needed(
        self, by: tuple[str, ...], outcome: str
    ) -> None:
        steps = ramp("FC1", 600.0, 605.5, FC1)
        verdict = looked_at(proposal(*steps, by=by))
        assert (verdict.outcome, verdict.approvers_needed) == (outcome, 2)

    def test_a_tag_under_the_rule_of_two_persons_always_needs_them(self) -> None:
        step = Step("TC2", 360.0, 360.5)
        assert looked_at(proposal(step)).outcome == "second_person"
        assert looked_at(proposal(step, by=("Ann", "Bob"))).outcome == "allowed"

    @pytest.mark.parametrize(
        "changes",
        [
            {"steps": (Step("FC1", 600.0, 603.0),)},
            {"situation_digest": "other"},
            {"expires_at": EPOCH + 2 * HOUR},
            {"content": {"worth_usd_per_day": 1e9}},
            {"made_by": "someone else"},
            {"id": "r2"},
        ],
    )
    def test_what_was_changed_after_the_approval_is_vetoed(self, changes: dict[str, Any]) -> None:
        verdict = looked_at(replace(proposal(), **changes))
        assert "content-changed" in codes(verdict)

    def test_an_approval_of_another_content_does_not_count(self) -> None:
        own = proposal(by=())
        other = Approval("Ann", EPOCH, "another digest")
        verdict = looked_at(replace(own, approvals=(other,)))
        assert verdict.approvers == ()
        assert codes(verdict) == ["approval-void"]

    def test_an_approval_of_the_future_does_not_count(self) -> None:
        own = proposal(by=())
        late = Approval("Ann", EPOCH + HOUR, own.digest)
        assert looked_at(replace(own, approvals=(late,))).approvers == ()

    def test_a_verdict_serves_its_own_proposal_only_and_not_for_long(self) -> None:
        verdict = looked_at(proposal())
        with pytest.raises(UnsafeError, match="another content"):
            issue_permit(proposal(id="r2"), verdict, 0, facts(), ENVELOPE)
        later = facts(at=EPOCH + timedelta(seconds=SETTINGS.permit_seconds + 1))
        with pytest.raises(UnsafeError, match="too old"):
            issue_permit(proposal(), verdict, 0, later, ENVELOPE)


class TestGrant:
    def test_it_covers_moves_inside_it(self) -> None:
        own = proposal(by=(), grant_id="g1")
        verdict = looked_at(own, grant=GRANT)
        assert (verdict.outcome, verdict.approvers_needed) == ("allowed", 0)
        assert issue_permit(own, verdict, 0, facts(), ENVELOPE).grant_id == "g1"

    @pytest.mark.parametrize(
        ("steps", "grant", "used", "code"),
        [
            ((Step("FC1", 600.0, 602.0),), None, 0, "grant-void"),
            ((Step("FC1", 600.0, 602.0),), replace(GRANT, ends=EPOCH), 0, "grant-void"),
            ((Step("FC1", 600.0, 602.0),), replace(GRANT, revoked_at=EPOCH), 0, "grant-void"),
            ((Step("TC2", 360.0, 360.5),), GRANT, 0, "grant-void"),
            ((Step("FC1", 600.0, 603.5),), GRANT, 0, "rate"),
            ((Step("FC1", 600.0, 596.0),), GRANT, 0, "grant-limit"),
            ((Step("FC1", 600.0, 602.0),), GRANT, 3, "grant-used-up"),
            ((Step("FC1", 600.0, 602.0, 0), Step("FC1", 602.0, 601.0, 61)), GRANT, 0, "grant-void"),
            (
                (Step("FC1", 600.0, 602.0, 0), Step("FC1", 602.0, 601.0, 2)),
                GRANT,
                2,
                "grant-used-up",
            ),
        ],
    )
    def test_it_is_void_outside(
        self, steps: tuple[Step, ...], grant: Any, used: int, code: str
    ) -> None:
        verdict = looked_at(proposal(*steps, by=(), grant_id="g1"), grant=grant, grant_used=used)
        assert code in codes(verdict)
        assert not verdict.may_be_written

    def test_it_is_not_used_where_a_person_has_approved(self) -> None:
        verdict = looked_at(proposal(Step("FC1", 600.0, 596.0), grant_id="g1"), grant=GRANT)
        assert (verdict.outcome, verdict.approvers_needed) == ("allowed", 1)


class TestAlerts:
    @pytest.mark.parametrize(
        ("alert", "code"),
        [
            (ActiveAlert(("FC1",), "limit", "low"), "alert-on-tag"),
            (ActiveAlert(("PI4",), "limit", "low", "high"), "alert-pushed"),
            (ActiveAlert(("PI4",), "limit", "high", "high"), "alert-in-area"),
            (ActiveAlert(("PI4",), "anomaly", "high"), "alert-touched"),
            (ActiveAlert(("PI4",), "anomaly", None), "alert-touched"),
        ],
    )
    def test_a_move_that_an_alert_speaks_against_is_vetoed(
        self, alert: ActiveAlert, code: str
    ) -> None:
        verdict = looked_at(proposal(), facts(alerts=(alert,)))
        assert code in [item.code for item in verdict.vetoes]

    def test_a_move_that_relieves_an_alert_is_what_is_wanted(self) -> None:
        low = ActiveAlert(("PI4",), "limit", "critical", "low")
        assert looked_at(proposal(), facts(alerts=(low,))).outcome == "allowed"

    def test_an_anomaly_of_little_weight_is_told_and_forbids_nothing(self) -> None:
        verdict = looked_at(proposal(), facts(alerts=(ActiveAlert(("PI4",), "anomaly", "low"),)))
        assert verdict.outcome == "allowed"
        assert codes(verdict) == ["alert-touched"]

    def test_an_explained_alert_is_told_and_holds_what_no_person_answers_for(self) -> None:
        alert = ActiveAlert(("PI4",), "trend", "high", explained="verified moves brought it")
        verdict = looked_at(proposal(), facts(alerts=(alert,)))
        assert (verdict.outcome, codes(verdict)) == ("allowed", ["alert-explained"])
        own = proposal(Step("FC1", 600.0, 602.0), by=(), grant_id="g1")
        granted = looked_at(own, facts(alerts=(alert,)), grant=GRANT)
        assert {"alert-in-area", "alert-touched"} <= {item.code for item in granted.vetoes}

    def test_an_alert_elsewhere_forbids_nothing(self) -> None:
        elsewhere = ActiveAlert(("TC2",), "limit", "critical", "high")
        assert looked_at(proposal(), facts(alerts=(elsewhere,))).outcome == "allowed"

    def test_tags_named_as_conflicts_hold_it_whatever_the_area(self) -> None:
        own = FC1.model_copy(update={"conflicts": ("TC2",)})
        tags = {**SETTINGS.tags, "FC1": own}
        envelope = Envelope.of(SETTINGS.model_copy(update={"tags": tags}), PLANT)
        alert = ActiveAlert(("TC2",), "drift", "low")
        verdict = check(proposal(), facts(alerts=(alert,)), envelope, rehearse=REHEARSE)
        assert codes(verdict) == ["alert-conflict"]


class TestRehearsal:
    def test_without_a_model_it_is_refused_or_told_as_configured(self) -> None:
        refused = check(proposal(), facts(), ENVELOPE)
        assert [item.code for item in refused.vetoes] == ["not-rehearsed"]
        lenient = Envelope.of(SETTINGS.model_copy(update={"without_rehearsal": "warn"}), PLANT)
        told = check(proposal(), facts(), lenient)
        assert (told.outcome, codes(told)) == ("allowed", ["not-rehearsed"])
        assert not any("rehearsal" in item for item in told.checks)

    def test_a_model_that_lacks_a_value_is_no_model(self) -> None:
        known = facts()
        values = {k: v for k, v in known.values.items() if k != "TC2"}
        verdict = looked_at(proposal(), replace(known, values=values))
        assert "not-rehearsed" in codes(verdict)

    def test_a_limit_that_would_be_crossed_is_a_veto(self) -> None:
        near = with_value("TI3", 531.0)
        hot = proposal(Step("TC2", 360.0, 361.0), by=("Ann", "Bob"))
        assert looked_at(hot, with_value("TI3", 520.0)).outcome == "allowed"
        raised = replace(
            near, values={**near.values, "TI3": TagValue(534.9, Quality.GOOD, near.at)}
        )
        steps = tuple(Step("TC2", 360.0 + i, 361.0 + i, 1.1 * i) for i in range(2))
        plant_high = PLANT.model_copy(
            update={
                "economics": PLANT.economics.model_copy(
                    update={"constraints": {"TI3": (None, 536.0)}}
                )
            }
        )
        verdict = check(
            proposal(*steps, by=("Ann", "Bob")),
            raised,
            ENVELOPE,
            rehearse=SteadyRehearsal(plant_high),
        )
        (crossed,) = verdict.vetoes
        assert (crossed.code, crossed.tag, crossed.limit) == ("limit-crossed", "TI3", 536.0)
        assert crossed.value == pytest.approx(537.9)

    def test_a_limit_crossed_on_the_way_only_is_a_veto_too(self) -> None:
        known = with_value("PI4", 897.0)
        steps = (Step("FC1", 600.0, 604.0), Step("FC1", 604.0, 600.5, 1.1))
        verdict = looked_at(proposal(*steps), known)
        (crossed,) = verdict.vetoes
        assert "on the way" in crossed.text
        assert crossed.value == pytest.approx(901.0)

    def test_a_limit_that_is_broken_already_may_be_approached_and_not_left_further(self) -> None:
        known = with_value("PI4", 910.0)
        assert looked_at(proposal(Step("FC1", 600.0, 598.0)), known).outcome == "allowed"
        assert "limit-crossed" in codes(looked_at(proposal(), known))

    def test_a_specification_counts_like_a_limit(self) -> None:
        product = Product(flow="FC1", specifications={"TI3": (None, 520.1)})
        model = SteadyRehearsal(
            Plant.model_validate({**PLANT.model_dump(), "products": {"oil": product}})
        )
        hot = proposal(Step("TC2", 360.0, 361.0), by=("Ann", "Bob"))
        known = with_value("TI3", 519.0)
        verdict = check(hot, known, ENVELOPE, rehearse=model)
        assert [(i.code, i.limit) for i in verdict.vetoes] == [("limit-crossed", 520.1)]

    def test_any_model_can_be_given(self) -> None:
        def never(steps, known):
            return Rehearsal("nothing", (), {})

        assert (
            "rehearsal on the nothing"
            in check(proposal(), facts(), ENVELOPE, rehearse=never).checks
        )


class TestAdvice:
    """A person makes the moves by hand: what only forbids writing is told."""

    def test_without_write_list_the_plant_file_limits_the_advice(self) -> None:
        nothing = Envelope.of(SETTINGS.model_copy(update={"tags": {}, "interlocks": ()}), PLANT)
        known = facts(write_enabled=False)
        verdict = check(proposal(), known, nothing, rehearse=REHEARSE, advice=True)
        assert verdict.outcome == "allowed"
        assert codes(verdict) == ["write-disabled", "not-on-write-list"]
        for value, code in ((701.0, "hard-limit"), (605.1, "rate")):
            vetoed = check(
                proposal(Step("FC1", 600.0, value)), known, nothing, rehearse=REHEARSE, advice=True
            )
            assert code in [item.code for item in vetoed.vetoes]

    def test_an_unsteady_plant_forbids_advice_too(self) -> None:
        verdict = looked_at(proposal(), facts(plant_mode="startup"), advice=True)
        assert verdict.outcome == "vetoed"


def test_the_steps_that_are_made_already_are_not_looked_at_again() -> None:
    steps = ramp("FC1", 600.0, 605.0, FC1)
    own = proposal(*steps)
    first = steps[0].value
    at = EPOCH + timedelta(minutes=1.1)
    known = replace(
        with_value("FC1", first),
        at=at,
        moves=(PastMove("FC1", EPOCH, first - 600.0, "w1"),),
    )
    assert looked_at(own, known).outcome == "vetoed"
    assert looked_at(own, known, done=1).outcome == "allowed"
    with pytest.raises(UnsafeError):
        issue_permit(own, looked_at(own, known, done=2), 2, known, ENVELOPE)


def test_the_way_back_begins_while_the_plant_is_still_moving() -> None:
    known = facts(plant_mode="transient")
    rules = SETTINGS.model_copy(update={"modes_under_way": ("steady", "transient")})
    envelope = Envelope.of(rules, PLANT)
    fresh = check(proposal(), known, envelope, rehearse=REHEARSE)
    assert [item.code for item in fresh.vetoes] == ["plant-mode"]
    assert (
        check(proposal(), known, envelope, rehearse=REHEARSE, under_way=True).outcome == "allowed"
    )


@given(
    before=st.floats(592, 609),
    value=st.floats(592, 609),
    rate=st.floats(0.1, 5),
    interval=st.floats(0, 300),
)
def test_a_ramp_arrives_and_keeps_rate_and_interval(
    before: float, value: float, rate: float, interval: float
) -> None:
    own = TagEnvelope(
        **{**FC1.model_dump(), "max_rate": rate, "min_interval": interval, "max_move": 1e3,
           "max_cumulative": 1e6, "soft": None}
    )  # fmt: skip
    tags = {**SETTINGS.tags, "FC1": own}
    envelope = Envelope.of(SETTINGS.model_copy(update={"tags": tags}), PLANT)
    steps = ramp("FC1", before, value, own)
    assert (steps[0].before, steps[-1].value) == (before, value)
    verdict = check(
        proposal(*steps, expires_at=EPOCH + 24 * HOUR),
        with_value("FC1", before),
        envelope,
        rehearse=REHEARSE,
    )
    assert [item.code for item in verdict.vetoes] == (["no-change"] if before == value else [])


def test_a_limit_that_many_steps_break_is_told_once_by_the_step_that_goes_furthest() -> None:
    high = FC1.hard[1]
    steps = [Step("FC1", high + n, high + n + 1, 10.0 * n) for n in range(4)]
    verdict = looked_at(proposal(*steps))
    broken = [item for item in verdict.vetoes if item.code == "hard-limit"]
    assert [item.step for item in broken] == [0, 1, 2, 3]
    assert verdict.text.count("outside the hard limits of FC1") == 1
    assert f"{high + 4:g} is outside the hard limits of FC1" in verdict.text


def test_both_ends_of_a_range_are_told_when_both_are_passed() -> None:
    low, high = FC1.hard
    steps = Step("FC1", 100.0, high + 1, 0.0), Step("FC1", high + 1, low - 1, 10.0)
    text = looked_at(proposal(*steps)).text
    assert f"{high + 1:g} is outside" in text
    assert f"{low - 1:g} is outside" in text
