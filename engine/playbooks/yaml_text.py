"""YAML text as plain values with the line of each: maps, lists, text, numbers, true, false and null.

Owns what of YAML is refused: anchors, aliases, tags, keys twice, dates and numbers that are not written as such, more
than one document, and whatever is larger or deeper than the limits. Constructs no objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from msgspec import Struct

from engine.playbooks.library import MOST_BYTES

MOST_DEPTH = 12
MOST_NODES = 5000

Path = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"
_CLOCK = "a number must not hold a colon"


class YamlError(Exception):
    """`line` counts from 1; `key` is the place in the document, "" for all of it."""

    def __init__(self, line: int, key: str, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.line, self.key, self.reason, self.remedy = line, key, reason, remedy


class Document(Struct, frozen=True):
    """The values, and the line of each path; for a key of a map that is the line of the key."""

    value: Any
    lines: Mapping[Path, int]


def read(text: str) -> Document:
    """Raises YamlError."""
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise YamlError(1, "", f"the file is larger than {MOST_BYTES // 1024} KiB", "split it")
    try:
        _check_events(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise YamlError(line, "", f"not YAML: {error.problem or error.context}", "mend the line") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise YamlError(1, "", "not YAML: it holds characters that are not allowed", "save it as UTF-8 text") from error
    if node is None:
        raise YamlError(1, "", "the file is empty", "write name, version and steps")
    lines: dict[Path, int] = {(): 1}
    return Document(_value(node, (), lines), lines)


def _check_events(text: str) -> None:
    """What is refused is found before anything is built of it."""
    depth = nodes = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        assert event.start_mark is not None
        line = event.start_mark.line + 1
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        if documents > 1:
            raise YamlError(line, "", "a second document begins here", "one playbook to a file")
        if depth > MOST_DEPTH or nodes > MOST_NODES:
            raise YamlError(line, "", "too deep or too large", f"at most {MOST_DEPTH} levels and {MOST_NODES} values")
        if getattr(event, "anchor", None) is not None:
            raise YamlError(line, "", "anchors and aliases are not taken", "write the value out")
        if getattr(event, "tag", None) is not None:
            raise YamlError(line, "", "tags are not taken", "write the plain value")


def _value(node: Any, path: Path, lines: dict[Path, int]) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_item(item, (*path, number), lines) for number, item in enumerate(node.value)]
    return _scalar(node, path)


def _item(node: Any, path: Path, lines: dict[Path, int]) -> Any:
    lines[path] = node.start_mark.line + 1
    return _value(node, path, lines)


def _mapping(node: Any, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag != f"{_TAG}str":
            shown = str(key.value)[:40] if isinstance(key, yaml.ScalarNode) else "this"
            raise YamlError(line, named(path), f"the key {shown!r} is not text", "put it in quotes")
        name = str(key.value)
        if name in found:
            raise YamlError(line, named((*path, name)), "the key is there twice", "keep one of them")
        lines[(*path, name)] = line
        found[name] = _value(item, (*path, name), lines)
    return found


def _scalar(node: Any, path: Path) -> Any:
    line, kind, text = node.start_mark.line + 1, node.tag.removeprefix(_TAG), str(node.value)
    try:
        if kind == "str":
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() in ("true", "yes", "on")
        if kind in ("int", "float") and ":" in text:
            raise ValueError(_CLOCK)
        if kind == "int":
            return int(text.replace("_", ""))
        if kind == "float":
            return float(text.replace("_", ""))
    except ValueError as error:
        raise YamlError(line, named(path), f"{text[:40]!r} is not a plain number", "put it in quotes") from error
    raise YamlError(line, named(path), f"{text[:40]!r} reads as a {kind}", "put it in quotes")


def named(path: Path) -> str:
    """ "steps[2].params.host"."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
