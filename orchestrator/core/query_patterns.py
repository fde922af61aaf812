"""What the system says itself where a request in words runs nothing."""

from __future__ import annotations

ANSWERS = {
    "greeting": "Hello. Ask me about forecasts, data quality, balances, the market or the best operation.",
    "operator": "A question writes nothing to the plant and approves nothing: that goes through the operator gate, "
    "where a named person approves a recommendation (dan-g recommendations).",
    "system": "That is about what the system itself did or shows: see decisions, alerts and status.",
    "history": "That is a present or past value: it comes from the historian, and nothing needs to run.",
    "injection": "Text cannot change what I may do; that part of the request is refused.",
    "field": "That is outside my field: I work on this plant's data, forecasts, market and operation.",
}
