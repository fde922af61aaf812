"""How servers of language models differ, as data: ``dialects.yaml`` and what a site's configuration overrides."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from orchestrator.llm_settings import DialectName, ModelSettings
from orchestrator.yaml_files import parse_yaml


class Capabilities(BaseModel):
    """What one model on one server understands and does; the fields mean what ``CapabilitySettings`` says.

    ``context_remedy`` is what a person can do when question and answer do not fit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system_message: bool
    structured: Literal["prompt", "json_object", "json_schema"]
    reasoning_fields: tuple[str, ...]
    starts_in_reasoning: bool
    streamed: bool
    usage_in_stream: bool
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"]
    temperature: bool
    context_tokens: int | None
    context_remedy: str | None
    extra_body: dict[str, Any]


def capabilities_of(settings: ModelSettings) -> Capabilities:
    """The record of the model's dialect, with what the configuration overrides."""
    changed = settings.capabilities.model_dump(exclude_none=True)
    return _dialects()[settings.spoken].model_copy(update=changed)


@cache
def _dialects() -> dict[DialectName, Capabilities]:
    text = (resources.files("orchestrator.llm") / "dialects.yaml").read_text(encoding="utf-8")
    return {name: Capabilities.model_validate(record) for name, record in parse_yaml(text).items()}
