"""Tokens: which are good, and how many kinds of bad ones are refused."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.identity import Issuer, IssuerUnreachableError, TokenRefusedError
from service.identity.fetching import fetch_keys, is_secure
from service.identity.issuer import Keys
from tests.identity.serving import AUDIENCE, TokenIssuer, issuing, new_rsa, published

FORGER = new_rsa()
CURVE = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def served() -> Iterator[TokenIssuer]:
    with issuing() as issuer:
        issuer.keys += [
            published("curve", CURVE, "ES256"),
            published("edwards", EDWARDS, "EdDSA"),
            published("sealing", FORGER, "RS256", use="enc"),
        ]
        yield issuer


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def issuer_of(served: TokenIssuer, clock: Callable[[], float] = time.monotonic) -> Issuer:
    return Issuer(served.url, AUDIENCE, leeway_seconds=60, clock=clock)


def check(issuer: Issuer, token: str) -> dict[str, Any]:
    return asyncio.run(issuer.check(token)).members


def part(members: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


def unsigned(served: TokenIssuer, algorithm: str) -> str:
    _, claims, _ = served.token().split(".")
    return f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': 'one'})}.{claims}."


def signed_with_the_public_key(served: TokenIssuer) -> str:
    """Take the public key for the secret of an HMAC, which a careless reader would check by the same key."""
    secret = served.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, claims, _ = served.token().split(".")
    content = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'one'})}.{claims}"
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(content.encode(), secret)
    assert header
    return f"{content}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def resigned(token: str, **claims: object) -> str:
    """Change what a token says, and keep its signature."""
    header, middle, signature = token.split(".")
    members = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return f"{header}.{part(members | claims)}.{signature}"


NOW = int(time.time())
BAD: dict[str, Callable[[TokenIssuer], str]] = {
    "alg none": lambda served: unsigned(served, "none"),
    "alg None": lambda served: unsigned(served, "None"),
    "alg nOnE": lambda served: unsigned(served, "nOnE"),
    "no algorithm": lambda served: unsigned(served, ""),
    "HS256 with the public key": signed_with_the_public_key,
    "HS256 with a guessed secret": lambda served: served.token(key="s" * 32, algorithm="HS256"),
    "another audience": lambda served: served.token(aud="another"),
    "several other audiences": lambda served: served.token(aud=["another", "third"]),
    "no audience": lambda served: served.token(without=("aud",)),
    "another issuer": lambda served: served.token(iss="http://127.0.0.1:1"),
    "an issuer with a slash more": lambda served: served.token(iss=f"{served.url}/"),
    "no issuer": lambda served: served.token(without=("iss",)),
    "expired": lambda served: served.token(exp=NOW - 120),
    "no expiry": lambda served: served.token(without=("exp",)),
    "an expiry that is no number": lambda served: served.token(exp="tomorrow"),
    "an expiry beyond all": lambda served: served.token(exp=1e400),
    "not valid yet": lambda served: served.token(nbf=NOW + 600),
    "made in the future": lambda served: served.token(iat=NOW + 600),
    "no subject": lambda served: served.token(without=("sub",)),
    "an empty subject": lambda served: served.token(sub=""),
    "a subject with a line of a log in it": lambda served: served.token(sub="me\nINFO you"),
    "a subject beyond measure": lambda served: served.token(sub="x" * 201),
    "another's key under its name": lambda served: served.token(key=FORGER),
    "an unknown key": lambda served: served.token(key=FORGER, headers={"kid": "two"}),
    "no key named, of several": lambda served: served.token(headers={"kid": None}),
    "a key that is not for signing": lambda served: served.token(key=FORGER, headers={"kid": "sealing"}),
    "a key of its own in the header": lambda served: served.token(
        key=FORGER, headers={"kid": "mine", "jwk": published("mine", FORGER, "RS256")}
    ),
    "the address of its own keys": lambda served: served.token(key=FORGER, headers={"kid": "x", "jku": "http://x/"}),
    "the key of one algorithm for another": lambda served: served.token(algorithm="RS512"),
    "the padding of another": lambda served: served.token(algorithm="PS256"),
    "a curve's key under another name": lambda served: served.token(key=CURVE, algorithm="ES256"),
    "an ID token that says so": lambda served: served.token(headers={"typ": "id+jwt"}),
    "what must be understood and is not": lambda served: served.token(headers={"crit": ["exp"], "exp": 1}),
    "a claim changed": lambda served: resigned(served.token(), scope="dateline:admin"),
    "no signature": lambda served: served.token().rpartition(".")[0] + ".",
    "two parts": lambda served: served.token().rpartition(".")[0],
    "four parts": lambda served: f"{served.token()}.x",
    "five parts": lambda served: f"{served.token()}.x.y",
    "nothing": lambda _: "",
    "no token at all": lambda _: "hunter2",
    "not ASCII": lambda served: served.token() + "é",
    "a megabyte": lambda served: served.token(note="x" * 1_000_000),
}


def test_good_tokens_are_taken(served: TokenIssuer) -> None:
    issuer = issuer_of(served)
    assert check(issuer, served.token())["sub"] == "someone"
    assert check(issuer, served.token(aud=["another", AUDIENCE]))
    assert check(issuer, served.token(headers={"typ": "at+jwt"}))
    assert check(issuer, served.token(key=CURVE, algorithm="ES256", headers={"kid": "curve"}))
    assert check(issuer, served.token(key=EDWARDS, algorithm="EdDSA", headers={"kid": "edwards"}))
    # clocks differ
    assert check(issuer, served.token(exp=int(time.time()) - 30))
    assert check(issuer, served.token(nbf=int(time.time()) + 30, iat=int(time.time()) + 30))


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_token_is_refused_and_not_repeated(served: TokenIssuer, bad: Callable[[TokenIssuer], str]) -> None:
    token = bad(served)
    with pytest.raises(TokenRefusedError) as refused:
        check(issuer_of(served), token)
    assert not token or token not in str(refused.value)
    assert "someone" not in str(refused.value)


def test_there_are_enough_bad_ones() -> None:
    assert len(BAD) >= 20


def test_a_key_that_was_rotated_in_is_found_at_once_and_the_old_one_forgotten() -> None:
    with issuing() as served:
        clock = Clock()
        issuer = issuer_of(served, clock)
        old = served.token()
        check(issuer, old)
        new = new_rsa()
        served.keys = [published("two", new, "RS256")]
        clock.now += 11
        assert check(issuer, served.token(key=new, headers={"kid": "two"}))
        with pytest.raises(TokenRefusedError):
            check(issuer, old)


def test_a_flood_of_unknown_keys_asks_the_issuer_now_and_then() -> None:
    with issuing() as served:
        clock = Clock()
        issuer = issuer_of(served, clock)
        check(issuer, served.token())
        for i in range(50):
            with pytest.raises(TokenRefusedError):
                check(issuer, served.token(key=FORGER, headers={"kid": f"unknown-{i}"}))
            clock.now += 0.5
        assert 2 <= served.asked <= 5
        assert check(issuer, served.token())


def test_many_at_once_ask_once() -> None:
    with issuing() as served:
        issuer = issuer_of(served)

        async def all_at_once() -> None:
            token = served.token()
            await asyncio.gather(*(issuer.check(token) for _ in range(20)))

        asyncio.run(all_at_once())
        assert served.asked == 1


def test_nobody_waits_for_a_slow_issuer_whose_key_is_known() -> None:
    with issuing() as served:
        clock, answers, asked = Clock(), threading.Event(), 0

        def fetch(url: str) -> Keys:
            nonlocal asked
            asked += 1
            assert asked == 1 or answers.wait(10)
            return fetch_keys(url)

        issuer = Issuer(served.url, AUDIENCE, leeway_seconds=60, fetch=fetch, clock=clock)

        async def use_up(token: str) -> None:
            for _ in range(500):
                await issuer.check(token)
                await asyncio.sleep(0.01)

        async def run() -> None:
            old = served.token()
            await issuer.check(old)
            clock.now += 3601
            served.keys = [published("two", served.key, "RS256")]
            for _ in range(5):
                await asyncio.wait_for(issuer.check(old), 1)
            answers.set()
            # refreshed beside it, once
            with pytest.raises(TokenRefusedError):
                await use_up(old)
            await issuer.check(served.token(headers={"kid": "two"}))

        try:
            asyncio.run(run())
        finally:
            answers.set()
        assert asked == 2


def test_an_issuer_that_is_away_is_borne_for_a_day() -> None:
    with issuing() as served:
        clock = Clock()
        issuer = issuer_of(served, clock)
        served.is_broken = True
        with pytest.raises(IssuerUnreachableError):
            check(issuer, served.token())
        served.is_broken = False
        clock.now += 11
        assert check(issuer, served.token())
        served.is_broken = True
        clock.now += 80_000
        assert check(issuer, served.token())
        clock.now += 10_000
        with pytest.raises(IssuerUnreachableError):
            check(issuer, served.token())


@pytest.mark.parametrize(
    "discovery",
    [
        None,
        [],
        {"issuer": "http://127.0.0.1:1", "jwks_uri": "http://127.0.0.1:1/keys"},
        {"jwks_uri": "KEYS"},
        {"issuer": "SELF"},
        {"issuer": "SELF", "jwks_uri": "http://keys.example/keys"},
        {"issuer": "SELF", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "SELF", "jwks_uri": 3},
    ],
    ids=str,
)
def test_who_publishes_otherwise_is_not_the_issuer(discovery: Any) -> None:  # noqa: ANN401  # any JSON
    with issuing() as served:
        if isinstance(discovery, dict):
            own = {"SELF": served.url, "KEYS": f"{served.url}/keys"}
            discovery = {name: own.get(str(value), value) for name, value in discovery.items()}
        served.discovery = discovery
        with pytest.raises(IssuerUnreachableError):
            check(issuer_of(served), served.token())


@pytest.mark.parametrize("keys", [None, "x", [3], [{"kty": "RSA"}], []], ids=str)
def test_keys_that_cannot_be_read_open_nothing(keys: Any) -> None:  # noqa: ANN401  # any JSON
    with issuing() as served:
        served.keys = keys
        with pytest.raises((IssuerUnreachableError, TokenRefusedError)):
            check(issuer_of(served), served.token())


def test_only_what_nobody_can_change_on_the_way_is_secure() -> None:
    assert is_secure("https://issuer.example/keys")
    assert is_secure("http://127.0.0.1:8080/keys")
    for url in ("http://issuer.example/keys", "http://localhost.example/", "ftp://127.0.0.1/", "file:///keys", ""):
        assert not is_secure(url)
