"""Whether a statement is one server's work: each table that is spread over a cluster is held to one timeline.

A reading of SQLAlchemy's own trees, scope by scope. In each, a table that is spread must be tied by `timeline_id` to
the value that the statement is given, be it by way of another table, a common table expression or an outer query.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import (
    Alias,
    BinaryExpression,
    BindParameter,
    BooleanClauseList,
    Column,
    Delete,
    Insert,
    Join,
    Label,
    Select,
    Table,
    Update,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import ColumnClause, Grouping
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import (
    CTE,
    CompoundSelect,
    FromClause,
    Lateral,
    ScalarSelect,
    SelectBase,
    SelectStatementGrouping,
    Subquery,
    TableValuedAlias,
)

from service.store.distribution import COLUMN, SPREAD
from service.tables import metadata

Node = tuple[int, int]
GIVEN: Node = (0, 0)
# What the coordinator does not let be worked out row by row while rows are changed.
_VOLATILE = {"clock_timestamp", "gen_random_uuid", "random", "pg_current_xact_id", "nextval"}
_CHOOSING = {"coalesce"}


class Routing:
    """What is wrong with a statement for a cluster, in words; nothing, where it is one server's work."""

    def __init__(self, statement: Any) -> None:  # noqa: ANN401  # any of SQLAlchemy's
        self._parents: dict[Node, Node] = {}
        self._tables: list[tuple[Node, str]] = []
        self._done: dict[int, Node | None] = {}
        self._all_of: list[tuple[Node, list[Node | None]]] = []
        self.faults: list[str] = []
        self._scopes = 0
        self._visit(statement, [])
        self._settle()
        self.faults += [f"{name} is held to no timeline" for node, name in self._tables if not self._is_given(node)]

    # --- what is tied to what

    def _find(self, node: Node) -> Node:
        while self._parents.get(node, node) != node:
            node = self._parents[node]
        return node

    def _tie(self, one: Node | None, other: Node | None) -> None:
        if one is not None and other is not None:
            # the value given stays a root, so that a way to it is seen
            first, second = sorted((self._find(one), self._find(other)), reverse=True)
            self._parents[first] = second

    def _is_given(self, node: Node | None) -> bool:
        return node is not None and self._find(node) == GIVEN

    def _settle(self) -> None:
        """Take a union for held to the timeline where each of its parts is."""
        changed = True
        while changed:
            changed = False
            for whole, parts in self._all_of:
                if not self._is_given(whole) and all(self._is_given(part) for part in parts):
                    self._tie(whole, GIVEN)
                    changed = True

    # --- scopes

    def _visit(self, statement: Any, outer: list[dict[int, Node]], *, correlates: bool = False) -> Node | None:  # noqa: ANN401
        """Look at a statement, and tell the timeline of what it gives."""
        if isinstance(statement, SelectStatementGrouping | ScalarSelect):
            return self._visit(statement.element, outer, correlates=correlates)
        for one in getattr(statement, "_independent_ctes", ()):
            self._leaf_of_query(one, outer)
        if isinstance(statement, CompoundSelect):
            parts = [self._visit(one, outer, correlates=correlates) for one in statement.selects]
            self._scopes += 1
            whole = (self._scopes, 0)
            self._all_of.append((whole, parts))
            return whole
        if isinstance(statement, Select):
            return self._visit_select(statement, outer, correlates=correlates)
        if isinstance(statement, Insert):
            return self._visit_insert(statement, outer)
        if isinstance(statement, Update | Delete):
            return self._visit_change(statement, outer)
        return None

    def _visit_select(self, statement: Select[Any], outer: list[dict[int, Node]], *, correlates: bool) -> Node | None:
        froms, conditions = _sources(statement)
        known = {key for scope in outer for key in scope}
        leaves = list({id(leaf): leaf for one in froms for leaf in _leaves(one)}.values())
        explicit = {id(one) for one in statement._correlate or ()}
        leaves = [one for one in leaves if id(one) not in explicit & known]
        if correlates:
            leaves = [one for one in leaves if id(one) not in known] or leaves
        scope = self._open(leaves, outer)
        scopes = [*outer, scope]
        self._look_into([*statement._raw_columns, *conditions, *statement._order_by_clauses], scopes)
        self._tie_all(conditions, scopes)
        given = [one for one in statement.selected_columns if _name_of(one) == COLUMN]
        return self._node_of(given[0], scopes) if given else None

    def _visit_insert(self, statement: Insert, outer: list[dict[int, Node]]) -> Node | None:
        table = statement.table
        values: dict[str, Any] = {}
        source: Node | None = None
        chosen: Any = getattr(statement, "select", None)
        if chosen is not None:
            source = self._visit(chosen, outer)
            named = list(statement._select_names or ())
            columns = list(chosen.selected_columns)
            if COLUMN in named and isinstance(columns[named.index(COLUMN)], BindParameter):
                source = GIVEN
        else:
            values = {getattr(one, "key", None) or str(one): value for one, value in (statement._values or {}).items()}
            if _is_parameter(values.get(COLUMN)):
                source = GIVEN
        if table.name not in SPREAD:
            return source
        for name, value in values.items():
            if any(isinstance(one, ScalarSelect) for one in _parts(value)):
                self.faults.append(f"the value of {table.name}.{name} is asked for within the INSERT")
        self._scopes += 1
        node = (self._scopes, id(table))
        self._tables.append((node, table.name))
        self._tie(node, source)
        return node

    def _visit_change(self, statement: Update | Delete, outer: list[dict[int, Node]]) -> Node | None:
        table: Any = statement.table
        froms: dict[int, FromClause] = {id(statement.table): statement.table}
        for clause in statement._where_criteria:
            froms |= {id(one): one for one in clause._from_objects}
        scope = self._open([leaf for one in froms.values() for leaf in _leaves(one)], outer)
        scopes = [*outer, scope]
        values = list((getattr(statement, "_values", None) or {}).values())
        self._look_into([*statement._where_criteria, *values], scopes)
        self._tie_all(statement._where_criteria, scopes)
        if table.name in SPREAD:
            for one in _functions([*statement._where_criteria, *values]):
                if one.name in _VOLATILE:
                    self.faults.append(f"{one.name}() changes from row to row while {table.name} is changed")
                if one.name in _CHOOSING and any(inner.name == "now" for inner in _functions(one.clauses)):
                    self.faults.append(f"{table.name} is changed by a choice between times")
        return scope[id(statement.table)]

    def _open(self, leaves: list[Any], outer: list[dict[int, Node]]) -> dict[int, Node]:
        self._scopes += 1
        number = self._scopes
        scope: dict[int, Node] = {}
        for leaf in leaves:
            node = (number, id(leaf))
            scope[id(leaf)] = node
            table = leaf.element if isinstance(leaf, Alias) else leaf
            if isinstance(table, Table) and table.name in SPREAD:
                self._tables.append((node, table.name))
        for leaf in leaves:
            if isinstance(leaf, Subquery | CTE | Lateral):
                siblings = [*outer, scope] if isinstance(leaf, Lateral) else outer
                self._tie(scope[id(leaf)], self._leaf_of_query(leaf, siblings))
            elif isinstance(leaf, TableValuedAlias):
                self._look_into([leaf.element], [*outer, scope])
        return scope

    def _leaf_of_query(self, leaf: Any, scopes: list[dict[int, Node]]) -> Node | None:  # noqa: ANN401
        if not isinstance(leaf, CTE):
            return self._visit(leaf.element, scopes, correlates=isinstance(leaf, Lateral))
        if id(leaf) not in self._done:
            self._done[id(leaf)] = None
            timeline = self._visit(leaf.element, scopes)
            # what changes rows is done by itself, and the rest is told what it gave: of which timeline, nobody looks
            self._done[id(leaf)] = None if isinstance(leaf.element, Insert | Update | Delete) else timeline
        return self._done[id(leaf)]

    def _look_into(self, expressions: Iterable[Any], scopes: list[dict[int, Node]]) -> None:
        """Look at each query that stands within an expression."""
        for one in expressions:
            if isinstance(one, SelectBase | ScalarSelect):
                self._visit(one, scopes, correlates=True)
            elif isinstance(one, FunctionElement) or not isinstance(one, FromClause | Column):
                self._look_into(one.get_children(), scopes)

    def _tie_all(self, conditions: Iterable[Any], scopes: list[dict[int, Node]]) -> None:
        for one in conditions:
            if isinstance(one, BooleanClauseList) and one.operator is operators.and_:
                self._tie_all(one.clauses, scopes)
            elif isinstance(one, Grouping):
                self._tie_all([one.element], scopes)
            elif isinstance(one, BinaryExpression) and one.operator is operators.eq:
                self._tie(self._node_of(one.left, scopes), self._node_of(one.right, scopes))

    def _node_of(self, expression: Any, scopes: list[dict[int, Node]]) -> Node | None:  # noqa: ANN401
        """Name the timeline that an expression tells; None where it tells of something else."""
        if isinstance(expression, Label | Grouping):
            return self._node_of(expression.element, scopes)
        if _is_parameter(expression):
            return GIVEN
        if not isinstance(expression, ColumnClause):
            return None
        if expression.table is None:
            # written out, to name a row of an outer query without bringing its table along
            name = str(expression).partition(".")
            return self._by_name(name[0], scopes) if name[2] == COLUMN else None
        if expression.name != COLUMN:
            return None
        return next((scope[id(expression.table)] for scope in reversed(scopes) if id(expression.table) in scope), None)

    def _by_name(self, name: str, scopes: list[dict[int, Node]]) -> Node | None:
        table = metadata.tables[name]
        return next((scope[id(table)] for scope in reversed(scopes) if id(table) in scope), None)


def _sources(statement: Select[Any]) -> tuple[list[Any], list[Any]]:
    """List what a query is from, and all its conditions. SQLAlchemy's own way to these compiles the whole query."""
    froms: list[Any] = list(statement._from_obj)
    conditions: list[Any] = list(statement._where_criteria)
    for expression in (*statement._raw_columns, *statement._where_criteria):
        froms += [expression] if isinstance(expression, Table) else expression._from_objects
    for right, condition, *_ in statement._setup_joins:
        froms.append(right)
        conditions.append(condition)
    return froms, [*conditions, *(on for one in froms for on in _joined(one))]


def _joined(one: Any) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(one, Join):
        yield one.onclause
        yield from _joined(one.left)
        yield from _joined(one.right)


def _leaves(one: Any) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(one, Join):
        yield from _leaves(one.left)
        yield from _leaves(one.right)
    else:
        yield one


def _is_parameter(expression: Any) -> bool:  # noqa: ANN401
    return isinstance(expression, BindParameter) and expression.key == COLUMN


def _name_of(expression: Any) -> str:  # noqa: ANN401
    return str(getattr(expression, "name", getattr(expression, "key", "")))


def _parts(expression: Any) -> Iterator[Any]:  # noqa: ANN401
    yield expression
    if hasattr(expression, "get_children"):
        for one in expression.get_children():
            yield from _parts(one)


def _functions(expressions: Iterable[Any]) -> Iterator[Any]:
    for expression in expressions:
        yield from (one for one in _parts(expression) if isinstance(one, FunctionElement))
