"""The application: what it is made of, and how it starts and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.api import (
    amending,
    audit,
    batch,
    batch_problems,
    changes,
    claims,
    comparison,
    dates,
    directory,
    events,
    health,
    histogram,
    history,
    importing,
    keys,
    links,
    listing,
    metrics,
    openapi,
    plans,
    problems,
    webhooks,
)
from service.api.caching import Caching
from service.api.compression import Compression
from service.api.cors import Cors
from service.api.counters import SharedCounters
from service.api.direct import Direct
from service.api.event_stream import Streams
from service.api.faults import Faults
from service.api.figures import Figures
from service.api.head import Head
from service.api.limits import BodyLimit, QueryLimit, RequestLimit
from service.api.metrics_port import MetricsPort
from service.api.observation import Observation
from service.api.rate_limit import Limiter, RateLimit, mark_standings
from service.api.request_id import mark_request_id
from service.api.routes import Templates
from service.api.security_headers import SecurityHeaders
from service.api.slow_client import Clients
from service.api.spool import Spools
from service.api.stopping import Stopping
from service.api.validation import Validation
from service.identity import Issuer
from service.page import docs, problem_pages, templates, timeline_page
from service.settings import Settings
from service.store.database import Database
from service.store.listening import Listener
from service.store.pulse import Pulse
from service.store.replica import Replica
from service.store.sharing import SharedReads
from service.store.tail import Tail
from service.worker import working

REPLICA_POOL_SECONDS = 1.0


def create_app(settings: Settings) -> FastAPI:
    """Make the application for these settings; it connects to `settings.database_url` when it starts.

    Without a URL it can be described, but not started: the embedded database has one once it runs.
    """
    url = settings.database_url
    address = "" if url is None else url.get_secret_value()
    pulse = Pulse()
    database = Database(
        address,
        pool_size=settings.pool_size,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        pooled=settings.direct_database_url is not None,
        pulse=pulse,
    )
    figures = Figures()
    replica = replica_of(settings, database, figures)
    direct = address if settings.direct_database_url is None else settings.direct_database_url.get_secret_value()
    listener = Listener(direct)
    tail = Tail(database, listener, poll_seconds=settings.stream_poll_seconds)
    clients = Clients()
    stopping = Stopping(drain_seconds=settings.drain_seconds)
    feed = changes.Feed(
        tail=tail,
        streams=Streams(
            most=settings.streams,
            send_timeout_seconds=settings.stream_send_timeout_seconds,
            clients=clients,
            wake=tail.wake_all,
        ),
        # at most a quarter of the connections, so that the rest answers all else
        reads=SharedReads(max(1, settings.pool_size // 4)),
        heartbeat_seconds=settings.stream_heartbeat_seconds,
    )
    stopping.then(feed.streams.end)
    limiter = limiter_of(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if url is None:
            raise RuntimeError("the application needs a database URL to start")
        await database.open()
        try:
            async with AsyncExitStack() as running:
                running.enter_context(stopping.heard())
                await running.enter_async_context(pulse.run(direct))
                await running.enter_async_context(listener.run())
                if replica is not None:
                    await running.enter_async_context(replica.run())
                await running.enter_async_context(tail.run())
                await running.enter_async_context(metrics.noted(figures, database, feed))
                if settings.worker:
                    worker = await running.enter_async_context(working(settings, address, listener, pulse))
                    stopping.then(worker.stop)
                yield
        finally:
            await limiter.close()
            await database.close()

    app = FastAPI(
        title="Dateline",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        # sent where OTEL_EXPORTER_OTLP_ENDPOINT says; faults stay in our own log, which strikes out what is secret
        telemetry={"auto_configure": True, "logs": False, "operation_spans": False},
    )
    hold(
        app,
        settings=settings,
        database=database,
        replica=replica,
        issuer=issuer_of(settings),
        feed=feed,
        clients=clients,
        figures=figures,
        limiter=limiter,
        spools=Spools(settings.import_bytes),
        stopping=stopping,
    )
    guard(app, settings)
    problems.register(app)
    batch_problems.register(app)
    importing.register(app)
    include(app, settings)
    docs.mount_assets(app)
    templates.mount_files(app)
    openapi.publish(app)
    return app


def hold(app: FastAPI, **parts: object) -> None:
    """Have a request find these parts of the application by their names."""
    for name, part in parts.items():
        setattr(app.state, name, part)


def replica_of(settings: Settings, primary: Database, figures: Figures) -> Replica | None:
    """Make the replica that reads go to, if there is one."""
    if settings.read_database_url is None:
        return None
    url = settings.read_database_url.get_secret_value()
    database = Database(
        url,
        pool_size=settings.pool_size,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        pooled=settings.direct_database_url is not None,
        # whoever finds none of its connections free soon is better off with the primary
        wait_seconds=REPLICA_POOL_SECONDS,
    )
    return Replica(
        url,
        database,
        primary,
        wait_seconds=settings.replica_wait_seconds,
        lag_seconds=settings.replica_lag_seconds,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        count=figures.count_read,
    )


def issuer_of(settings: Settings) -> Issuer | None:
    """Make the judge of tokens, if any are taken."""
    if settings.oidc_issuer is None:
        return None
    return Issuer(settings.oidc_issuer, settings.oidc_audience, leeway_seconds=settings.oidc_leeway_seconds)


def include(app: FastAPI, settings: Settings) -> None:
    """Give the application all its operations and pages."""
    # each by itself: a router of routers is searched once more for each that it holds
    for router in (
        listing.router,
        events.router,
        amending.router,
        batch.router,
        importing.router,
        claims.router,
        links.router,
        histogram.router,
        history.router,
        comparison.router,
        plans.router,
        *map(directory.router_of, directory.SHELVES),
        changes.router,
        webhooks.router,
        keys.router,
        audit.router,
        dates.router,
    ):
        app.include_router(router, prefix="/v1")
    app.include_router(health.router)
    app.include_router(metrics.router, include_in_schema=settings.metrics_port is None)
    for page in (timeline_page.router, docs.router, problem_pages.router):
        app.include_router(page)


def guard(app: FastAPI, settings: Settings) -> None:
    """Put around the application what every request passes, the innermost first."""
    app.add_middleware(Direct, fastapi=app)
    app.add_middleware(BodyLimit, body_bytes=settings.body_bytes, import_bytes=settings.import_bytes)
    stopping = app.state.stopping
    app.add_middleware(
        RequestLimit,
        requests=settings.requests,
        seconds=settings.request_timeout_seconds,
        import_seconds=settings.import_timeout_seconds,
        stopping=stopping,
    )
    app.add_middleware(QueryLimit, query_bytes=settings.query_bytes)
    app.add_middleware(Validation)
    app.add_middleware(Compression)
    app.add_middleware(Faults)
    app.add_middleware(RateLimit, limiter=app.state.limiter, believed=settings.trusted_proxies)
    app.add_middleware(problem_pages.ProblemPages)
    app.add_middleware(Head)
    if settings.metrics_port is not None:
        app.add_middleware(MetricsPort, port=settings.metrics_port)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    security = SecurityHeaders(is_shared=bool(settings.cors_origins), hsts_seconds=settings.hsts_seconds)
    caching = Caching(is_open=settings.read == "open")
    marks = (mark_request_id, mark_standings, security.mark, caching.mark, stopping.mark)
    app.add_middleware(Observation, figures=app.state.figures, templates=Templates(app), marks=marks)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))


def limiter_of(settings: Settings) -> Limiter:
    """Make the limits of how often who may ask."""
    url = settings.rate_limit_redis_url
    return Limiter(
        address_per_minute=settings.rate_limit_address_per_minute,
        key_per_minute=settings.rate_limit_key_per_minute,
        failed_keys_per_minute=settings.rate_limit_failed_keys_per_minute,
        shared=None if url is None else SharedCounters(url.get_secret_value()),
    )
