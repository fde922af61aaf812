"""The analysis module."""

from orchestrator.modules.base import Module

MODULE = Module(name="analysis", summary="", operations=())
