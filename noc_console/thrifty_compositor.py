"""Textual's compositor, rendering for a partial update only what the changed regions show.

Textual renders every widget within the box around all changed regions: with a status bar below and a title above that
is the whole screen, containers included; then it cuts all lines where any widget begins. Owns which widgets are
rendered; never how, nor what is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

#: Of each line that changed: its y, x of the first cell, what stands there now.
Part = tuple[int, int, Strip]


class PartsUpdate:
    """Lines as the front widgets draw them; no cell is in two of them with different contents."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts


def _place(part: Part) -> tuple[int, int]:
    return part[0], part[1]


class ThriftyCompositor(Compositor):
    """Front widgets come first and are opaque: a region that one of them covers needs none behind it.

    `direct` hands such regions on as they are drawn, without Textual's cutting. Only `TerminalApp` can paint that.
    """

    direct = False
    _changed: frozenset[Region] | None = None

    def render_partial_update(self) -> ChopsUpdate | PartsUpdate | None:  # type: ignore[override]
        self._changed = frozenset(self._dirty_regions)
        try:
            if self.direct and (parts := self._parts(self._changed)) is not None:
                self._dirty_regions.clear()
                return PartsUpdate(parts)
            return super().render_partial_update()
        finally:
            self._changed = None

    def _parts(self, changed: Iterable[Region]) -> list[Part] | None:
        """The lines of the changed regions; None where one of them is not covered by the first widget in it."""
        parts: list[Part] = []
        for widget, region, seen in self._covers(changed):
            if widget is None:
                return None
            strips = widget.render_lines(seen.translate((-region.x, -region.y)))
            parts.extend((y, seen.x, strip) for y, strip in enumerate(strips, seen.y))
        return sorted(parts, key=_place)

    def _covers(self, changed: Iterable[Region]) -> Iterator[tuple[Widget | None, Region, Region]]:
        """Of each changed region its front widget, where that stands, and the region; None when it is not covered."""
        screen, visible = self.size.region, self.visible_widgets
        for part in changed:
            wanted = part.intersection(screen)
            if not wanted:
                continue
            for widget, (region, clip) in visible.items():
                seen = region.intersection(clip)
                if seen.overlaps(wanted):
                    yield (widget if seen.contains_region(wanted) else None), region, wanted
                    break
            else:
                yield None, wanted, wanted

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        if self._changed is None:
            return super()._get_renders(crop)
        return self._changed_parts(self._changed)

    def _changed_parts(self, changed: Iterable[Region]) -> Iterator[tuple[Region, Region, list[Strip]]]:
        left = set(changed)
        for widget, (region, clip) in self.visible_widgets.items():
            if not left:
                return
            seen = region.intersection(clip)
            touched = [part for part in left if part.overlaps(seen)]
            if not touched:
                continue
            left.difference_update([part for part in touched if seen.contains_region(part)])
            top = max(seen.y, min(part.y for part in touched))
            bottom = min(seen.bottom, max(part.bottom for part in touched))
            drawn = Region(seen.x, top, seen.width, bottom - top)
            yield drawn, drawn, widget.render_lines(drawn.translate((-region.x, -region.y)))
