"""Text of a PDF, as a program: ``python -m orchestrator.llm.knowledge.pdf_text FILE`` prints JSON.

It runs apart from the service and under limits of memory and processor time.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

MEMORY_BYTES = 2 * 1024**3
PROCESSOR_S = 110
MOST_CHARACTERS = 50_000_000
MOST_HEADINGS = 5_000


def main() -> None:
    """Read the file named on the command line."""
    _limit()
    logging.disable(logging.CRITICAL)
    json.dump(read(sys.argv[1]), sys.stdout)


def read(path: str) -> dict[str, Any]:
    """``{"title", "pages", "outline"}``, or ``{"problem", "remedy"}`` where it cannot be read."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            return {
                "problem": "it is encrypted",
                "remedy": "save a copy without a password",
            }
        pages, size = [], 0
        for page in reader.pages:
            text = page.extract_text()
            size += len(text)
            if size > MOST_CHARACTERS:
                return {
                    "problem": f"it holds more than {MOST_CHARACTERS // 1_000_000} million characters",
                    "remedy": "split the document",
                }
            pages.append(text)
        title = str((reader.metadata.title if reader.metadata else None) or "")
        return {"title": title[:500], "pages": pages, "outline": _outline(reader.outline)}
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return {
            "problem": f"it cannot be read ({type(error).__name__}): it is damaged",
            "remedy": "open it and print it into a new PDF, or save it as text",
        }


def _outline(entries: Any, level: int = 1) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for entry in entries:
        if isinstance(entry, list):
            if level < 8:
                found += _outline(entry, level + 1)
        elif entry.title:
            found.append((" ".join(str(entry.title).split())[:300], level))
    return found[:MOST_HEADINGS]


def _limit() -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S))


if __name__ == "__main__":
    main()
