"""The source that the configuration names, opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config import Settings
from orchestrator.errors import ConfigurationError
from orchestrator.plant.tags import Plant, load_plant

if TYPE_CHECKING:
    from orchestrator.plant.sources.base import Source


def configured_plant(settings: Settings) -> Plant | None:
    """The configured plant file; null when none is named.

    Raises:
        ConfigurationError: the file cannot be read, or a field in it is wrong.
    """
    return load_plant(settings.plant.file.expanduser()) if settings.plant.file else None


def known_plant(settings: Settings) -> Plant | None:
    """The plant as far as it is known without a look at data: the configured file, or the simulated unit."""
    if settings.plant.source.kind == "twin":
        from orchestrator.plant.twin import PLANT_FILE

        return load_plant(PLANT_FILE)
    return configured_plant(settings)


def configured_sources(settings: Settings) -> tuple[Source | None, Source | None]:
    """The source of samples and the one to train on; null where none is configured.

    Raises:
        ConfigurationError: ``plant.source`` lacks what its kind needs.
        DataError: the file to replay cannot be read as plant data.
        UnavailableError: the tags are to be read from an OPC UA server that cannot be reached.
    """
    source = settings.plant.source
    if source.kind == "none":
        return None, None
    if source.kind == "twin":
        from orchestrator.plant.twin.source import TwinSource

        return TwinSource(source.path, seed=source.seed), None
    if source.kind == "opcua":
        return _opcua(settings), None
    if source.path is None:
        raise ConfigurationError(
            "plant.source.kind is 'replay' and plant.source.path is not set",
            where="plant.source",
            remedy="set plant.source.path to a CSV or Parquet file",
        )
    from orchestrator.plant.sources.replay import ReplaySource

    plant = configured_plant(settings)

    def replay_of(path: Path) -> Source:
        return ReplaySource(path, plant=plant, time_column=source.time_column)

    return replay_of(source.path), replay_of(source.train) if source.train else None


def _opcua(settings: Settings) -> Source:
    source = settings.plant.source
    if source.url is None:
        raise ConfigurationError(
            "plant.source.kind is 'opcua' and plant.source.url is not set",
            where="plant.source",
            remedy="set plant.source.url to the server's address, opc.tcp://host:port",
        )
    from orchestrator.plant.sources.opcua import OpcUaSource

    return OpcUaSource(source.url, source.opcua, configured_plant(settings))
