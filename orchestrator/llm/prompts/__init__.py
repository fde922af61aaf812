"""Prompts as data: one Markdown file each, with a name, a version and a digest that goes on every answer."""

from __future__ import annotations

from orchestrator.llm.prompts.library import Prompt, load_prompt, prompt_names

__all__ = ["Prompt", "load_prompt", "prompt_names"]
