"""HEAD over a real connection: the head of GET's answer, and a connection that goes on."""

from __future__ import annotations

import http.client
from pathlib import Path

from tests.live.service import running

PATHS = ("/", "/health/live", "/v1/timelines/syria-2013/events?limit=2", "/v1/timelines/nowhere/events")


def test_head_answers_as_get_without_the_content(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url=database_url) as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
        for path in PATHS:
            connection.request("GET", path)
            got = connection.getresponse()
            content = got.read()
            connection.request("HEAD", path)
            head = connection.getresponse()
            assert head.read() == b"", path
            assert head.status == got.status, path
            assert head.getheader("content-type") == got.getheader("content-type"), path
            assert head.getheader("content-length") == str(len(content)), path
        connection.close()
