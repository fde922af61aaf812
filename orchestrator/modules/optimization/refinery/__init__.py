"""The refinery model: a refinery as data, its checks, and the flowsheet that it stands for."""
