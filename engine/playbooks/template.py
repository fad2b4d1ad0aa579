"""Templates: `${incident.site}` in the values of parameters, replaced by the value of that name.

A text that is one template and nothing else becomes the value itself, with its type; inside of other text it becomes
the value's text. `$${` stands for `${`. What was put in is data: it is not looked at again. Owns syntax and limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

MOST_CHARS = 16_384

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_/-]*)*"
_PART = re.compile(r"\$\$\{|\$\{([^{}]{0,200})\}|\$\{")
_WHOLE = re.compile(rf"\$\{{\s*({_NAME})\s*\}}")
_VALID = re.compile(rf"\s*({_NAME})\s*")


class TemplateError(Exception):
    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy = reason, remedy


def names(of: Any) -> Iterator[str]:
    """The names in all texts of a value. Raises TemplateError for a template that cannot be read."""
    if isinstance(of, str):
        for found in _PART.finditer(of):
            if found[0] != "$${":
                yield _name(found)
    elif isinstance(of, Mapping):
        for item in of.values():
            yield from names(item)
    elif isinstance(of, list | tuple):
        for item in of:
            yield from names(item)


def fill(of: Any, values: Mapping[str, Any], *, late: str = "") -> Any:
    """`of` with its templates replaced. Names that begin with `late` are left as they are unless they have a value.

    Raises TemplateError for a name without a value and for a text that became too long.
    """
    if isinstance(of, str):
        return _text(of, values, late)
    if isinstance(of, Mapping):
        return {key: fill(item, values, late=late) for key, item in of.items()}
    if isinstance(of, list | tuple):
        return [fill(item, values, late=late) for item in of]
    return of


def _text(text: str, values: Mapping[str, Any], late: str) -> Any:
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        name = whole[1]
        if late and name.startswith(late) and name not in values:
            return text
        return _value(name, values)
    kept_late = bool(late) and any(name.startswith(late) and name not in values for name in names(text))
    if kept_late:  # all or nothing: a text that is filled later is filled as a whole, so that data is never read again
        return text
    filled = _PART.sub(lambda found: "${" if found[0] == "$${" else _plain(_value(_name(found), values)), text)
    if len(filled) > MOST_CHARS:
        raise TemplateError(f"the text became longer than {MOST_CHARS} characters", "put less into it")
    return filled


def _name(found: re.Match[str]) -> str:
    inside = _VALID.fullmatch(found[1] or "")
    if inside is None:
        raise TemplateError(f"{found[0][:40]!r} is not a template", "write ${name.field}, or $${ for the signs")
    return inside[1]


def _value(name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise TemplateError(f"{name} has no value", "name a value that is there by then")
    return values[name]


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(_plain(item) for item in value) if isinstance(value, list | tuple) else str(value)
