"""The Model Context Protocol: what this service offers by it, and which other servers it uses."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from orchestrator.sections import Section

_SERVER_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


class McpServerSettings(Section):
    """Another server whose tools become operations of a module of its name."""

    name: str
    """Name of the module: lower-case letters, digits and ``_``."""
    url: str | None = None
    """Address of a server that speaks streamable HTTP: ``https://host/mcp``."""
    command: tuple[str, ...] = ()
    """Program and arguments of a server on standard input and output; it is started for each call."""
    environment: dict[str, SecretStr] = Field(default_factory=dict)
    """Variables for that program, besides ``PATH``, ``HOME`` and the like."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Sent with each request to ``url``, such as ``Authorization``."""
    allow: tuple[str, ...] = Field(min_length=1)
    """Its tools that may be used, by name; no other becomes an operation."""
    timeout: float = Field(default=60.0, gt=0)
    """Total time of one call, from the connection to the answer, s."""

    @field_validator("name")
    @classmethod
    def _a_name(cls, value: str) -> str:
        if not _SERVER_NAME.fullmatch(value):
            raise ValueError(f"{value!r} is no name of a module: lower-case letters, digits and _")
        return value

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        host = value.partition("://")[2].partition("/")[0]
        if "@" in host:
            # The value itself must not be repeated: it holds a password.
            raise ValueError("name user and password in headers, not in the address")
        if not value.startswith(("http://", "https://")) or not host:
            raise ValueError(f"expected http://host/mcp or https://host/mcp, got {value!r}")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.url is None) == (not self.command):
            raise ValueError("give exactly one of url and command")
        if len(set(self.allow)) < len(self.allow):
            raise ValueError("allow names a tool twice")
        return self


class McpSettings(Section):
    """The Model Context Protocol, both ways."""

    enabled: bool = True
    """Whether ``/mcp`` answers."""
    allow: tuple[str, ...] = ()
    """Operations that change something and are offered all the same (``etl.ingest``), and operations of
    other servers. What only reads is offered anyway; what writes to the plant never is."""
    wait: float = Field(default=600.0, gt=0)
    """How long a call waits for its job, s; then the caller is told where to read the result."""
    servers: tuple[McpServerSettings, ...] = ()
    """Servers whose tools become operations."""

    @field_validator("servers")
    @classmethod
    def _names_differ(cls, value: tuple[McpServerSettings, ...]) -> tuple[McpServerSettings, ...]:
        names = [server.name for server in value]
        if len(set(names)) < len(names):
            raise ValueError("two servers have one name")
        return value
