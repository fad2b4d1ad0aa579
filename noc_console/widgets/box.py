"""A container that its children cover wholly: nothing of its own is drawn with care, which every frame would pay."""

from __future__ import annotations

from textual.containers import Container


class Box(Container):
    BLANK = True
