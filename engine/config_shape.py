"""What a settings struct looks like from outside: its keys, kinds and ranges, in words.

Owns the reading of types for `config` (errors, environment), `config_check` and `config_text`. Pure.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo, fields

from engine.secret import Secret

_NAMES: dict[Any, str] = {str: "text in quotes", bool: "true or false", int: "a whole number", float: "a number"}


def field_of(struct: type[Struct], key: str) -> FieldInfo | None:
    return next((entry for entry in fields(struct) if entry.encode_name == key), None)


def keys_of(struct: type[Struct]) -> list[str]:
    return [entry.encode_name for entry in fields(struct)]


def default_of(entry: FieldInfo) -> Any:
    """The default of a field; NODEFAULT when it must be given."""
    return entry.default_factory() if entry.default_factory is not NODEFAULT else entry.default


def plain(annotation: Any) -> Any:
    """The type without Meta and without None."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return plain(_parts(annotation)[0]) if _parts(annotation) else annotation


def _parts(annotation: Any) -> list[Any]:
    """Members of a union, without None."""
    union = get_origin(annotation) in (Union, types.UnionType)
    return [part for part in get_args(annotation) if part is not type(None)] if union else []


def metas(annotation: Any) -> list[Meta]:
    """Every Meta on a type, outermost first, looking through `| None`."""
    if get_origin(annotation) is Annotated:
        inner, *extra = get_args(annotation)
        return [meta for meta in extra if isinstance(meta, Meta)] + metas(inner)
    return [meta for part in _parts(annotation) for meta in metas(part)]


def description(annotation: Any) -> str:
    return next((meta.description for meta in metas(annotation) if meta.description), "")


def is_struct(annotation: Any) -> bool:
    return isinstance(plain(annotation), type) and issubclass(plain(annotation), Struct)


def item_of(annotation: Any) -> Any:
    """Type of the values of a table of named things or of the items of a list; None for anything else."""
    kind = plain(annotation)
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    return get_args(kind)[0] if get_origin(kind) is tuple else None


def is_table(annotation: Any) -> bool:
    return get_origin(plain(annotation)) is dict


def is_list(annotation: Any) -> bool:
    return get_origin(plain(annotation)) is tuple


def is_text(annotation: Any) -> bool:
    kind = plain(annotation)
    return kind is str or get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum))


def expected(annotation: Any) -> str:
    """What may stand there, in words: "a whole number, 1 to 4096"."""
    return _kind(annotation) + _range(metas(annotation))


def _kind(annotation: Any) -> str:
    kind = plain(annotation)
    if kind is Secret:
        return '{env = "NAME"} or {file = "path"}'
    if get_origin(kind) is Literal:
        return _one_of(get_args(kind))
    if is_table(kind) or is_struct(kind):
        return "a table"
    if is_list(kind):
        return f"a list, each {expected(item_of(kind))}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _one_of([member.value for member in kind])
    return _NAMES.get(kind, "a value")


def _one_of(values: Sequence[object]) -> str:
    words = ", ".join(f'"{value}"' for value in values)
    return words if len(values) == 1 else f"one of {words}"


def _range(found: Sequence[Meta]) -> str:
    return "".join(part for meta in found for part in (_numbers(meta), _lengths(meta)))


def _numbers(meta: Meta) -> str:
    low, above, high = meta.ge, meta.gt, meta.le
    if low is not None and high is not None:
        return f", only {_number(low)}" if low == high else f", {_number(low)} to {_number(high)}"
    if low is not None:
        return f", {_number(low)} or more"
    return f", above {above:g} and at most {high:g}" if above is not None and high is not None else ""


def _lengths(meta: Meta) -> str:
    return (
        (", not empty" if meta.min_length else "")
        + (f", at most {meta.max_length} long" if meta.max_length else "")
        + (f", like {meta.pattern}" if meta.pattern else "")
    )


def _number(value: float) -> str:
    return f"{value:.12g}"
