"""How often who may ask: per address, per key, and how many unknown keys."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from service.api import counters, rate_limit
from service.api.counters import BoundedMemory, SharedCounters
from service.api.rate_limit import Limiter, Policy, identity
from service.settings import Settings
from tests.client import Client, connected
from tests.conftest import missing
from tests.keys import ADMIN, bearer

# The test's client is on this machine; a proxy there, which is believed, speaks for others.
PROXY = {"trusted_proxies": "127.0.0.0/8, ::1"}
HERE, THERE = "203.0.113.7", "203.0.113.8"
PATH = "/v1/dates"


def ask(client: Client, address: str = HERE, key: str | None = None, path: str = PATH) -> httpx.Response:
    headers = {"X-Forwarded-For": address} | ({} if key is None else bearer(key))
    return client.send("GET", path, params={"edtf": "2013"} if path == PATH else None, headers=headers)


def check_refused(answer: httpx.Response, policy: str, quota: int) -> None:
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/rate-limited"
    seconds = int(answer.headers["retry-after"])
    assert 0 < seconds <= 60
    assert answer.headers.get_list("ratelimit") == [f'"{policy}";r=0;t={seconds}']
    assert answer.headers.get_list("ratelimit-policy") == [f'"{policy}";q={quota};w=60']
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


@pytest.fixture
def limited(database_url: str) -> Iterator[Client]:
    limits: dict[str, Any] = {"rate_limit_address_per_minute": 3, "rate_limit_failed_keys_per_minute": 2}
    with connected(database_url, key=None, **PROXY, **limits) as client:
        yield client


def test_an_address_is_refused_after_its_limit_and_no_other(limited: Client) -> None:
    for left in (2, 1, 0):
        answer = ask(limited)
        assert answer.status_code == 200
        assert re.fullmatch(rf'"address";r={left};t=(60|5\d)', answer.headers["ratelimit"])
        assert answer.headers["ratelimit-policy"] == '"address";q=3;w=60'
    check_refused(ask(limited), "address", 3)
    assert ask(limited, THERE).status_code == 200


def test_what_is_wrong_counts_too(limited: Client) -> None:
    for path in ("/none", "/v1/timelines?misspelt=1", "/static/none.css"):
        assert ask(limited, path=path).status_code in (400, 404)
    check_refused(ask(limited), "address", 3)


def test_health_and_figures_are_not_counted(limited: Client) -> None:
    for _ in range(4):
        for path in ("/health/live", "/health/ready", "/metrics"):
            answer = ask(limited, path=path)
            assert answer.status_code == 200
            assert "ratelimit" not in answer.headers
    assert ask(limited).status_code == 200


def test_a_limit_is_whole_again_after_its_minute(limited: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        answer = ask(limited)
    check_refused(answer, "address", 3)
    later = time.time() + int(answer.headers["retry-after"]) + 0.01
    monkeypatch.setattr("time.time", lambda: later)
    assert ask(limited).status_code == 200


def test_this_machine_is_not_limited(limited: Client) -> None:
    for address in ("127.0.0.1", "::1", "127.9.9.9", "::ffff:127.0.0.1"):
        for _ in range(5):
            assert ask(limited, address).status_code == 200


@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8"])
def test_whoever_is_no_proxy_of_ours_is_not_believed(database_url: str, proxies: str) -> None:
    """Neither to be somebody else, nor to be many; not even on this machine, which has no limit by itself."""
    with connected(database_url, key=None, trusted_proxies=proxies, rate_limit_address_per_minute=1) as client:
        assert ask(client).status_code == 200
        check_refused(ask(client, THERE), "address", 1)
        assert client.get(PATH, edtf="2013").status_code == 200


def test_keys_cannot_be_guessed_by_way_of_a_proxy_on_this_machine(database_url: str) -> None:
    with connected(database_url, key=None, rate_limit_failed_keys_per_minute=2) as client:
        for n in range(2):
            assert ask(client, f"203.0.113.{n}", f"wrong {n}", "/v1/timelines").status_code == 401
        check_refused(ask(client, HERE, "wrong", "/v1/timelines"), "failed-keys", 2)


def test_an_operator_is_told_at_once_of_a_proxy_on_this_machine(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(database_url, key=None) as client:
        for _ in range(3):
            assert ask(client).status_code == 200
    (told,) = [record.message for record in caplog.records if record.name == "dateline.limits"]
    assert "DATELINE_TRUSTED_PROXIES" in told


def test_what_a_client_writes_before_the_proxy_does_is_not_believed(limited: Client) -> None:
    for n in range(3):
        assert ask(limited, f"198.51.100.{n}, {HERE}").status_code == 200
    check_refused(ask(limited, f"198.51.100.9, {HERE}"), "address", 3)


def test_who_tries_too_many_keys_may_send_none_for_a_while(limited: Client) -> None:
    for n in range(2):
        assert ask(limited, key=f"wrong {n}", path="/v1/timelines").status_code == 401
    check_refused(ask(limited, key=ADMIN, path="/v1/timelines"), "failed-keys", 2)
    assert ask(limited, THERE, key=ADMIN, path="/v1/timelines").status_code == 200


def test_a_good_key_is_no_failed_one(limited: Client) -> None:
    for _ in range(3):
        assert ask(limited, key=ADMIN, path="/v1/timelines").status_code == 200


def test_a_key_is_limited_wherever_it_is_used_from(database_url: str) -> None:
    with connected(database_url, key=None, rate_limit_key_per_minute=2, **PROXY) as client:
        for left, address in ((1, HERE), (0, THERE)):
            answer = ask(client, address, ADMIN, "/v1/timelines")
            assert answer.status_code == 200
            assert re.fullmatch(rf'"address";r=5999;t=(60|5\d), "key";r={left};t=(60|5\d)', answer.headers["ratelimit"])
            assert answer.headers["ratelimit-policy"] == '"address";q=6000;w=60, "key";q=2;w=60'
        check_refused(ask(client, "127.0.0.1", ADMIN, "/v1/timelines"), "key", 2)
        assert ask(client, HERE, path="/v1/timelines").status_code == 200, "without a key it is another"


def test_no_limit_says_nothing(database_url: str) -> None:
    with connected(database_url, key=None, rate_limit_address_per_minute=0, **PROXY) as client:
        answer = ask(client)
        assert "ratelimit" not in answer.headers
        assert "ratelimit-policy" not in answer.headers


def test_an_operator_is_told_once_of_a_proxy_that_is_not_believed(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rate_limit, "identity", lambda _: "the proxy")
    with connected(database_url, key=None, rate_limit_address_per_minute=1) as client:
        for _ in range(3):
            last = ask(client)
    assert last.status_code == 429
    assert [record.message for record in caplog.records if "DATELINE_TRUSTED_PROXIES" in record.message] != []
    assert len([record for record in caplog.records if record.name == "dateline.limits"]) == 1


@pytest.mark.parametrize(
    ("address", "whom"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
        ("x" * 1000, "x" * 64),
        ("::1", None),
    ],
)
def test_whom_an_address_stands_for(address: str, whom: str | None) -> None:
    assert identity(address) == whom


def test_counters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "MOST_COUNTERS", 10)

    async def count() -> tuple[int, int, int]:
        memory = BoundedMemory()
        for n in range(100):
            await memory.incr(str(n), 60)
        return await memory.get("99"), await memory.get("89"), await memory.reset()

    assert anyio.run(count) == (1, 0, 10)


@pytest.mark.parametrize("setting", ["trusted_proxies", "rate_limit_redis_url"])
def test_a_wrong_setting_is_refused_without_being_repeated(setting: str) -> None:
    with pytest.raises(ValueError, match=r"neither an address|is no Redis URL") as refused:
        Settings.model_validate({setting: "hunter2://x"})
    assert "hunter2" not in str(refused.value).partition("[type=")[0].partition("is n")[2]


# Redis


@contextmanager
def redis(folder: Path, port: int) -> Iterator[str]:
    """Run a Redis, and answer its URL."""
    program = shutil.which("redis-server")
    if program is None:
        missing("redis-server, in which several instances count together")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 10
            while not _answers(port):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_instances_count_together_in_redis(tmp_path: Path, database_url: str, free_port: int) -> None:
    with redis(tmp_path, free_port) as url:
        shared: dict[str, Any] = {"rate_limit_redis_url": url, "rate_limit_address_per_minute": 4, **PROXY}
        with connected(database_url, key=None, **shared) as one, connected(database_url, key=None, **shared) as other:
            for left, client in ((3, one), (2, other), (1, one), (0, other)):
                answer = ask(client)
                assert answer.status_code == 200
                assert re.fullmatch(rf'"address";r={left};t=(60|5\d)', answer.headers["ratelimit"])
            for client in (one, other):
                check_refused(ask(client), "address", 4)


def test_while_redis_is_away_each_counts_for_itself(
    database_url: str, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    shared: dict[str, Any] = {
        "rate_limit_redis_url": f"redis://:hunter2@127.0.0.1:{free_port}/0",
        "rate_limit_address_per_minute": 2,
        **PROXY,
    }
    with connected(database_url, key=None, **shared) as client:
        assert [ask(client).status_code for _ in range(3)] == [200, 200, 429]
    (told,) = [record.message for record in caplog.records if record.name == "dateline.limits"]
    assert "hunter2" not in told


def test_a_redis_that_comes_back_is_used_again(tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "_PAUSE_SECONDS", 0.0)
    policy = Policy("address", 5)

    async def remaining(limiter: Limiter) -> int:
        standing = await limiter.count(policy, HERE)
        assert standing is not None
        return standing.remaining

    async def run() -> list[int]:
        shared = SharedCounters(f"redis://127.0.0.1:{free_port}/0")
        limiter = Limiter(address_per_minute=5, key_per_minute=0, failed_keys_per_minute=0, shared=shared)
        found = [await remaining(limiter), await remaining(limiter)]
        with redis(tmp_path, free_port):
            found.append(await remaining(limiter))
            await limiter.close()
        return found

    assert anyio.run(run) == [4, 3, 4]
