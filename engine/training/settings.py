"""Settings of the weekly training."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class TrainingSettings(Struct, frozen=True, kw_only=True):
    """The weekly training of all models. A moment that was missed is made up for after the next start."""

    weekly: Annotated[bool, Meta(description="train all models once a week; by hand always works")] = True
    day: Annotated[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], Meta(description="day of the week")] = (
        "sun"
    )
    at: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM")] = "03:00"
    time_zone: Annotated[str, Meta(description="of day and at; empty = metrics.time_zone")] = ""
    memory_mib: Annotated[
        int, Meta(ge=512, le=65_536, description="address space of a training; one that needs more ends")
    ] = 3072
    minutes_most: Annotated[float, Meta(ge=1, le=1440, description="a training that takes longer is ended")] = 60.0
    nice: Annotated[int, Meta(ge=0, le=19, description="how far a training steps back for everything else")] = 15
