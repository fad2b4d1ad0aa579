"""How widgets that draw their lines themselves hand them to the compositor: as they are.

Textual puts every line through borders, padding, tint, opacity, hatches and links first, which costs several times what
drawing the line does. Owns the short way. A widget that has any of that goes the long way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip

from noc_console.desk import desk_of

if TYPE_CHECKING:
    from textual.widget import Widget as Base
else:
    Base = object  # a widget takes the style sheet of its first base alone

#: What filters blend with where a style has no ground of its own; all styles of the palette have one.
_GROUND = Color(0, 0, 0)


class DrawnLines(Base):
    """Mix in before a Widget or ScrollView whose `render_line` takes all its styles from the palette."""

    _bare: bool | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        if not self._is_bare():
            return super().render_lines(crop)
        width, filters = self.outer_size.width, self.app.get_line_filters()
        rest = desk_of(self).palette("text")
        strips = []
        for y in crop.line_range:
            strip = self.render_line(y).adjust_cell_length(width, rest)
            for line_filter in filters:
                strip = strip.apply_filter(line_filter, _GROUND)
            strips.append(strip if crop.width == width else strip.crop(crop.x, crop.right))
        return strips

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._bare = None

    def _is_bare(self) -> bool:
        """Whether nothing of the style sheet shows but the ground."""
        if self._bare is None:
            styles = self.styles
            edges = (*styles.border, *styles.outline)
            self._bare = (
                not any(kind for kind, _ in edges)
                and not any(styles.padding)
                and not styles.tint.a
                and styles.opacity == styles.text_opacity == 1.0
                and not styles.has_rule("hatch")
            )
        return self._bare
