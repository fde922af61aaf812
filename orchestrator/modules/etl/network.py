"""Parameters of ``etl.reconcile``; the results are in reconciled.py."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.modules import documents
from orchestrator.modules.base import DataInput
from orchestrator.modules.documents import DocumentPart
from orchestrator.plant.tags import Balance

OUTSIDE = frozenset(
    {"", "env", "environment", "surroundings", "outside", "external", "null", "none"}
)
Bound = tuple[float | None, float | None]


class Reading(DocumentPart):
    """A property of a stream (a mass fraction, a specific enthalpy), measured or not.

    With data, ``measured`` is the mean of the column ``tag``, else of the one of its own name.
    """

    measured: float | None = None
    sd: float | None = None
    lower: float | None = None
    upper: float | None = None
    tag: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> Reading:
        _check_reading(getattr(self, "id", "the property"), self)
        return self


class Stream(Reading):
    """One stream of a network, in one consistent unit.

    ``from`` and ``to`` name nodes; null is the surroundings. Without ``measured`` it is unmeasured; a
    standard deviation of 0 means exactly known. ``properties`` are what it carries a unit of flow:
    with them each node balances flow times property too.
    """

    id: str = Field(min_length=1)
    source: str | None = Field(default=None, alias="from")
    target: str | None = Field(default=None, alias="to")
    properties: dict[str, Reading] = Field(default_factory=dict)


def _check_reading(name: str, reading: Reading) -> None:
    if reading.sd is not None and reading.sd < 0:
        raise ValueError(
            f"{name}: sd is {reading.sd:g}; give one above zero, 0 for exactly known, or leave it out"
        )
    if reading.lower is not None and reading.upper is not None and reading.lower > reading.upper:
        raise ValueError(f"{name}: lower ({reading.lower:g}) is above upper ({reading.upper:g})")


class Variables(DocumentPart):
    """Names of the variables of a nonlinear problem."""

    measured: tuple[str, ...] = Field(min_length=1)
    unmeasured: tuple[str, ...] = ()


class ReconcileInput(DataInput):
    """Parameters of ``etl.reconcile``: one of three problems.

    A flow network (``nodes`` and ``streams``, whose values may come from data), a nonlinear problem
    (``variables``, ``measured``, ``sd`` and ``constraints``), or, with neither, balances over data:
    those given here, those of the plant file, or, where neither names a column, one proposed from the
    columns' names. Further fields of a problem document (its source, its known answer) are not read; a
    warning names those that do not merely describe it.
    """

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    nodes: tuple[str, ...] = ()
    streams: tuple[Stream, ...] = ()
    environment: tuple[str, ...] = Field(
        default=(), description="Names in from and to that mean the surroundings, as null does."
    )
    splitters: tuple[str, ...] = Field(
        default=(), description="Nodes whose outlets all have the inlet's properties."
    )
    not_conserved: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Node -> properties that it does not conserve (a reactor, a heat exchanger).",
    )
    normalised: bool = Field(
        default=False, description="Whether the properties of a stream are shares that sum to 1."
    )
    incidence_matrix: tuple[tuple[float, ...], ...] | None = Field(
        default=None, description="Rows nodes, columns streams; read where streams name no node."
    )
    variables: Variables | None = None
    measured: dict[str, float | None] | None = None
    sd: float | dict[str, float] | None = None
    bounds: dict[str, Bound] = Field(
        default_factory=dict, description="Stream or variable -> [lower, upper], null for none."
    )
    constants: dict[str, float] = Field(
        default_factory=dict, description="Named numbers that the constraints may use."
    )
    initial_guess_unmeasured: dict[str, float] = Field(
        default_factory=dict,
        validation_alias=AliasChoices("initial_guess_unmeasured", "initial_guess"),
    )
    constraints: tuple[str, ...] = Field(
        default=(), description="Equations such as 'x1*v1 - x2 = 0' (^ or ** for powers)."
    )
    balances: tuple[Balance, ...] = Field(
        default=(), description="Balances over columns of the data, as in a plant file."
    )
    period: Literal["auto", "all", "day"] = Field(
        default="auto",
        description="Reconcile the mean of all rows, or look at each day; auto takes days where the "
        "data are daily, or span ten days and more.",
    )
    sd_pct: float = Field(
        default=2.0,
        gt=0,
        description="Standard deviation in % of the value where none is given and the data do not "
        "tell.",
    )
    significance: float = Field(
        default=0.05, gt=0, lt=0.5, description="Significance of the tests for gross errors."
    )
    flow_unit: str | None = Field(
        default=None, description="Unit of the flows; the tags' unit of the plant file if null."
    )
    density_kg_m3: float | None = Field(
        default=None, gt=0, description="To turn a volume lost into tonnes."
    )
    price_usd_per_t: float | None = Field(
        default=None, description="Value of what is lost; the plant file's crude price if null."
    )
    hours: float | None = Field(
        default=None, gt=0, description="Time the loss is summed over; the data's span, or 24 h."
    )
    report: bool = Field(default=False, description="Also give the result as an HTML page.")

    @model_validator(mode="before")
    @classmethod
    def _spelt(cls, value: Any) -> Any:
        return documents.refuse_misspelt(cls, value)

    @field_validator("nodes", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return tuple(
                node.get("id", node.get("name", node)) if isinstance(node, dict) else node
                for node in value
            )
        return value

    @model_validator(mode="after")
    def _one_problem(self) -> ReconcileInput:
        if self.nodes and not self.streams:
            raise ValueError(
                "nodes are given, but no streams; give streams: [{id, from, to, measured, sd}]"
            )
        if self.streams and self.period == "day":
            raise ValueError(
                "period day is for balances; the streams of a network are reconciled over all rows"
            )
        if self.streams and self.variables is not None:
            raise ValueError("give either streams (a network) or variables (equations), not both")
        _no_repeats("stream", [stream.id for stream in self.streams])
        _no_repeats("node", list(self.nodes))
        if self.variables is not None:
            _no_repeats("variable", [*self.variables.measured, *self.variables.unmeasured])
            if not self.constraints:
                raise ValueError(
                    "variables are given, but no constraints; give at least one equation"
                )
        self._check_ends()
        for name, (lower, upper) in self.bounds.items():
            if lower is not None and upper is not None and lower > upper:
                raise ValueError(
                    f"bounds of {name!r}: lower ({lower:g}) is above upper ({upper:g})"
                )
        return self

    def unread(self) -> list[str]:
        """Warnings of what the document gives and nothing reads."""
        parts: list[tuple[str, BaseModel]] = []
        for stream in self.streams:
            parts.append((f"stream {stream.id!r}", stream))
            parts += [
                (f"property {name!r} of stream {stream.id!r}", reading)
                for name, reading in stream.properties.items()
            ]
        if self.variables is not None:
            parts.append(("variables", self.variables))
        found = documents.of_parts(parts, self)
        if self.streams:
            found += [
                f"{name!r} is for equations and was not read: give it with each stream"
                for name in ("measured", "sd")
                if getattr(self, name) is not None
            ]
        return found

    def outside(self, end: str | None) -> bool:
        """Whether an end of a stream is the surroundings."""
        if end is None or end in self.environment:
            return True
        return end not in self.nodes and end.strip().lower() in OUTSIDE

    def _check_ends(self) -> None:
        known = set(self.nodes)
        matrix = self.incidence_matrix
        ends = [end for s in self.streams for end in (s.source, s.target)]
        if matrix is not None and self.streams and all(end is None for end in ends):
            if any(len(row) != len(self.streams) for row in matrix):
                raise ValueError(
                    f"incidence_matrix needs {len(self.streams)} columns, one a stream, in every row"
                )
            if known and len(matrix) != len(known):
                raise ValueError(f"incidence_matrix has {len(matrix)} rows for {len(known)} nodes")
            return
        for stream in self.streams:
            for end in (stream.source, stream.target):
                if known and not self.outside(end) and end not in known:
                    raise ValueError(
                        f"stream {stream.id!r} names unknown node {end!r}; add it to nodes, or use "
                        "null for the surroundings"
                    )
            if self.outside(stream.source) and self.outside(stream.target):
                raise ValueError(
                    f"stream {stream.id!r} touches no node; name the node it comes from or goes to, "
                    "as 'from' and 'to'"
                )
        for place, names in (("splitters", self.splitters), ("not_conserved", self.not_conserved)):
            for name in names:
                if name not in known and name not in ends:
                    raise ValueError(f"{place} names unknown node {name!r}")


def _no_repeats(what: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{what} {twice!r} is given twice; give each one its own name")
