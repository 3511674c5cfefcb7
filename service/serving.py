"""Run the service: the database, its schema and first timeline, then the server, and all of it down again."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import psycopg
import uvicorn
import uvloop
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess

from service import listeners, logs
from service.announcing import announce_once_answering
from service.embedded import EmbeddedPostgres, running_url, tell_full
from service.figures_folder import figures_shared, reserve_room
from service.keyring import ensure_local_key
from service.seeding import seed_if_empty
from service.settings import Settings, variable
from service.store.distribution import CannotDistributeError, distribute
from service.store.migration import migrate
from service.store.roles import grant_service

if TYPE_CHECKING:
    from fastapi import FastAPI

logger = logging.getLogger("dateline.serving")

OLDEST_SERVER_VERSION = 150000  # as libpq counts: 15.0
CONNECT_SECONDS = 10
_PROBE = "54321ms"  # what nobody else would choose
_POOLER = (
    f"{variable('database_url')} leads through a pooler, which drops the options of a connection: "
    f"set {variable('direct_database_url')} to the same database without it."
)
GRACE_SECONDS = 7  # for answers under way when the service ends; all in all it takes no more than 10
WORKER_CONNECTIONS = 3  # of what sends webhooks in a server process
SPARE_CONNECTIONS = 20  # of the embedded PostgreSQL: migrations, psql, a benchmark

_NEW_OBJECTS = 10_000  # after so many, those that are new are gone through


class CannotServeError(Exception):
    """Say why the service cannot run; `str()` is one sentence for whoever started it."""


class Stopped(BaseException):  # no error: it unwinds as KeyboardInterrupt does
    """Unwind everything: the service was told to stop."""


class StopRequest:
    """Whether the service was told to stop; a signal handler that interrupts whatever is under way.

    Only the first signal interrupts, since later ones must not disturb the unwinding. Python drops an
    exception that a handler raises inside a destructor, so that the steps ask by `check`, too.
    """

    def __init__(self) -> None:
        self.made = False

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """Take a signal. Raises Stopped for the first one."""
        if not self.made:
            self.made = True
            raise Stopped

    def check(self) -> None:
        """Raise Stopped if there was a signal."""
        if self.made:
            raise Stopped


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM; `announce` gets the addresses once the service answers.

    Raises CannotServeError, or EmbeddedError, where it cannot run.
    """
    lost = threading.Event()
    with (
        stopping_on_signals() as request,
        listening(settings) as taken,
        prepared_database(settings, lost) as url,
    ):
        request.check()
        if settings.seed:
            seed_if_empty(url)
        request.check()
        # nobody else reaches the database that comes along: its owner is given a key
        key = None if settings.database_url else ensure_local_key(url, settings.data)
        request.check()
        announce_once_answering(taken[0], settings, key, announce)
        run_server(settings, url, taken, request)
    if lost.is_set():
        why = tell_full(settings.data) or (
            f"{settings.data}/postgresql.log says why. "
            "Nothing that was acknowledged is lost: the next start recovers it."
        )
        raise CannotServeError(f"PostgreSQL ended, and with it the service. {why}")
    logger.info("stopped")


def work(settings: Settings) -> None:
    """Send webhooks, and do nothing else, until SIGINT or SIGTERM.

    Raises CannotServeError, or EmbeddedError, where it cannot run.
    """
    with (
        stopping_on_signals(),
        prepared_database(settings) as url,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_work_until_told(settings, url))
    logger.info("stopped")


async def _work_until_told(settings: Settings, url: str) -> None:
    # Not above: what sends webhooks takes a while to load, and `dateline --help` should not wait for it.
    from service.store.listening import Listener  # noqa: PLC0415
    from service.store.pulse import Pulse  # noqa: PLC0415
    from service.worker import working  # noqa: PLC0415

    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    listener, pulse = Listener(url), Pulse()
    pooled = settings.database_url
    served = pooled.get_secret_value() if pooled else url
    async with pulse.run(url), listener.run(), working(settings, served, listener, pulse):
        logger.info("sending webhooks")
        await told.wait()


@contextmanager
def stopping_on_signals() -> Iterator[StopRequest]:
    """End the block quietly at SIGINT or SIGTERM."""
    request = StopRequest()
    previous = {number: signal.signal(number, request.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with suppress(Stopped):
            yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def listening(settings: Settings) -> Iterator[list[socket.socket]]:
    """Take the port, and that of the figures, before anything else starts: that one is taken is then said at once."""
    names = ["port"] if settings.metrics_port is None else ["port", "metrics_port"]
    with ExitStack() as taken:
        yield [taken.enter_context(listen(settings, name)) for name in names]


def listen(settings: Settings, name: str) -> socket.socket:
    """Listen on the port that a setting of this name says. Raises CannotServeError."""
    port = getattr(settings, name)
    try:
        return listeners.listen(settings.host, port, is_shared=settings.workers > 1)
    except socket.gaierror as error:
        raise CannotServeError(f"Cannot listen on {settings.host}: {error.strerror}.") from error
    except OSError as error:
        raise CannotServeError(
            f"Cannot listen on {settings.host} port {port}: {error.strerror}. "
            f"Choose another with {variable('host')} and {variable(name)}."
        ) from error


@contextmanager
def database(settings: Settings, lost: threading.Event | None = None) -> Iterator[str]:
    """Answer the URL of a database that can be reached: the external one, or one that runs for this block.

    Of an external one behind a pooler it is the way past that.
    When the embedded one ends by itself, `lost` is set and the process told to stop.
    """
    if settings.distributed is not None:
        require_coordinator(settings)
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        direct = settings.direct_database_url
        if direct is not None:
            require_database(url, pooled=True)
            url = direct.get_secret_value()
        require_database(url)
        yield url
        return
    each = settings.pool_size + 2  # one listens for changes, one asks whether the database answers
    if settings.worker:
        each += WORKER_CONNECTIONS
    connections = settings.workers * each + SPARE_CONNECTIONS
    server = EmbeddedPostgres(settings.data, connections=connections)

    def tell() -> None:
        if lost is not None:
            lost.set()
            os.kill(os.getpid(), signal.SIGTERM)

    with server as url:
        server.watch(tell)
        yield url


@contextmanager
def prepared_database(settings: Settings, lost: threading.Event | None = None) -> Iterator[str]:
    """Answer the URL of a database whose schema is this release's; `lost` is set when the embedded one ends by itself.

    With a role of its own for migrations, that one changes the schema, and the URL's is granted what serving takes.
    """
    with database(settings, lost) as url:
        prepare(settings, url)
        yield url


def prepare(settings: Settings, url: str) -> None:
    """Bring the schema of the database at this URL to this release's, and grant what serving takes.

    Where tables are to be spread over a cluster, those are that are not yet.
    """
    owner = owner_url(settings, url)
    migrate(owner)
    if settings.distributed is not None:
        try:
            distribute(owner)
        except CannotDistributeError as error:
            raise CannotServeError(f"{variable('distributed')} cannot be done. {error}") from error
    if owner != url:
        grant_service(owner, url)


def owner_url(settings: Settings, url: str) -> str:
    """Answer the URL of the same database as the role that owns the schema."""
    owner = settings.migration_database_url
    return url if owner is None else owner.get_secret_value()


@contextmanager
def existing_database(settings: Settings) -> Iterator[str]:
    """Do what `prepared_database` does, for commands that have no use for a new database: none is set up for them."""
    require_set_up(settings)
    with prepared_database(settings) as url:
        yield url


@contextmanager
def database_as_it_is(settings: Settings) -> Iterator[str]:
    """Answer the URL of the database, as the role that owns its schema, which is left as it is.

    The embedded one may be in use by a service; where it has not been set up, it is not set up for this.
    """
    require_set_up(settings)
    running = running_url(settings.data) if settings.database_url is None else None
    if running is not None:
        yield running
        return
    with database(settings) as url:
        yield owner_url(settings, url)


def require_set_up(settings: Settings) -> None:
    """Refuse a folder in which there is no database: it is named by a path that depends on where one stands."""
    if settings.database_url is None and not (settings.data / "postgresql").exists():
        raise CannotServeError(
            f"There is no database in {settings.data.absolute()}; {variable('data')} names its folder."
        )


def require_coordinator(settings: Settings) -> None:
    """Refuse what cannot be had on a cluster."""
    if settings.database_url is None:
        raise CannotServeError(
            f"{variable('distributed')} needs a cluster: name its coordinator with {variable('database_url')}."
        )
    if settings.read_database_url is not None:
        raise CannotServeError(
            f"A cluster is not read from a replica: a coordinator's has no timelines. Leave out "
            f"{variable('read_database_url')}, or {variable('distributed')}."
        )


def require_database(url: str, *, pooled: bool = False) -> None:
    """Refuse an external database that does not answer, is too old, or stands behind a pooler that was not told of."""
    try:
        options = None if pooled else f"-c lock_timeout={_PROBE}"
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS, options=options) as connection:
            version = connection.info.server_version
            row = connection.execute("SHOW lock_timeout").fetchone()
    except psycopg.Error as error:
        if "unsupported startup parameter" in str(error):
            raise CannotServeError(_POOLER) from error
        raise CannotServeError(f"Cannot reach the database: {first_line(error)}") from error
    if not pooled and row != (_PROBE,):
        raise CannotServeError(_POOLER)
    if version < OLDEST_SERVER_VERSION:
        raise CannotServeError(
            f"The database is PostgreSQL {version // 10000}; this service needs "
            f"{OLDEST_SERVER_VERSION // 10000} or later."
        )


def first_line(error: Exception) -> str:
    """Take the first line of a database's complaint; libpq puts no password in it."""
    return str(error).partition("\n")[0]


def run_server(settings: Settings, url: str, taken: list[socket.socket], request: StopRequest) -> None:
    """Serve on these sockets until told to stop, in this process or in several workers."""
    # The workers read their settings from the environment that they inherit, the URL included.
    if settings.database_url is None:
        os.environ[variable("database_url")] = url
    config = uvicorn.Config(
        "service.serving:worker_app",
        factory=True,
        workers=settings.workers,
        loop="uvloop",
        http="service.api.protocol:Protocol",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application knows whom to believe them
        backlog=listeners.BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    if settings.workers == 1:
        PatientServer(config, request).run(sockets=taken)
        return
    with ExitStack() as shared:
        try:
            shared.enter_context(figures_shared())
        except OSError as error:
            raise CannotServeError(
                "Several server processes share their figures in a temporary folder, and none can be made: "
                f"{error.strerror}."
            ) from error
        supervisor = Supervisor(config, taken)  # from here on, signals are its own
        request.check()
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise CannotServeError("A server process did not start; what it said is above.")


class Supervisor(Multiprocess):
    """What starts the server processes, and ends them."""

    def __init__(self, config: uvicorn.Config, taken: list[socket.socket]) -> None:
        super().__init__(config, listeners.spread(taken))
        self._taken = taken

    def keep_subprocess_alive(self) -> None:
        """Have another take the place of one that ended, and say so."""
        before = [*self.processes]
        super().keep_subprocess_alive()
        for ended, process in zip(before, self.processes, strict=True):
            if ended is not process:
                status = ended.exitcode
                logger.warning("server process %s ended with status %s: another takes its place", ended.pid, status)

    def terminate_all(self) -> None:
        """Have them end; from here on the listeners are theirs alone, so that whom nobody accepts is refused."""
        for listener in self._taken:
            listener.close()
        super().terminate_all()


class PatientServer(uvicorn.Server):
    """A server that ends the same way however often it is told to: a second Ctrl-C tears nothing down."""

    def __init__(self, config: uvicorn.Config, request: StopRequest) -> None:
        super().__init__(config)
        self._request = request

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # uvicorn's signature
        """Begin to end."""
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Tell, ten times a second, whether to end: by a signal from before the server had begun, too."""
        return self._request.made or await super().on_tick(counter)


def worker_app() -> FastAPI:
    """Make the application of one server process, from the environment."""
    settings = Settings()
    configure_logging(settings)
    reserve_room()
    # Not above: only the processes that serve need it, and `dateline --help` should not wait for it. When it is loaded,
    # whether figures are shared is decided, too.
    from service.app import create_app  # noqa: PLC0415

    _end_with_parent()
    app = create_app(settings)
    _spare_the_collector()
    return app


def _spare_the_collector() -> None:
    """Have Python look for garbage less often, and never in what lives as long as the process.

    Measured, a seventh of the time of a page went to going through the application again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


def configure_logging(settings: Settings) -> None:
    """Log to standard error, as the settings say."""
    logs.configure(settings.log_level, settings.log_format)


def _end_with_parent() -> None:
    """End a worker when the process that started it is killed, so that it does not keep the port."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    # Ctrl-C in a terminal reaches this process, too; the parent tells it to end, once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="end-with-parent", daemon=True).start()
