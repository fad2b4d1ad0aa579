"""Makes what a scroll view scrolls over as large as its lines, without a layout where none is needed."""

from __future__ import annotations

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.widget import Widget


def set_lines(view: ScrollView, lines: int) -> None:
    """The view has so many lines now. Only where its scrollbar comes or goes, or its width changed, all is drawn anew.

    Textual lays out the whole screen for a new size. Lines that do not fill the view keep the view's height; between
    two heights that both need the scrollbar nothing but the scrollbar changes.
    """
    size = Size(view.scrollable_content_region.width, max(lines, view.size.height))
    before = view.virtual_size
    if size == before:
        return
    scrolls = view.show_vertical_scrollbar and min(size.height, before.height) > view.size.height
    if scrolls and size.width == before.width:
        view.set_reactive(Widget.virtual_size, size)
        view.vertical_scrollbar.window_virtual_size = size.height
        view.scroll_y = view.validate_scroll_y(view.scroll_y)
        return
    view.virtual_size = size
    view.refresh()
