"""What is no HTTP request, over a real connection: it never reaches the application, and is a problem all the same."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from service.api.problems import MALFORMED_REQUEST
from service.wire.problem import Problem
from tests.live.service import Service, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, module_database_url: str) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("protocol")
    with running(folder, database_url=module_database_url, seed=False) as started:
        yield started


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nA header: x\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS, to a port that speaks none
    ],
)
def test_what_is_no_request_is_a_problem(service: Service, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(sent)
        answer = HTTPResponse(connection)
        answer.begin()
        problem = Problem.model_validate_json(answer.read())
        assert connection.recv(1) == b""
    assert answer.status == 400
    assert answer.getheader("content-type") == "application/problem+json"
    assert (problem.type, problem.status) == (MALFORMED_REQUEST.path, 400)
    assert answer.getheader("x-request-id") == problem.request_id != ""
