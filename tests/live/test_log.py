"""The log of a running service: what is in it, and that no secret is, whatever it is attacked with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.keys import ADMIN, ADMIN_PREFIX, bearer
from tests.live import asking
from tests.live.service import ONE_AND_TWO, read_log, running, tracebacks

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def access(folder: Path) -> list[dict[str, Any]]:
    return [line for line in read_log(folder) if line["logger"] == "dateline.access"]


@pytest.mark.parametrize("workers", ONE_AND_TWO)
def test_every_line_is_json_and_every_request_is_one(workers: int, tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url=database_url, workers=workers) as service:
        answers = [
            asking.get(f"{service.base}/v1/timelines/syria-2013", headers={"traceparent": f"00-{TRACE}-{n:016x}-01"})
            for n in range(1, 21)
        ]
    assert all(line.startswith("{") for line in (tmp_path / "stderr.txt").read_text().splitlines())
    assert tracebacks(tmp_path) == []
    found = [line for line in access(tmp_path) if line["route"] == "/v1/timelines/{slug}"]
    assert {line["request_id"] for line in found} == {one.headers["x-request-id"] for one in answers}
    assert len(found) == 20
    assert {(line["level"], line["event"], line["status"], line["bytes"], line["trace_id"]) for line in found} == {
        ("info", "request", 200, len(answers[0].content), TRACE)
    }
    assert {line["parent_id"] for line in found} == {f"{n:016x}" for n in range(1, 21)}
    assert len({line["span_id"] for line in found}) == 20


def test_text_when_it_is_asked_for(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url=database_url, log_format="text") as service:
        asking.get(f"{service.base}/health/live")
    said = (tmp_path / "stderr.txt").read_text()
    assert re.search(r"\[info +\] request .* route=/health/live", said)
    assert "{" not in said


def test_nothing_is_logged_of_requests_when_only_warnings_are_asked_for(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url=database_url, log_level="warning") as service:
        asking.get(f"{service.base}/health/live")
    assert (tmp_path / "stderr.txt").read_text() == ""


def test_no_secret_is_logged_under_attack(tmp_path: Path, database_url: str) -> None:
    """Neither the service's own, nor what a client sends at the wrong place, nor in a fault's traceback."""
    url = database_url.replace("postgres@/", "postgres:hunter2@/")
    wrong = "dl_hunter2hunter2hunter2hunter2"
    own = bearer(ADMIN)
    with (
        running(tmp_path, database_url=url, log_level="debug", worker=False) as service,
        asking.client(base_url=service.base) as http,
    ):
        assert http.post("/v1/timelines", json={"slug": "s", "title": "S"}, headers=own).status_code == 201
        hook = {"url": "https://me:hunter2@receiver.example/hunter2"}
        made = http.post("/v1/timelines/s/webhooks", json=hook, headers=own)
        made = (
            made
            if made.is_success
            else http.post("/v1/timelines/s/webhooks", json={"url": "https://receiver.example/hunter2"}, headers=own)
        )
        secret = made.json()["secret"].removeprefix("whsec_")
        attacks = (
            {"Authorization": f"Bearer {wrong}"},
            {"Authorization": f"Basic {wrong}"},
            {"Authorization": "Bearer hunter2\u00e9"},
            {"Cookie": "session=hunter2", "X-Api-Key": "hunter2", "X-Request-Id": "hunter2 not harmless"},
            {"traceparent": "hunter2", "If-Match": '"hunter2"', "Idempotency-Key": "hunter2"},
        )
        for attack in attacks:
            headers = {name.encode(): value.encode("latin-1") for name, value in attack.items()}
            http.get("/v1/timelines/s/events", headers=headers)
            http.post("/v1/timelines/s/events", json={"hunter2": "hunter2"}, headers=headers)
        http.post("/v1/timelines/s/events", content=b'{"title": "hunter2"', headers=own)
        http.get("/v1/timelines/s/events", params={"q": "hunter2", "key": "hunter2", "cursor": "hunter2"})
        http.get(f"/v1/keys/{wrong}")
        assert http.get("/v1/timelines").status_code == 200
        with asking.client(base_url=service.base, headers=own) as keyed:
            _break(database_url)
            assert keyed.get("/v1/timelines/s/events").status_code == 500
    said = (tmp_path / "stderr.txt").read_text()
    assert tracebacks(tmp_path), "the fault was told"
    assert len(access(tmp_path)) >= 16
    assert secret not in said
    assert ADMIN.rpartition("_")[2] not in said
    assert {line["caller"] for line in access(tmp_path) if "caller" in line} == {ADMIN_PREFIX}
    assert "hunter2" not in said.lower()


def _break(url: str) -> None:
    """Make a fault of ours, in whose frames the request with its key stands."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE event RENAME COLUMN document TO lost")
