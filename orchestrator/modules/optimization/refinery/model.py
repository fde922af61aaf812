"""The refinery model: what can be bought, run, stored and sold, as data.

Flows are in one volume or mass unit per day, money in one currency. A **stream** is anything that flows:
a crude, an intermediate, a component. Crudes are bought; units turn feeds into streams; products are
blended from streams and sold.

    crudes:
      light: {price: 78.0, max: 60}
    units:
      cdu:
        capacity: 100
        feeds:
          light: {yields: {naphtha: 0.25, gas_oil: 0.35, residue: 0.38}, cost: 0.5}
    products:
      gasoline: {price: 95.0, max: 30, components: [naphtha]}
      diesel: {price: 101.0, components: [gas_oil], specs: {sulphur: {max: 0.5}}}
    streams:
      gas_oil: {properties: {sulphur: 0.4}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from orchestrator.field_errors import SAYS_ALL
from orchestrator.modules.optimization.refinery.findings import Finding
from orchestrator.modules.optimization.refinery.numbers import Reading, reading
from orchestrator.modules.optimization.refinery.parts import (
    Emission,
    ModelPart,
    Period,
    Pool,
    Product,
    PropertyRule,
    SideLimit,
    Stream,
    Supply,
    Tank,
    Utility,
)
from orchestrator.modules.optimization.refinery.quantity import Basis, basis_of, plain_unit
from orchestrator.modules.optimization.refinery.unit_parts import Unit

ONE_DAY = (Period.model_construct(name="", days=1.0),)


class RefineryModel(ModelPart):
    """A refinery over one or more periods; without ``periods`` it is one day."""

    name: str = "plan"
    quantity_unit: str = Field(default="bbl", description="Unit of flows, per day.")
    money_unit: str = Field(default="USD", description="Unit of money.")
    surplus: Literal["allowed", "forbidden"] = Field(
        default="allowed", description="Whether streams that are not used may be thrown away."
    )
    periods: tuple[Period, ...] = Field(
        default=(), description="Names, or name -> days; a list of {name, days} as well."
    )
    properties: dict[str, PropertyRule] = Field(
        default_factory=dict, description="How properties blend; linear by amount where not named."
    )
    crudes: dict[str, Supply] = Field(default_factory=dict)
    purchases: dict[str, Supply] = Field(
        default_factory=dict, description="Other feeds and components that are bought."
    )
    units: dict[str, Unit] = Field(default_factory=dict)
    pools: dict[str, Pool] = Field(default_factory=dict)
    tanks: dict[str, Tank] = Field(default_factory=dict)
    products: dict[str, Product] = Field(min_length=1)
    streams: dict[str, Stream] = Field(default_factory=dict)
    utilities: dict[str, Utility] = Field(default_factory=dict)
    emissions: dict[str, Emission] = Field(default_factory=dict)
    limits: dict[str, SideLimit] = Field(default_factory=dict)

    _warnings: tuple[Finding, ...] = PrivateAttr(default=())

    @field_validator("quantity_unit")
    @classmethod
    def _is_a_quantity(cls, value: str) -> str:
        if basis_of(value) is None:
            raise ValueError("is neither a volume nor a mass that is known; write bbl, m3 or t")
        return value

    @field_validator("periods", mode="before")
    @classmethod
    def _periods_by_name(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return [{"name": str(name), "days": days} for name, days in value.items()]
        if isinstance(value, list | tuple):
            return [{"name": item} if isinstance(item, str) else item for item in value]
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _in_its_units(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Read the numbers in the model's own units and periods, then look at the whole.

        Raises:
            ValidationError: with one error for each finding, at its own place.
        """
        if not isinstance(value, Mapping):
            return handler(value)
        odd = list(_odd_keys(value))
        if odd:
            raise _refusal(odd)
        value = _with_text_keys(value)
        with reading(_reading_of(value)):
            model = handler(value)
        from orchestrator.modules.optimization.refinery.checks import findings

        found = findings(model)
        wrong = [item for item in found if item.level == "error"]
        if wrong:
            raise _refusal(wrong)
        model._warnings = tuple(item for item in found if item.level == "warning")  # noqa: SLF001
        return model

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What looks wrong in a model that can be used."""
        return self._warnings

    @property
    def spans(self) -> tuple[Period, ...]:
        """The periods; one of a day and without a name where none are given."""
        return self.periods or ONE_DAY

    @property
    def basis(self) -> Basis:
        """Whether amounts are volumes or masses."""
        found = basis_of(self.quantity_unit)
        assert found is not None
        return found

    @property
    def supplies(self) -> dict[str, tuple[str, Supply]]:
        """All that can be bought: name -> section and supply."""
        return {
            **{name: ("crudes", item) for name, item in self.crudes.items()},
            **{name: ("purchases", item) for name, item in self.purchases.items()},
        }


def _refusal(findings: list[Finding]) -> ValidationError:
    return ValidationError.from_exception_data(
        "RefineryModel",
        [
            InitErrorDetails(
                type=PydanticCustomError(SAYS_ALL, "{text}", {"text": item.text}),
                loc=item.path,
                input=None,
            )
            for item in findings
        ],
    )


def _odd_keys(document: Any, path: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Keys that YAML did not read as text, such as ``on`` and ``no``; whole numbers may be names."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            if isinstance(key, bool) or not isinstance(key, str | int):
                words = "true" if key is True else "false" if key is False else str(key)
                text = f"has the key {words}, which YAML does not read as text; put it in quotes"
                yield Finding("error", path, text)
            else:
                yield from _odd_keys(value, (*path, str(key)))
    elif isinstance(document, list | tuple):
        for number, value in enumerate(document):
            yield from _odd_keys(value, (*path, str(number)))


def _with_text_keys(document: Any) -> Any:
    if isinstance(document, Mapping):
        return {str(key): _with_text_keys(value) for key, value in document.items()}
    if isinstance(document, list):
        return [_with_text_keys(value) for value in document]
    return document


def _reading_of(document: Mapping[str, Any]) -> Reading:
    """Units and periods of a document that is not checked yet."""
    unit = document.get("quantity_unit", "bbl")
    money = document.get("money_unit", "USD")
    periods = document.get("periods", ())
    names: tuple[str, ...] | None = None
    if isinstance(periods, Mapping):
        names = tuple(str(name) for name in periods)
    elif isinstance(periods, list | tuple):
        names = tuple(
            str(item.get("name") if isinstance(item, Mapping) else getattr(item, "name", item))
            for item in periods
        )
    return Reading(
        plain_unit(unit) if isinstance(unit, str) else "bbl",
        money if isinstance(money, str) else "USD",
        names,
    )
