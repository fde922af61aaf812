"""The state of the plant and of the service as resources, all of them read-only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import mcp_types as types
from pydantic_core import to_json

from orchestrator.api.schemas import AlertView, JobView
from orchestrator.errors import NotFoundError

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator
    from orchestrator.llm.knowledge.base import KnowledgeBase

SCHEME = "dan-g://"
JSON = "application/json"
MOST_SHOWN = 100

RESOURCES = {
    "situation": "What is known of the plant now: quality, KPIs, alerts, equipment, market, modules.",
    "status": "Health of every part of the service.",
    "plant": "The plant's tags: name, description, unit, kind and limits.",
    "alerts": f"Open alerts, newest first, at most {MOST_SHOWN}.",
    "decisions": f"What was decided and why, newest first, at most {MOST_SHOWN}.",
    "recommendations": f"Recommendations and their state, newest first, at most {MOST_SHOWN}.",
    "documents": f"The plant's documents, newest first, at most {MOST_SHOWN}.",
}
TEMPLATES = {
    "alerts": "One alert with its contributions and diagnosis.",
    "decisions": "One decision with the situation it was made on and its jobs.",
    "recommendations": "One recommendation.",
    "jobs": "One job with its progress, and its result once it has ended.",
}


def listed() -> list[types.Resource]:
    """What can be read."""
    return [
        types.Resource(uri=SCHEME + name, name=name, description=said, mime_type=JSON)
        for name, said in RESOURCES.items()
    ]


def templates() -> list[types.ResourceTemplate]:
    """What can be read by its id."""
    return [
        types.ResourceTemplate(
            uri_template=f"{SCHEME}{name}/{{id}}",
            name=f"{name}-by-id",
            description=said,
            mime_type=JSON,
        )
        for name, said in TEMPLATES.items()
    ]


class Reader:
    """Reads resources of one service."""

    def __init__(self, orchestrator: Orchestrator, knowledge: KnowledgeBase) -> None:
        self._orchestrator = orchestrator
        self._knowledge = knowledge
        self._whole: dict[str, Callable[[], Awaitable[Any]]] = {
            "situation": self._situation,
            "status": orchestrator.status,
            "plant": self._plant,
            "alerts": self._alerts,
            "decisions": self._decisions,
            "recommendations": self._recommendations,
            "documents": self._documents,
        }
        self._one: dict[str, Callable[[str], Awaitable[Any]]] = {
            "alerts": self._alert,
            "decisions": self._decision,
            "recommendations": self._recommendation,
            "jobs": self._job,
        }

    async def read(self, uri: str) -> types.TextResourceContents:
        """The resource of an address.

        Raises:
            NotFoundError: there is none.
            DatabaseUnavailableError: it cannot be read now.
        """
        kind, _, identity = uri.removeprefix(SCHEME).partition("/")
        one, whole = self._one.get(kind), self._whole.get(kind)
        if uri.startswith(SCHEME) and identity and one is not None:
            value = await one(identity)
        elif uri.startswith(SCHEME) and not identity and whole is not None:
            value = await whole()
        else:
            raise NotFoundError(
                f"no resource {uri[:200]!r}",
                remedy=f"there are: {', '.join(SCHEME + name for name in RESOURCES)}",
            )
        text = to_json(value, inf_nan_mode="null").decode()
        return types.TextResourceContents(uri=uri, mime_type=JSON, text=text)

    async def _situation(self) -> Any:
        return (await self._orchestrator.situation()).facts()

    async def _plant(self) -> Any:
        plant = self._orchestrator.plant
        return {
            "name": plant.name,
            "simulated": plant.simulated,
            "tags": [
                tag.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
                for tag in plant.tags
            ],
        }

    async def _alerts(self) -> Any:
        page = await self._orchestrator.store.alerts.list(is_open=True, limit=MOST_SHOWN)
        return [AlertView.of(alert) for alert in page.items]

    async def _alert(self, identity: str) -> Any:
        return AlertView.of(await self._orchestrator.store.alerts.get(identity))

    async def _decisions(self) -> Any:
        page = await self._orchestrator.store.decisions.list(limit=MOST_SHOWN)
        return [record.document for record in page.items]

    async def _decision(self, identity: str) -> Any:
        store = self._orchestrator.store
        record = await store.decisions.get(identity)
        outcomes = {o.job_id: o for o in await store.outcomes.of_decision(identity)}
        jobs = (await store.jobs.list(decision_id=identity, limit=200)).items
        return {
            "decision": record.document,
            "situation": record.situation,
            "jobs": [JobView.of(job, outcomes.get(job.id)) for job in jobs],
        }

    async def _recommendations(self) -> Any:
        page = await self._orchestrator.store.recommendations.list(limit=MOST_SHOWN)
        return list(page.items)

    async def _documents(self) -> Any:
        return (await self._knowledge.page(limit=MOST_SHOWN)).items

    async def _recommendation(self, identity: str) -> Any:
        return await self._orchestrator.store.recommendations.get(identity)

    async def _job(self, identity: str) -> Any:
        store = self._orchestrator.store
        return JobView.of(await store.jobs.get(identity), await store.outcomes.get(identity))
