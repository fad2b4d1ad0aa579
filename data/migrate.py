"""The schema's versions: which one a database has, and how an older one becomes the newest.

Owns the list of revisions and the run of Alembic, which is imported only when something must be migrated: a new
database is made from `migrations/head.sql`, the same schema as one text.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from data.files import check_file, database_path, permanent, translate
from data.ports import StoreError

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"

#: Every revision in order; the last is what this version of the product writes.
REVISIONS = ("0001",)
HEAD = REVISIONS[-1]

#: As Alembic itself makes it.
_VERSIONS = """CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)"""


def head_sql() -> str:
    """Statements that make a new database of the newest schema, with its version noted."""
    return (MIGRATIONS / "head.sql").read_text(encoding="utf-8")


def render_head() -> str:
    """`head.sql` as it must be for `data.tables`. Write it there after a change of the tables."""
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.schema import CreateIndex, CreateTable

    from data.tables import metadata

    dialect = sqlite.dialect()
    statements: list[str] = []
    for table in sorted(metadata.tables.values(), key=lambda table: table.name):
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            statements.append(str(CreateIndex(index).compile(dialect=dialect, compile_kwargs={"literal_binds": True})))
    statements.append(_VERSIONS)
    statements.append(f"INSERT INTO alembic_version VALUES ('{HEAD}')")
    body = ";\n\n".join(_tidy(statement) for statement in statements)
    return f"BEGIN;\n\n{body};\n\nCOMMIT;\n"


def _tidy(statement: str) -> str:
    return "\n".join(line.rstrip().replace("\t", "    ") for line in statement.strip().splitlines())


def version_of(connection: sqlite3.Connection) -> str | None:
    """The revision that a database says it has; None when it says nothing."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_ERROR:
            raise
        return None
    return None if row is None else str(row[0])


def pending(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the schema is older than HEAD. Raises StoreError for a schema that this version does not know."""
    version = version_of(connection)
    if version is not None and version not in REVISIONS:
        raise permanent(
            StoreError(f"{path} was written by a newer version (schema {version}, this one knows {HEAD}): update")
        )
    return version != HEAD


def current(directory: Path) -> str | None:
    """The revision of the database in a data directory; None when there is none."""
    path = database_path(directory)
    if not check_file(path):
        return None
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            return version_of(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise translate(error, path) from error


def upgrade(directory: Path, revision: str = "head") -> str | None:
    """Migrate the database of a data directory, one transaction per revision. Returns its revision after that."""
    from alembic import command
    from sqlalchemy.exc import DBAPIError

    path = database_path(directory)
    try:
        command.upgrade(_config(path), revision)
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise translate(error.orig, path) from error
        raise
    return current(directory)


def downgrade(directory: Path, revision: str) -> str | None:
    """Take revisions back down to `revision` ("base" = none). Returns the revision after that."""
    from alembic import command

    command.downgrade(_config(database_path(directory)), revision)
    return current(directory)


def _config(path: Path) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = f"sqlite:///{path.resolve()}"
    return config
