"""DAN_G: the orchestrator of an autonomous process optimization system for an oil refinery."""

__version__ = "0.1.0"
