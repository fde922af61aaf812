"""``etl.reconcile``: close the balances, and name the meter that lies or the place of the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.errors import ParameterError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import equation_problem, topology, unaccounted
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconciled import (
    BalanceClosure,
    GlobalTest,
    GrossError,
    ReconcileResult,
)
from orchestrator.plant.tags import Plant

if TYPE_CHECKING:
    from orchestrator.modules.etl.network_data import Measured


def run(parameters: ReconcileInput, context: OperationContext) -> ReconcileResult:
    """Reconcile a network, a problem in equations, or balances over data.

    Raises:
        ParameterError: nothing is measured, or an equation or name is wrong.
        UnknownTagError: a stream's tag is not in the data.
        InsufficientDataError: none of the columns that are read holds a value.
        InputError: balances or bounds contradict one another.
        OperationError: no point that meets nonlinear equations was found, or no optimum under bounds
            could be proved.
        ConfigurationError: neither balances nor columns that suggest them are given.
    """
    _check_unit(parameters.flow_unit)
    document = bool(parameters.constraints and parameters.measured) and not context.data_given
    if parameters.streams or document:
        result = _document(parameters, context)
    else:
        from orchestrator.modules.etl import plant_balances

        result = plant_balances.run(parameters, context)
    result = _with_units(result, parameters, context.plant)
    result = result.model_copy(update={"warnings": (*parameters.unread(), *result.warnings)})
    if not parameters.report:
        return result
    from orchestrator.modules.etl import report

    return result.model_copy(update={"report": report.page(result, context.plant.name)})


def _check_unit(unit: str | None) -> None:
    from orchestrator.plant.units import known, normalise

    if unit and not known(normalise(unit)):
        raise ParameterError.of_field(
            "flow_unit",
            f"{unit!r} is no unit",
            remedy="give a unit such as t/h, kg/s, m**3/h or bbl/day",
        )


def _with_units(
    result: ReconcileResult, parameters: ReconcileInput, plant: Plant
) -> ReconcileResult:
    """Each stream with its unit: the plant file's, else the one stated for all flows."""
    stated = parameters.flow_unit
    flows = {stream.id for stream in parameters.streams}

    def unit_of(name: str) -> str | None:
        if name in plant.by_name:
            return plant.by_name[name].unit or None
        is_flow = name in flows or not (flows or parameters.constraints)
        return stated if is_flow else None

    units = {s.id: s.unit or unit_of(s.id) for s in result.streams}
    periods = tuple(
        p.model_copy(
            update={
                "unit": p.unit or stated,
                "meters": tuple(m.model_copy(update={"unit": units[m.id]}) for m in p.meters),
            }
        )
        for p in result.periods
    )
    streams = tuple(s.model_copy(update={"unit": units[s.id]}) for s in result.streams)
    return result.model_copy(update={"streams": streams, "periods": periods})


def _document(parameters: ReconcileInput, context: OperationContext) -> ReconcileResult:
    if not parameters.streams:
        return _equations(equation_problem.from_equations(parameters, {}), parameters, context.seed)
    from orchestrator.modules.etl import network_data

    measured = network_data.measure(parameters, context)
    if measured is None:
        return _network(parameters, context)
    moved = measured.moved
    result = _network(measured.parameters, context, measured)
    flows = {stream.id for stream in parameters.streams}
    streams = tuple(
        s.model_copy(
            update={
                "sd_source": measured.sources[s.id],
                "unit": measured.unit if s.id in flows else None,
            }
        )
        for s in result.streams
    )
    return result.model_copy(
        update={
            "streams": streams,
            "warnings": (*measured.notes, *result.warnings),
            "status": "not_steady" if moved else "reconciled",
            "moved": moved,
            "left_out": measured.left_out,
        }
    )


def _network(
    parameters: ReconcileInput, context: OperationContext, measured: Measured | None = None
) -> ReconcileResult:
    """A network, whose values come from data where ``measured`` is given."""
    moved = measured.moved if measured else ()
    carries = any(stream.properties for stream in parameters.streams)
    if carries or parameters.constraints:
        result = _equations(
            equation_problem.from_network(parameters), parameters, context.seed, moved
        )
        # the flows alone make the loss; bounds may be those of properties
        network = topology.from_streams(parameters.model_copy(update={"bounds": {}}))
    else:
        network = topology.from_streams(parameters)
        linear = topology.solve(network, parameters.significance, blame=not moved)
        result = ReconcileResult(
            summary=in_words(linear.test, linear.culprits, moved),
            warnings=linear.notes,
            objective=linear.objective,
            global_test=linear.test,
            streams=linear.streams,
            gross_errors=linear.culprits,
            tests=linear.tests,
        )
    if moved:
        return result
    loss = unaccounted.of_network(
        parameters,
        network,
        result.gross_errors,
        context.plant,
        hours=measured.hours if measured else None,
        unit=measured.unit if measured else None,
        prices=dict(measured.prices) if measured else None,
    )
    return result.model_copy(update={"loss": loss})


def _equations(
    draft: equation_problem.Draft,
    parameters: ReconcileInput,
    seed: int,
    moved: Sequence[str] = (),
) -> ReconcileResult:
    found = equation_problem.solve(draft, parameters, seed)
    culprits = () if moved else found.culprits
    return ReconcileResult(
        summary=in_words(found.test, culprits, moved),
        warnings=found.notes,
        objective=found.objective,
        global_test=found.test,
        streams=found.streams,
        gross_errors=culprits,
        tests=found.tests,
        solver=found.solver,
    )


def in_words(
    test: GlobalTest,
    culprits: Sequence[GrossError],
    moved: Sequence[str] = (),
    balances: Sequence[BalanceClosure] = (),
) -> str:
    """The result in one or two sentences."""
    worst = max(balances, key=lambda item: abs(item.imbalance_pct or 0.0), default=None)
    close = f" {worst.name} closes to {worst.imbalance_pct or 0:+.2f} %." if worst else ""
    if moved:
        names = ", ".join(moved[:3])
        return (
            f"The plant was not steady over the data ({names} moved): balances were reconciled, but "
            f"no meter is blamed.{close}"
        )
    if test.dof == 0:
        return f"Nothing checks the measurements: no balance has all its streams measured.{close}"
    figures = f"test {test.statistic:.3g}, limit {test.critical:.3g}"
    if not culprits:
        if test.statistic > test.critical:
            return (
                f"The balances do not close within the meters' accuracy ({figures}), and no single "
                f"meter or leak explains it.{close}"
            )
        return f"The balances close within the meters' accuracy ({figures}).{close}"
    first = culprits[0]
    more = f" {len(culprits) - 1} more named." if len(culprits) > 1 else ""
    failed = (
        "The balances do not close within the meters' accuracy"
        if test.statistic > test.critical
        else "The balances close as a whole, and one measurement does not fit"
    )
    return f"{failed} ({figures}): most likely {told(first)} {sureness(first)}.{more}{close}"


def sureness(error: GrossError) -> str:
    """How sure a gross error is, in words; no more than 99 %, since it holds within the model only."""
    own = f"{min(99.0, 100 * error.confidence):.0f} %"
    if not error.same_as:
        return f"({own} sure)"
    names = [error.id, *error.same_as]
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    group = f"{min(99.0, 100 * error.group_confidence):.0f} %"
    return f"({own}), one of {listed} ({group})"


def told(error: GrossError) -> str:
    """A gross error in words."""
    if error.kind == "bias":
        return f"{error.id} reads {abs(error.size):.4g} too {'high' if error.size > 0 else 'low'}"
    return f"{abs(error.size):.4g} {'is lost' if error.size > 0 else 'appears'} at {error.id}"
