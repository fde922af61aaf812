"""How operations that change something are described to other programs."""

from __future__ import annotations

from orchestrator.api.mcp.catalogue import Catalogue
from orchestrator.config import Settings
from orchestrator.mcp_settings import McpServerSettings
from orchestrator.modules.mounted.modules import mounted_modules
from orchestrator.modules.registry import Registry, load_registry


def test_what_changes_something_says_what_and_another_servers_tool_may_destroy() -> None:
    server = McpServerSettings(name="notes", url="http://127.0.0.1:9/mcp", allow=("delete_all",))
    registry = Registry([*load_registry(), *mounted_modules([server], ())])
    settings = Settings().with_changes(mcp={"allow": ("*",)})
    tools = {tool.name: tool for tool in Catalogue(registry, settings).tools()}
    said = {name: tool.description or "" for name, tool in tools.items()}
    assert "What it changes: its moves become a recommendation." in said["optimization_setpoints"]
    assert "What it changes: runs on another server." in said["notes_delete_all"]
    assert not [text for text in said.values() if "It its" in text or "None" in text]
    destructive = {n for n, tool in tools.items() if tool.annotations.destructive_hint}
    assert destructive == {"notes_delete_all"}
