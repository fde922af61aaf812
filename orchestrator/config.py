"""What can be configured: one typed model a section, with defaults. All times are seconds.

:mod:`orchestrator.config_file` reads it from a file and the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
from pydantic import (
    AwareDatetime,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from orchestrator.chat_settings import ChatSettings
from orchestrator.knowledge_settings import KnowledgeSettings
from orchestrator.llm_settings import LLMSettings
from orchestrator.mcp_settings import McpSettings
from orchestrator.sections import Section
from orchestrator.write_settings import WriteSettings


class ModuleSettings(Section):
    """One module."""

    enabled: bool = True
    timeout: float = Field(default=300.0, gt=0)
    """Longest run of one operation, s; a run over it is stopped."""
    max_concurrency: int = Field(default=1, ge=1)
    """Operations of this module that may run at once."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The module's own settings, as its reference page says."""


class TriggerRule(Section):
    """A rule that names operations when its condition holds.

    ``when`` is a Common Expression Language expression over the situation. An absent field never
    makes a rule hold.
    """

    name: str
    family: Literal["performance", "market", "equipment", "schedule", "prediction", "data"]
    when: str
    operations: tuple[str, ...] = Field(min_length=1)
    says: str | None = None
    """What it means when it holds, in words, where its facts do not say it."""
    urgent: bool = False
    """Goes ahead when resources are scarce."""
    rearm: float | None = Field(default=None, ge=0)
    """In the live loop a rule that keeps holding names its operations once in this time, s."""


class GateSettings(Section):
    """Thresholds of the gates."""

    min_quality: dict[str, float] = Field(
        default_factory=lambda: {"forecasting": 0.70, "optimization": 0.85}
    )
    """Least data-quality score by module; a module not named needs none."""
    min_free_share: float = Field(default=0.10, ge=0, le=1)
    """Under this free share of processor or memory only urgent work starts."""


class DecisionEngineSettings(Section):
    """When to decide what."""

    confidence_threshold: float = Field(default=0.8, ge=0, le=1)
    """Below it the advisor is asked."""
    advisor: Literal["model", "panel"] = "model"
    """Who advises: the language model in one question, or several agents in rounds, with stand-ins where
    there is no model."""
    max_retries: int = Field(default=3, ge=0)
    """Repeats of a failed action, and of a malformed model answer."""
    cache_ttl: float = Field(default=3600.0, ge=0)
    """Age up to which a result is fresh, s."""
    rearm: float = Field(default=3600.0, ge=0)
    """Default re-arm time of the triggers, s."""
    triggers: tuple[TriggerRule, ...] | None = None
    """Null: the shipped rules."""
    gates: GateSettings = GateSettings()


class OpcUaSettings(Section):
    """The connection to an OPC UA server; its address is ``plant.source.url``."""

    nodes: dict[str, str] = Field(default_factory=dict)
    """Node id by tag (``nsu=urn:plant;s=FI101``, ``ns=2;i=17``); goes before the tag's own ``node``. A
    tag without either is looked up by its name among the server's variables."""
    security_policy: Literal[
        "none", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"
    ] = "none"
    security_mode: Literal["Sign", "SignAndEncrypt"] = "SignAndEncrypt"
    certificate: Path | None = None
    """Our application's certificate (PEM or DER); its URI is our application URI."""
    private_key: Path | None = None
    private_key_password: SecretStr | None = None
    server_certificate: Path | None = None
    """The certificate that the server must show; null: whatever it shows is believed."""
    user: str | None = None
    password: SecretStr | None = None
    plain_password: bool = False
    """Whether a password may cross a connection without a security policy."""
    publishing_interval: float = Field(default=1.0, gt=0)
    """How often the server sends what has changed, s."""
    sampling_interval: float = Field(default=1.0, ge=0)
    """How often the server looks at a value, s; 0 is as fast as it can."""
    queue_size: int = Field(default=100, ge=1)
    """Values of one item that the server keeps between two publications."""
    report: Literal["timestamp", "value"] = "timestamp"
    """Whether an unchanged value with a new source time is a sample too."""
    items_per_call: int = Field(default=500, ge=1)
    """Items in one request for monitoring or history."""
    timeout: float = Field(default=10.0, gt=0)
    """Longest wait for the answer to one request, s."""
    reconnect_base: float = Field(default=1.0, gt=0)
    """First wait before a new connection, s; doubled each time, with jitter."""
    reconnect_cap: float = Field(default=30.0, gt=0)
    settle: float = Field(default=0.5, ge=0)
    """How long samples wait for others of an earlier source time, s."""
    history: bool = True
    """Whether gaps are filled from the server's history."""
    history_hours: float = Field(default=24.0, gt=0)
    """Longest gap that is filled, and longest look back, h."""
    learn_hours: float = Field(default=0.0, ge=0)
    """Hours of the server's history taken in before the first live sample, to train the monitor on."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.security_policy != "none" and not (self.certificate and self.private_key):
            raise ValueError(
                f"security_policy {self.security_policy} needs certificate and private_key"
            )
        if self.password is not None and self.user is None:
            raise ValueError("password is set and user is not")
        if self.password is not None and self.security_policy == "none" and not self.plain_password:
            raise ValueError(
                "a password needs a security_policy; set plain_password: true to send it in the clear"
            )
        return self


class SourceSettings(Section):
    """Where samples come from."""

    kind: Literal["none", "replay", "twin", "opcua"] = "none"
    path: Path | None = None
    """File to replay, or the twin's scenario (null: the demo scenario)."""
    train: Path | None = None
    """Normal operation to train the monitor on before a replay."""
    speed: float = Field(default=1.0, ge=0)
    """Times real time; 0 is as fast as possible."""
    time_column: str | None = None
    seed: int = 0
    url: str | None = None
    """Address of an OPC UA server: ``opc.tcp://host:4840``."""
    opcua: OpcUaSettings = OpcUaSettings()

    @field_validator("url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        host = value.removeprefix("opc.tcp://").partition("/")[0]
        if "@" in host:
            # The value itself must not be repeated: it holds the password.
            raise ValueError("name user and password in plant.source.opcua, not in the address")
        if not value.startswith("opc.tcp://") or not host:
            raise ValueError(f"expected opc.tcp://host:port, got {value!r}")
        return value

    @field_validator("path")
    @classmethod
    def _expanded(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value else None


class MaintenanceWindow(Section):
    """A planned window, both ends with a time zone."""

    start: AwareDatetime
    end: AwareDatetime
    reason: str = ""


class HistorianSettings(Section):
    """How samples are kept."""

    database_url: SecretStr | None = None
    """``postgresql://user:password@host/name``, with TimescaleDB (untested) where it has that; null: DuckDB in
    the home."""
    raw_days: float | None = Field(default=None, gt=0)
    """Days after which only means over ``fine_seconds`` are kept; null keeps every sample."""
    fine_seconds: float = Field(default=60.0, gt=0)
    coarse_days: float | None = Field(default=None, gt=0)
    """Days after which only means over ``coarse_seconds`` are kept; null: never."""
    coarse_seconds: float = Field(default=3600.0, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.coarse_days is not None and self.coarse_days <= (self.raw_days or 0):
            raise ValueError("coarse_days must be more than raw_days")
        if self.coarse_seconds <= self.fine_seconds:
            raise ValueError("coarse_seconds must be more than fine_seconds")
        return self


class PlantSettings(Section):
    """The plant and its connection."""

    file: Path | None = None
    """Plant file (``tags.yaml``); null: the source's own, or inferred from its data."""
    source: SourceSettings = SourceSettings()
    assess_interval: float = Field(default=60.0, gt=0)
    """Plant time between assessments, s."""
    retention_days: float = Field(default=400.0, gt=0)
    """How long the historian keeps samples."""
    historian: HistorianSettings = HistorianSettings()
    maintenance: tuple[MaintenanceWindow, ...] = ()
    """Planned maintenance windows."""
    write_enabled: bool = False
    """Whether anything may ever be written to the plant."""
    write: WriteSettings = WriteSettings()
    """What may be written, how far and how fast."""


class MonitoringSettings(Section):
    """Detectors and alerts."""

    training_rows: int = Field(default=480, ge=20)
    """Rows used for training when no training file is given."""
    false_alarm_rate: float = Field(default=0.01, gt=0, lt=0.5)
    """Share of normal rows that may exceed a control limit, per statistic."""
    variance_explained: float = Field(default=0.7, gt=0, lt=1)
    """Share of variance kept by the principal components."""
    on_delay: int = Field(default=6, ge=1)
    """Consecutive rows over the limit before an alert starts."""
    off_delay: int = Field(default=10, ge=1)
    """Consecutive rows under the limit before an alert ends."""
    limit_on_delay: int = Field(default=2, ge=1)
    """Rows beyond an alarm limit before its alert starts; one row alone may be a spike."""
    limit_off_delay: int = Field(default=3, ge=1)
    """Rows back inside the dead band before it ends."""
    planned_move_rows: int = Field(default=60, ge=0)
    """Rows that the plant takes to settle after a handle was moved; what follows from it is expected."""
    renew: bool = True
    """Learn normal operation anew when the plant has moved for good, on purpose, and nothing is wrong."""


class OperatorSettings(Section):
    """What becomes of recommendations. What may be written at all is the plant's to say."""

    mode: Literal["advisory", "supervised", "autonomous"] = "advisory"
    """``advisory``: nothing is ever written; ``supervised``: written after approval by name;
    ``autonomous``: without one too, inside a grant. A mode set at run time goes before this one."""
    valid_minutes: float = Field(default=240.0, gt=0)
    """How long a recommendation may be approved, min of plant time."""
    settle_minutes: float | None = Field(default=None, gt=0)
    """How long the plant takes to answer to the last move, min; null: the time of
    ``monitoring.planned_move_rows``."""
    measure_minutes: float = Field(default=30.0, gt=0)
    """Length of the windows before and after whose means are compared, min."""
    variability_hours: float = Field(default=24.0, gt=0)
    """Time before the moves in which it is measured how much a tag changes by itself, h."""
    response_share: float = Field(default=0.5, ge=0, le=2)
    """Error that the model may make where it gives no interval, as a share of the expected change."""
    patience_minutes: float = Field(default=15.0, ge=0)
    """How long a step waits for what may pass (a plant in transition, a stale value), min."""
    after_restart: Literal["hold", "resume"] = "hold"
    """What becomes of moves that the end of the process interrupted: a person is asked, or they go on."""


class StateSettings(Section):
    """Where state is kept; null means inside the home."""

    home: Path | None = None
    database_url: SecretStr | None = None
    """``postgresql://user:password@host/name``; null: SQLite in the home."""
    cache_url: SecretStr | None = None
    """``redis://host:6379/0``; null: memory."""


class CoordinationSettings(Section):
    """How actions are run."""

    workers: int = Field(default=2, ge=1)
    """Worker processes for operations."""
    start_workers: Literal["ahead", "on_demand"] = "ahead"
    """Whether they start with the service, or each when an operation first needs it."""
    retry_base: float = Field(default=1.0, gt=0)
    """First wait before a repeat, s; doubled each time, with jitter."""
    retry_cap: float = Field(default=60.0, gt=0)
    worker_memory_mb: int = Field(default=1500, ge=256)
    """Memory after which a worker process is replaced."""
    workflow_days: float = Field(default=7.0, gt=0, le=36500)
    """How long the record of how a job was run is kept after its end, days; its outcome stays."""


class ServiceSettings(Section):
    """The HTTP service."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = ()
    """Names under which clients reach it, besides addresses, localhost, ``host`` and this machine's
    own name; a request that names another host is refused."""
    max_body_mb: float = Field(default=32.0, gt=0)
    shutdown_grace: float = Field(default=5.0, gt=0)
    """How long running requests may take to end at shutdown, s."""


class LoggingSettings(Section):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    """``auto`` is console on a terminal and JSON elsewhere."""


def _default_modules() -> dict[str, ModuleSettings]:
    return {
        "etl": ModuleSettings(timeout=180),
        "forecasting": ModuleSettings(timeout=300),
        "analysis": ModuleSettings(timeout=180),
        "optimization": ModuleSettings(timeout=600),
    }


class Settings(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="DAN_G_", env_nested_delimiter="__"
    )

    llm: LLMSettings = LLMSettings()
    modules: dict[str, ModuleSettings] = Field(default_factory=_default_modules)
    decision_engine: DecisionEngineSettings = DecisionEngineSettings()
    plant: PlantSettings = PlantSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    operator: OperatorSettings = OperatorSettings()
    chat: ChatSettings = ChatSettings()
    state: StateSettings = StateSettings()
    coordination: CoordinationSettings = CoordinationSettings()
    service: ServiceSettings = ServiceSettings()
    knowledge: KnowledgeSettings = KnowledgeSettings()
    mcp: McpSettings = McpSettings()
    logging: LoggingSettings = LoggingSettings()

    @field_validator("modules", mode="before")
    @classmethod
    def _defaults_beside(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        named = {
            name: module.model_dump() | dict(value.get(name) or {})
            if not isinstance(value.get(name), ModuleSettings)
            else value[name]
            for name, module in _default_modules().items()
        }
        return {**value, **named}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file."""
        return env_settings, init_settings

    @property
    def home(self) -> Path:
        """Folder of state, models and caches: ``state.home``, ``DAN_G_HOME``, or the user's data folder."""
        chosen = self.state.home or os.environ.get("DAN_G_HOME")
        return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("dan-g"))

    def module(self, name: str) -> ModuleSettings:
        """Settings of a module; defaults where the configuration does not name it."""
        given = self.modules.get(name)
        for server in self.mcp.servers:
            if server.name == name:
                # The call's own time-out comes first: it says more than the end of the worker.
                own = given or ModuleSettings(timeout=server.timeout + 10, max_concurrency=4)
                return own.model_copy(update={"options": {**own.options, "server": server}})
        return given or ModuleSettings()

    def with_module_options(self, options: Mapping[str, Mapping[str, Any]]) -> Self:
        """A copy with further options of modules, by module (used by commands)."""
        modules = dict(self.modules)
        for name, more in options.items():
            own = self.module(name)
            modules[name] = own.model_copy(update={"options": {**own.options, **more}})
        return self.model_copy(update={"modules": modules})

    def with_changes(self, **sections: Mapping[str, Any]) -> Self:
        """A copy with some keys of some sections changed (used by command options)."""
        changed = {
            name: getattr(self, name).model_copy(update=dict(values))
            for name, values in sections.items()
        }
        return self.model_copy(update=changed)
