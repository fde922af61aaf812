"""The forecasting module."""

from orchestrator.modules.base import Module

MODULE = Module(name="forecasting", summary="", operations=())
