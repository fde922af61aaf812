"""Bounds, exact values and odd networks."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import optimize

from orchestrator.errors import InputError, OperationError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import active_set, bounds, least_squares
from orchestrator.modules.etl.bounds import BoundsError, NotReconciledError
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconcile import run
from orchestrator.modules.etl.reconciled import ReconcileResult
from orchestrator.plant.tags import Plant

NOWHERE = OperationContext(now=datetime(2025, 1, 1, tzinfo=UTC), plant=Plant())


def solve(streams: list[dict], **more: object) -> ReconcileResult:
    return run(ReconcileInput.model_validate({"streams": streams, **more}), NOWHERE)


def stream(name: str, source: str | None, target: str | None, value: float | None = None, **more):
    return {"id": name, "from": source, "to": target, "measured": value, **more}


def values(result: ReconcileResult) -> dict[str, float | None]:
    return {item.id: item.reconciled for item in result.streams}


def test_a_bound_that_binds_is_reported_and_the_rest_is_optimal():
    result = solve(
        [
            stream("a", None, "X", 10.0, sd=1.0),
            stream("b", "X", None, 12.0, sd=1.0),
            stream("c", "X", None, -1.5, sd=1.0, lower=0.0),
        ]
    )
    found = {item.id: item for item in result.streams}
    assert found["c"].reconciled == 0.0
    assert found["c"].at_bound == "lower"
    assert values(result)["a"] == pytest.approx(11.0)
    assert result.objective == pytest.approx(1 + 1 + 1.5**2)
    assert any("held by a bound: c" in note for note in result.warnings)


def test_a_bound_on_an_unmeasured_stream_moves_the_measured_ones():
    result = solve(
        [
            stream("a", None, "X", 10.0, sd=1.0),
            stream("b", "X", None, 12.0, sd=1.0),
            stream("c", "X", None, lower=0.0),
        ]
    )
    assert values(result) == pytest.approx({"a": 11.0, "b": 11.0, "c": 0.0})


def test_values_that_are_not_shown_to_be_optimal_are_not_given(monkeypatch):
    searched = active_set.solve

    def unproven(*asked: object) -> active_set.Found:
        return replace(searched(*asked), optimal=False)  # as where the search runs out of steps

    streams = [
        stream("a", None, "X", 10.0, sd=1.0),
        stream("b", "X", None, 12.0, sd=1.0),
        stream("c", "X", None, -1.5, sd=1.0, lower=0.0),
    ]
    monkeypatch.setattr(active_set, "solve", unproven)
    with pytest.raises(NotReconciledError, match="leave out bounds"):
        solve(streams)
    del streams[2]["lower"]
    assert values(solve(streams))["c"] < 0


def test_bounds_that_cannot_hold_are_refused_by_name():
    with pytest.raises(InputError, match=r"(a|b).*no flows within the bounds"):
        solve(
            [
                stream("a", None, "X", 10.0, sd=1.0, lower=5.0),
                stream("b", "X", None, 10.0, sd=1.0, upper=4.0),
            ]
        )


def test_the_bounds_that_conflict_are_named_with_their_side_and_no_others():
    with pytest.raises(BoundsError) as refused:
        solve(
            [
                stream("a", None, "X", 10.0, sd=1.0, lower=5.0, upper=50.0),
                stream("b", "X", "Y", None, lower=0.0),
                stream("c", "Y", None, 10.0, sd=1.0, lower=0.0, upper=4.0),
                stream("d", None, "Z", 3.0, sd=1.0, upper=4.0),
                stream("e", "Z", None, 3.0, sd=1.0, lower=1.0),
            ]
        )
    assert "These conflict: lower 5 of a, upper 4 of c" in str(refused.value)
    assert " of d" not in str(refused.value)
    assert "signs" not in str(refused.value)


def test_a_small_bounded_stream_beside_large_ones_is_no_contradiction():
    """The optimum holds ``waste`` at its bound and moves the two measured sides to one another."""
    result = solve(
        [
            stream("make_up", None, "C", lower=0.0),
            stream("purge", "C", None, 3.095, sd=0.0307, lower=0.0),
            stream("feed", None, "A", 467.97, sd=4.66, lower=0.0),
            stream("through", "A", "C", lower=0.0),
            stream("back", "C", "B", lower=0.0),
            stream("waste", "B", None, lower=0.0, upper=0.00105),
            stream("product", "A", None, 461.95, sd=23.3, lower=0.0),
        ]
    )
    found = values(result)
    # all that is left over goes to the purge: make_up is at zero
    assert found["feed"] - found["product"] == pytest.approx(found["purge"] + 0.00105, rel=1e-6)
    excess = (467.97 - 461.95) - (3.095 + 0.00105)
    assert result.objective == pytest.approx(excess**2 / (0.0307**2 + 4.66**2 + 23.3**2), rel=1e-9)


def test_contradicting_bounds_on_flows_far_apart_are_met_and_the_balances_close():
    result = solve(
        [
            stream("s0", "B", "C", lower=-1e3),
            stream("s1", "C", None, 0.0031, sd=1.5e-4, lower=0.0),
            stream("s2", None, "A", 0.0089, sd=2.3e-3, lower=0.0),
            stream("s3", "B", "A", 582.6, sd=132.3, lower=0.0),
            stream("s4", None, "B", 2.2174, sd=0.292, lower=2.1663, upper=2.4363),
        ]
    )
    found = values(result)
    # nothing leaves A, so s2 and s3 are zero; s4 stays at its lower bound and all leaves by s1
    assert found == pytest.approx({"s0": 2.1663, "s1": 2.1663, "s2": 0.0, "s3": 0.0, "s4": 2.1663})
    assert found["s1"] == pytest.approx(found["s4"], rel=1e-12)
    assert result.objective > 2e8


@pytest.mark.parametrize("seed", range(40))
def test_the_optimum_under_bounds_agrees_with_another_solver(seed):
    rng = np.random.default_rng(seed)
    rows, count = int(rng.integers(1, 5)), int(rng.integers(5, 11))
    a = rng.integers(-1, 2, size=(rows, count)).astype(float)
    sd = rng.uniform(0.5, 3, size=count)
    y = rng.normal(3, 10, size=count)
    inside = rng.uniform(0, 12, size=count)
    lower, upper = np.minimum(inside - 3, 0.0), inside + 4.0
    constants = a @ inside
    known = np.ones(count, dtype=bool)
    known[-1] = False
    problem = least_squares.Problem(a[:, known], a[:, ~known], constants, y[known], sd[known])
    found = bounds.solve(problem, lower, upper)
    point = np.concatenate([found.measured, found.unmeasured])
    assert (point >= lower - 1e-7).all()
    assert (point <= upper + 1e-7).all()
    assert np.abs(a @ point - constants).max() < 1e-7
    weight = np.where(known, 1 / sd, 0.0)
    reference = optimize.minimize(
        lambda x: float((((x - y) * weight) ** 2).sum()),
        inside,
        jac=lambda x: 2 * (x - y) * weight**2,
        bounds=list(zip(lower, upper, strict=True)),
        constraints={"type": "eq", "fun": lambda x: a @ x - constants, "jac": lambda x: a},
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-13},
    )
    ours = float((((point - y) * weight) ** 2).sum())
    if np.abs(a @ reference.x - constants).max() < 1e-7:
        assert ours <= reference.fun * (1 + 1e-6) + 1e-9


def enumerated(a: np.ndarray, y: np.ndarray, sd: np.ndarray, lower: np.ndarray) -> float:
    """Least objective over every choice of streams held at their lower bound; all are measured."""
    best = np.inf
    for held in itertools.product([False, True], repeat=len(y)):
        fixed = np.array(held) & np.isfinite(lower)
        target = np.where(fixed, lower, y)
        scaled = (a * sd)[:, ~fixed]
        weight = np.abs(scaled).max(axis=1, initial=1e-300)
        step, *_ = np.linalg.lstsq(scaled / weight[:, None], -(a @ target) / weight, rcond=1e-13)
        x = target.copy()
        x[~fixed] += sd[~fixed] * step
        closes = np.abs(a @ x) <= 1e-9 * (np.abs(a) * np.maximum(np.abs(x), sd)).max(axis=1)
        if closes.all() and (x >= lower - 1e-9 * np.maximum(np.abs(x), sd)).all():
            best = min(best, float((((x - y) / sd) ** 2).sum()))
    return best


def test_what_is_called_reconciled_closes_and_is_the_optimum_whatever_the_sizes() -> None:
    """Networks of two nodes whose measurements contradict their bounds, flows up to a million apart."""
    solved = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        count = int(random.integers(3, 7))
        ends = [random.choice(3, 2, replace=False) for _ in range(count)]
        a = np.zeros((3, count))
        for j, (source, target) in enumerate(ends):
            a[source, j], a[target, j] = -1.0, 1.0
        a = a[:2]
        y = 10 ** random.uniform(-3, 3, count)
        sd = y * 10 ** random.uniform(-2, -0.5, count)
        lower = np.where(
            random.random(count) < 0.7, y * random.choice([0.0, 0.9, 1.2], count), -np.inf
        )
        problem = least_squares.Problem(a, np.zeros((2, 0)), np.zeros(2), y, sd)
        best = enumerated(a, y, sd, lower)
        try:
            found = bounds.solve(problem, lower, np.full(count, np.inf))
        except (InputError, OperationError):
            continue
        solved += 1
        x = found.measured
        size = (np.abs(a) * np.maximum(np.abs(x), sd)).max(axis=1)
        assert (np.abs(a @ x) <= 1e-8 * size).all(), seed
        assert (x >= lower - 1e-8 * np.maximum(np.abs(x), sd)).all(), seed
        objective = float((((x - y) / sd) ** 2).sum())
        assert objective == pytest.approx(best, rel=1e-6, abs=1e-9), seed
    assert solved >= 30


def test_an_exact_value_is_kept_and_the_others_adjust_to_it():
    result = solve([stream("a", None, "X", 10.0, sd=0.0), stream("b", "X", None, 10.6, sd=0.3)])
    assert values(result) == pytest.approx({"a": 10.0, "b": 10.0})
    assert result.streams[0].klass == "nonredundant"
    assert result.streams[0].sd_source == "exact"
    assert result.objective == pytest.approx(4.0)


def test_exact_values_that_contradict_are_refused_with_the_node():
    with pytest.raises(InputError, match="X: the balances contradict"):
        solve([stream("a", None, "X", 10.0, sd=0.0), stream("b", "X", None, 11.0, sd=0.0)])


def test_loops_parallel_streams_and_separate_parts_are_taken():
    result = solve(
        [
            stream("in", None, "A", 10.0, sd=0.1),
            stream("loop", "A", "A", 3.0, sd=0.1),
            stream("left", "A", "B", 4.0, sd=0.1),
            stream("right", "A", "B", 6.3, sd=0.1),
            stream("out", "B", None, 10.2, sd=0.1),
            stream("there", None, "Z", 5.0, sd=0.1),
            stream("gone", "Z", None),
        ]
    )
    klasses = {item.id: item.klass for item in result.streams}
    assert klasses["loop"] == "nonredundant"
    assert klasses["there"] == "nonredundant"
    assert klasses["gone"] == "observable"
    assert result.global_test.dof == 2
    found = values(result)
    assert found["left"] + found["right"] == pytest.approx(found["in"])
    assert any("loop leads from a node to itself" in note for note in result.warnings)


def test_a_named_environment_is_the_surroundings():
    streams = [stream("a", "ENV", "X", 10.0, sd=1.0), stream("b", "X", "tank farm", 11.0, sd=1.0)]
    result = solve(streams, nodes=["X"], environment=["tank farm"])
    assert values(result) == pytest.approx({"a": 10.5, "b": 10.5})


def test_a_network_where_rounding_alone_would_link_two_streams():
    """Two unmeasured streams in a row leave nothing to check, whatever the arithmetic leaves."""
    result = solve(
        [
            stream("s0", "N1", None),
            stream("s1", None, "N1", -1.8, sd=1.5),
            stream("s2", "N2", "N1"),
            stream("s3", None, "N2", 7.5, sd=2.1),
        ],
        nodes=["N0", "N1", "N2"],
    )
    assert result.global_test.dof == 0
    assert [item.klass for item in result.streams] == [
        "observable", "nonredundant", "observable", "nonredundant",
    ]  # fmt: skip
    assert any("no stream enters or leaves N0" in note for note in result.warnings)


def test_flows_of_very_different_size_keep_their_classes():
    result = solve(
        [
            stream("main", None, "A", 1.0e6, sd=1e4),
            stream("trace", None, "A", 1e-3, sd=1e-5),
            stream("out", "A", None, 1.01e6, sd=1e4),
        ]
    )
    assert result.global_test.dof == 1
    assert values(result)["trace"] == pytest.approx(1e-3, rel=1e-6)


def test_what_is_lost_is_valued_in_tonnes_and_money():
    result = solve(
        [stream("a", None, "X", 100.0, sd=0.5), stream("b", "X", None, 99.0, sd=0.5)],
        flow_unit="t/h",
        price_usd_per_t=500,
        hours=48,
    )
    assert result.gross_errors == ()
    loss = result.loss
    assert loss.tonnes == pytest.approx(48.0)
    assert loss.usd == pytest.approx(24_000.0)
    assert loss.rate_sd == pytest.approx(0.5 * 2**0.5)
    assert not loss.significant


def test_a_volume_needs_a_density_to_become_tonnes():
    streams = [stream("a", None, "X", 100.0, sd=0.5), stream("b", "X", None, 99.0, sd=0.5)]
    assert solve(streams, flow_unit="m3/h").loss.tonnes is None
    assert solve(streams, flow_unit="m3/h", density_kg_m3=850).loss.tonnes == pytest.approx(20.4)
