"""How a cell looks, and the shortest way to tell a terminal of a change from one look to another. Pure.

A terminal keeps the last attributes and colours that it was told. Telling only what changes costs a third of the bytes
of setting and resetting all of them around each piece of text.
"""

from __future__ import annotations

from rich.color import Color, ColorSystem
from rich.style import Style

#: SGR code of each of Rich's attribute bits, and the code that ends it.
_ON = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "21", "51", "52", "53")
_OFF = ("22", "22", "23", "24", "25", "25", "27", "28", "29", "24", "54", "54", "55")
_BOLD_OR_DIM = 0b11
#: Underline, reverse, strike, double underline, frame, circle, overline: to be seen on a blank too.
_SEEN_ON_BLANK = 0b1111101001000
_INK, _GROUND = "39", "49"
#: Styles differ by more than their looks (links, meta data): beyond this many they are forgotten.
CACHE = 4_096


class Look:
    """Attributes (Rich's bits) and SGR codes of colours. There is one object per look: compare with `is`.

    `ink` "" is the look of a blank, whose ink nobody sees; `blank` is this look on a blank cell.
    """

    __slots__ = ("attributes", "blank", "ground", "ink")

    def __init__(self, attributes: int, ink: str, ground: str) -> None:
        self.attributes, self.ink, self.ground = attributes, ink, ground
        self.blank = self

    def shows(self, blank: Look) -> bool:
        """Whether a blank of look `blank` looks right while the terminal draws with this one."""
        return not blank.ink and blank.ground == self.ground and not self.attributes & _SEEN_ON_BLANK


class Looks:
    """All looks of one colour depth."""

    def __init__(self, depth: ColorSystem) -> None:
        self._depth = depth
        self._looks: dict[tuple[int, str, str], Look] = {}
        self._styles: dict[Style | None, Look] = {}
        self._changes: dict[tuple[Look, Look], str] = {}
        #: What a terminal draws with after a reset.
        self.plain = self._look(0, _INK, _GROUND)

    def of(self, style: Style | None) -> Look:
        look = self._styles.get(style)
        if look is None:
            if len(self._styles) >= CACHE:
                self._styles.clear()
            look = self._styles[style] = self._make(style) if style is not None else self.plain
        return look

    def change(self, old: Look, new: Look) -> str:
        """The sequence that makes a terminal draw with `new` when it draws with `old`."""
        words = self._changes.get((old, new))
        if words is None:
            if len(self._changes) >= CACHE:
                self._changes.clear()
            words = self._changes[old, new] = _change(old, new)
        return words

    def _make(self, style: Style) -> Look:
        attributes = style._attributes & style._set_attributes
        return self._look(
            attributes, self._codes(style.color, True) or _INK, self._codes(style.bgcolor, False) or _GROUND
        )

    def _look(self, attributes: int, ink: str, ground: str) -> Look:
        key = (attributes, ink, ground)
        look = self._looks.get(key)
        if look is None:
            look = self._looks[key] = Look(*key)
            if ink and not attributes & _SEEN_ON_BLANK:
                look.blank = self._look(0, "", ground)
        return look

    def _codes(self, color: Color | None, foreground: bool) -> str:
        return "" if color is None else ";".join(color.downgrade(self._depth).get_ansi_codes(foreground))


def _change(old: Look, new: Look) -> str:
    codes = _attribute_codes(old.attributes, new.attributes)
    if new.ink and new.ink != old.ink:
        codes.append(new.ink)
    if new.ground != old.ground:
        codes.append(new.ground)
    return f"\x1b[{';'.join(codes)}m" if codes else ""


def _attribute_codes(old: int, new: int) -> list[str]:
    gone, come = old & ~new, new & ~old
    if gone & _BOLD_OR_DIM:  # one code ends both
        come |= new & _BOLD_OR_DIM
    ends = dict.fromkeys(code for bit, code in enumerate(_OFF) if gone & 1 << bit)
    return [*ends, *(code for bit, code in enumerate(_ON) if come & 1 << bit)]
