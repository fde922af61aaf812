"""Every YAML file is read here: strictly, and with errors that name file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import ConfigurationError
from orchestrator.field_errors import json_text


class _DuplicateKeyError(yaml.MarkedYAMLError):
    """A key stands twice in one mapping, where YAML 1.1 (3.2.1.3) wants it once."""


class _StrictLoader(yaml.SafeLoader):
    """PyYAML takes the last of two equal keys without a word; this one refuses them."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[tuple[str, Any], yaml.Node] = {}
        # before merge keys (<<) are resolved: what a mapping overrides of another is not given twice
        for key, _ in node.value:
            name = (key.tag, key.value if isinstance(key, yaml.ScalarNode) else id(key))
            if name in seen:
                line = seen[name].start_mark.line + 1
                raise _DuplicateKeyError(
                    problem=f"key {json_text(key.value)} is given twice, first in line {line}",
                    problem_mark=key.start_mark,
                )
            seen[name] = key
        return node


def parse_yaml(text: str) -> Any:
    """A YAML text.

    Raises:
        yaml.YAMLError: it is no YAML, or a key is given twice.
    """
    return yaml.load(text, _StrictLoader)  # noqa: S506 a safe loader


def read_yaml(file: Path) -> Any:
    """The document of a YAML file.

    Raises:
        ConfigurationError: it cannot be read, or a key is given twice; the text names file and line.
    """
    try:
        return parse_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unreadable(error, file) from error


def _unreadable(error: Exception, file: Path) -> ConfigurationError:
    mark = getattr(error, "problem_mark", None)
    place = f"{file}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(file)
    if isinstance(error, _DuplicateKeyError):
        what = str(error.problem)
        remedy = "keep one of the two: only the later one would count"
    elif isinstance(error, yaml.YAMLError):
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        before = getattr(error, "context", None)
        what = f"is not valid YAML: {f'{before}, ' if before else ''}{problem}"
        remedy = "mend the quotes, brackets or indentation at or before that place"
    elif isinstance(error, UnicodeDecodeError):
        what = f"is not UTF-8 text (byte {error.start})"
        remedy = "save it as UTF-8"
    else:
        what = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        remedy = "give a file that exists and that you may read"
    return ConfigurationError(what, where=place, remedy=remedy)
