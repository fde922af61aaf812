import dataclasses
import math
import threading
from datetime import timedelta

import numpy as np
import pytest

from orchestrator.errors import InsufficientDataError, ParameterError
from orchestrator.plant.tags import Plant, Product
from orchestrator.plant.twin.rehearsal import rehearse, standing_at
from orchestrator.plant.twin.scenario import Scenario
from orchestrator.plant.twin.source import TwinSource
from orchestrator.plant.twin.stepping import Twin

HOT = ((0.0, "TC130_SP", 372.0), (10.0, "FC101_SP", 636.0))


def test_without_chance_a_rehearsal_is_what_then_happens(quiet):
    twin = Twin(quiet())
    for _ in range(30):
        twin.step()
    rehearsed = rehearse(twin.standing(), HOT, 120)
    rows = []
    for minute in range(120):
        rows.append(twin.step({tag: value for at, tag, value in HOT if at == minute}).true)
    columns = [twin.plant.tag_names.index(tag) for tag in rehearsed.tags]
    assert rehearsed.values == pytest.approx(np.array(rows)[:, columns], abs=1e-9)
    assert rehearsed.times[0] == 1


def test_a_limit_crossed_on_the_way_alone_is_found(quiet):
    there_and_back = [*HOT, (60.0, "TC130_SP", 362.0), (60.0, "FC101_SP", 600.0)]
    rehearsed = rehearse(Twin(quiet()).standing(), there_and_back, 240)
    (crossing,) = [item for item in rehearsed.crossings if item.tag == "TI131"]
    skin = rehearsed.values[:, rehearsed.tags.index("TI131")]
    assert skin[-1] < 526 < crossing.value == skin.max()
    first = int(np.argmax(skin > 526))
    assert crossing.minute == rehearsed.times[first]
    assert 10 < crossing.minute < 60
    assert not crossing.without_moves
    assert crossing in rehearsed.caused


def test_what_is_crossed_without_moves_is_not_laid_to_them(quiet):
    broken = quiet(
        {"kind": "furnace_fouling", "target": "H-101", "magnitude": 0.2, "onset_minutes": 0}
    )
    twin = Twin(broken)
    for _ in range(60):
        twin.step()
    still = rehearse(twin.standing(), ())
    assert {(item.tag, item.minute, item.without_moves) for item in still.crossings} >= {
        ("TI131", 0.0, True)
    }
    assert not still.caused
    hotter = rehearse(twin.standing(), HOT)
    assert "TI131" in {item.tag for item in hotter.caused}


def test_it_does_not_know_what_the_scenario_has_in_store(quiet):
    later = quiet(
        {"kind": "crude_switch", "target": "heavy", "magnitude": 1, "onset_minutes": 60},
        moves=({"tag": "TC203_SP", "to": 300, "at_minutes": 60},),
    )
    told, plain = (rehearse(Twin(item).standing(), HOT) for item in (later, quiet()))
    assert np.array_equal(told.values, plain.values)


def test_it_leaves_the_unit_as_it_is():
    one, other = Twin(seed=3), Twin(seed=3)
    one.step(), other.step()
    rehearse(one.standing(), HOT)
    assert np.array_equal(one.step().measured, other.step().measured, equal_nan=True)
    assert one.set_points == other.set_points


def test_a_step_outside_range_or_horizon_is_refused():
    standing = Twin().standing()
    with pytest.raises(ParameterError, match="FC101_SP = 9000"):
        rehearse(standing, [(0, "FC101_SP", 9000)])
    with pytest.raises(ParameterError, match="not a set point"):
        rehearse(standing, [(0, "FI101", 600)])
    with pytest.raises(ParameterError, match="200 min"):
        rehearse(standing, [(200, "FC101_SP", 600)], 180)
    with pytest.raises(ParameterError, match="outside the 180 min"):
        rehearse(standing, [(math.nan, "FC101_SP", 600)], 180)


@pytest.mark.parametrize("crude", ["light", "medium", "heavy"])
def test_from_measured_values_it_is_near_the_simulation(crude):
    twin = Twin(Scenario(name="trial", crude=crude), seed=5)
    rows = np.array([twin.step().measured for _ in range(60)])
    measured = dict(zip(twin.plant.tag_names, rows.mean(axis=0), strict=True))
    known, guessed = (
        rehearse(item, HOT) for item in (twin.standing(), standing_at(measured, twin.plant))
    )
    for tag in ("TI131", "FI130", "QI210", "AI304", "FI210"):
        column = known.tags.index(tag)
        moved = [item.values[-1, column] - item.unmoved[-1, column] for item in (known, guessed)]
        assert moved[1] == pytest.approx(moved[0], rel=0.1, abs=0.2)
        band = np.ptp(twin.plant.tag(tag).normal)
        assert guessed.values[-1, column] == pytest.approx(known.values[-1, column], abs=0.3 * band)


def test_a_specification_is_a_limit_too():
    twin = Twin()
    diesel = {"flow": "FI304", "specifications": {"AI304": (None, 354.0)}}
    strict = Plant(tags=twin.plant.tags, products={"diesel": Product.model_validate(diesel)})
    standing = dataclasses.replace(twin.standing(), plant=strict)
    told = rehearse(standing, [(0, "TC203_SP", 298)])
    found = {(item.side, item.limit) for item in told.caused if item.tag == "AI304"}
    assert found == {("spec_high", 354.0)}
    assert "AI304" not in {
        item.tag for item in rehearse(twin.standing(), [(0, "TC203_SP", 298)]).caused
    }


def test_without_a_set_point_there_is_no_standing():
    with pytest.raises(InsufficientDataError, match="FC101_SP"):
        standing_at({"TC130_SP": 364.0})


def test_a_source_can_be_asked_while_it_runs():
    source = TwinSource(Scenario(name="trial", warm_up_hours=0, price_history_days=0), seed=2)
    alone = TwinSource(Scenario(name="trial", warm_up_hours=0, price_history_days=0), seed=2)
    done, asked = threading.Event(), []

    def ask() -> None:
        while not done.is_set():
            asked.append(rehearse(source.standing(), HOT, 30))

    asking = threading.Thread(target=ask)
    asking.start()
    rows, expected = [], []
    for found, at in ((source, rows), (alone, expected)):
        for block in found.blocks(timedelta(minutes=5)):
            at.append(block.values)
            if len(at) == 60:
                break
    done.set()
    asking.join(10)
    assert len(asked) > 1
    assert np.array_equal(np.vstack(rows), np.vstack(expected), equal_nan=True)
