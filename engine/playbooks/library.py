"""The library: the playbooks of a folder and the actions that they may use, as the line needs them.

Owns reading the folder. A file that is refused costs itself: the others are loaded, and its trouble is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from data.nouns.playbooks import Definition
from data.records import TenantId
from engine.effects import Around
from engine.playbooks.actions import StepAction, registry
from engine.playbooks.loader import Loaded, PlaybookError, load, read_definition

#: The folder of the playbooks that come with the product, and the word that turns all of them on.
SHIPPED = Path(__file__).parent / "shipped"
ALL = "all"
MOST_FILES = 500
MOST_BYTES = 256 * 1024


class Library(Struct, frozen=True, kw_only=True):
    """`triggered` are those that run by themselves, by name; `by_alert` those of them that are about alerts of a name,
    `of_any` the others. `digest` changes with any of them."""

    playbooks: Mapping[str, Loaded]
    actions: Mapping[str, StepAction]
    triggered: tuple[Loaded, ...]
    troubles: tuple[PlaybookError, ...] = ()
    digest: str = ""
    by_alert: Mapping[str, tuple[Loaded, ...]] = {}
    of_any: tuple[Loaded, ...] = ()

    def of(self, tenant: str) -> dict[str, Loaded]:
        """Those that serve a tenant: for it there are no others."""
        return {name: loaded for name, loaded in self.playbooks.items() if loaded.serves(tenant)}

    def troubles_of(self, tenant: str) -> list[PlaybookError]:
        return [one for one in self.troubles if not one.tenants or tenant in one.tenants]

    def named(self) -> dict[TenantId, None]:
        """Tenants that a playbook names."""
        every = (loaded.definition.tenants for loaded in self.playbooks.values())
        return {TenantId(tenant): None for tenants in every for tenant in tenants}


def library(
    playbooks: Mapping[str, Loaded], actions: Mapping[str, StepAction], troubles: tuple[PlaybookError, ...] = ()
) -> Library:
    listed = {name: playbooks[name] for name in sorted(playbooks)}
    triggered = tuple(loaded for loaded in listed.values() if loaded.applies is not None)
    return Library(
        playbooks=listed,
        actions=actions,
        triggered=triggered,
        by_alert=_by_alert(triggered),
        of_any=tuple(loaded for loaded in triggered if not _names(loaded)),
        troubles=troubles,
        digest=sha256("".join(_digested(loaded) for loaded in listed.values()).encode()).hexdigest(),
    )


def _digested(loaded: Loaded) -> str:
    return " ".join((loaded.definition.name, loaded.sha256, *loaded.definition.tenants, ""))


def _names(loaded: Loaded) -> tuple[str, ...]:
    return loaded.definition.trigger.names if loaded.definition.trigger is not None else ()


def _by_alert(triggered: Iterable[Loaded]) -> dict[str, tuple[Loaded, ...]]:
    found: dict[str, tuple[Loaded, ...]] = {}
    for loaded in triggered:
        for name in _names(loaded):
            found[name] = (*found.get(name, ()), loaded)
    return found


def open_library(around: Around) -> Library:
    """The shipped playbooks that the settings turn on, and the folder of the settings; a file of the folder takes the
    place of a shipped one of its name."""
    actions, settings = registry(around), around.settings.playbooks
    found, troubles = _chosen(settings.shipped, actions)
    if settings.directory:
        own = read_folder(Path(settings.directory).expanduser(), actions)
        found |= own.playbooks
        troubles = (*troubles, *own.troubles)
    troubles = (*troubles, *_unknown(settings.tenants, found, troubles))
    told = tuple(_told_to(one, settings.tenants, around.settings.engine.tenant) for one in troubles)
    return library(_serving(found, settings.tenants), actions, told)


def _serving(found: Mapping[str, Loaded], tenants: Mapping[str, tuple[str, ...]]) -> dict[str, Loaded]:
    """With the tenants that the settings give in the place of a file's own."""
    given = {
        name: replace(loaded, definition=replace(loaded.definition, tenants=tenants[name]))
        for name, loaded in found.items()
        if name in tenants
    }
    return {**found, **given}


def _unknown(
    tenants: Mapping[str, tuple[str, ...]], found: Mapping[str, Loaded], troubles: Iterable[PlaybookError]
) -> Iterator[PlaybookError]:
    """Names that the settings give tenants and that nothing has: a slip there would leave a playbook to everybody."""
    for name in tenants.keys() - found.keys() - {one.playbook for one in troubles}:
        yield PlaybookError("playbooks.tenants", 1, name, "no playbook is called so", "see `playbook list`")


def _told_to(trouble: PlaybookError, tenants: Mapping[str, tuple[str, ...]], own: str) -> PlaybookError:
    """What nobody knows the tenants of is told to the engine's own."""
    known = tenants.get(trouble.playbook, trouble.tenants)
    return trouble.of(trouble.playbook, (own,) if known is None else known)


def shipped_names() -> tuple[str, ...]:
    """The playbooks that come with the product."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.yaml")))


def shipped() -> tuple[Definition, ...]:
    """Their definitions as they are in the files, whether they are on or not."""
    return tuple(
        read_definition(f"{name}.yaml", (SHIPPED / f"{name}.yaml").read_text("utf-8")) for name in shipped_names()
    )


def _chosen(
    names: Sequence[str], actions: Mapping[str, StepAction]
) -> tuple[dict[str, Loaded], tuple[PlaybookError, ...]]:
    """Those of the shipped ones that are on. One that needs what is not set up is a trouble and nothing else."""
    found: dict[str, Loaded] = {}
    troubles: list[PlaybookError] = []
    there = shipped_names()
    for name in there if ALL in names else dict.fromkeys(names):
        if name not in there:
            remedy = f"playbooks.shipped takes {ALL}, or of: {', '.join(there)}"
            troubles.append(PlaybookError(name, 1, "", "no shipped playbook is called so", remedy))
            continue
        try:
            found[name] = read_file(SHIPPED / f"{name}.yaml", actions)
        except PlaybookError as error:
            troubles.append(error)
    return found, tuple(troubles)


def read_folder(folder: Path, actions: Mapping[str, StepAction]) -> Library:
    found: dict[str, Loaded] = {}
    troubles: list[PlaybookError] = []
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file())
    except OSError as error:
        trouble = PlaybookError(str(folder), 1, "", f"cannot be read: {error.strerror}", "mend playbooks.directory")
        return library({}, actions, (trouble,))
    if len(files) > MOST_FILES:
        troubles.append(PlaybookError(str(folder), 1, "", f"more than {MOST_FILES} files", "the rest is left out"))
    for path in files[:MOST_FILES]:
        try:
            loaded = read_file(path, actions)
            if loaded.definition.name in found:
                name, tenants = loaded.definition.name, loaded.definition.tenants
                wrong = PlaybookError(path.name, 1, "name", "another file has this name", "name it differently")
                raise wrong.of(name, tenants)
            found[loaded.definition.name] = loaded
        except PlaybookError as error:
            troubles.append(error)
    return library(found, actions, tuple(troubles))


def read_file(path: Path, actions: Mapping[str, StepAction]) -> Loaded:
    """Raises PlaybookError."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise PlaybookError(path.name, 1, "", f"cannot be read: {error.strerror}", "check the file") from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise PlaybookError(path.name, line, "", "not UTF-8", "save it as UTF-8 text") from error
    return load(path.name, text, actions)
