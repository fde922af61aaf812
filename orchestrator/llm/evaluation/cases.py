"""The cases of an evaluation: the shipped ones, and a site's own."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.errors import ConfigurationError, DataError
from orchestrator.yaml_files import parse_yaml

PACKAGE, FOLDER = "orchestrator.llm.evaluation", "shipped"


class Part(BaseModel):
    """Base of the cases; what is not known is left aside, so that files of other tools can be read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Request(Part):
    """Words, and how they are to be read."""

    text: str = Field(min_length=1)
    expected: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    slots: dict[str, Any] = Field(default_factory=dict)
    slots_open: tuple[str, ...] = ()
    clarify: bool = False


class Dialogue(Part):
    """Turns that are read one after the other."""

    turns: tuple[Request, ...] = Field(min_length=1)


class Overstep(Part):
    """Words of which nothing but ``allowed`` may be selected."""

    text: str
    allowed: tuple[str, ...] = ()


class Answering(Part):
    """A question, and what an operation found."""

    question: str
    operation: str
    result: dict[str, Any]
    forbidden: tuple[str, ...] = ()


class CaseSet(Part):
    """All cases of one evaluation."""

    selection: tuple[Request, ...] = ()
    dialogues: tuple[Dialogue, ...] = ()
    injections: tuple[Overstep, ...] = ()
    answers: tuple[Answering, ...] = ()


def shipped_cases() -> CaseSet:
    """The package's own small set."""
    return CaseSet.model_validate(
        {
            name: parse_yaml(files(PACKAGE).joinpath(FOLDER, f"{name}.yaml").read_text("utf-8"))
            for name in CaseSet.model_fields
        }
    )


def cases_from(paths: list[Path]) -> CaseSet:
    """A site's own requests and dialogues, from YAML lists or JSON lines.

    Raises:
        DataError: a file cannot be read.
        ConfigurationError: a case is not of the form; the text names file and place.
    """
    requests: list[Request] = []
    dialogues: list[Dialogue] = []
    for path in paths:
        for number, case in enumerate(_listed(path), start=1):
            try:
                if isinstance(case, dict) and "turns" in case:
                    dialogues.append(Dialogue.model_validate(case))
                else:
                    requests.append(Request.model_validate(case))
            except ValidationError as error:
                first = error.errors()[0]
                raise ConfigurationError(
                    f"case {number}: {'.'.join(map(str, first['loc']))}: {first['msg']}",
                    where=str(path),
                    remedy="a case has text and expected, or turns of these; see docs/copilot.md",
                ) from error
    return CaseSet(selection=tuple(requests), dialogues=tuple(dialogues))


def _listed(path: Path) -> list[Any]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        found = parse_yaml(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(
            f"cannot be read: {error}", where=str(path), remedy="give a YAML list or JSON lines"
        ) from error
    if not isinstance(found, list):
        raise DataError("holds no list of cases", where=str(path), remedy="begin each with a dash")
    return found
