"""How the configuration is read: defaults, then the YAML file, then ``DAN_G_<SECTION>__<KEY>`` overrides.

``${NAME}`` in the file is replaced from the environment (null when unset), ``${NAME:-default}`` gives a
default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from orchestrator.config import ModuleSettings, Settings
from orchestrator.errors import ConfigurationError
from orchestrator.field_errors import field_errors, json_text
from orchestrator.yaml_files import parse_yaml, read_yaml

_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


def find_config(name: str | Path) -> Path:
    """The configuration file called ``name``, as given or in ``config/``.

    Raises:
        ConfigurationError: neither is there.
    """
    given = Path(name).expanduser()
    beside_package = Path(__file__).resolve().parent.parent / "config" / given
    for candidate in (given, Path("config") / given, beside_package):
        if candidate.is_file():
            return candidate
    raise ConfigurationError(
        f"no configuration file {str(name)!r}, neither as given nor in config/",
        remedy="pass --config with a path, or leave it out for the embedded defaults",
    )


def substitute(value: Any, environment: Mapping[str, str]) -> Any:
    """Replace ``${NAME}`` and ``${NAME:-default}`` at any depth of a YAML document."""
    if isinstance(value, Mapping):
        return {key: substitute(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, environment) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value

    def lookup(match: re.Match[str]) -> str:
        return environment.get(match["name"]) or match["default"] or ""

    whole = _REFERENCE.fullmatch(value)
    if whole:
        found = lookup(whole)
        return _scalar(found) if found else None
    return _REFERENCE.sub(lookup, value)


def _scalar(text: str) -> Any:
    """The value of a variable: a number, a switch, a list, or the text as it is."""
    try:
        return parse_yaml(text)
    except yaml.YAMLError:
        return text  # a password may begin with what is special in YAML


def load_settings(
    path: str | Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Read the configuration; with no ``path``, embedded defaults and overrides alone.

    Raises:
        ConfigurationError: names file, key, value and what is accepted.
    """
    environment = os.environ if environment is None else environment
    _refuse_unknown_sections()
    if path is None:
        return _validated({}, "the environment")
    file = find_config(path)
    document = read_yaml(file) or {}
    if not isinstance(document, dict) or set(document) - {"orchestrator"}:
        found = sorted(map(str, document)) if isinstance(document, dict) else document
        raise ConfigurationError(
            f"one key 'orchestrator' is accepted at the top, got {json_text(found)}",
            where=str(file),
            remedy="put all sections under one key orchestrator, as in config/demo.yaml",
        )
    return _validated(substitute(document.get("orchestrator") or {}, environment), str(file))


def _refuse_unknown_sections() -> None:
    for name in os.environ:
        section, nested, _ = name.removeprefix("DAN_G_").partition("__")
        if name.startswith("DAN_G_") and nested and section.lower() not in Settings.model_fields:
            raise ConfigurationError(
                f"{name} names no section",
                where="the environment",
                remedy=f"DAN_G_<SECTION>__<KEY> with a section of {', '.join(Settings.model_fields)}",
            )


def _validated(values: Any, where: str) -> Settings:
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"'orchestrator' must hold sections, got {json_text(values)}",
            where=where,
            remedy="see the accepted keys with: dan-g config show --defaults",
        )
    try:
        return Settings(**values)
    except ValidationError as error:
        found = field_errors(error.errors(), secret=_is_secret)
        raise ConfigurationError(
            "; ".join(_described(item) for item in found),
            where=where,
            remedy="see the accepted keys with: dan-g config show --defaults",
            context={"errors": found},
        ) from error


def _is_secret(key: str) -> bool:
    return "key" in key or "url" in key


def _described(item: Mapping[str, str]) -> str:
    key = item["field"]
    if item["type"] == "extra_forbidden":
        accepted = ", ".join(_accepted(tuple(key.split("."))))
        return f"unknown key {key!r}; accepted here: {accepted}"
    return f"{key}: {item['message']}"


def _accepted(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Settings
    for part in location[:-1]:
        fields = getattr(model, "model_fields", {})
        if part in fields:
            annotation = fields[part].annotation
            model = ModuleSettings if part == "modules" else annotation
        elif model is not ModuleSettings:
            break
    return sorted(getattr(model, "model_fields", {})) or ["(nothing more)"]
