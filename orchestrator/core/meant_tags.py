"""Finds the tags that a product and a property mean, for operations that a request asks for without a tag.

"Forecast the diesel T95" names no tag, and an operation without one looks at all of them. Where the plant's
own words for its tags leave no doubt, the operation gets the tag, and the decision says which.
"""

from __future__ import annotations

from orchestrator.core.decision import Action, Decision
from orchestrator.core.slots import fold
from orchestrator.core.tag_words import MOST_SHOWN, QUANTITIES, find_meant
from orchestrator.modules.registry import Registry
from orchestrator.plant.historian import Historian
from orchestrator.plant.tags import Plant, Tag

MODULES = frozenset({"forecasting", "etl"})
"""Modules whose operations look at tags of the plant."""
_QUANTITY_WORDS = tuple(name for name, _ in QUANTITIES if name != "price")


class MeantTags:
    """Reads the slots of a request against the plant's tags.

    Args:
        plant: Tags with names, descriptions and aliases.
        historian: Which tags have samples: one without is no use to an operation.
        registry: What each operation takes.
    """

    def __init__(self, plant: Plant, historian: Historian, registry: Registry) -> None:
        self._plant = plant
        self._historian = historian
        self._operations = registry.operations

    def complete(self, decision: Decision, text: str) -> Decision:
        """``decision`` with the tags that its words mean; unchanged where that is not clear."""
        reading = decision.interpretation
        if reading is None or reading.slots.get("tags") or not decision.actions:
            return decision
        named = [
            str(reading.slots[name]) for name in ("product", "property") if name in reading.slots
        ]
        if not named or not any(action.module in MODULES for action in decision.actions):
            return decision
        said = fold(text)
        quantities = [name for name in _QUANTITY_WORDS if name in said]
        words = " ".join([*named, *quantities])
        stored = self._historian.tags()
        tags = [
            tag for tag in find_meant(fold(words), self._plant, stored).tags if tag.name in stored
        ]
        if not 0 < len(tags) <= MOST_SHOWN:
            return decision
        actions = tuple(self._with(action, tags) for action in decision.actions)
        if actions == decision.actions:
            return decision
        names = ", ".join(tag.name for tag in tags)
        note = f'"{words}" is taken for {names}'
        return decision.model_copy(update={"actions": actions, "notes": (*decision.notes, note)})

    def _with(self, action: Action, tags: list[Tag]) -> Action:
        operation = self._operations.get(action.name)
        if operation is None or action.module not in MODULES:
            return action
        names = [tag.name for tag in tags]
        fields = operation.input_model.model_fields
        given: dict[str, object] = {}
        if "target" in fields and len(names) == 1:
            given = {"target": names[0]}
        elif "targets" in fields:
            given = {"targets": names}
        elif "tags" in fields and "equipment" not in action.parameters:
            given = {"tags": names}
        if not given or set(given) & action.parameters.keys():
            return action
        return action.model_copy(update={"parameters": {**action.parameters, **given}})
