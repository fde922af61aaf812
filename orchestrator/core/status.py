"""What ``GET /status`` and ``dan-g status`` show: every part, its health, and what it would need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from orchestrator import __version__
from orchestrator.clock import iso
from orchestrator.errors import DanGError

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator


async def describe(orchestrator: Orchestrator) -> dict[str, Any]:
    """Health of every part, the live situation, modules, model and versions."""
    settings, loop = orchestrator.settings, orchestrator.loop
    database = await _probe(orchestrator.store.database.ping)
    cache = await _probe(orchestrator.cache.ping)
    span = orchestrator.historian.span()
    why_no_model = settings.llm.why_unusable
    situation = (await orchestrator.situation()).facts() if database["ok"] else None
    modules = await orchestrator.coordinator.facts() if database["ok"] else {}
    source = orchestrator.source
    parts = {
        "database": database,
        "cache": cache,
        "historian": {
            "ok": True,
            "tags": len(orchestrator.historian.tags()),
            "tag_samples": orchestrator.historian.count(),
            "start": iso(span[0]) if span else None,
            "end": iso(span[1]) if span else None,
        },
        "monitor": None
        if orchestrator.monitor is None
        else {
            "ok": True,
            "trained": orchestrator.monitor.fitted,
            "open_alerts": len(orchestrator.alerts.book.open()),
        },
        "source": None
        if source is None or loop is None
        else {"ok": True, "name": source.name, "simulated": source.simulated, "rows": loop.rows},
    }
    return {
        "status": "ok" if database["ok"] and cache["ok"] else "degraded",
        "version": __version__,
        "plant": {
            "name": orchestrator.plant.name,
            "simulated": orchestrator.plant.simulated,
            "time": iso(orchestrator.clock.now()),
            "tags": len(orchestrator.plant.tags),
            "mode": orchestrator.assessor.plant_mode() if source is not None else None,
            "mode_set_by_operator": orchestrator.assessor.operator_mode is not None,
        },
        "parts": parts,
        "model": {
            "name": settings.llm.model,
            "usable": why_no_model is None,
            "note": why_no_model,
            **(await orchestrator.model_report() if orchestrator.model_report else {}),
        },
        "operator": {
            "mode": orchestrator.operator.modes.mode,
            "stopped": (await orchestrator.operator.stopped()) is not None
            if database["ok"]
            else None,
        },
        "policy_version": orchestrator.engine.policy_version,
        "modules": {
            name: {
                **fact.model_dump(exclude_none=True),
                "operations": [op.name for op in orchestrator.registry.module(name).operations],
            }
            for name, fact in modules.items()
        },
        "situation": situation,
    }


async def _probe(ping: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    try:
        answer = await ping()
    except DanGError as error:
        return {"ok": False, "problem": str(error)}
    return {"ok": answer is not False}
