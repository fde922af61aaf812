"""``dan-g config``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orchestrator.commands.options import ConfigOption, HomeOption, JsonOption, Target
from orchestrator.commands.output import console, emit

app = typer.Typer(help="The configuration.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[
        str | None, typer.Argument(help="Configuration file; else that of --config.")
    ] = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the configuration, compile its rules, read its plant file, hold its write list against it."""
    from orchestrator.config_file import find_config
    from orchestrator.core.decision_engine import DecisionEngine
    from orchestrator.core.sources import configured_plant, known_plant
    from orchestrator.modules.registry import load_registry

    target = Target(file or config, home)
    settings = target.settings()
    registry = load_registry(settings.mcp.servers)
    engine = DecisionEngine(settings, registry)
    plant = configured_plant(settings)
    unknown = sorted(set(settings.modules) - {module.name for module in registry})
    writable = settings.plant.write.tags
    in_force = known_plant(settings)
    warnings = [f"modules.{name}: no module of that name is installed" for name in unknown]
    if in_force is not None:
        from orchestrator.plant.envelope import Envelope

        Envelope.of(settings.plant.write, in_force)
    elif writable:
        warnings.append("plant.write: not held against the plant, which is known at the start only")
    if settings.plant.write_enabled and not writable:
        warnings.append("plant.write_enabled: nothing is on the write list, so nothing is written")
    document: dict[str, Any] = {
        "file": str(find_config(target.config)) if target.config else None,
        "valid": True,
        "policy_version": engine.policy_version,
        "plant": {"file": str(settings.plant.file), "tags": len(plant.tags)} if plant else None,
        "source": settings.plant.source.kind,
        "model": settings.llm.why_unusable or settings.llm.model,
        "write": {"enabled": settings.plant.write_enabled, "tags": sorted(writable)},
        "warnings": warnings,
    }
    if as_json:
        emit(document)
        return
    out = console()
    out.print(f"{document['file'] or 'the embedded defaults'}: valid", markup=False)
    out.print(f"rules compiled, policy {engine.policy_version}", markup=False)
    if plant:
        out.print(f"plant file {settings.plant.file}: {len(plant.tags)} tags", markup=False)
    if writable:
        state = "on" if settings.plant.write_enabled else "off"
        out.print(f"write list: {', '.join(sorted(writable))} (writing is {state})", markup=False)
    out.print(f"model: {document['model']}", markup=False)
    for warning in document["warnings"]:
        out.print(f"warning: {warning}", markup=False)


@app.command()
def show(
    defaults: Annotated[
        bool, typer.Option("--defaults", help="The embedded defaults, without file or overrides.")
    ] = False,
    config: ConfigOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the configuration in force; secrets are masked."""
    from orchestrator.config import Settings

    settings = Settings.model_construct() if defaults else Target(config, home).settings()
    document = {"orchestrator": masked(settings.model_dump(mode="json"))}
    if as_json:
        emit(document)
        return
    import sys

    import yaml

    yaml.safe_dump(document, sys.stdout, sort_keys=False, allow_unicode=True)


def masked(document: Any) -> Any:
    """The document with every word of a secret's name hidden, at any depth."""
    if isinstance(document, dict):
        return {
            name: "**********" if _secret(name) and value else masked(value)
            for name, value in document.items()
        }
    if isinstance(document, list):
        return [masked(item) for item in document]
    return document


def _secret(name: str) -> bool:
    return any(word in name.lower() for word in ("api_key", "password", "secret", "token")) and (
        name != "max_tokens"
    )
