"""``optimization.blend``: what to blend from what, through pools, for the least cost."""
