"""``/documents``: the plant's documents, and passages of them word for word."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from orchestrator.api.bodies import documented_body, read_body
from orchestrator.api.dependencies import PROBLEMS, Cursor, Limit, answer, knowledge_of
from orchestrator.api.schemas import OPERATOR, Page, PersonRequest
from orchestrator.errors import ParameterError
from orchestrator.llm.knowledge.base import LONGEST_NAME, LONGEST_QUERY, Taken
from orchestrator.llm.knowledge.evidence import Found
from orchestrator.state.document_records import DocumentRecord

router = APIRouter(prefix="/documents", tags=["documents"], responses=PROBLEMS)
By = Annotated[str, Query(min_length=1, max_length=200, description="Who does it.")]


class AddRequest(PersonRequest):
    """A document: Markdown, plain text (UTF-8) or PDF, in place of the one of its name."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    content: str
    """The file's bytes as base64."""


@router.get("", summary="Documents, newest first", responses={200: {"model": Page[DocumentRecord]}})
async def list_documents(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """One page of documents."""
    page = await knowledge_of(request).page(cursor=cursor, limit=limit)
    shown = Page[DocumentRecord](items=list(page.items), next_cursor=page.next_cursor)
    return answer(shown, Page[DocumentRecord])


@router.get(
    "/search", summary="Passages of documents, the best first", responses={200: {"model": Found}}
)
async def search(
    request: Request,
    q: Annotated[
        str, Query(min_length=1, max_length=LONGEST_QUERY, description="Words to look for.")
    ],
    limit: Annotated[int, Query(ge=1, le=50, description="Most passages.")] = 5,
) -> Response:
    """Passages word for word, each with its document, heading, and page or lines."""
    return answer(await knowledge_of(request).search(q, limit), Found)


@router.get("/{document_id}", summary="One document", responses={200: {"model": DocumentRecord}})
async def get_document(document_id: str, request: Request) -> Response:
    """What is known of a document."""
    return answer(await knowledge_of(request).get(document_id), DocumentRecord)


@router.post(
    "",
    status_code=201,
    summary="Add or replace a document",
    openapi_extra=documented_body(AddRequest),
    responses={
        200: {"model": Taken, "description": "It replaces one of its name, or is the same"},
        201: {"model": Taken, "description": "It is new"},
    },
)
async def add_document(request: Request) -> Response:
    """Take a document in; its passages can be found from then on."""
    given = await read_body(request, AddRequest)
    try:
        content = base64.b64decode(given.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ParameterError.of_field(
            "content", "is not base64", where="POST /documents", remedy="encode the file's bytes"
        ) from error
    taken = await knowledge_of(request).add(given.name, content, given.by)
    return answer(taken, Taken, 201 if taken.change == "added" else 200)


@router.delete(
    "/{document_id}", summary="Remove a document", responses={200: {"model": DocumentRecord}}
)
async def remove_document(document_id: str, request: Request, by: By = OPERATOR) -> Response:
    """Forget a document and its passages; what was forgotten."""
    return answer(await knowledge_of(request).remove(document_id, by), DocumentRecord)
