"""Result of ``optimization.blend``."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from orchestrator.modules.base import OperationResult
from orchestrator.modules.optimization.models import Conflict, Part, Status
from orchestrator.modules.optimization.planning.result import Quality


class Flow(Part):
    """What flows from one part to another."""

    model_config = ConfigDict(populate_by_name=True)

    from_: str = Field(alias="from")
    to: str
    flow: float


class Mixed(Part):
    """A pool or product as it is blended.

    Attributes:
        amount: All that flows in.
        composition: Feed -> share of it.
        quality: Property -> value.
        specs: Property -> value, limits, and how much better than the nearest limit it is.
    """

    amount: float
    composition: dict[str, float] = Field(default_factory=dict)
    quality: dict[str, float] = Field(default_factory=dict)
    specs: dict[str, Quality] = Field(default_factory=dict)


class BlendLimit(Part):
    """A limit that holds the blend back.

    Attributes:
        limit: What is limited, in words (``demand of p1``, ``sulphur of p1``).
        kind: supply, demand, capacity, flow, share or quality.
        of: Feed, product, pool or arc.
        property: Of a quality, which.
        side: ``min`` or ``max``.
        bound: The limit.
        shadow_price: Change of the profit for one more unit of the bound, where the blend stands.
        text: The same in words.
    """

    limit: str
    kind: Literal["supply", "demand", "capacity", "flow", "share", "quality"]
    of: str
    property: str = ""
    side: Literal["min", "max"]
    bound: float
    shadow_price: float
    text: str


class Verification(Part):
    """The blend evaluated again from its flows alone.

    Attributes:
        largest_breach: Most by which a balance, limit or quality is broken, over its size.
        of: Which one; empty where none is.
        tolerance: What is let pass.
    """

    largest_breach: float
    of: str = ""
    tolerance: float


class BlendResult(OperationResult):
    """Result of ``optimization.blend``; flows in the problem's unit.

    Attributes:
        status: ``optimal`` (proven to the gap), ``feasible`` (the best found, with its gap),
            ``infeasible``, ``unbounded``, ``time_limit`` (nothing found in the time), ``error``, or
            ``no_model`` where no problem is given or configured.
        objective: Cost less sales, or sales less cost where ``sense`` is ``max``.
        bound: What no blend can better.
        gap: ``|objective − bound|`` over the larger of both.
        sense: As given.
        flows: All flows that are not zero.
        feeds: Feed -> amount used.
        pools: What is in each pool that is used.
        products: What is made, and how good it is.
        binding: Limits that hold the blend back.
        conflicts: Where infeasible, the limits to relax.
        infeasibility_proven: Where infeasible, whether a proof of our own confirms the solver's word.
        unbounded: Where unbounded, the flows that grow without end.
        verification: How the blend was checked.
        method: What proved the bound.
        configure: What to configure where there is no problem.
    """

    status: Status
    objective: float | None = None
    bound: float | None = None
    gap: float | None = None
    sense: Literal["min", "max"] = "min"
    flows: tuple[Flow, ...] = ()
    feeds: dict[str, float] = Field(default_factory=dict)
    pools: dict[str, Mixed] = Field(default_factory=dict)
    products: dict[str, Mixed] = Field(default_factory=dict)
    binding: tuple[BlendLimit, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    infeasibility_proven: bool | None = None
    unbounded: tuple[str, ...] = ()
    verification: Verification | None = None
    method: str = ""
    configure: str | None = None
