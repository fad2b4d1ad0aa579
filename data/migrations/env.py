"""Alembic's entry: runs the revisions on the database that `data.migrate` names, one transaction for each."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from data.tables import metadata


def _begin_by_hand(connection: Any, _record: Any) -> None:
    # The driver would commit before every CREATE; schema changes and the version must be one transaction.
    connection.isolation_level = None


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
event.listen(engine, "connect", _begin_by_hand)
event.listen(engine, "begin", _begin)

with engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=metadata, transaction_per_migration=True, render_as_batch=True
    )
    with context.begin_transaction():
        context.run_migrations()
