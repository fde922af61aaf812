"""What can be configured about language models. All times are seconds, money is US dollars."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from orchestrator.sections import Section

RETIRED_MODELS = {"deepseek-chat": "deepseek-flash", "deepseek-reasoner": "deepseek-flash"}
HOSTED_MODELS = ("deepseek-flash", "deepseek-v4-pro")
HOSTED_URL = "https://api.deepseek.com"

DialectName = Literal["deepseek-hosted", "vllm", "sglang", "ollama", "llamacpp", "generic"]


class CapabilitySettings(Section):
    """What this site's server does other than its dialect says; null follows the dialect."""

    system_message: bool | None = None
    """Whether the model heeds a system message; else its text opens the first user message."""
    structured: Literal["prompt", "json_object", "json_schema"] | None = None
    """How JSON is asked for: in words only, or with ``response_format`` too."""
    reasoning_fields: tuple[str, ...] | None = None
    """Fields of a message that may hold the reasoning."""
    starts_in_reasoning: bool | None = None
    """Whether content without an opening ``<think>`` may be reasoning, up to ``</think>``."""
    streamed: bool | None = None
    """Whether whole answers are received in pieces, so that a reply that repeats itself is cut short."""
    usage_in_stream: bool | None = None
    """Whether the server tells the use of tokens at the end of a stream when it is asked to."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    """Name of the parameter for the longest reply."""
    temperature: bool | None = None
    """Whether a temperature may be sent."""
    context_tokens: int | None = Field(default=None, ge=256)
    """Tokens that prompt and reply may have together."""
    extra_body: dict[str, Any] | None = None
    """Further fields of every request, such as ``{"thinking": {"type": "enabled"}}``."""


class PriceSettings(Section):
    """Price of a model, US dollars per million tokens."""

    input: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    """Null: as ``input``."""
    output: float = Field(ge=0)


class ModelSettings(Section):
    """One model on one server."""

    model: str
    """Name that the server knows; ``deepseek-flash`` and ``deepseek-v4-pro`` are hosted."""
    api_key: SecretStr | None = None
    """Key; empty for a server without keys, null for no model."""
    base_url: str | None = None
    """Address of an OpenAI-compatible server, with ``/v1`` where that server wants it."""
    dialect: DialectName | None = None
    """How the server speaks; guessed as ``deepseek-hosted`` or ``generic`` when null."""
    capabilities: CapabilitySettings = CapabilitySettings()
    price: PriceSettings | None = None
    """What it costs; null takes the shipped price list, where the model is in it."""

    @field_validator("model")
    @classmethod
    def _not_retired(cls, value: str) -> str:
        if value in RETIRED_MODELS:
            raise ValueError(
                f"model {value!r} was switched off on 2026-07-24; "
                f"use one of {', '.join(HOSTED_MODELS)}, or your own server with base_url"
            )
        return value

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an address such as http://gpu-host:8000/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError("must hold no user, password or query: the key belongs in api_key")
        if parts.path.rstrip("/").endswith("/completions"):
            raise ValueError("must end before /chat/completions, which is added")
        return value.rstrip("/")

    @property
    def address(self) -> str:
        """Where the model is asked, without a slash at the end."""
        return self.base_url or HOSTED_URL

    @property
    def spoken(self) -> DialectName:
        """The dialect, guessed from the address where none is set."""
        if self.dialect is not None:
            return self.dialect
        hosted = urlsplit(self.address).hostname == urlsplit(HOSTED_URL).hostname
        return "deepseek-hosted" if hosted else "generic"

    @property
    def why_unusable(self) -> str | None:
        """Why it cannot be asked, and what to set; null when it can."""
        if self.api_key is None:
            return "no api_key is set: the policy decides alone"
        if self.base_url is None and self.model not in HOSTED_MODELS:
            return (
                f"{self.model!r} has no hosted address: set llm.base_url to your own server, "
                f"or llm.model to one of {', '.join(HOSTED_MODELS)}"
            )
        return None


class LLMSettings(ModelSettings):
    """The language model. Without a key (or with ``deepseek-r1`` and no ``base_url``) there is none."""

    model: str = "deepseek-r1"
    """Name that the server knows; ``deepseek-flash`` and ``deepseek-v4-pro`` are hosted."""
    temperature: float = Field(default=0.6, ge=0, le=2)
    max_tokens: int = Field(default=16384, ge=1)
    """Longest reply, reasoning included."""
    timeout: float = Field(default=120.0, gt=0)
    """Total deadline of one call, s."""
    fallbacks: tuple[ModelSettings, ...] = ()
    """Models that are asked, in order, where the one before gives no usable answer."""
    attempts: int = Field(default=4, ge=1)
    """Most requests to one model for one answer where the server or the network fails."""
    retry_base: float = Field(default=0.5, gt=0)
    """First wait before a repeat, s; doubled each time, with jitter."""
    retry_cap: float = Field(default=20.0, gt=0)
    concurrency: int = Field(default=4, ge=1)
    """Requests that one server gets at once; lowered for a while when it says that there are too many."""
    breaker_failures: int = Field(default=5, ge=1)
    """Failures of a server in a row after which it is left alone."""
    breaker_seconds: float = Field(default=30.0, gt=0)
    """How long it is left alone, s; then one request tries it."""
    daily_tokens: int | None = Field(default=None, ge=1)
    """Most tokens a day (UTC) of all models together; null for no limit."""
    daily_usd: float | None = Field(default=20.0, gt=0)
    """Most money a day (UTC), as far as prices are known; null for no limit."""
    cache_ttl: float = Field(default=3600.0, ge=0)
    """How long the answer to the very same question is used again, s; 0 never."""
    max_reply_mb: float = Field(default=8.0, gt=0)
    """Largest reply that is read, MB."""
    salvage: bool = True
    """Whether an answer that stands only in the reasoning is taken, marked as such."""

    @property
    def usable(self) -> bool:
        """Whether there is a model to ask."""
        return self.why_unusable is None

    @property
    def why_unusable(self) -> str | None:
        """Why there is no model, and what to set; null when there is one."""
        return None if self.chain else super().why_unusable

    @property
    def chain(self) -> tuple[ModelSettings, ...]:
        """The models that can be asked, in order."""
        own = () if super().why_unusable else (self,)
        return (*own, *(model for model in self.fallbacks if model.why_unusable is None))
