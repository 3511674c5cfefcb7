"""The application: what it is made of, and how it starts and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import APIRouter, FastAPI

from service.api import (
    amending,
    batch,
    batch_problems,
    changes,
    claims,
    comparison,
    dates,
    directory,
    events,
    health,
    history,
    links,
    metrics,
    openapi,
    plans,
    problems,
    webhooks,
)
from service.api.event_stream import Streams, told_of_stop
from service.api.head import Head
from service.api.limits import BodyLimit, QueryLimit, RequestLimit
from service.api.request_id import RequestId
from service.page import docs, problem_pages, templates, timeline_page
from service.settings import Settings
from service.store.database import Database
from service.store.sharing import SharedReads
from service.store.tail import Tail
from service.worker import working


def create_app(settings: Settings) -> FastAPI:
    """Make the application for these settings; it connects to `settings.database_url` when it starts.

    Without a URL it can be described, but not started: the embedded database has one once it runs.
    """
    url = settings.database_url
    address = "" if url is None else url.get_secret_value()
    database = Database(
        address,
        pool_size=settings.pool_size,
        statement_timeout_seconds=settings.statement_timeout_seconds,
    )
    tail = Tail(database, address, poll_seconds=settings.stream_poll_seconds)
    feed = changes.Feed(
        tail=tail,
        streams=Streams(
            most=settings.streams, send_timeout_seconds=settings.stream_send_timeout_seconds, wake=tail.wake_all
        ),
        # at most a quarter of the connections, so that the rest answers all else
        reads=SharedReads(max(1, settings.pool_size // 4)),
        heartbeat_seconds=settings.stream_heartbeat_seconds,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if url is None:
            raise RuntimeError("the application needs a database URL to start")
        await database.open()
        try:
            async with AsyncExitStack() as running:
                await running.enter_async_context(feed.tail.run())
                running.enter_context(told_of_stop(feed.streams.end))
                if settings.worker:
                    worker = await running.enter_async_context(working(settings, address))
                    running.enter_context(told_of_stop(worker.stop))
                yield
        finally:
            await database.close()

    app = FastAPI(
        title="Dateline",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.database = database
    app.state.feed = feed
    # the last one is the outermost
    app.add_middleware(BodyLimit, body_bytes=settings.body_bytes)
    app.add_middleware(RequestLimit, requests=settings.requests, seconds=settings.request_timeout_seconds)
    app.add_middleware(QueryLimit, query_bytes=settings.query_bytes)
    app.add_middleware(Head)
    app.add_middleware(RequestId)
    problems.register(app)
    batch_problems.register(app)
    first = APIRouter(prefix="/v1")
    for router in (
        events.router,
        amending.router,
        batch.router,
        claims.router,
        links.router,
        history.router,
        comparison.router,
        plans.router,
        *map(directory.router_of, directory.SHELVES),
        changes.router,
        webhooks.router,
        dates.router,
    ):
        first.include_router(router)
    app.include_router(first)
    app.include_router(health.router)
    app.include_router(metrics.router)
    for page in (timeline_page.router, docs.router, problem_pages.router):
        app.include_router(page)
    docs.mount_assets(app)
    templates.mount_files(app)
    openapi.publish(app)
    return app
