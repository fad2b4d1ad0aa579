"""Which columns of a table are shown at a width, and how wide each is. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from noc_console.safe_text import Safe

GAP = 1
#: Columns that are kept less than this are luxury.
SPARE = 50


class Column(Struct, frozen=True, kw_only=True):
    """`width` is fixed, or the least when `flex` > 0 (the share of what is left over).

    `keep` ranks columns: those with the lowest number leave first when the table is narrow. `descending` is the order
    that the column starts with when it is chosen for sorting; a column that is not `sortable` is skipped.
    `wish` is the width from which on columns that leave early (`keep` below `SPARE`) have room beside this one.
    `help` is told by `?`; "" for a title that says it all.
    """

    key: str
    title: Safe
    width: int
    flex: int = 0
    most: int = 10_000
    keep: int = 100
    right: bool = False
    descending: bool = False
    sortable: bool = True
    help: Safe = Safe("")
    wish: int = 0


class Placed(Struct, frozen=True):
    """A column that is shown: its place among all columns and its width in cells."""

    index: int
    column: Column
    cells: int


def lay_out(columns: Sequence[Column], cells: int) -> list[Placed]:
    """Columns that fit into `cells`, in their order; what is left over goes to the flexible ones."""
    shown = list(range(len(columns)))
    while len(shown) > 1:
        first = min(shown, key=lambda i: (columns[i].keep, -i))
        if _need(columns, shown, wishes=columns[first].keep < SPARE) <= cells:
            break
        shown.remove(first)
    spare = max(0, cells - _need(columns, shown))
    shares = sum(columns[i].flex for i in shown)
    placed = []
    for i in shown:
        column = columns[i]
        extra = min(spare * column.flex // shares, column.most - column.width) if column.flex else 0
        spare, shares = spare - extra, shares - column.flex
        placed.append(Placed(i, column, min(column.width + extra, max(1, cells))))
    return placed


def column_at(placed: Sequence[Placed], cell: int) -> Column | None:
    """The column that covers this cell of a row."""
    left = 0
    for one in placed:
        if left <= cell < left + one.cells:
            return one.column
        left += one.cells + GAP
    return None


def _need(columns: Sequence[Column], shown: Sequence[int], *, wishes: bool = False) -> int:
    return sum((max(columns[i].width, columns[i].wish) if wishes else columns[i].width) + GAP for i in shown) - GAP
