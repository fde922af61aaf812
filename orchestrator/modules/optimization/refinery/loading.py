"""Refinery models from files and documents, with errors in the file's own words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.errors import ConfigurationError
from orchestrator.field_errors import field_errors, in_words, json_text
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.yaml_files import read_yaml


def load_model(file: Path) -> RefineryModel:
    """The model in a YAML or JSON file.

    Raises:
        ConfigurationError: the file cannot be read or the model is wrong; names every wrong key.
    """
    return validated(read_yaml(file.expanduser()), str(file))


def validated(document: Any, where: str) -> RefineryModel:
    """A refinery model from a document.

    Raises:
        ConfigurationError: names every wrong key.
    """
    if not isinstance(document, Mapping):
        raise ConfigurationError(
            f"a refinery model has named fields, got {json_text(document)}",
            where=where,
            remedy="write it as in the plan of the simulated unit, plant/twin/plan.yaml",
        )
    try:
        return RefineryModel.model_validate(document)
    except ValidationError as error:
        found = field_errors(error.errors(), document)
        raise ConfigurationError(
            in_words(found),
            where=where,
            remedy="mend these in the refinery model",
            context={"errors": found},
        ) from error
