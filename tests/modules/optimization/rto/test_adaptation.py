"""The loop on plants that the model does not fit. Every steady state of the plant counts."""

import copy
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from orchestrator.errors import OperationError, ParameterError, UnknownTagError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.models import SetpointsInput
from orchestrator.modules.optimization.rto.adaptation import Memory, Rules, advise
from orchestrator.modules.optimization.rto.plants import EnvironmentPlant, ModelPlant
from orchestrator.modules.optimization.rto.run import run_on
from orchestrator.modules.optimization.setpoints import run
from orchestrator.modules.optimization.steady_model import SteadyModel
from orchestrator.plant.economic_model import EconomicModel
from orchestrator.plant.tags import Plant
from orchestrator.plant.twin.scenario import Scenario

CONTEXT = OperationContext(now=datetime(2026, 3, 1, tzinfo=UTC), plant=Plant())


def optimise(model, plant, start, iterations=15, **simulate):
    more = {k: simulate.pop(k) for k in ("caution", "filter_gain") if k in simulate}
    asked = SetpointsInput(
        economics=model,
        simulate={"plant": plant, "iterations": iterations, **simulate},
        current=start,
        starts=3,
        **more,
    )
    return run(asked, CONTEXT)


@pytest.mark.parametrize(
    ("case", "numbers", "start"),
    [
        ("A", "literature", {"FB": 4.3, "TR": 80.0}),
        ("C", "Speakman", {"FA": 3.5, "FB": 8.0, "TR": 90.0}),
    ],
)
def test_the_reactor_reaches_the_optimum_of_the_plant_that_the_model_does_not_know(
    reactor, case, numbers, start
):
    result = optimise(reactor.model(case, numbers), reactor.plant(case), start)
    best = reactor.optimum(case)
    last = result.iterates[-1]
    assert result.simulated
    assert "SIMULATED" in result.summary
    assert len(result.iterates) <= 15
    assert last.true_objective >= 0.99 * best
    assert max(last.excess.values(), default=0.0) <= 1e-4
    assert result.true_objective >= 0.99 * best


def test_the_model_alone_would_not_reach_it(reactor):
    result = optimise(
        reactor.model("A", "literature"), reactor.plant("A"), {"FB": 4.3, "TR": 80.0}, iterations=2
    )
    assert result.iterates[1].true_objective < 0.95 * reactor.optimum("A")


def test_with_noise_it_comes_near_and_the_noise_is_seen(reactor):
    start = {"FB": 5.5, "TR": 95.0}
    result = optimise(
        reactor.model("A", "literature"), reactor.plant("A"), start, noise_percent=1.0, seed=5
    )
    assert result.true_objective >= 0.97 * reactor.optimum("A")
    first = result.iterates[0]
    assert first.objective != first.true_objective


def test_a_steady_value_that_is_a_mean_of_many_readings_has_less_noise(reactor):
    """The same draws of noise, a tenth as large, in a profit that is linear in what is measured."""
    errors = []
    for readings in (1, 100):
        result = optimise(
            reactor.model("A", "literature"),
            reactor.plant("A"),
            {"FB": 4.3, "TR": 80.0},
            iterations=1,
            noise_percent=1.0,
            readings=readings,
            seed=5,
        )
        errors.append(result.iterates[0].objective - result.iterates[0].true_objective)
    assert errors[1] == pytest.approx(errors[0] / 10)


def test_the_surest_gain_is_nearer_and_better_known_than_the_greatest(reactor):
    economics = EconomicModel.model_validate(reactor.model("A", "literature"))
    truth = EconomicModel.model_validate(reactor.plant("A"))
    memory, asked = Memory(), SetpointsInput(economics=economics, starts=3)
    for at in ({"FB": 4.3, "TR": 80.0}, {"FB": 4.6, "TR": 84.0}):
        measured = ModelPlant(truth, tuple(economics.measured)).apply(at)
        model = SteadyModel(economics, measured | at, asked, CONTEXT)
        noise = {name: 0.01 * abs(value) for name, value in model.present.measured.items()}
        memory.points.append(replace(model.present, noise=noise))
    greatest, surest = (
        advise(model, copy.deepcopy(memory), Rules(probing=False, pessimism=p), 3, 1, 30.0)
        for p in (0.0, 1.0)
    )
    assert surest.gain < greatest.gain
    assert surest.gain - surest.gain_sd > greatest.gain - greatest.gain_sd


WRONG_CURVATURE = {
    "handles": {"u": [0, 10], "v": [0, 10]},
    "definitions": {"gain": "(u - 2) ** 2 + (v - 3) ** 2"},
    "measured": {"gain": None},
    "objective": "gain",
}
TRUE_CURVATURE = WRONG_CURVATURE | {
    "definitions": {"gain": "50 - 2 * (u - 6.5) ** 2 - (v - 4) ** 2 - 0.5 * (u - 6.5) * (v - 4)"}
}


def test_a_model_that_bends_the_wrong_way_is_no_hindrance():
    for start in ({"u": 1.0, "v": 9.0}, {"u": 9.0, "v": 9.0}):
        result = optimise(WRONG_CURVATURE, TRUE_CURVATURE, start)
        assert result.iterates[-1].true_objective >= 0.99 * 50


UNSEEN = {
    "handles": {"u": [0, 10], "v": [0, 10]},
    "definitions": {"made": "10 * u + 4 * v - 0.7 * u ** 2", "heat": "3"},
    "measured": {"made": None, "heat": None},
    "objective": "made - v ** 2",
    "constraints": ["heat <= 5"],
}


@pytest.mark.parametrize("start", [{"u": 50 / 7, "v": 2.0}, {"u": 5.0, "v": 9.5}])
def test_a_limit_on_what_the_model_holds_constant_is_restored_and_kept(start):
    """The model sees no way to change what is limited, and the run starts beyond the limit."""
    plant = UNSEEN | {
        "definitions": {
            "made": "9 * u + 5 * v - 0.5 * u ** 2",
            "heat": "0.5 * u + 0.3 * v + 0.03 * u ** 2",
        }
    }
    result = optimise(UNSEEN, plant, start)
    from scipy.optimize import minimize

    heat = {"type": "ineq", "fun": lambda z: 5 - (0.5 * z[0] + 0.3 * z[1] + 0.03 * z[0] ** 2)}
    best = -minimize(
        lambda z: -(9 * z[0] + 5 * z[1] - 0.5 * z[0] ** 2 - z[1] ** 2),
        [1, 1],
        bounds=[(0, 10)] * 2,
        constraints=[heat],
    ).fun
    last = result.iterates[-1]
    assert result.iterates[0].excess["heat"] > 0.3
    assert last.excess["heat"] <= 1e-3
    assert last.true_objective >= 0.995 * best


def test_a_run_that_may_not_probe_does_not_call_a_broken_limit_converged():
    plant = UNSEEN | {"definitions": {"made": "9 * u", "heat": "8 + 0 * u"}}
    asked = SetpointsInput(
        economics=UNSEEN, simulate={"plant": plant}, current={"u": 9.0, "v": 8.0}, probing=False
    )
    result = run(asked, CONTEXT)
    assert result.status == "infeasible"
    assert not result.converged


def test_a_model_of_a_constant_leads_to_the_optimum():
    constant = WRONG_CURVATURE | {"definitions": {"gain": "3"}}
    for start in ({"u": 1.0, "v": 9.0}, {"u": 5.0, "v": 1.0}):
        result = optimise(constant, TRUE_CURVATURE, start)
        assert result.iterates[-1].true_objective >= 0.999 * 50


def test_three_handles_with_an_active_limit_that_the_model_misplaces():
    model = {
        "handles": {"a": [0, 5], "b": [0, 5], "c": [0, 5]},
        "definitions": {"made": "2 * a + b + c - 0.1 * a ** 2", "heat": "a + b + 0.2 * c"},
        "measured": {"made": None, "heat": None},
        "objective": "5 * made - a - b - c",
        "constraints": ["heat <= 6"],
    }
    plant = model | {
        "definitions": {
            "made": "1.5 * a + 1.3 * b + 1.1 * c - 0.2 * a ** 2 - 0.1 * b ** 2 - 0.08 * c ** 2",
            "heat": "1.3 * a + 0.9 * b + 0.4 * c + 0.5",
        }
    }
    result = optimise(model, plant, {"a": 1.0, "b": 1.0, "c": 1.0})
    from scipy.optimize import minimize

    def money(z):
        a, b, c = z
        made = 1.5 * a + 1.3 * b + 1.1 * c - 0.2 * a**2 - 0.1 * b**2 - 0.08 * c**2
        return -(5 * made - a - b - c)

    heat = {"type": "ineq", "fun": lambda z: 6 - (1.3 * z[0] + 0.9 * z[1] + 0.4 * z[2] + 0.5)}
    best = -minimize(money, [1, 1, 1], bounds=[(0, 5)] * 3, constraints=[heat]).fun
    last = result.iterates[-1]
    assert last.true_objective >= 0.99 * best
    assert last.excess["heat"] <= 1e-3
    assert {item.limit for item in result.binding} >= {"heat"}


def test_a_model_that_is_right_is_done_at_once_and_says_so():
    right = TRUE_CURVATURE
    result = optimise(right, right, {"u": 5.0, "v": 5.0})
    assert result.converged
    assert len(result.iterates) <= 6
    assert result.iterates[-1].true_objective == pytest.approx(50, rel=1e-3)


def test_a_filtered_step_goes_part_of_the_way():
    whole = optimise(TRUE_CURVATURE, TRUE_CURVATURE, {"u": 5.0, "v": 5.0}, iterations=2)
    half = optimise(
        TRUE_CURVATURE, TRUE_CURVATURE, {"u": 5.0, "v": 5.0}, iterations=2, filter_gain=0.5
    )
    moved = [r.iterates[1].inputs["u"] - 5.0 for r in (whole, half)]
    assert moved[1] == pytest.approx(moved[0] / 2, rel=1e-6)


def test_a_plant_without_what_the_model_measures_is_refused():
    with pytest.raises(ParameterError, match="gain"):
        optimise(
            WRONG_CURVATURE,
            {"handles": {"u": [0, 1], "v": [0, 1]}, "objective": "u"},
            {"u": 1.0, "v": 1.0},
        )


class Lag:
    """A first-order lag behind a Gymnasium interface."""

    def __init__(self) -> None:
        self.level = 0.0

    def reset(self):
        self.level = 0.0
        return np.array([0.0]), {}

    def step(self, action):
        self.level += 0.2 * (3.0 * float(action[0]) - self.level)
        return np.array([self.level]), 0.0, False, False, {}


def test_an_environment_is_stepped_until_it_is_steady():
    def action_of(handles):
        return np.array([handles["u"]])

    def values_of(observation):
        return {"y": float(observation[0])}

    plant = EnvironmentPlant(Lag(), action_of, values_of, tolerance=1e-5)
    assert plant.apply({"u": 2.0})["y"] == pytest.approx(6.0, rel=1e-3)
    impatient = EnvironmentPlant(Lag(), action_of, values_of, tolerance=1e-9, most=5)
    with pytest.raises(OperationError, match="not steady after 5"):
        impatient.apply({"u": 2.0})


class Hill:
    """A plant that nobody knows the truth of: best at u = 5."""

    truth: dict[str, float] = {}  # noqa: RUF012 - it stays empty

    def apply(self, handles):
        return {"made": 3 * handles["u"] - 0.16 * handles["u"] ** 2}


def test_the_loop_runs_on_any_plant_and_notes_no_truth_that_it_was_not_told():
    model = EconomicModel.model_validate(
        {
            "handles": {"u": [1, 9]},
            "definitions": {"made": "3 * u - 0.10 * u ** 2"},
            "measured": {"made": None},
            "objective": "10 * made - 14 * u",
        }
    )
    asked = SetpointsInput(economics=model, starts=3)
    result = run_on(Hill(), model, {"u": 2.0}, asked, CONTEXT, iterations=10)
    assert result.iterates[-1].inputs["u"] == pytest.approx(5.0, abs=0.1)
    assert {i.true_objective for i in result.iterates} == {None}
    assert not result.simulated


def test_a_start_without_a_handle_is_refused():
    model = EconomicModel.model_validate({"handles": {"u": [1, 9]}, "objective": "u"})
    with pytest.raises(UnknownTagError, match="u"):
        run_on(Hill(), model, {}, SetpointsInput(economics=model), CONTEXT, iterations=2)


def test_the_loop_earns_more_on_the_crude_unit_behind_its_gymnasium_interface():
    pytest.importorskip("gymnasium")
    from orchestrator.plant.twin.environment import CrudeUnit

    unit = CrudeUnit(
        Scenario(name="still", noise=0.0, disturbance=0.0), hours=1000.0, steps_per_action=30
    )
    assert unit.twin.plant.economics is not None
    economics = unit.twin.plant.economics
    observation, _ = unit.reset(seed=1)
    start = unit.values_of(observation)
    plant = EnvironmentPlant(unit, unit.action_of, unit.values_of, tolerance=2e-3)
    context = OperationContext(now=CONTEXT.now, plant=unit.twin.plant)
    asked = SetpointsInput(starts=1, probing=False)
    result = run_on(plant, economics, start, asked, context, iterations=4)
    first, last = result.iterates[0], result.iterates[-1]
    for name, value in last.inputs.items():
        assert last.measured[name] == pytest.approx(value, rel=1e-3)
    assert last.objective > 1.005 * first.objective
    for tag in unit.twin.plant.tags:
        if tag.name in economics.responses and tag.limits.high is not None:
            span = tag.normal[1] - tag.normal[0]
            assert last.measured[tag.name] <= tag.limits.high + 0.02 * span, tag.name
