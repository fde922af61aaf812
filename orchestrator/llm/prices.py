"""What the use of a model costs: the shipped price list (``prices.yaml``), or the site's own price."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib import resources
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from orchestrator.llm.port import Usage
from orchestrator.llm_settings import ModelSettings, PriceSettings
from orchestrator.yaml_files import parse_yaml

MILLION = 1e6


class _Listed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    off_peak: PriceSettings
    peak: PriceSettings


class _Host(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    peak_hours: tuple[tuple[int, int], ...]
    peak_weekdays: tuple[int, ...]
    models: dict[str, _Listed]


class PriceList(BaseModel):
    """The shipped prices, with their date and where they are from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: str
    source: str
    hosts: dict[str, _Host]


@cache
def price_list() -> PriceList:
    """The shipped price list."""
    text = (resources.files("orchestrator.llm") / "prices.yaml").read_text(encoding="utf-8")
    return PriceList.model_validate(parse_yaml(text))


def price_of(model: ModelSettings, at: datetime) -> PriceSettings | None:
    """Price of a model at an aware time, US dollars per million tokens; ``None`` where none is known."""
    if model.price is not None:
        return model.price
    host = price_list().hosts.get(urlsplit(model.address).hostname or "")
    listed = host.models.get(model.model) if host is not None else None
    if host is None or listed is None:
        return None
    peak = at.weekday() in host.peak_weekdays and any(
        start <= at.hour < end for start, end in host.peak_hours
    )
    return listed.peak if peak else listed.off_peak


def cost_of(usage: Usage, price: PriceSettings | None) -> float | None:
    """US dollars for a use; reasoning tokens are output tokens."""
    if price is None:
        return None
    cached = min(usage.cached_tokens, usage.input_tokens)
    cached_price = price.input if price.cached_input is None else price.cached_input
    paid = (
        (usage.input_tokens - cached) * price.input
        + cached * cached_price
        + usage.output_tokens * price.output
    )
    return paid / MILLION
