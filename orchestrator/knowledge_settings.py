"""Plant documents: how large they may be, and which server makes vectors of passages."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from orchestrator.sections import Section


class EmbeddingSettings(Section):
    """A server with OpenAI's ``/embeddings``, so that passages are found by meaning too."""

    base_url: str | None = None
    """Address with ``/v1`` where that server wants it; null: passages are found by words alone."""
    model: str | None = None
    """Name that the server knows."""
    api_key: SecretStr | None = None
    timeout: float = Field(default=10.0, gt=0)
    """Total time of one request, repeats included, s."""
    batch: int = Field(default=32, ge=1, le=2048)
    """Passages in one request."""

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if "@" in value.partition("://")[2].partition("/")[0]:
            # The value itself must not be repeated: it holds a password.
            raise ValueError("give the key in api_key, not in the address")
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"expected http://host/v1 or https://host/v1, got {value!r}")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.base_url is None) != (self.model is None):
            raise ValueError("base_url and model go together")
        return self


class KnowledgeSettings(Section):
    """Plant documents."""

    max_file_mb: float = Field(default=50.0, gt=0)
    """Largest document that is taken, MB."""
    max_passages: int = Field(default=20_000, ge=1)
    """Most passages of one document."""
    embeddings: EmbeddingSettings = EmbeddingSettings()
