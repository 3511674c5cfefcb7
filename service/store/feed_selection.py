"""The one statement that reads a page of the change feed, and how far the feed can be read.

A page is found by the feed's own key: from a place on, up to the last change before the horizon. Everything is
seen in one snapshot, the feed's ends included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Text,
    and_,
    bindparam,
    cast,
    column,
    exists,
    func,
    lateral,
    literal_column,
    null,
    or_,
    select,
    table,
    true,
    tuple_,
)
from sqlalchemy.sql.selectable import LateralFromClause

from service.store.selection import TIMELINE_ID, Shape, conditions, in_window, is_visible
from service.store.statement import Connection, ElementT, Statement, compiled, is_distributed, with_given
from service.store.window import Condition
from service.tables import change, event_state, feed, feed_floor, timeline

HORIZON: ColumnElement[Any] = cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)
# Where a write is committed on several servers, its transaction leaves the coordinator's snapshots before the others
# have committed their part; its own lock is held until they have.
_UNDER_WAY = table("pg_locks", column("locktype", Text), column("transactionid"), column("granted", Boolean))
_LOCKED = cast(cast(_UNDER_WAY.c.transactionid, Text), BigInteger)
# As a lock tells it, a transaction's number has 32 bits: the nearest to the horizon is meant.
_HALF, _WRAP = literal_column("2147483648", BigInteger), literal_column("4294967296", BigInteger)
_BEYOND = ((_LOCKED - HORIZON + _HALF) % _WRAP + _WRAP) % _WRAP - _HALF
_READ_HORIZON: Statement = compiled(
    select(
        func.least(
            HORIZON,
            select(func.min(HORIZON + _BEYOND))
            .where(_UNDER_WAY.c.locktype == "transactionid", _UNDER_WAY.c.granted)
            .scalar_subquery(),
        )
    )
)
_ORDER = (change.c.epoch, change.c.transaction_id, change.c.sequence)
_BY_TRANSACTION = _ORDER[:2]
_AFTER = (
    bindparam("after_epoch", type_=Integer),
    bindparam("after_transaction", type_=BigInteger),
    bindparam("after_sequence", type_=BigInteger),
)
HEAD_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class FeedShape:
    """All that decides the form of the statement that reads a page of the feed."""

    query: Shape
    documents: bool
    by_record: bool

    @property
    def lets_all_pass(self) -> bool:
        """Tell whether no filter holds anything back."""
        query = self.query
        return (
            query.window is None
            and not query.facets
            and query.overdue is None
            and query.disputed is None
            and not query.text
        )


def up_to_horizon(element: ElementT, *, distributed: ElementT | None = None) -> Statement:
    """Compile a statement that has the horizon in it; on a distributed PostgreSQL it takes it from `horizon_of`."""
    return compiled(
        element, distributed=[with_given(element if distributed is None else distributed, HORIZON, "horizon")]
    )


async def horizon_of(connection: Connection) -> dict[str, object]:
    """Give the horizon to a statement on a distributed PostgreSQL: only the coordinator knows it.

    It is read first: what is asked next, of whichever server, sees all that was committed before it.
    """
    if not is_distributed(connection):
        return {}
    ((horizon,),) = await (await _READ_HORIZON.run(connection, {})).fetchall()
    return {"horizon": horizon}


def latest_of(timeline_id: ColumnElement[Any], name: str = "latest") -> LateralFromClause:
    """Select the last change of a timeline before the horizon; `feed` is among the sources."""
    return lateral(
        select(*_ORDER)
        .where(change.c.timeline_id == timeline_id, tuple_(*_BY_TRANSACTION) < tuple_(feed.c.epoch, HORIZON))
        .order_by(*(one.desc() for one in _ORDER))
        .limit(literal_column("1")),
        name,
    )


def beyond_horizon(timeline_id: ColumnElement[Any]) -> Condition:
    """Tell of a change of a timeline that it cannot be read yet; `feed` is among the sources."""
    return and_(change.c.timeline_id == timeline_id, tuple_(*_BY_TRANSACTION) >= tuple_(feed.c.epoch, HORIZON))


@lru_cache(maxsize=256)
def reading(shape: FeedShape) -> Statement:
    """Build the statement of a page: a row a change, each with how the feed stands; one row where there is none."""
    # the timeline is told to each table by itself, or a cluster would not see that all is on one server
    latest = latest_of(TIMELINE_ID)
    head = (
        select(
            feed.c.token,
            latest.c.epoch.label("latest_epoch"),
            latest.c.transaction_id.label("latest_transaction"),
            latest.c.sequence.label("latest_sequence"),
            feed_floor.c.epoch.label("oldest_epoch"),
            feed_floor.c.transaction_id.label("oldest_transaction"),
            feed_floor.c.sequence.label("oldest_sequence"),
            exists(select(1).where(change.c.timeline_id == TIMELINE_ID, tuple_(*_ORDER) == tuple_(*_AFTER))).label(
                "stands"
            ),
        )
        .select_from(
            timeline.join(feed, true())
            .outerjoin(feed_floor, feed_floor.c.timeline_id == TIMELINE_ID)
            .outerjoin(latest, true())
        )
        .where(timeline.c.timeline_id == TIMELINE_ID, is_visible())
        .cte("head")
        .prefix_with("MATERIALIZED")
    )
    terms = [
        change.c.timeline_id == TIMELINE_ID,
        tuple_(*_ORDER) > tuple_(*_AFTER),
        tuple_(*_ORDER) <= tuple_(head.c.latest_epoch, head.c.latest_transaction, head.c.latest_sequence),
    ]
    if shape.by_record:
        terms.append(change.c.recorded_at <= bindparam("recorded_as_of", type_=change.c.recorded_at.type))
    keys = (
        select(change)
        .where(*terms)
        .order_by(*_ORDER)
        .limit(bindparam("scanned", type_=Integer))
        .correlate(head)
        .lateral("keys")
    )
    if shape.lets_all_pass and not shape.documents:
        items: LateralFromClause = keys
        document: ColumnElement[Any] = null()
        passes: ColumnElement[Any] = true()
    else:
        items, document, passes = _judged(shape, keys)
    key_columns = (items.c[one.name] for one in change.columns if one is not change.c.timeline_id)
    order = (items.c.epoch, items.c.transaction_id, items.c.sequence)
    return up_to_horizon(
        select(*head.c, *key_columns, document, passes).select_from(head.outerjoin(items, true())).order_by(*order)
    )


def _judged(
    shape: FeedShape, keys: LateralFromClause
) -> tuple[LateralFromClause, ColumnElement[Any], ColumnElement[Any]]:
    """Select those changes that pass, and the last that was looked at, with their documents."""
    order = (keys.c.epoch, keys.c.transaction_id, keys.c.sequence)
    passes = _passes(shape.query)
    is_last = func.lead(keys.c.sequence).over(order_by=order).is_(None).label("is_last")
    scanned = select(*keys.c, is_last).select_from(keys).subquery("scanned")
    order = (scanned.c.epoch, scanned.c.transaction_id, scanned.c.sequence)
    state = and_(
        event_state.c.timeline_id == TIMELINE_ID,
        event_state.c.event_id == scanned.c.event_id,
        event_state.c.version == scanned.c.version,
    )
    chosen = select(
        *scanned.c,
        event_state.c.document if shape.documents else null().label("document"),
        passes.label("passes"),
    ).select_from(scanned.outerjoin(event_state, state))
    if not shape.lets_all_pass:
        chosen = chosen.where(or_(passes, scanned.c.is_last))
    items = chosen.order_by(*order).limit(bindparam("limit", type_=Integer)).lateral("items")
    return items, items.c.document, items.c.passes


def _passes(shape: Shape) -> Condition:
    """Tell whether a change's document is one of the query's; a tombstone cannot be told from one that is."""
    terms = and_(true(), *in_window(shape, event_state), *conditions(shape, event_state))
    return or_(event_state.c.document.is_(None), terms)
