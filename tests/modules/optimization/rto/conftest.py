"""The reactor of Williams and Otto (1960), read from the reference cases, as model and as plant."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

CASE = Path(__file__).parents[4].parent / "shared" / "cases" / "rto" / "williams_otto.json"
STARTS = {"XA": 0.1, "XB": 0.4, "XC": 0.02, "XP": 0.1, "XE": 0.3, "XG": 0.1}


class Reactor:
    """The case in the form of the operation's parameters."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def case(self, name: str) -> dict[str, Any]:
        return next(v for k, v in self._document["cases"].items() if k.startswith(name))

    def optimum(self, name: str) -> float:
        return self.case(name)["plant_optimum"]["profit"]

    def plant(self, name: str) -> dict[str, Any]:
        part = self._document["plant"]
        return self._model(name, part, part["k0"], part["E"])

    def model(self, name: str, parameter_set: str, estimate: bool = False) -> dict[str, Any]:
        part = self._document["model"]
        numbers = next(v for k, v in part["parameter_sets"].items() if k.startswith(parameter_set))
        found = self._model(name, part, numbers["k0"], numbers["E"])
        if estimate:
            for i in range(2):
                found["parameters"][f"eta{i + 1}"] = {"value": 0.0, "sd": 1.0}
                found["definitions"][f"k{i + 1}"] += f" * exp(eta{i + 1})"
        return found

    def _model(
        self, name: str, part: dict[str, Any], k0: list[float], energy: list[float]
    ) -> dict[str, Any]:
        case = self.case(name)
        definitions = {"F": "FA + FB"}
        for i, (a, e) in enumerate(zip(k0, energy, strict=True), 1):
            definitions[f"k{i}"] = f"{a} * exp(-{e} / (TR + 273.15))"
        for text in part["reactions"]:
            rate, law = re.search(r"\((r\d) = (.*)\)", text).groups()
            definitions[rate] = law.replace("^", "**").replace("W", "2105")
        equations = [text for text in part["balances"] if not text.startswith("F =")]
        unknowns = sorted({x for text in equations for x in re.findall(r"X[A-Z]", text)})
        constraints = case.get("constraints", [case["constraint"]] if "constraint" in case else [])
        return {
            "handles": case["inputs"],
            "parameters": {"FA": case["FA"]} if "FA" in case else {},
            "definitions": definitions,
            "unknowns": {x: {"start": STARTS[x], "low": 0, "high": 1} for x in unknowns},
            "equations": equations,
            "measured": dict.fromkeys(("XA", "XB", "XP", "XE", "XG")),
            "objective": self._document["profit"],
            "objective_per": "second",
            "constraints": constraints,
        }


@pytest.fixture(scope="session")
def reactor() -> Reactor:
    if not CASE.is_file():
        pytest.skip(f"reference data is absent: {CASE}")
    return Reactor(json.loads(CASE.read_text(encoding="utf-8")))
