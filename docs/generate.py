"""Writes the reference pages from the code: HTTP API from OpenAPI, operations, configuration keys.

MkDocs calls :func:`on_pre_build` before each build; the pages are generated, not committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

HERE = Path(__file__).resolve().parent
HTTP_METHODS = ("get", "post", "put", "patch", "delete")


def on_pre_build(config: Any) -> None:  # noqa: ARG001
    """MkDocs hook."""
    folder = HERE / "reference"
    folder.mkdir(exist_ok=True)
    for name, text in {
        "api.md": api_page(),
        "operations.md": operations_page(),
        "configuration.md": configuration_page(),
    }.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    index = HERE / "decisions" / "index.md"
    text = decisions_page()
    if not index.exists() or index.read_text(encoding="utf-8") != text:
        index.write_text(text, encoding="utf-8")


def api_page() -> str:
    """Every route of the service."""
    from orchestrator.api.app import create_app
    from orchestrator.config_file import load_settings

    document = create_app(load_settings()).openapi()
    lines = [
        "# HTTP API",
        "",
        (
            "Generated from the service's OpenAPI document, which a running service shows at `/docs` and "
            "`/openapi.json`. Errors are RFC 9457 problem documents; every `POST` takes an "
            "`Idempotency-Key` header."
        ),
        "",
    ]
    for path, item in sorted(document["paths"].items()):
        for method in HTTP_METHODS:
            if method not in item:
                continue
            operation = item[method]
            lines += [f"## `{method.upper()} {path}`", ""]
            text = operation.get("description") or operation.get("summary", "")
            lines += [text, ""]
            parameters = operation.get("parameters", [])
            if parameters:
                lines += ["| parameter | in | type | meaning |", "| --- | --- | --- | --- |"]
                for parameter in parameters:
                    kind = _type(parameter.get("schema", {}))
                    meaning = _cell(parameter.get("description", ""))
                    lines.append(
                        f"| `{parameter['name']}` | {parameter['in']} | {kind} | {meaning} |"
                    )
                lines.append("")
            codes = ", ".join(f"`{code}`" for code in sorted(operation.get("responses", {})))
            lines += [f"Answers: {codes}.", ""]
    return "\n".join(lines)


def operations_page() -> str:
    """Every operation with its parameters and result."""
    from orchestrator.modules.registry import load_registry

    lines = ["# Operations", "", "Generated from the declarations of the installed modules.", ""]
    for module in load_registry():
        lines += [f"## {module.name}", "", module.summary, ""]
        for operation in module.operations:
            lines += [f"### `{operation.full_name}`", "", operation.summary, ""]
            needs = operation.needs
            quality = "none" if needs.min_quality is None else f"{needs.min_quality:.2f}"
            history = "none" if needs.history is None else str(needs.history)
            lines += [f"Least data quality: {quality}. Default history: {history}.", ""]
            lines += _fields("Parameters", operation.input_model)
            lines += _fields("Result", operation.output_model)
    return "\n".join(lines)


def configuration_page() -> str:
    """Every configuration key."""
    from orchestrator.config import ModuleSettings, Settings

    lines = [
        "# Configuration keys",
        "",
        (
            "Generated from the settings model. All times are seconds. Each key can be overridden from the "
            "environment as `DAN_G_<SECTION>__<KEY>`."
        ),
        "",
    ]
    for name, field in Settings.model_fields.items():
        model = ModuleSettings if name == "modules" else field.annotation
        title = "modules.NAME" if name == "modules" else name
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        lines += [f"## `{title}`", "", (model.__doc__ or "").strip(), ""]
        lines += _fields(None, model)
    return "\n".join(lines)


def decisions_page() -> str:
    """The list of design decisions."""
    lines = ["# Design decisions", "", "One short page each: context, decision, consequences.", ""]
    for path in sorted((HERE / "decisions").glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join([*lines, ""])


def _fields(title: str | None, model: type[BaseModel]) -> list[str]:
    lines = [f"**{title}**", ""] if title else []
    lines += ["| name | type | default | meaning |", "| --- | --- | --- | --- |"]
    schema = model.model_json_schema(mode="validation").get("properties", {})
    for name, field in model.model_fields.items():
        if field.default_factory is not None:
            default = "see text"
        elif field.default is PydanticUndefined:
            default = "required"
        else:
            default = "null" if field.default is None else _cell(f"`{_plain(field.default)}`")
        kind = _type(schema.get(name, {}))
        lines.append(f"| `{name}` | {kind} | {default} | {_cell(field.description or '')} |")
    return [*lines, ""]


def _plain(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "{…}"
    return str(value) if not isinstance(value, bool) else str(value).lower()


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        kinds = [_type(option) for option in schema["anyOf"] if option.get("type") != "null"]
        return _cell(" or ".join(dict.fromkeys(kinds)))
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[-1]
    if "enum" in schema:
        return _cell(" \\| ".join(str(value) for value in schema["enum"]))
    return str(schema.get("format") or schema.get("type") or "any")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("\\\\|", "\\|")
