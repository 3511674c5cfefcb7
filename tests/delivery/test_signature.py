"""Signatures, against the published example and against a computation that shares nothing with ours."""

from __future__ import annotations

import base64
import shutil
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from service.delivery.signature import new_key, shown_key, sign
from tests.conftest import missing


def test_the_published_example() -> None:
    """The vector of the reference implementations of Standard Webhooks, for signing."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = sign([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@settings(max_examples=5, deadline=None)
@given(st.binary(min_size=24, max_size=64), st.binary(max_size=200), st.integers(0, 2**33))
def test_another_program_computes_the_same(key: bytes, body: bytes, timestamp: int) -> None:
    openssl = shutil.which("openssl") or missing("openssl")
    digest = subprocess.run(
        [openssl, "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary"],
        input=b"an-id." + str(timestamp).encode() + b"." + body,
        capture_output=True,
        check=True,
    ).stdout
    assert sign([key], "an-id", timestamp, body) == f"v1,{base64.b64encode(digest).decode()}"


def test_each_key_signs_in_its_turn() -> None:
    first, second = new_key(), new_key()
    both = sign([first, second], "id", 1, b"{}").split(" ")
    assert both == [sign([first], "id", 1, b"{}"), sign([second], "id", 1, b"{}")]
    assert both[0] != both[1]


def test_a_key_is_shown_as_receivers_take_it() -> None:
    key = new_key()
    prefix, _, encoded = shown_key(key).partition("_")
    assert prefix == "whsec"
    assert base64.b64decode(encoded, validate=True) == key
    assert 24 <= len(key) <= 64
