"""Asks a model's server which models it serves: free of charge, and enough to know address and key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from orchestrator.llm.failures import Failure
from orchestrator.llm.transport import Transport
from orchestrator.llm.wire import document_of
from orchestrator.llm_settings import ModelSettings

MOST_BYTES = 4_000_000
NAMED = 8
"""Served models that are named where the wanted one is not among them."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a server said, in words; ``remedy`` where it is not as it should be."""

    ok: bool
    details: str
    remedy: str | None = None


async def probe(model: ModelSettings, seconds: float) -> Probe:
    """Whether a model can be asked, known within ``seconds``; no question is put to it."""
    transport = Transport(model, MOST_BYTES)
    place = f"{model.model} at {transport.place}"
    try:
        async with asyncio.timeout(seconds), transport.get("/models") as response:
            served = _names(await transport.whole(response))
    except TimeoutError:
        return Probe(False, f"{place} does not answer within {seconds:g} s", "look at the server")
    except Failure as failure:
        if failure.kind == "not-found":
            other = "with" if not transport.place.endswith("/v1") else "without"
            remedy = f"set llm.base_url {other} /v1 at its end, if the server wants it so"
            return Probe(False, f"{place} has no list of models ({failure.detail})", remedy)
        detail = transport.scrubbed(failure.detail)
        return Probe(False, f"{place}: {detail}", failure.reaction.remedy)
    finally:
        await transport.close()
    if served and model.model not in served:
        listed = ", ".join(served[:NAMED]) + (", …" if len(served) > NAMED else "")
        return Probe(
            False, f"{place} is not served; there are {listed}", "set llm.model to one of them"
        )
    return Probe(True, f"{place} answers")


def _names(data: bytes) -> list[str]:
    items = document_of(data, "the list of models").get("data")
    listed = items if isinstance(items, list) else []
    return [str(item["id"]) for item in listed if isinstance(item, dict) and "id" in item]
