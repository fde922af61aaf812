"""Loads prompt files and fills them in.

A file begins with three lines between ``---`` (``name``, ``version``, ``fills``) and holds a placeholder
``{{name}}`` for each of its fills. What is fixed stands first and what changes last, so that a server's
prompt cache serves most of it. A value is put in as it is: placeholders inside it mean nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from orchestrator.core.advice import PromptStamp
from orchestrator.errors import ConfigurationError

_PLACEHOLDER = re.compile(r"\{\{([a-z_]+)\}\}")
_HEAD = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_FOLDER = "orchestrator.llm.prompts"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of one prompt.

    Attributes:
        stamp: Its name, version and SHA-256 of the whole file.
        fills: Names of its placeholders, in order.
        body: The text with placeholders.
    """

    stamp: PromptStamp
    fills: tuple[str, ...]
    body: str

    def render(self, **values: str) -> str:
        """The text with every placeholder filled in.

        Raises:
            ConfigurationError: a value is missing, or none of its placeholders takes it.
        """
        if values.keys() != set(self.fills):
            raise ConfigurationError(
                f"it takes {', '.join(self.fills)} and was given {', '.join(values)}",
                where=f"prompt {self.stamp.name!r}",
            )
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self.body).strip() + "\n"


def parse_prompt(text: str, where: str) -> Prompt:
    """The prompt that a file's text holds.

    Raises:
        ConfigurationError: the head is missing or does not fit the placeholders.
    """
    head = _HEAD.match(text)
    if head is None:
        raise ConfigurationError("it does not begin with a head between ---", where=where)
    fields = dict(line.split(":", 1) for line in head[1].splitlines() if ":" in line)
    try:
        name, version = fields["name"].strip(), int(fields["version"])
        declared = tuple(filter(None, re.split(r"[,\s]+", fields["fills"])))
    except (KeyError, ValueError) as error:
        raise ConfigurationError(
            f"its head is not complete ({error})", where=where, remedy="name, version, fills"
        ) from error
    body = text[head.end() :]
    found = tuple(dict.fromkeys(_PLACEHOLDER.findall(body)))
    if set(found) != set(declared):
        raise ConfigurationError(
            f"the head declares {', '.join(declared)}, the text has {', '.join(found)}", where=where
        )
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Prompt(PromptStamp(name=name, version=version, sha256=digest), found, body)


@cache
def load_prompt(name: str) -> Prompt:
    """The shipped prompt of that name.

    Raises:
        ConfigurationError: there is none, or its file is not well formed.
    """
    if name not in prompt_names():
        raise ConfigurationError(
            f"no prompt {name!r}", remedy=f"there are: {', '.join(prompt_names())}"
        )
    text = files(_FOLDER).joinpath(f"{name}.md").read_text(encoding="utf-8")
    prompt = parse_prompt(text, f"{name}.md")
    if prompt.stamp.name != name:
        raise ConfigurationError(f"it calls itself {prompt.stamp.name!r}", where=f"{name}.md")
    return prompt


@cache
def prompt_names() -> tuple[str, ...]:
    """Names of all shipped prompts."""
    return tuple(
        sorted(
            item.name.removesuffix(".md")
            for item in files(_FOLDER).iterdir()
            if item.name.endswith(".md")
        )
    )
