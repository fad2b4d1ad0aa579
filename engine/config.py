"""Where the configuration comes from: one TOML file, then the environment over it.

Owns finding, reading, overriding and comparing. What is allowed is `engine.settings`, the errors are
`engine.config_check`'s. Never keeps half of a configuration: `load` gives a whole one or raises.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.config_check import ConfigError, Surroundings, settings_of, unknown
from engine.config_shape import field_of, is_list, is_struct, is_table, is_text, item_of, keys_of, plain
from engine.secret import Secret
from engine.settings import Settings

__all__ = ["ConfigError", "Difference", "data_dir", "diff", "find", "load", "reload"]

APP = "noc"
FILE = "noc.toml"
PREFIX = "NOC__"
_FILE_MAX_BYTES = 4 * 1024 * 1024

#: Keys that hold a path; in a file they are relative to its folder.
_PATHS = (("store", "data_dir"), ("store", "backup_dir"), ("listen", "tls_cert"), ("listen", "tls_key"))

#: Sections whose change needs a new start: what they name is opened once.
AT_START = frozenset({"engine", "store", "listen", "limits", "notify"})


class Difference(Struct, frozen=True, kw_only=True):
    """One key that a reload would change. Secrets show as their origin. `restart`: takes effect at the next start."""

    key: str
    old: str
    new: str
    restart: bool


def find(explicit: Path | None = None, environ: Mapping[str, str] | None = None) -> Path | None:
    """The file to read: `explicit`, $NOC_CONFIG, ./noc.toml, the platform's folder; None = defaults only.

    One that was named but is not there is a ConfigError, never silently the next one.
    """
    environ = os.environ if environ is None else environ
    if explicit is not None:
        return _named(explicit, "--config")
    if environ.get("NOC_CONFIG"):
        return _named(Path(environ["NOC_CONFIG"]), "NOC_CONFIG")
    import platformdirs

    places = (Path(FILE), platformdirs.user_config_path(APP) / FILE, platformdirs.site_config_path(APP) / FILE)
    return next((place for place in places if place.is_file()), None)


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings of the file that `find(path)` names, overridden by the environment. Raises ConfigError.

    Paths come out absolute; an empty data folder becomes the platform's.
    """
    environ = os.environ if environ is None else environ
    file = find(path, environ)
    tree = _read(file) if file else {}
    around = Surroundings(environ, file.resolve().parent if file else Path.cwd())
    _anchor(tree, around.folder)
    overridden = _override(tree, environ)
    try:
        settings = settings_of(tree, around)
    except ConfigError as error:
        error.origin = _origin(error.key, overridden, file)
        raise
    return _with_folders(settings)


def reload(
    current: Settings, path: Path | None, environ: Mapping[str, str] | None = None
) -> tuple[Settings, list[Difference]]:
    """A new configuration and what it changes; raises ConfigError and leaves `current` as it is."""
    fresh = load(path, environ)
    return fresh, diff(current, fresh)


def diff(old: Settings, new: Settings) -> list[Difference]:
    """Changed keys in the order of the file."""
    before, after = dict(_flat(old)), dict(_flat(new))
    return [
        Difference(
            key=key,
            old=_words(before.get(key)),
            new=_words(after.get(key)),
            restart=key.partition(".")[0] in AT_START,
        )
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    ]


def data_dir(settings: Settings) -> Path:
    """The folder of the database."""
    if settings.store.data_dir:
        return Path(settings.store.data_dir)
    import platformdirs

    return platformdirs.user_data_path(APP)


def _named(path: Path, by: str) -> Path:
    if not path.expanduser().is_file():
        raise ConfigError(by, f"there is no file {path}", f"`noc-console config default > {path}` writes one")
    return path.expanduser()


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _FILE_MAX_BYTES:
            raise ConfigError(str(file), "is larger than 4 MiB", "this is not a configuration")
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(str(file), f"cannot be read: {error.strerror}", "check its rights") from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), "is not UTF-8", "save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(file), f"is not TOML: {error}", "texts need quotes, tables [brackets]") from error


def _anchor(tree: dict[str, Any], folder: Path) -> None:
    for section, key in _PATHS:
        table = tree.get(section)
        if isinstance(table, dict) and isinstance(table.get(key), str) and table[key]:
            table[key] = str(folder / Path(table[key]).expanduser())


def _with_folders(settings: Settings) -> Settings:
    folder = data_dir(settings).expanduser().absolute()
    backup = Path(settings.store.backup_dir or folder / "backup").expanduser().absolute()
    store = msgspec.structs.replace(settings.store, data_dir=str(folder), backup_dir=str(backup))
    return msgspec.structs.replace(settings, store=store)


def _override(tree: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Write the environment's values into the tree → dotted key: variable."""
    taken = {}
    for variable in sorted(name for name in environ if name.upper().startswith(PREFIX)):
        segments = variable[len(PREFIX) :].lower().split("__")
        try:
            key = _place(tree, segments, environ[variable], variable)
        except ConfigError as error:
            error.origin = variable
            raise
        taken[key] = variable
    return taken


def _place(tree: dict[str, Any], segments: list[str], text: str, variable: str) -> str:
    here, annotation, key = tree, Settings, ""
    for at, segment in enumerate(segments):
        name, annotation = _step(here, annotation, segment, key)
        key = f"{key}.{name}" if key else name
        if at + 1 == len(segments):
            here[name] = _parsed(annotation, text, variable, key)
        else:
            here = here.setdefault(name, {})
            if not isinstance(here, dict):
                raise ConfigError(key, "is not a table", f"set it as a whole: {PREFIX}{key.upper().replace('.', '__')}")
    return key


def _step(here: Mapping[str, Any], annotation: Any, segment: str, key: str) -> tuple[str, Any]:
    """Name and type of what `segment` means inside `annotation`; names of a table match whatever their dashes."""
    if is_struct(annotation):
        entry = field_of(plain(annotation), segment)
        if entry is None:
            raise unknown(f"{key}.{segment}" if key else segment, keys_of(plain(annotation)))
        return segment, entry.type
    if is_table(annotation):
        same = (name for name in here if name.lower().replace("-", "_") == segment)
        return next(same, segment), item_of(annotation)
    raise ConfigError(f"{key}.{segment}", f"{key} has no keys of its own", f"set {key} itself")


def _parsed(annotation: Any, text: str, variable: str, key: str) -> Any:
    if plain(annotation) is Secret and not text.lstrip().startswith("{"):
        return Secret(text, f"env {variable}")
    if is_text(annotation):
        return text
    if is_list(annotation) and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return "" if plain(annotation) is Secret else text


def _origin(key: str, overridden: Mapping[str, str], file: Path | None) -> str:
    by = next((variable for place, variable in overridden.items() if key == place or key.startswith(f"{place}.")), "")
    return by or (str(file) if file else "")


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every leaf."""
    if isinstance(value, Struct):
        pairs: Iterator[tuple[str, Any]] = (
            (entry.encode_name, getattr(value, entry.name)) for entry in msgspec.structs.fields(value)
        )
    elif isinstance(value, dict):
        pairs = iter(value.items())
    elif isinstance(value, tuple) and value and isinstance(value[0], Struct):
        yield from (pair for at, item in enumerate(value) for pair in _flat(item, f"{key}[{at}]"))
        return
    else:
        yield key, value
        return
    for name, item in pairs:
        yield from _flat(item, f"{key}.{name}" if key else str(name))


def _words(value: object) -> str:
    return value.origin if isinstance(value, Secret) else "" if value is None else str(value)
