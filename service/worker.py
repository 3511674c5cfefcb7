"""The worker: from the feed to each webhook's messages, and from there to the receivers.

What is promised. Every change that a webhook is to be told of is sent at least once, under an identity that stays the
same (`webhook-id`): after a crash, a lost answer or a replay it comes again, and the receiver knows it by that. The
first tries of one webhook begin in the order of the feed, up to `PER_WEBHOOK` of them at the same time, from each
worker; retries come later than what follows them. A receiver that needs the order compares `data.version`, or
`data.cursor` with the feed.

Any number of workers may run: each takes what no other has taken. What goes wrong with one webhook holds up no other:
receivers that fail get one try at a time, and together at most half of what a worker has under way.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from uuid import uuid4

from service.delivery.schedule import MOST_TRIES, retry_delay_seconds
from service.delivery.sender import Message, Outcome, Sender
from service.errors import DatelineError, Unavailable
from service.settings import Settings
from service.store import dispatch, fanout
from service.store.database import Database
from service.store.dispatch import Batch, Claimed, WebhookKey
from service.store.histogram_upkeep import fold_now_and_then
from service.store.idempotency import sweep_answers
from service.store.item import write_item
from service.store.listening import Listener
from service.store.position import write_place
from service.store.pulse import Pulse
from service.store.retention import sweep_changes
from service.store.webhooks import disable_webhook
from service.tasks import end_tasks
from service.wire.webhook import write_message

logger = logging.getLogger("dateline.worker")

# How many messages are on their way to one webhook at the same time, from one worker.
PER_WEBHOOK = 4
POLL_SECONDS = 1.0
# How much longer than a try may take a message is held by who tries it; after that its holder counts as dead.
LEASE_MARGIN_SECONDS = 15.0
# What is under way when the worker is told to stop may take so long to end, and so much longer to be given back.
GRACE_SECONDS = 2.0
_LAST_SECONDS = 1.0
CONNECTIONS = 3
GONE = "the receiver answered 410 Gone"
LOST = "it is not known what became of the last try"
STUMBLED = "the service could not send it; its log says why"
_TIDY_SECONDS = 3600.0
_LONGEST_PAUSE_SECONDS = 30.0  # while the database cannot be reached


class Worker:
    """One worker. `clock` gives the time to go by in microseconds since 1970; without it the database's counts."""

    def __init__(
        self,
        database: Database,
        sender: Sender,
        *,
        concurrency: int,
        kept_days: float,
        feed_kept_days: float | None = None,
        answers_kept_hours: float = 24.0,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._database = database
        self._sender = sender
        self._concurrency = concurrency
        self._kept_days = kept_days
        self._feed_kept_days = feed_kept_days
        self._answers_kept_hours = answers_kept_hours
        self._clock = clock
        self._under_way: dict[asyncio.Task[None], WebhookKey] = {}
        self._failing: set[WebhookKey] = set()  # whose last try here failed
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()

    def wake(self) -> None:
        """Have it look for work at once."""
        self._wake.set()

    def stop(self) -> None:
        """Have it take nothing more, and end once what is under way has ended, or soon."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Work until told to stop; while the database cannot be reached, wait for it."""
        working = asyncio.create_task(self._work())
        tidying = asyncio.create_task(self._tidy_now_and_then())
        try:
            await self._stopping.wait()
        finally:
            await self._end(working)
            await end_tasks(tidying)

    async def _work(self) -> None:
        pause = POLL_SECONDS
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                more = await self.fan_out()
                await self.dispatch()
            except DatelineError as error:
                logger.warning("no webhook is served for the moment: %s", error)
                more, pause = False, min(2 * pause, _LONGEST_PAUSE_SECONDS)
            except Exception:  # a fault of ours must not end all webhooks: it is logged, and tried again
                logger.exception("the worker stumbled")
                more, pause = False, min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                pause = POLL_SECONDS
            if not more:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def work_off(self) -> None:
        """Do all that is to be done now, and wait until it is done."""
        while await self.fan_out():
            pass
        while await self.dispatch() or self._under_way:
            if self._under_way:
                await asyncio.wait(self._under_way)

    async def fan_out(self) -> bool:
        """Make messages of new changes, for every webhook that waits for some; tell whether more are waiting."""
        async with self._database.read() as connection:
            waiting = await fanout.list_waiting(connection)
        random.shuffle(waiting)  # so that several workers do not all begin with the same one
        more = False
        for key in waiting:
            if self._stopping.is_set():
                return False
            with self._apart(key):
                async with self._database.transaction() as connection:
                    more |= await fanout.fan_out(connection, key, now=self._now())
        return more

    async def dispatch(self) -> int:
        """Take messages that are due, and begin to send them, as many as there is room for; tell how many."""
        if len(self._under_way) >= self._concurrency:
            return 0
        async with self._database.read() as connection:
            due = await dispatch.list_due(connection, now=self._now())
        random.shuffle(due)
        begun = 0
        for key in due:
            room = self._room(key)
            if room > 0 and not self._stopping.is_set():
                with self._apart(key):
                    begun += await self._begin(key, room)
        return begun

    def _room(self, key: WebhookKey) -> int:
        """Say how many more messages may be on their way to a webhook."""
        busy = Counter(self._under_way.values())
        most = min(PER_WEBHOOK - busy[key], self._concurrency - len(self._under_way))
        if key not in self._failing:
            return most
        # a receiver that hangs holds its place for as long as a try may take
        failing = sum(count for one, count in busy.items() if one in self._failing)
        return min(most, 1 - busy[key], max(1, self._concurrency // 2) - failing)

    @contextmanager
    def _apart(self, key: WebhookKey) -> Iterator[None]:
        """Keep what goes wrong with one webhook from the others, unless it is the database that is not there."""
        try:
            yield
        except Unavailable:
            raise
        except Exception:
            logger.exception("the worker stumbled over webhook %s", key.webhook_id)

    async def tidy(self) -> None:
        """Forget old messages and expired secrets, changes that the feed keeps no longer, answers under old keys."""
        await sweep_answers(self._database, kept_hours=self._answers_kept_hours)
        if self._feed_kept_days is not None:
            await sweep_changes(self._database, keep_days=self._feed_kept_days)
        while True:
            async with self._database.read() as connection:
                keys = await dispatch.list_forgettable(connection, kept_days=self._kept_days, now=self._now())
            if not keys or self._stopping.is_set():
                return
            for key in keys:
                async with self._database.transaction() as connection:
                    await dispatch.forget(connection, key, kept_days=self._kept_days, now=self._now())

    async def _tidy_now_and_then(self) -> None:
        while True:
            try:
                await self.tidy()
            except DatelineError as error:
                logger.warning("nothing old is forgotten for the moment: %s", error)
            except Exception:  # as above
                logger.exception("the worker stumbled over what is old")
            self._failing.clear()  # of webhooks that are no more, too
            await asyncio.sleep(_TIDY_SECONDS)

    async def _begin(self, key: WebhookKey, room: int) -> int:
        cursor_key = await self._database.cursor_key()
        async with self._database.transaction() as connection:
            batch = await dispatch.claim_messages(
                connection,
                key,
                count=room,
                lease=uuid4(),
                lease_seconds=self._sender.timeout_seconds + LEASE_MARGIN_SECONDS,
                now=self._now(),
            )
        if batch is None:
            return 0
        for claimed in batch.messages:
            task = asyncio.create_task(self._deliver(batch, claimed, cursor_key))
            self._under_way[task] = key
            task.add_done_callback(self._ended)
        return len(batch.messages)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # its lease ends, and it is tried again
            logger.warning("what came of a message could not be noted: %s", error)

    async def _deliver(self, batch: Batch, claimed: Claimed, cursor_key: bytes) -> None:
        try:
            outcome = await self._try(batch, claimed, cursor_key)
        except asyncio.CancelledError:
            async with self._database.read() as connection:
                await dispatch.release_message(connection, batch, claimed, now=self._now())
            raise
        except Exception:  # it is a failure like others, so that it is given up at last
            logger.exception("the worker stumbled over message %s", claimed.delivery_id)
            outcome = Outcome(None, STUMBLED)
        if outcome.is_delivered:
            self._failing.discard(batch.key)
        else:
            self._failing.add(batch.key)
        await self._note(batch, claimed, outcome)

    async def _try(self, batch: Batch, claimed: Claimed, cursor_key: bytes) -> Outcome:
        if claimed.tries > MOST_TRIES:
            # whoever tried it last did not come back, perhaps because of this very message
            return Outcome(None, LOST)
        item = write_item(claimed.change, write_place(cursor_key, batch.timeline, batch.place(claimed)), documents=True)
        body = write_message(batch.timeline, claimed.change.operation, claimed.change.recorded_at, item)
        return await self._sender.send(Message(batch.url, str(claimed.delivery_id), body, batch.secrets))

    async def _note(self, batch: Batch, claimed: Claimed, outcome: Outcome) -> None:
        now = self._now()
        async with self._database.transaction() as connection:
            if outcome.is_delivered:
                await dispatch.note_delivered(connection, batch, claimed, outcome.status, now=now)
                return
            # first of all: whoever changes a webhook and its messages locks them in this order
            if outcome.is_gone and await disable_webhook(connection, batch.key.values, GONE, url=batch.url):
                logger.warning("webhook %s is disabled: %s", batch.key.webhook_id, GONE)
            delay = retry_delay_seconds(claimed.tries, asked_seconds=outcome.retry_after_seconds)
            await dispatch.note_failed(
                connection,
                batch,
                claimed,
                status=outcome.status,
                error=outcome.error,
                delay_seconds=delay,
                now=now,
            )
        if delay is None:
            logger.warning(
                "webhook %s: message %s is dead after %d tries: %s",
                batch.key.webhook_id,
                claimed.delivery_id,
                min(claimed.tries, MOST_TRIES),
                outcome.error,
            )

    async def _end(self, working: asyncio.Task[None]) -> None:
        """Wait a moment for what is under way; the rest is given back, for another worker."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await asyncio.wait([working])
                while self._under_way:
                    await asyncio.wait(self._under_way)
        rest = [working, *self._under_way]
        for task in rest:
            task.cancel()
        await asyncio.wait(rest, timeout=_LAST_SECONDS)

    def _now(self) -> int | None:
        return None if self._clock is None else self._clock()


@asynccontextmanager
async def working(settings: Settings, url: str, listener: Listener, pulse: Pulse) -> AsyncIterator[Worker]:
    """Run a worker on the database at this URL for the block; afterwards it ends as if told to stop.

    It is woken by the listener, which runs for longer, as does the pulse.
    """
    database = Database(
        url,
        pool_size=CONNECTIONS,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        pooled=settings.direct_database_url is not None,
        pulse=pulse,
    )
    sender = Sender(timeout_seconds=settings.webhook_timeout_seconds, allow_private=settings.webhook_allow_private)
    worker = Worker(
        database,
        sender,
        concurrency=settings.webhook_concurrency,
        kept_days=settings.webhook_retention_days,
        feed_kept_days=settings.feed_retention_days,
        answers_kept_hours=settings.idempotency_retention_hours,
    )
    await database.open()
    listener.tell(worker.wake)
    work = asyncio.create_task(worker.run())
    folding = asyncio.create_task(fold_now_and_then(database))
    try:
        yield worker
    finally:
        worker.stop()
        await asyncio.gather(work, end_tasks(folding), return_exceptions=True)
        await database.close()
