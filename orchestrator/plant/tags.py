"""The plant as data: tags with units and limits, and what is computed from them.

One YAML file (``tags.yaml``) holds everything that the orchestrator knows about a plant. A unit and
a limit stand in exactly one place, here; validation, monitoring, optimization, prompts and pages
read them from it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from orchestrator.errors import ConfigurationError, UnknownTagError
from orchestrator.field_errors import field_errors, in_words, json_text
from orchestrator.plant.economic_model import EconomicModel
from orchestrator.plant.part import PlantPart
from orchestrator.plant.priority import Consequence
from orchestrator.plant.signatures import Signature
from orchestrator.yaml_files import read_yaml

TagKind = Literal[
    "flow",
    "temperature",
    "pressure",
    "level",
    "analyser",
    "valve",
    "lab",
    "price",
    "computed",
    "state",
    "total",
    "other",
]
PlantMode = Literal["steady", "transient", "startup", "shutdown", "emergency"]


class Limits(PlantPart):
    """Alarm limits in the tag's unit; each one may be absent.

    ``low_low`` and ``high_high`` are hard: where the plant is tripped or harmed. ``low`` and ``high`` warn before.
    """

    low_low: float | None = None
    low: float | None = None
    high: float | None = None
    high_high: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        given = [
            (name, value)
            for name in ("low_low", "low", "high", "high_high")
            if (value := getattr(self, name)) is not None
        ]
        for (name, value), (next_name, next_value) in itertools.pairwise(given):
            if value >= next_value:
                raise ValueError(f"{name} ({value}) must be below {next_name} ({next_value})")
        return self

    @property
    def operating(self) -> tuple[float | None, float | None]:
        """Range in which the tag may stand for long: the inner limit of each side."""
        low = self.low_low if self.low is None else self.low
        return low, self.high_high if self.high is None else self.high

    @property
    def hard(self) -> tuple[float | None, float | None]:
        """Range that must not be left at any time."""
        return self.low_low, self.high_high


class Tag(PlantPart):
    """One measured, computed or set value of the plant.

    Attributes:
        name: Instrument tag, unique in the plant.
        description: What it measures, in words.
        unit: Unit that pint understands (``m**3/h``, ``degC``, ``kPa``, ``percent``); an empty
            string where the unit is not known.
        area: Part of the plant.
        kind: What sort of value it is; ``total`` is a counter that only grows, until it is reset.
        normal: Lower and upper end of the normal operating range, in ``unit``.
        limits: Alarm limits, in ``unit``.
        rate_limit: Largest credible or allowed change, in ``unit`` per minute.
        dead_band: Hysteresis of the limit alarms, in ``unit``.
        controllable: Whether it is a handle that the optimizer may propose to move.
        period_seconds: Expected sampling period, s.
        aliases: Other names that people use.
        expression: For ``computed`` tags, the expression over other tags.
        consequence: What follows when an alarm of the tag stays unanswered; with ``respond_minutes``
            it sets the priority of its limit alarms.
        respond_minutes: Time in which an answer still helps.
        node: OPC UA node that it is read from, ``nsu=urn:plant;s=FI101`` or ``ns=2;i=17``.
    """

    name: str = Field(min_length=1)
    description: str = ""
    unit: str = ""
    area: str = ""
    kind: TagKind = "other"
    normal: tuple[float, float] | None = None
    limits: Limits = Limits()
    rate_limit: float | None = Field(default=None, gt=0)
    dead_band: float = Field(default=0.0, ge=0)
    controllable: bool = False
    period_seconds: float | None = Field(default=None, gt=0)
    aliases: tuple[str, ...] = ()
    expression: str | None = None
    consequence: Consequence | None = None
    respond_minutes: float | None = Field(default=None, gt=0)
    node: str | None = None

    @field_validator("normal")
    @classmethod
    def _range(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError(f"normal range must be [low, high] with low < high, got {list(value)}")
        return value

    @property
    def settable(self) -> tuple[float, float]:
        """Range that a set point may be moved in: its limits, and its normal range on a side without one.

        In ``unit``; infinite on a side of which the file says nothing.
        """
        low, high = self.limits.operating
        normal = self.normal or (-math.inf, math.inf)
        return normal[0] if low is None else low, normal[1] if high is None else high


class Term(PlantPart):
    """One stream of a balance: ``factor`` times the tag (for units, density or sign)."""

    tag: str
    factor: float = 1.0
    sd_pct: float | None = Field(default=None, gt=0)


class Balance(PlantPart):
    """Inputs equal outputs at steady state, in one unit.

    Attributes:
        name: Name of the balance (a unit, a node, a tank).
        kind: What is conserved.
        inputs: Streams in; a plain tag name stands for a term with factor 1.
        outputs: Streams out.
    """

    name: str
    kind: Literal["mass", "volume", "energy"] = "mass"
    inputs: tuple[Term, ...] = Field(min_length=1)
    outputs: tuple[Term, ...] = Field(min_length=1)

    @field_validator("inputs", "outputs", mode="before")
    @classmethod
    def _plain_names(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [{"tag": item} if isinstance(item, str) else item for item in value]
        return value


class Change(PlantPart):
    """How the change of a KPI is computed: mean of a window against the mean of a baseline.

    ``relative_to`` is ``baseline`` (change in % of the baseline mean) or ``mean_absolute`` (change in
    % of the mean absolute value over the baseline, for values such as spreads that can cross zero).
    """

    window_hours: float = Field(default=24.0, gt=0)
    baseline_hours: float = Field(default=168.0, gt=0)
    relative_to: Literal["baseline", "mean_absolute"] = "baseline"


class Kpi(PlantPart):
    """A key performance indicator: an expression over tags, its unit, and its change."""

    expression: str
    unit: str = ""
    change: Change | None = Change()


class Equipment(PlantPart):
    """A piece of equipment whose health (1 as new, 0 failed) is an expression over tags."""

    id: str
    kind: str = ""
    health: str
    trend_days: float = Field(default=7.0, gt=0)


class ModeRules(PlantPart):
    """How the plant mode is found when no operator has set it.

    Attributes:
        mode_tag: A tag whose value names the mode through ``values``.
        values: Value of the mode tag -> plant mode.
        key_tags: Tags of the steady-state test; empty means all flows, temperatures, pressures and
            levels.
        steady_share: Share of key tags that must be steady.
    """

    mode_tag: str | None = None
    values: dict[int, PlantMode] = Field(default_factory=dict)
    key_tags: tuple[str, ...] = ()
    steady_share: float = Field(default=0.8, gt=0, le=1)


class MarketFields(PlantPart):
    """Expressions over price and stock tags from which the market part of a situation is computed.

    Attributes:
        crude: Price of crude; its change is in % over 1 trading day.
        crack_spread: Margin between products and crude; its change is over 5 trading days, relative
            to the mean absolute spread of 60.
        product_stock: Product inventory; its z-score is against the same season.
        report: A tag that changes when a new market report is published.
    """

    crude: str | None = None
    crack_spread: str | None = None
    product_stock: str | None = None
    report: str | None = None


class Product(PlantPart):
    """What leaves the plant for sale or for another unit, and what it must be.

    Attributes:
        flow: Tag of its flow.
        specifications: Tag of a quality -> least and largest value sold as this product, in the tag's unit.
    """

    flow: str
    specifications: dict[str, tuple[float | None, float | None]] = Field(default_factory=dict)


class Plant(PlantPart):
    """Everything known about one plant.

    Attributes:
        name: Shown to people.
        simulated: Whether the values come from a simulation; shown wherever they are.
        tags: All tags.
        balances: Balances that should close at steady state.
        mode: How the plant mode is found.
        kpis: KPI name -> definition. ``margin_usd_per_bbl``, ``energy_index``,
            ``yield_deviation_pct`` and ``throughput_pct`` are the names the shipped triggers read.
        equipment: Equipment with health.
        market: Market fields.
        products: Product name -> its flow and specifications.
        economics: Model for ``optimization.setpoints``; absent means none is configured.
        signatures: Fault signatures, tried before the shipped ones.
    """

    name: str = "plant"
    simulated: bool = False
    tags: tuple[Tag, ...] = ()
    balances: tuple[Balance, ...] = ()
    mode: ModeRules = ModeRules()
    kpis: dict[str, Kpi] = Field(default_factory=dict)
    equipment: tuple[Equipment, ...] = ()
    market: MarketFields = MarketFields()
    products: dict[str, Product] = Field(default_factory=dict)
    economics: EconomicModel | None = None
    signatures: tuple[Signature, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        seen: set[str] = set()
        for tag in self.tags:
            if tag.name in seen:
                raise ValueError(f"tag {tag.name!r} is defined twice")
            seen.add(tag.name)
        for balance in self.balances:
            for term in (*balance.inputs, *balance.outputs):
                if seen and term.tag not in seen:
                    raise ValueError(f"balance {balance.name!r} names unknown tag {term.tag!r}")
        return self

    @cached_property
    def by_name(self) -> dict[str, Tag]:
        """Tags by name."""
        return {tag.name: tag for tag in self.tags}

    @cached_property
    def specifications(self) -> dict[str, tuple[float | None, float | None]]:
        """Tag of a quality -> least and largest value that every product asking for it accepts."""
        found: dict[str, tuple[float | None, float | None]] = {}
        for product in self.products.values():
            for tag, (low, high) in product.specifications.items():
                lows = [item for item in (found.get(tag, (None, None))[0], low) if item is not None]
                highs = [
                    item for item in (found.get(tag, (None, None))[1], high) if item is not None
                ]
                found[tag] = (max(lows, default=None), min(highs, default=None))
        return found

    @property
    def tag_names(self) -> tuple[str, ...]:
        """Names of all tags, in file order."""
        return tuple(tag.name for tag in self.tags)

    def tag(self, name: str) -> Tag:
        """The tag called ``name``.

        Raises:
            UnknownTagError: no such tag.
        """
        try:
            return self.by_name[name]
        except KeyError:
            raise UnknownTagError(
                f"no tag {name!r}", where=self.name, remedy="list the tags with: dan-g tags list"
            ) from None

    def __iter__(self) -> Iterator[Tag]:  # type: ignore[override]
        return iter(self.tags)


def load_plant(path: Path) -> Plant:
    """Read a plant file.

    Raises:
        ConfigurationError: the file cannot be read, or a field in it is wrong; the text names the
            file, the path in it and what is accepted.
    """
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise ConfigurationError(
            f"named fields are expected at the top, got {json_text(document)}",
            where=str(path),
            remedy="draft one from data with: dan-g tags infer FILE",
        )
    try:
        plant = Plant.model_validate(document)
    except ValidationError as error:
        found = field_errors(error.errors(), document)
        raise ConfigurationError(
            in_words(found),
            where=str(path),
            remedy="mend these, then check with: dan-g tags check FILE",
            context={"errors": found},
        ) from error
    from orchestrator.plant.consistency import faults_of

    faults = list(faults_of(plant))
    if faults:
        raise ConfigurationError(
            "; ".join(faults),
            where=str(path),
            remedy="mend these, then check with: dan-g tags check FILE",
            context={"faults": faults},
        )
    return plant
