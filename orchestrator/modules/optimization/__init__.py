"""The optimization module."""

from orchestrator.modules.base import Module

MODULE = Module(name="optimization", summary="", operations=())
