"""A hook on the reader's engine that fails every statement on a tenant's table that does not bind the tenant."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter
from sqlalchemy.sql.selectable import Join


class TenantGuard:
    """Listens to every statement. `seen` counts those that bound a tenant, `across` notes why others need not."""

    def __init__(self, engine: Any) -> None:
        self.seen = 0
        self.across: set[str] = set()
        sa.event.listen(engine.sync_engine, "before_execute", self._check)

    def _check(self, _connection: Any, statement: Any, _many: Any, _params: Any, options: Any) -> None:
        reason = statement.get_execution_options().get("all_tenants") or options.get("all_tenants")
        if reason:
            self.across.add(reason)
            return
        for select in (part for part in visitors.iterate(statement) if isinstance(part, sa.Select)):
            self._check_select(select, str(statement))

    def _check_select(self, select: sa.Select[Any], words: str) -> None:
        if str(select.whereclause) == "false":
            return
        bound = _bound_tables(select)
        for table in _tables(select):
            if "tenant" in table.c:
                assert table.name in bound, f"{table.name} is read without a tenant: {words}"
                self.seen += 1


def _tables(select: sa.Select[Any]) -> set[sa.Table]:
    """Tables named in this FROM itself; sub-selects are looked at on their own.

    A table that is correlated belongs to the statement around it, where it is checked.
    """
    pending, found = list(select.get_final_froms()), set()
    while pending:
        source = pending.pop()
        if isinstance(source, Join):
            pending += [source.left, source.right]
        elif isinstance(source, sa.Table):
            found.add(source)
    return found - set(select._correlate)


def _bound_tables(select: sa.Select[Any]) -> set[str]:
    """Names of tables whose tenant is compared with a bound value, or with that of a table that is checked itself."""
    clauses: list[Any] = [select.whereclause] if select.whereclause is not None else []
    clauses += [part.onclause for source in select.get_final_froms() for part in _joins(source)]
    found = set()
    for part in (part for clause in clauses for part in visitors.iterate(clause)):
        if isinstance(part, BinaryExpression) and part.operator in {operators.eq, operators.in_op}:
            left, right = part.left, part.right
            if getattr(left, "name", "") == "tenant" and _is_tenant(right):
                found.add(left.table.name)
    return found


def _joins(source: Any) -> list[Join]:
    return [source, *_joins(source.left), *_joins(source.right)] if isinstance(source, Join) else []


def _is_tenant(side: Any) -> bool:
    return isinstance(side, BindParameter) or getattr(side, "name", "") == "tenant"
