"""What everything in a plant file has in common."""

from pydantic import BaseModel, ConfigDict


class PlantPart(BaseModel):
    """Base of everything in a plant file: immutable, and nothing unknown is let through."""

    model_config = ConfigDict(extra="forbid", frozen=True)
