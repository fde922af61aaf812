"""The etl module."""

from orchestrator.modules.base import Module

MODULE = Module(name="etl", summary="", operations=())
