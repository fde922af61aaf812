"""Agents that advise together: each a role with its operations, a prompt, and a stand-in without a model.

They propose, object and revise on one record, and a coordinator decides. The safety agent among them is the
code of :mod:`orchestrator.modules.optimization.safety` and the engine's gates; its veto is final.
"""

from __future__ import annotations

from orchestrator.llm.agents.panel import Panel, PanelBudget
from orchestrator.llm.agents.roles import ROLES, Role
from orchestrator.llm.agents.safety import CodeSafety, Safety

__all__ = ["ROLES", "CodeSafety", "Panel", "PanelBudget", "Role", "Safety"]
