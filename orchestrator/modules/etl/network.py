"""Parameters and results of ``etl.reconcile``."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from orchestrator.modules.base import DataInput, OperationResult

StreamClass = Literal["redundant", "weakly_redundant", "nonredundant", "observable", "unobservable"]


class DocumentPart(BaseModel):
    """Part of a problem document: fields that describe it (its source, true values) are let through."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Stream(DocumentPart):
    """One stream of a network, in one consistent unit.

    ``from`` and ``to`` name nodes; null is the surroundings. Without ``measured`` it is unmeasured.
    """

    id: str = Field(min_length=1)
    source: str | None = Field(default=None, alias="from")
    target: str | None = Field(default=None, alias="to")
    measured: float | None = None
    sd: float | None = Field(default=None, gt=0)


class Variables(DocumentPart):
    """Names of the variables of a nonlinear problem."""

    measured: tuple[str, ...] = Field(min_length=1)
    unmeasured: tuple[str, ...] = ()


class ReconcileInput(DataInput):
    """Parameters of ``etl.reconcile``: one of three problems.

    A flow network (``nodes`` and ``streams``), a nonlinear problem (``variables``, ``measured``,
    ``sd`` and ``constraints``), or, with neither, the balances of the plant file over the data.
    Further fields of a problem document (its source, its known answer) are ignored.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    nodes: tuple[str, ...] = ()
    streams: tuple[Stream, ...] = ()
    variables: Variables | None = None
    measured: dict[str, float] | None = None
    sd: float | dict[str, float] | None = None
    initial_guess_unmeasured: dict[str, float] = Field(
        default_factory=dict,
        validation_alias=AliasChoices("initial_guess_unmeasured", "initial_guess"),
    )
    constraints: tuple[str, ...] = Field(
        default=(), description="Equations such as 'x1*v1 - x2 = 0' (^ or ** for powers)."
    )
    sd_pct: float = Field(
        default=2.0, gt=0, description="Standard deviation in % of the value where none is given."
    )
    significance: float = Field(
        default=0.05, gt=0, lt=0.5, description="Significance of the tests for gross errors."
    )

    @model_validator(mode="after")
    def _one_problem(self) -> ReconcileInput:
        if self.streams and self.constraints:
            raise ValueError("give either streams (a network) or constraints (nonlinear), not both")
        if self.nodes and not self.streams:
            raise ValueError("nodes are given, but no streams")
        if self.constraints and (self.variables is None or self.measured is None):
            raise ValueError(
                "constraints need variables {measured, unmeasured} and measured values"
            )
        names = [stream.id for stream in self.streams]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"stream {twice!r} is given twice")
        known = set(self.nodes)
        for stream in self.streams:
            for end in (stream.source, stream.target):
                if known and end is not None and end not in known:
                    raise ValueError(f"stream {stream.id!r} names unknown node {end!r}")
            if stream.source is None and stream.target is None:
                raise ValueError(f"stream {stream.id!r} touches no node")
        return self


class Part(BaseModel):
    """Base of the parts of a result."""

    model_config = ConfigDict(
        frozen=True, ser_json_inf_nan="null", serialize_by_alias=True, validate_by_name=True
    )


class GlobalTest(Part):
    """Chi-square test of all balances together: is any measurement grossly wrong?"""

    statistic: float
    critical: float
    dof: int


class ReconciledStream(Part):
    """One stream, variable or tag after reconciliation.

    Attributes:
        id: Stream, variable or tag.
        measured: As measured; null where unmeasured.
        reconciled: Its best estimate; null where unobservable.
        adjustment_sd: Reconciled minus measured, in standard deviations of the measurement.
        test: Measurement test: the adjustment in its own standard deviations; null where not
            redundant.
        klass: Whether others check it (``redundant``; ``weakly_redundant`` where the adjustment has
            less than half the measurement's standard deviation, so that a gross error there can
            hardly be told from noise), or, unmeasured, whether it follows from others.
    """

    id: str
    measured: float | None
    reconciled: float | None
    adjustment_sd: float | None
    test: float | None = None
    klass: StreamClass = Field(alias="class")


class GrossError(Part):
    """A measurement that lies (``bias``: measured minus true) or a loss at a node (``leak``).

    ``confidence`` is its share of the likelihood of all single explanations, none included;
    ``same_as`` names those that the balances cannot tell from it.
    """

    kind: Literal["bias", "leak"]
    id: str
    size: float
    confidence: float
    same_as: tuple[str, ...] = ()


class BalanceClosure(Part):
    """One balance as measured: input, output, their difference, and it in % of the input."""

    name: str
    input: float
    output: float
    imbalance: float
    imbalance_pct: float | None


class ReconcileResult(OperationResult):
    """Result of ``etl.reconcile``.

    Attributes:
        status: ``not_steady`` where the plant moved too much over the data for its balances to hold;
            then no culprit is named.
        objective: Sum of squared adjustments over variances at the optimum.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null", serialize_by_alias=True)

    status: Literal["reconciled", "not_steady"] = "reconciled"
    objective: float
    global_test: GlobalTest
    streams: tuple[ReconciledStream, ...]
    gross_errors: tuple[GrossError, ...] = ()
    balances: tuple[BalanceClosure, ...] = ()
