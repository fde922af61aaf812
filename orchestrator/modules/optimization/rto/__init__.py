"""Real-time optimization: a steady-state model, corrected by the plant, and moved on step by step."""
