"""The plan: a refinery model as a program over periods, and what its solution says."""
