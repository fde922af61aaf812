"""One short question back, which names what the words may mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

NAMES = {
    "etl.ingest": "loading data",
    "etl.validate": "a check of the data",
    "etl.clean": "cleaning of the data",
    "etl.reconcile": "the balance",
    "forecasting.forecast": "a forecast",
    "forecasting.backtest": "the accuracy of the forecasts",
    "forecasting.explain": "the reasons of a forecast",
    "forecasting.soft_sensor": "a property now",
    "forecasting.time_to_limit": "when a limit is reached",
    "analysis.stocks": "the stocks",
    "analysis.demand": "the demand",
    "analysis.prices": "the price",
    "analysis.cracks": "the crack spread",
    "analysis.market": "the market as a whole",
    "optimization.plan": "the plan (crudes, rates, products)",
    "optimization.blend": "a blend",
    "optimization.setpoints": "the set points of a unit",
    "optimization.what_if": "the effect of a change",
    "optimization.sensitivity": "what a limit costs",
}
OF_PRODUCT = (
    "analysis.prices",
    "analysis.stocks",
    "forecasting.forecast",
    "forecasting.soft_sensor",
)
OF_PROPERTY = (
    "forecasting.soft_sensor",
    "forecasting.forecast",
    "optimization.setpoints",
    "optimization.blend",
)
OF_TAG = ("forecasting.forecast", "etl.validate", "etl.clean")
OF_EQUIPMENT = ("forecasting.time_to_limit", "forecasting.forecast", "etl.validate")
OF_UNIT = ("forecasting.forecast", "etl.validate", "etl.reconcile", "optimization.setpoints")
OF_ANYTHING = ("optimization.plan", "optimization.setpoints", "optimization.blend")
LEAST_NAMED, MOST_NAMED = 2, 4
_SUBJECTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("tags", OF_TAG),
    ("property", OF_PROPERTY),
    ("product", OF_PRODUCT),
    ("unit", OF_UNIT),
)
OPTIMISE, NUMBERS = ("optimi", "improve", "margin", "better", "profit", "money", "marge"), ("number", "figure", "report", "data", "zahlen", "chiffres")  # fmt: skip
OF_NUMBERS = ("forecasting.forecast", "etl.validate", "analysis.market", "optimization.plan")


def candidates(text: str, slots: Mapping[str, object], likely: Iterable[str]) -> tuple[str, ...]:
    """Operations that vague words may mean, the most likely first."""
    if any(word in text for word in OPTIMISE):
        return OF_ANYTHING
    usual = next((names for slot, names in _SUBJECTS if slot in slots), ())
    if not usual and any(word in text for word in NUMBERS):
        usual = OF_NUMBERS
    named = [*usual, *(name for name in likely if name in NAMES)]
    if len(named) < LEAST_NAMED:
        named += OF_NUMBERS
    return tuple(dict.fromkeys(named))[:MOST_NAMED]


def question(names: Iterable[str], slots: Mapping[str, object]) -> str:
    """The question that offers ``names``."""
    said = [NAMES[name] for name in names]
    tags = slots.get("tags")
    about = tags[0] if isinstance(tags, list) and tags else next((slots[key] for key in ("product", "unit", "property") if key in slots), None)  # fmt: skip
    listed = ", ".join(said[:-1]) + f" or {said[-1]}" if len(said) > 1 else said[0]
    return f"What do you want of {about}: {listed}?" if about else f"Do you want {listed}?"
