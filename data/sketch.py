"""A mergeable quantile sketch and the few bytes it is stored in.

Owns DDSketch (Masson, Rim, Lee: DDSketch, VLDB 2019): counts in bins of geometrically growing width, so that a quantile
is off by at most `ACCURACY` of its value, also after any number of merges in any order. When values spread over more
than `BINS` bins all bins are joined in pairs (uniform collapse: Epicoco et al., UDDSketch, 2020), which about doubles
the error, everywhere alike; `Sketch.accuracy` tells what it is. Merging is exact: the merge of two sketches is the
sketch of all their values, unless one of them was collapsed, whose accuracy then holds for both. Never knows a time or
a series. Fails to tell apart values closer to zero than `SMALLEST`.

It stands in for the KLL and REQ sketches of a library because of its size: an hour of one-minute samples takes about
40 bytes where KLL with a rank error of 4 % takes 272 (`tests/bench/metrics_storage.py`).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, compress
from math import ceil, exp, log

#: Relative error of a quantile, before any collapse.
ACCURACY = 0.01
#: Bins of one sketch.
BINS = 1024
#: What is closer to zero counts as zero.
SMALLEST = 1e-9

_LOG_GAMMA = log((1 + ACCURACY) / (1 - ACCURACY))
_PER_LOG = 1.0 / _LOG_GAMMA
#: Of the largest float.
_LOG_LARGEST = 709.78
#: Codes of a stored half: nothing, pairs of gap and count, and counts side by side of 4, 8, 16, 32 and 64 bits.
_NONE, _PAIRS, _NIBBLES = 0, 1, 2
_DENSE = {3: ("B", 1), 4: ("H", 2), 5: ("I", 4), 6: ("Q", 8)}
_NOTHING = bytes((_NONE,))
#: Letters of hexadecimal digits → what they stand for.
_HEX = bytes.maketrans(b"0123456789abcdef", bytes(range(16)))


class Damaged(ValueError):
    """The bytes are not those of a sketch."""


class Sketch:
    """Counts by bin: of positive values, of negative ones by their size, of zeros.

    >>> sketch = Sketch.of(range(1, 1001))
    >>> [round(value) for value in sketch.quantiles([0.5, 0.99])]
    [498, 983]
    """

    __slots__ = ("level", "negative", "positive", "zeros")

    def __init__(self) -> None:
        self.level = 0
        self.zeros = 0
        self.positive: dict[int, int] = {}
        self.negative: dict[int, int] = {}

    @classmethod
    def of(cls, values: Iterable[float]) -> Sketch:
        """The sketch of finite values."""
        found = cls()
        found.add(values)
        return found

    @property
    def count(self) -> int:
        return self.zeros + sum(self.positive.values()) + sum(self.negative.values())

    @property
    def accuracy(self) -> float:
        """The relative error of quantiles as it is now."""
        width = exp(_LOG_GAMMA * 2**self.level)
        return (width - 1) / (width + 1)

    def add(self, values: Iterable[float]) -> None:
        for value in values:
            size = abs(value)
            if size < SMALLEST:
                self.zeros += 1
                continue
            place = -(-ceil(log(size) * _PER_LOG) >> self.level)
            half = self.positive if value > 0 else self.negative
            half[place] = half.get(place, 0) + 1
        self._bound()

    def merge(self, other: Sketch) -> None:
        """Take in all that `other` counted."""
        while self.level < other.level:
            self._collapse()
        shift = self.level - other.level
        self.zeros += other.zeros
        for mine, theirs in ((self.positive, other.positive), (self.negative, other.negative)):
            for place, count in theirs.items():
                place = -(-place >> shift)
                mine[place] = mine.get(place, 0) + count
        self._bound()

    def quantiles(self, shares: Sequence[float]) -> list[float | None]:
        """The values below which each share of all values lies; None of nothing. Shares outside 0..1 are clamped."""
        below = sorted(self.negative, reverse=True)
        above = sorted(self.positive)
        counts = [*map(self.negative.__getitem__, below), self.zeros]
        # Decoded ones are in order.
        counts += self.positive.values() if above == list(self.positive) else map(self.positive.__getitem__, above)
        sums = list(accumulate(counts))
        total = sums[-1]
        if not total:
            return [None] * len(shares)
        width = _LOG_GAMMA * 2**self.level
        middle = log(2.0 / (exp(width) + 1.0))
        found: list[float | None] = []
        for share in shares:
            at = bisect_right(sums, min(max(share, 0.0), 1.0) * (total - 1))
            at = min(at, len(sums) - 1)
            if at == len(below):
                found.append(0.0)
            elif at < len(below):
                found.append(-_value(below[at], width, middle))
            else:
                found.append(_value(above[at - len(below) - 1], width, middle))
        return found

    def encode(self) -> bytes:
        out = bytearray((self.level,))
        _put(out, self.zeros)
        _put_half(out, self.positive)
        _put_half(out, self.negative)
        return bytes(out)

    @classmethod
    def decode(cls, body: bytes) -> Sketch:
        """Raises Damaged."""
        found = cls()
        try:
            found.level = body[0]
            found.zeros, at = _take(body, 1)
            found.positive, at = _take_half(body, at)
            found.negative, at = _take_half(body, at)
        except (IndexError, struct.error, ValueError) as error:
            raise Damaged(f"a sketch cannot be read: {error}") from error
        if at != len(body):
            raise Damaged(f"a sketch of {len(body)} bytes ends after {at}")
        return found

    def _bound(self) -> None:
        while len(self.positive) + len(self.negative) > BINS:
            self._collapse()

    def _collapse(self) -> None:
        """Join bins in pairs."""
        self.level += 1
        self.positive, self.negative = _halved(self.positive), _halved(self.negative)


def quantiles_of(body: bytes, shares: Sequence[float]) -> list[float | None]:
    """What `Sketch.decode(body).quantiles(shares)` answers, for a fourth of the work where no value is negative: the
    counts are summed as they lie there. Raises Damaged."""
    try:
        zeros, at = _take(body, 1)
        first, gaps, counts, at = _half_of(body, at)
    except (IndexError, struct.error, ValueError) as error:
        raise Damaged(f"a sketch cannot be read: {error}") from error
    if body[at : at + 1] != _NOTHING or len(body) != at + 1:
        return Sketch.decode(body).quantiles(shares)
    sums = list(accumulate(counts, initial=zeros))
    total = sums[-1]
    if not total:
        return [None] * len(shares)
    width = _LOG_GAMMA * 2.0 ** body[0]
    middle = log(2.0 / (exp(width) + 1.0))
    found: list[float | None] = []
    for share in shares:
        above = bisect_right(sums, min(max(share, 0.0), 1.0) * (total - 1))
        if not above:
            found.append(0.0)
            continue
        place = first + (above - 1 if gaps is None else sum(gaps[1:above]))
        found.append(_value(place, width, middle))
    return found


def _halved(half: dict[int, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for place, count in half.items():
        place = -(-place >> 1)
        found[place] = found.get(place, 0) + count
    return found


def _value(place: int, width: float, middle: float) -> float:
    """The value of a bin that is equally far, in proportion, from both its ends; `middle` is a logarithm."""
    return exp(min(place * width + middle, _LOG_LARGEST))


# -- bytes


def _put(out: bytearray, number: int) -> None:
    """An unsigned number, seven bits a byte, low ones first."""
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _take(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


def _put_half(out: bytearray, half: dict[int, int]) -> None:
    if not half:
        out.append(_NONE)
        return
    places = sorted(half)
    first, length = places[0], places[-1] - places[0] + 1
    pairs = _pairs(half, places)
    most = max(half.values())
    if most <= 15:
        code, size = _NIBBLES, (length + 1) // 2
    else:
        code = next(code for code, (_, width) in _DENSE.items() if most < 256**width)
        size = length * _DENSE[code][1]
    if len(pairs) <= size:
        code = _PAIRS
    out.append(code)
    _put(out, first * 2 if first >= 0 else -first * 2 - 1)
    _put(out, len(places) if code == _PAIRS else length)
    if code == _PAIRS:
        out += pairs
        return
    counts = [half.get(place, 0) for place in range(first, first + length)]
    if code == _NIBBLES:
        text = "".join(["0123456789abcdef"[count] for count in counts])
        out += bytes.fromhex(text + "0" * (length % 2))
    else:
        out += struct.pack(f"<{length}{_DENSE[code][0]}", *counts)


def _pairs(half: dict[int, int], places: Sequence[int]) -> bytearray:
    out, before = bytearray(), places[0]
    for place in places:
        _put(out, place - before)
        _put(out, half[place])
        before = place
    return out


def _take_half(body: bytes, at: int) -> tuple[dict[int, int], int]:
    first, gaps, counts, at = _half_of(body, at)
    if gaps is not None:
        return dict(zip(accumulate(gaps[1:], initial=first), counts, strict=True)) if gaps else {}, at
    return dict(zip(compress(range(first, first + len(counts)), counts), filter(None, counts), strict=True)), at


def _half_of(body: bytes, at: int) -> tuple[int, Sequence[int] | None, Sequence[int], int]:
    """A stored half from `at` on → (its first bin, the gap before each bin or None where they are side by side, the
    counts, where it ends). The first gap is the bin's own place and says nothing."""
    code = body[at]
    if code == _NONE:
        return 0, (), (), at + 1
    first, at = _take(body, at + 1)
    first = first >> 1 if first % 2 == 0 else -(first + 1 >> 1)
    length, at = _take(body, at)
    if code == _PAIRS:
        gaps, counts, at = _take_pairs(body, at, length)
        return first, gaps, counts, at
    if code == _NIBBLES:
        end = at + (length + 1) // 2
        counts = body[at:end].hex().encode().translate(_HEX)
    elif code in _DENSE:
        letter, width = _DENSE[code]
        end = at + length * width
        counts = struct.unpack(f"<{length}{letter}", body[at:end])
    else:
        raise Damaged(f"a sketch has no code {code}")
    if end > len(body):
        raise Damaged("a sketch ends too early")
    return first, None, counts, end


def _take_pairs(body: bytes, at: int, length: int) -> tuple[Sequence[int], Sequence[int], int]:
    """Gaps, counts, and where they end."""
    single = body[at : at + 2 * length]
    if len(single) == 2 * length and max(single) < 0x80:
        # As it mostly is: every gap and every count is one byte.
        return single[::2], single[1::2], at + 2 * length
    numbers = []
    for _ in range(2 * length):
        number, at = _take(body, at)
        numbers.append(number)
    return numbers[::2], numbers[1::2], at
