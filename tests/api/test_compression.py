"""Answers compressed for who asks, and tags of theirs that preconditions take."""

from __future__ import annotations

import asyncio
import zlib

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from service.api.compression import CODINGS, LEAST_BYTES, ZSTD, Compression
from tests.client import Client
from tests.factories import make_event, make_timeline, path_of

SUMMARY = "What is said at such length that it is worth compressing. " * 40


def asked(client: Client, path: str, coding: str | None, /, method: str = "GET", **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.send(method, path, headers={"Accept-Encoding": "identity" if coding is None else coding, **sent})


@pytest.fixture(scope="module")
def long(api: Client) -> str:
    """Name the path of an event that is worth compressing."""
    return path_of(make_event(api, make_timeline(api), summary=SUMMARY))


def test_a_long_answer_is_compressed_for_who_asks(api: Client, long: str) -> None:
    plain, compressed = asked(api, long, None), asked(api, long, "br, gzip")
    assert "content-encoding" not in plain.headers
    assert compressed.headers["content-encoding"] == "gzip"
    assert compressed.content == plain.content
    assert int(compressed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    for answer in (plain, compressed):
        assert "accept-encoding" in answer.headers["vary"].lower()


@pytest.mark.parametrize(
    "coding", ["identity", "br", "gzip;q=0", "gzip;q=0, br", "gzip;q=0.1, identity;q=0.5", "gzip;q=x", ""]
)
def test_nobody_gets_what_he_did_not_ask_for(api: Client, long: str, coding: str) -> None:
    assert "content-encoding" not in asked(api, long, coding).headers


@pytest.mark.parametrize("coding", ["gzip", "GZIP;Q=0.5", "x-gzip", "deflate, gzip ; q=0.2", "gzip, identity;q=0.5"])
def test_it_is_asked_for_in_several_ways(api: Client, long: str, coding: str) -> None:
    assert asked(api, long, coding).headers["content-encoding"] == "gzip"


def test_head_tells_the_same(api: Client, long: str) -> None:
    got, head = asked(api, long, "gzip"), asked(api, long, "gzip", "HEAD")
    for name in ("content-encoding", "content-length", "etag", "vary", "cache-control"):
        assert head.headers[name] == got.headers[name]


def test_what_is_compressed_has_a_tag_of_its_own_that_preconditions_take(api: Client) -> None:
    path = path_of(make_event(api, make_timeline(api), summary=SUMMARY))
    plain, compressed = asked(api, path, None).headers["etag"], asked(api, path, "gzip").headers["etag"]
    assert (plain, compressed) == ('"1"', '"1-gzip"')
    for coding in (None, "gzip"):
        for tag in (plain, compressed):
            answer = asked(api, path, coding, If_None_Match=tag)
            if (coding, tag) == (None, compressed):
                assert answer.status_code == 200, "what is compressed is no answer to who cannot read it"
                continue
            assert (answer.status_code, answer.content) == (304, b"")
            if coding is not None:
                assert answer.headers["etag"] == tag, "that of what the client holds"
            assert "accept-encoding" in answer.headers["vary"].lower()
    assert asked(api, path, "gzip", If_None_Match='"1-br"').status_code == 200
    amended = api.patch(path, {"title": "Amended"}, if_match=compressed)
    assert amended.status_code == 200, amended.text
    assert api.patch(path, {"title": "Late"}, if_match=compressed).status_code == 412


def test_who_holds_a_file_compressed_is_not_sent_it_again(api: Client) -> None:
    path = "/static/style.css"
    tag = asked(api, path, "gzip").headers["etag"]
    assert tag.endswith('-gzip"')
    again = asked(api, path, "gzip", if_none_match=tag)
    assert (again.status_code, again.headers["etag"]) == (304, tag)
    # it would not know what to do with that
    assert asked(api, path, None, if_none_match=tag).status_code == 200


def test_what_is_written_and_what_is_short_is_left_alone(api: Client) -> None:
    events = make_timeline(api)
    body = {"title": "Long", "when": "2013", "kind": "meeting", "status": "planned", "summary": SUMMARY}
    written = api.post(events, body, headers={"Accept-Encoding": "gzip"})
    assert written.status_code == 201, written.text
    assert "content-encoding" not in written.headers, "it may show a secret beside what another chose"
    assert "content-encoding" not in asked(api, "/health/live", "gzip").headers


def test_an_export_is_compressed_part_by_part(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    events = make_timeline(api)
    monkeypatch.setattr("service.api.listing.MOST_EVENTS", 2)  # so that more follow
    for _ in range(3):
        make_event(api, events, summary=SUMMARY)
    plain = asked(api, events, None, Accept="application/x-ndjson")
    compressed = asked(api, events, "gzip", Accept="application/x-ndjson")
    assert compressed.headers["content-encoding"] == "gzip"
    assert compressed.content == plain.content
    assert "content-length" not in compressed.headers


@pytest.mark.parametrize("coding", CODINGS)
def test_each_part_can_be_read_when_it_comes(coding: str) -> None:
    parts = [b'{"a": 1}\n' * 200, b'{"b": 2}\n', b""]

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        head = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": part != b""})

    sent: list[Message] = []

    async def send(message: Message) -> None:  # as ASGI has it
        sent.append(message)

    async def receive() -> Message:  # as ASGI has it
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "headers": [(b"accept-encoding", f"{coding}, br".encode())]}
    asyncio.run(Compression(app).handle(scope, receive, send))
    assert (b"content-encoding", coding.encode()) in sent[0]["headers"]
    reader = zlib.decompressobj(31) if coding == "gzip" else ZSTD.ZstdDecompressor()
    assert [reader.decompress(message["body"]) for message in sent[1:]] == parts
    assert reader.eof


def test_an_event_stream_passes_as_it_is(api: Client) -> None:
    events = make_timeline(api)
    make_event(api, events, summary=SUMMARY)
    changes = f"{events.removesuffix('/events')}/changes"
    api.wait_for_feed()
    answer = api.listen(changes, 1, {"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert len(answer.text) > LEAST_BYTES
