"""One message on its way: the connection it goes over, and receivers that misbehave."""

from __future__ import annotations

import asyncio
import gc
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from service.delivery.sender import Message, Outcome, Sender
from tests.conftest import missing
from tests.receiver import receiving

MESSAGE = b'{"type":"event.created"}'


async def to_loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


def send(url: str, *, timeout_seconds: float = 3, certificates: ssl.SSLContext | None = None) -> Outcome:
    async def run() -> Outcome:
        sender = Sender(
            timeout_seconds=timeout_seconds, allow_private=True, resolve=to_loopback, certificates=certificates
        )
        return await sender.send(Message(url, "id", MESSAGE, [b"k" * 32]))

    return asyncio.run(run())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate of hook.example, signed by itself, with its key in the same file."""
    openssl = shutil.which("openssl") or missing("openssl")
    folder = tmp_path_factory.mktemp("certificate")
    made = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=hook.example", "-addext", "subjectAltName=DNS:hook.example"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([*made, *names, *files], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "certificate.pem").read_text() + (folder / "key.pem").read_text())
    return both


def test_tls_is_with_the_name_though_the_connection_is_to_an_address(certificate: Path) -> None:
    asked: list[str | None] = []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    serving.sni_callback = lambda _socket, name, _context: asked.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with receiving(serving) as receiver:
        right = f"https://hook.example:{receiver.port}/x"
        assert send(right, certificates=trusting) == Outcome(204, None)
        (request,) = receiver.received
        assert (request.headers["host"], request.body) == (f"hook.example:{receiver.port}", MESSAGE)
        untrusted = Outcome(None, "no trusted TLS connection")
        assert send(f"https://other.example:{receiver.port}/x", certificates=trusting) == untrusted
        assert send(f"https://127.0.0.1:{receiver.port}/x", certificates=trusting) == untrusted
        assert send(right) == untrusted
        assert len(receiver.received) == 1
    assert asked[:2] == ["hook.example", "other.example"]


@contextmanager
def misbehaving(act: Callable[[socket.socket], None]) -> Iterator[str]:
    """Take one connection, and its request, and do something with it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                read = b""
                while MESSAGE not in read:
                    read += connection.recv(65536)
                act(connection)

        thread = threading.Thread(target=run)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join()


def pour(connection: socket.socket, head: bytes, drop: bytes, *, pause_seconds: float = 0, seconds: float = 8) -> None:
    """Send without end, until the other side has had enough."""
    deadline = time.monotonic() + seconds
    connection.sendall(head)
    while time.monotonic() < deadline:
        connection.sendall(drop)
        time.sleep(pause_seconds)
    raise AssertionError("the sender never closed the connection")


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (lambda one: pour(one, OK + b"\r\n", b"x" * 65536), 200),
        (lambda one: pour(one, OK + b"Content-Length: 100000\r\n\r\n", b"x", pause_seconds=0.05), 200),
        (lambda one: one.sendall(OK + b"Content-Length: 10\r\n\r\nshort"), 200),
        (lambda one: one.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 200),
        (lambda one: one.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"\r\n"), 200),
        (lambda one: one.sendall(b"HTTP/1.1 500 Oops\r\nRetry-After: soon\r\n\r\n"), 500),
        (lambda one: one.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), None),
        (lambda one: pour(one, OK, b"x-more: " + b"y" * 4000 + b"\r\n"), None),
        (lambda one: pour(one, b"", b"x", pause_seconds=0.05), None),
        (lambda one: pour(one, b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause_seconds=0.02), None),
        (lambda one: one.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), None),
        (lambda one: one.sendall(b"HTTP/1.1 2"), None),
        (lambda one: one.sendall(b"\x00" * 100), None),
        (lambda _: None, None),
    ],
)
def test_a_receiver_that_misbehaves_costs_a_bounded_time(
    act: Callable[[socket.socket], None], status: int | None
) -> None:
    with misbehaving(act) as url:
        began = time.monotonic()
        outcome = send(url, timeout_seconds=2)
        assert time.monotonic() - began < 5
    assert outcome.status == status
    assert outcome.is_delivered == (status == 200)
    assert outcome.retry_after_seconds is None
    assert (outcome.error is None) == outcome.is_delivered


def test_what_cannot_be_reached_is_said_in_words_of_our_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert send(f"http://hook.example:{port}/hunter2") == Outcome(None, "no connection")

    async def nowhere(_host: str, _port: int) -> list[str]:
        return []

    async def run() -> Outcome:
        sender = Sender(timeout_seconds=1, allow_private=True, resolve=nowhere)
        return await sender.send(Message("http://hook.example/hunter2", "id", b"{}", [b"k"]))

    assert asyncio.run(run()) == Outcome(None, "the host is not found")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("Thu, 01 Jan 1970 00:20:00 GMT", 200.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("soon", None)],
)
def test_the_wish_of_a_receiver_is_read(value: str, seconds: float | None) -> None:
    with receiving() as receiver:
        receiver.answer = lambda _: (503, {"Retry-After": value})

        async def run() -> Outcome:
            sender = Sender(timeout_seconds=3, allow_private=True, clock=lambda: 1000.0)
            return await sender.send(Message(receiver.url, "id", b"{}", [b"k"]))

        assert asyncio.run(run()) == Outcome(503, "answered 503", seconds)


def test_a_look_up_that_hangs_does_not_outlast_the_try() -> None:
    async def hanging(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    async def run() -> Outcome:
        sender = Sender(timeout_seconds=0.2, allow_private=True, resolve=hanging)
        return await sender.send(Message("http://hook.example/", "id", b"{}", [b"k"]))

    assert asyncio.run(run()) == Outcome(None, "no answer within 0.2 s")


def test_a_tls_handshake_that_hangs_leaves_no_connection_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        async def run() -> Outcome:
            sender = Sender(timeout_seconds=0.3, allow_private=True, resolve=to_loopback)
            url = f"https://hook.example:{listener.getsockname()[1]}/"
            outcome = await sender.send(Message(url, "id", MESSAGE, [b"k" * 32]))
            accepted, _ = listener.accept()
            accepted.settimeout(2)
            with accepted:
                while await asyncio.to_thread(accepted.recv, 65536):
                    pass  # the start of the handshake; then the end
            return outcome

        gc.disable()  # that the collector would find the connection at some time is not enough
        try:
            assert asyncio.run(run()) == Outcome(None, "no answer within 0.3 s")
        finally:
            gc.enable()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (OK + b"Content-Length: 5\r\n\r\n", Outcome(200, None)),
        (b"HTTP/1.1 2", Outcome(None, "the TLS connection broke")),
        (b"", Outcome(None, "the TLS connection broke")),
    ],
)
def test_what_was_answered_stands_though_the_tls_connection_breaks(
    certificate: Path, answer: bytes, outcome: Outcome
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            connection, _ = listener.accept()
            came, going = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(came, going, server_side=True)

            def have(act: Callable[[], bytes | None]) -> bytes | None:
                while True:
                    try:
                        return act()
                    except ssl.SSLWantReadError:
                        connection.sendall(going.read())
                        came.write(connection.recv(65536))

            with connection:
                have(tls.do_handshake)
                while have(tls.read) != MESSAGE:
                    pass
                tls.write(answer)
                connection.sendall(going.read())
                time.sleep(0.1)  # the answer arrives by itself
                connection.sendall(b"this is no record of TLS")
                connection.recv(1)

        thread = threading.Thread(target=run)
        thread.start()
        url = f"https://hook.example:{listener.getsockname()[1]}/"
        assert send(url, certificates=ssl.create_default_context(cafile=str(certificate))) == outcome
        thread.join()
