"""Addresses that lead, or try to lead, into the service's own network: nothing may be connected to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from service.delivery.addresses import is_public
from service.delivery.network import AddressRefusedError, GuardedNetwork, resolve
from service.delivery.sender import Message, Outcome, Sender
from service.wire.endpoint import Endpoint, parse_endpoint
from tests.receiver import receiving, trapped

CERTIFICATES = ssl.create_default_context()
# PORT is a port of loopback, of both families, that is listened to.
REFUSED_AS_TEXT = [
    # loopback in other writings, all of which the C library takes
    "http://2130706433:PORT/",
    "http://0x7f000001:PORT/",
    "http://0x7f.0.0.1:PORT/",
    "http://0x7f.1:PORT/",
    "http://017700000001:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://0177.0.0.01:PORT/",
    "http://127.1:PORT/",
    "http://127.0.1:PORT/",
    "http://0:PORT/",
    "http://00000000:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://127.000.000.001:PORT/",
    "http://4294967296:PORT/",
    "http://1.0x7f:PORT/",
    # names of the own machine
    "http://localhost:PORT/",
    "http://LOCALHOST:PORT/",
    "http://localhost.:PORT/",
    "http://anything.localhost:PORT/",
    # who is the host?
    "http://example.com@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT@example.com/",
    "http://user:password@127.0.0.1:PORT/",
    "http://example.com:80@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT\\@example.com/",
    "http://example.com\\@127.0.0.1:PORT/",
    "http://example.com#@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT#@example.com/",
    "http://example.com?@127.0.0.1:PORT/",
    "http://[::1]@127.0.0.1:PORT/",
    "http:/127.0.0.1:PORT/",
    "http:127.0.0.1:PORT/",
    "http:///127.0.0.1:PORT/",
    "//127.0.0.1:PORT/",
    "127.0.0.1:PORT/",
    # characters that some turn into others
    "http://１２７.0.0.1:PORT/",
    "http://127。0。0。1:PORT/",
    "http://①②⑦.⓪.⓪.①:PORT/",
    "http://١٢٧.0.0.1:PORT/",
    "http://ⓛocalhost:PORT/",
    "http://loc%61lhost:PORT/",
    "http://%31%32%37.0.0.1:PORT/",
    "http://127.0.0.1%00.example.com:PORT/",
    "http://127.0.0.1%2523.example.com:PORT/",
    "http://127.0.0.1\t:PORT/",
    "http://127.0.0.1\r\nHost: example.com:PORT/",
    "http://127.0.0.1 :PORT/",
    "\thttp://127.0.0.1:PORT/",
    "http://127.0.0.1:PORT/\n",
    "http://127.0.0.1:PORT/\x00",
    # other schemes, other ports, scopes
    "ftp://127.0.0.1:PORT/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_x",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "javascript:alert(1)",
    "http://[::1%25lo]:PORT/",
    "http://[fe80::1%25eth0]:PORT/",
    "http://[::1:PORT/",
    "http://[0:0:0:0:0:0:0:0:1]:PORT/",
    "http://example.com:22/",
    "http://example.com:25/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http://example.com:-1/",
    "http://example.com:٨٠/",
    "",
]
# Well written, and of an address that nothing is sent to.
REFUSED_ADDRESSES = [
    "127.0.0.1", "127.0.0.53", "127.255.255.254", "0.0.0.0",  # noqa: S104  # a refused address, bound by nobody
    "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1",
    "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1",
    "198.18.0.1", "198.51.100.7", "203.0.113.9", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "168.63.129.16",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::127.0.0.1",
    "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::", "2001:db8::1", "3fff::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "100::1", "5f00::1",
]  # fmt: skip
PUBLIC_ADDRESSES = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1",
    "192.0.1.1", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
]  # fmt: skip


@pytest.fixture(scope="module")
def trap() -> Iterator[tuple[int, list[object]]]:
    with trapped() as found:
        yield found


def send(url: str, **settings: object) -> Outcome:
    async def run() -> Outcome:
        given = {"timeout_seconds": 2, "allow_private": False, "certificates": CERTIFICATES, **settings}
        sender = Sender(**given)  # type: ignore[arg-type]  # a test's
        return await sender.send(Message(url, "id", b"{}", [b"k" * 32]))

    return asyncio.run(run())


def resolving(*answers: list[str]) -> tuple[list[str], object]:
    """Make a resolver that gives one answer after another, the last for ever, and the list of what it was asked."""
    asked: list[str] = []

    async def resolve_so(host: str, _port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return asked, resolve_so


def test_there_are_enough_of_them() -> None:
    assert len(set(REFUSED_AS_TEXT)) >= 60


@pytest.mark.parametrize("url", REFUSED_AS_TEXT)
def test_what_can_be_misread_is_refused_as_it_is_written(url: str, trap: tuple[int, list[object]]) -> None:
    port, caught = trap
    aimed = url.replace("PORT", str(port))
    with pytest.raises(ValueError, match=r"\w") as error:
        parse_endpoint(aimed)
    assert not aimed.strip() or aimed not in str(error.value)
    outcome = send(aimed)
    assert (outcome.status, outcome.is_delivered) == (None, False)
    assert caught == []


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_nothing_is_sent_to_an_address_that_is_not_public(address: str, trap: tuple[int, list[object]]) -> None:
    port, caught = trap
    host = f"[{address}]" if ":" in address else address
    assert not is_public(ip_address(address))
    assert parse_endpoint(f"http://{host}:{port}/").address == ip_address(address)
    refusal = Outcome(None, "the host has an address to which nothing is sent")
    assert send(f"http://{host}:{port}/") == refusal
    # the same behind a name, alone and beside a public one
    for answer in ([address], ["1.1.1.1", address], [address, "1.1.1.1"]):
        _, resolve_so = resolving(answer)
        assert send(f"http://inner.example:{port}/", resolve=resolve_so) == refusal
        assert send(f"https://inner.example:{port}/", resolve=resolve_so) == refusal
    assert caught == []


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_the_public_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "localhost", "127.0.0.1", "::1", "::ffff:127.0.0.1"]
)
def test_the_network_refuses_what_the_machine_makes_of_a_host(host: str, trap: tuple[int, list[object]]) -> None:
    """Even if a host came this far: the machine's own reading of it is judged."""
    port, caught = trap

    async def run() -> None:
        network = GuardedNetwork(allow_private=False)
        with pytest.raises(AddressRefusedError):
            await network.connect_tcp(host, port, 2)

    asyncio.run(run())
    assert caught == []


def test_a_name_is_looked_up_once_and_connected_to_as_it_was_judged(trap: tuple[int, list[object]]) -> None:
    """DNS rebinding: the name is public when it is judged and would be loopback when it is connected to."""
    port, caught = trap
    asked, resolve_so = resolving(["192.0.2.1"], ["127.0.0.1"])
    network = GuardedNetwork(allow_private=True, resolve=resolve_so)  # type: ignore[arg-type]  # a test's resolver
    tried: list[str] = []

    class Recorder:
        async def connect_tcp(self, host: str, *_: object) -> object:
            tried.append(host)
            raise OSError

    network._network = Recorder()  # type: ignore[assignment]  # nothing is to leave the machine

    async def run() -> None:
        with pytest.raises(OSError, match=r"^$"):
            await network.connect_tcp("rebinding.example", port, 2)

    asyncio.run(run())
    assert (asked, tried) == (["rebinding.example"], ["192.0.2.1"])
    assert caught == []


def test_a_name_that_moves_inside_is_refused_from_then_on(trap: tuple[int, list[object]]) -> None:
    port, caught = trap
    _, resolve_so = resolving(["127.0.0.1"])
    assert send(f"http://moved.example:{port}/", resolve=resolve_so).error is not None
    assert caught == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http://127.0.0.1:PORT/", "http://[::1]:PORT/", "//127.0.0.1:PORT/", "/elsewhere"])
def test_a_redirect_is_a_failure_and_is_not_followed(status: int, target: str, trap: tuple[int, list[object]]) -> None:
    port, caught = trap
    with receiving() as receiver:
        receiver.answer = lambda _: (status, {"Location": target.replace("PORT", str(port))})
        outcome = send(receiver.url, allow_private=True)
        assert len(receiver.received) == 1
    assert (outcome.status, outcome.is_delivered, outcome.error) == (status, False, f"answered {status}")
    assert caught == []


def test_no_proxy_is_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, trap: tuple[int, list[object]]
) -> None:
    port, caught = trap
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    with receiving() as receiver:
        assert send(receiver.url, allow_private=True).is_delivered
    assert caught == []


def test_a_private_address_is_sent_to_where_that_is_allowed() -> None:
    with receiving() as receiver:
        assert send(receiver.url, allow_private=True) == Outcome(204, None)
        _, resolve_so = resolving(["127.0.0.1"])
        assert send(f"http://inner.example:{receiver.port}/x?y=1", allow_private=True, resolve=resolve_so).is_delivered
        assert receiver.received[1].headers["host"] == f"inner.example:{receiver.port}"
        assert receiver.received[1].path == "/x?y=1"


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    with receiving() as receiver:
        _, resolve_so = resolving(["127.0.0.77", "127.0.0.1"])
        assert send(f"http://two.example:{receiver.port}/", allow_private=True, resolve=resolve_so).is_delivered


@pytest.mark.parametrize(
    ("text", "endpoint", "authority"),
    [
        ("http://example.com", Endpoint("http", "example.com", 80, "/"), "example.com"),
        ("https://Example.COM:443/a%20b?c=d", Endpoint("https", "example.com", 443, "/a%20b?c=d"), "example.com"),
        ("https://example.com/?x=1@y", Endpoint("https", "example.com", 443, "/?x=1@y"), "example.com"),
        ("http://example.com:443/", Endpoint("http", "example.com", 443, "/"), "example.com:443"),
        ("https://xn--mnchen-3ya.example:8443/", Endpoint("https", "xn--mnchen-3ya.example", 8443, "/"), None),
        ("http://[2606:4700:0:0::1]:8080/", Endpoint("http", "2606:4700::1", 8080, "/"), "[2606:4700::1]:8080"),
        ("http://8.8.8.8/", Endpoint("http", "8.8.8.8", 80, "/"), "8.8.8.8"),
        ("http://1.2.3.4.example/@:;", Endpoint("http", "1.2.3.4.example", 80, "/@:;"), "1.2.3.4.example"),
    ],
)
def test_an_address_is_read_in_one_way(text: str, endpoint: Endpoint, authority: str | None) -> None:
    assert parse_endpoint(text) == endpoint
    assert authority in (None, endpoint.authority)


def test_the_machine_resolves_its_own_name_and_says_when_there_is_none() -> None:
    assert "127.0.0.1" in asyncio.run(resolve("localhost", 80))
    with pytest.raises(OSError, match=r"\w"):
        asyncio.run(resolve("no.such.host.invalid", 80))
