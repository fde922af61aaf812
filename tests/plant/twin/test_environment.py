import numpy as np
import pytest

pytest.importorskip("gymnasium", reason="the extra twin is not installed")

from gymnasium.utils.env_checker import check_env

from orchestrator.plant.twin.environment import CrudeUnit


def test_it_is_an_environment_as_gymnasium_checks_it():
    check_env(CrudeUnit(hours=1), skip_render_check=True)


def test_the_same_seed_and_actions_give_the_same_rewards_and_an_episode_is_cut_off():
    unit = CrudeUnit(hours=2, steps_per_action=10)
    runs = []
    for _ in range(2):
        unit.reset(seed=5)
        steps = [unit.step(np.full(unit.action_space.shape, 0.1, np.float32)) for _ in range(12)]
        runs.append([step[1] for step in steps])
        assert [step[3] for step in steps] == [False] * 11 + [True]
    assert runs[0] == runs[1]


def test_leaving_the_limits_costs():
    unit = CrudeUnit(hours=24, steps_per_action=30)
    hot = np.zeros(unit.action_space.shape, np.float32)
    hot[[unit.handles.index("FC101_SP"), unit.handles.index("TC130_SP")]] = 1.0
    unit.reset(seed=1)
    told = [unit.step(hot)[4]["penalty"] for _ in range(12)]
    assert told[0] < told[-1]
    assert told[-1] > 0.1
