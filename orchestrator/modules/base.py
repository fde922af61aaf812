"""The contract of a module: a named set of operations, each declared once.

From one :class:`Operation` come its REST route, OpenAPI schema, command, tool and reference page.
Declaring an operation imports no scientific library: the handler is named as ``"package.file:name"``
and imported in the worker process that runs it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from orchestrator.errors import DataError, OperationError
from orchestrator.plant.tags import Plant, TagKind

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.write_settings import TagEnvelope

Progress = Callable[[float, str], None]


class HistorianRange(BaseModel):
    """A range of the historian: ``tags`` (all when empty) from ``start`` to ``end``, both included.

    With ``period_seconds`` the values are means over that period.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tags: tuple[str, ...] = ()
    start: AwareDatetime
    end: AwareDatetime
    period_seconds: float | None = Field(default=None, gt=0)


class InlineData(BaseModel):
    """Rows given with the request, as a list of objects or as columns of equal length."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: tuple[dict[str, Any], ...] | None = None
    columns: dict[str, list[Any]] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.rows is None) == (self.columns is None):
            raise ValueError("give either rows or columns")
        return self


class OperationInput(BaseModel):
    """Base of every operation's parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataInput(OperationInput):
    """Parameters of an operation that reads data.

    Without ``data`` the operation reads its own default history of the live historian.
    """

    data: HistorianRange | InlineData | None = Field(
        default=None, description="Inline rows or columns, or a range of the historian."
    )


class NamesTags:
    """Marks parameters that name tags which the operation reads from its data."""


class NamesPlantTags:
    """Marks parameters that name tags of the plant, whatever the data holds."""


TagName = Annotated[str, NamesTags]
TagNames = Annotated[tuple[str, ...], NamesTags]
PlantTagNames = Annotated[tuple[str, ...], NamesPlantTags]


class OperationResult(BaseModel):
    """Base of every operation's result.

    ``summary`` is one sentence that a shift supervisor can read; ``warnings`` say what limits it.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    summary: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What an operation needs before it is worth running.

    Attributes:
        min_quality: Least data-quality score, 0 to 1; ``None`` where plant data is not read.
        history: How much history it reads by default, or ``rows`` sampling periods where that is
            longer; ``None`` where it reads none.
        rows: Sampling periods that the default history covers at least, so that slow data has a
            past too.
        kinds: Kinds of tags to which this history is limited; all when empty.
        period_seconds: Period of the means in which it is read, s; ``None`` for every sample.
        min_rows: Rows of history under which the live loop does not start it.
        cost_seconds: Expected compute time, s, until observed values replace it.
        benefit_usd: Expected benefit of one run, USD, until observed values replace it.
        writes_to_plant: Whether it may write to the plant.
    """

    min_quality: float | None = None
    history: timedelta | None = None
    rows: int = 400
    min_rows: int = 0
    kinds: tuple[TagKind, ...] = ()
    period_seconds: float | None = None
    cost_seconds: float = 1.0
    benefit_usd: float = 0.0
    writes_to_plant: bool = False


@dataclass(frozen=True)
class OperationContext:
    """What a handler may know besides its parameters; it is pickled into the worker.

    Attributes:
        now: Plant time at which the operation was asked for, UTC.
        plant: Tags, balances, KPIs and economics.
        data_file: Arrow IPC file with the input data (column ``time``, then one column a tag), or
            ``None``.
        data_given: Whether that data was given with the request, rather than being the operation's
            default history.
        settings: The module's own ``options`` from the configuration.
        write_list: What may be written, and how far and how fast: tag -> its envelope.
        scratch: A folder of this run for artefacts (plots, reports).
        folder: The module's own folder, kept between runs; made by who writes into it first. Several
            runs may use it at once.
        seed: Seed of everything random.
        progress: Reports a share from 0 to 1 and what is being done.
    """

    now: datetime
    plant: Plant
    data_file: Path | None = None
    data_given: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    write_list: Mapping[str, TagEnvelope] = field(default_factory=dict)
    scratch: Path | None = None
    folder: Path | None = None
    seed: int = 0
    progress: Progress = lambda share, what: None  # noqa: ARG005

    def table(self) -> pa.Table:
        """The input data.

        Raises:
            DataError: the operation was called without data.
        """
        import pyarrow as pa

        if self.data_file is None:
            raise DataError(
                "no data was given",
                remedy="pass data with rows, columns or a historian range, or run with a source",
            )
        with pa.OSFile(str(self.data_file)) as source:
            return pa.ipc.open_file(source).read_all()


Handler = Callable[[Any, OperationContext], OperationResult]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a module can do.

    Attributes:
        module: Name of the module.
        name: Name of the operation.
        summary: What it answers, one sentence.
        input_model: Type of its parameters.
        output_model: Type of its result.
        handler: ``"package.file:function"``; the function takes the parameters and a context.
        needs: What it needs.
        as_given: Whether inline data reaches it as it was given; else its times are read as UTC first.
        needs_time: Whether its data must hold times; else rows in their order will do.
        exact: Whether a file is refused in which a time has two values or a value is infinite; else the
            reader's mending is told as a warning.
        appends: Field of its result that names a Parquet file in the run's folder, to be appended to
            the historian after the run; nothing is appended where the field is null.
        changes: What it changes besides its own caches, in words; null where it only reads and computes.
            An operation that changes something is offered to other programs by configuration only.
    """

    module: str
    name: str
    summary: str
    input_model: type[OperationInput]
    output_model: type[OperationResult]
    handler: str
    needs: Needs = Needs()
    as_given: bool = False
    needs_time: bool = True
    exact: bool = False
    appends: str | None = None
    changes: str | None = None

    @property
    def full_name(self) -> str:
        """``module.operation``."""
        return f"{self.module}.{self.name}"

    @property
    def reads_data(self) -> bool:
        """Whether its parameters take ``data``."""
        return issubclass(self.input_model, DataInput)

    def load_handler(self) -> Handler:
        """Import the handler.

        Raises:
            OperationError: the file or the function is not there.
        """
        file, _, name = self.handler.partition(":")
        try:
            handler: Handler = getattr(importlib.import_module(file), name)
        except (ImportError, AttributeError) as error:
            raise OperationError(
                f"the handler {self.handler!r} cannot be imported ({error})",
                where=self.full_name,
                remedy="run dan-g doctor to see which optional parts are missing",
            ) from error
        return handler


@dataclass(frozen=True, slots=True)
class Module:
    """A named set of operations."""

    name: str
    summary: str
    operations: tuple[Operation, ...]

    def __post_init__(self) -> None:
        for operation in self.operations:
            if operation.module != self.name:
                raise ValueError(f"{operation.full_name} is declared in module {self.name!r}")
