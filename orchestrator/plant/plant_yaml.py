"""A plant as the YAML that :func:`orchestrator.plant.tags.load_plant` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import ConfigurationError
from orchestrator.plant.tags import Plant

DRAFT_HEADER = """\
# Drafted from {source}. Look through it before use:
#   unit            where it is empty it is not known
#   normal          the central 99 % of the data, widened; not a limit
#   limits          none are drafted: set low_low, low, high, high_high where alarms are wanted
#   controllable    false everywhere: set true for the handles that the optimizer may propose to move
#   balances, kpis, equipment, market, economics: see the plant file of the demo
"""


def plant_yaml(plant: Plant, header: str = "") -> str:
    """The plant as YAML text; what has its default is left out."""
    document = plant.model_dump(mode="json", exclude_defaults=True)
    body = yaml.dump(document, Dumper=_PlantDumper, sort_keys=False, allow_unicode=True, width=100)
    return header + body


def write_plant(plant: Plant, path: Path, *, header: str = "", overwrite: bool = False) -> None:
    """Write the plant to ``path``.

    Raises:
        ConfigurationError: the file is there already, or cannot be written.
    """
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(plant_yaml(plant, header))
    except FileExistsError:
        raise ConfigurationError(
            "the file is there already",
            where=str(path),
            why="what was edited by hand would be lost",
            remedy="name another file, or remove this one first",
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"the plant file cannot be written ({error.strerror})", where=str(path)
        ) from error


class _PlantDumper(yaml.SafeDumper):
    """Blocks, but short lists of scalars on one line."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _short_lists(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    scalars = not any(isinstance(item, list | dict) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=scalars)


_PlantDumper.add_representer(list, _short_lists)
