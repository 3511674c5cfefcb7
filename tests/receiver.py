"""A receiver of webhooks on loopback, which keeps what it gets and answers as it is told."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(self.body)
        return payload

    @property
    def item(self) -> dict[str, Any]:
        item: dict[str, Any] = self.payload["data"]
        return item


# What is answered: a status, and headers besides.
Answer = tuple[int, dict[str, str]]


class Receiver:
    """A receiver that runs; `answer` decides each answer, in the thread of its request, and may wait."""

    def __init__(self, scheme: str, port: int) -> None:
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}/hook"
        self.answer: Callable[[Received], Answer] = lambda _: (204, {})
        self._received: list[Received] = []
        self._more = threading.Condition()

    @property
    def received(self) -> list[Received]:
        with self._more:
            return list(self._received)

    def take(self, request: Received) -> Answer:
        with self._more:
            self._received.append(request)
            self._more.notify_all()
        return self.answer(request)

    def wait_for(self, count: int, seconds: float = 60) -> list[Received]:
        """Wait until so many requests have come, and give all."""
        with self._more:
            assert self._more.wait_for(lambda: len(self._received) >= count, seconds), len(self._received)
            return list(self._received)


class _Server(ThreadingHTTPServer):
    # Of many who connect at once, its five would be let in, and others after the seconds in which they ask again.
    request_queue_size = 1024
    daemon_threads = True
    block_on_close = False


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver on a free port."""

    class Handler(BaseHTTPRequestHandler):
        receiver: ClassVar[Receiver]

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more = self.receiver.take(Received(self.path, headers, body))
            try:
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.end_headers()
            except OSError:
                pass  # whoever asked has gone

        def log_message(self, *_: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refused certificate is what is tested
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    Handler.receiver = Receiver("http" if tls is None else "https", server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Handler.receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def trapped() -> Iterator[tuple[int, list[object]]]:
    """Listen on one port of 127.0.0.1 and ::1, and give it with the list of those who connected."""
    caught: list[object] = []
    with ExitStack() as stack:
        first = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port: int = first.getsockname()[1]
        listeners = [first]
        with suppress(OSError):  # a machine without IPv6 has nothing to guard there
            listeners.append(stack.enter_context(socket.create_server(("::1", port), family=socket.AF_INET6)))
        for listener in listeners:
            listener.settimeout(0.05)
        ended = threading.Event()

        def watch(listener: socket.socket) -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    connection, who = listener.accept()
                    connection.close()
                    caught.append(who)

        threads = [threading.Thread(target=watch, args=(listener,)) for listener in listeners]
        for thread in threads:
            thread.start()
        try:
            yield port, caught
        finally:
            time.sleep(0.1)  # what is on its way arrives
            ended.set()
            for thread in threads:
                thread.join()
