"""A real issuer of tokens, on loopback: its discovery document, its keys, and tokens good and bad."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "dateline"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def new_rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def published(name: str, key: PrivateKey, algorithm: str, **members: str) -> dict[str, Any]:
    """Write the public half of a key as the issuer publishes it."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        written = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        written = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        written = OKPAlgorithm.to_jwk(public, as_dict=True)
    return {**written, "kid": name, "alg": algorithm, "use": "sig", **members}


class TokenIssuer:
    """An issuer with an RSA key, `one`; what it publishes may be changed, and what it was asked is counted."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = new_rsa()
        self.keys: list[dict[str, Any]] = [published("one", self.key, "RS256")]
        self.discovery: Any = {"issuer": url, "jwks_uri": f"{url}/keys"}
        self.is_broken = False
        self.asked = 0

    def token(
        self,
        *,
        key: Any = None,  # noqa: ANN401  # whatever a forger signs with
        algorithm: str = "RS256",
        headers: dict[str, Any] | None = None,
        without: tuple[str, ...] = (),
        **claims: object,
    ) -> str:
        """Make a token that is good, but for what is asked for."""
        now = int(time.time())
        said = {"iss": self.url, "aud": AUDIENCE, "sub": "someone", "iat": now, "exp": now + 300, **claims}
        members = {name: value for name, value in said.items() if name not in without}
        said_before = {"kid": "one", **(headers or {})}
        header = {name: value for name, value in said_before.items() if value is not None}
        return jwt.encode(members, self.key if key is None else key, algorithm, headers=header)


@contextmanager
def issuing() -> Iterator[TokenIssuer]:
    """Run an issuer for a block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = {"/.well-known/openid-configuration": issuer.discovery, "/keys": {"keys": issuer.keys}}
            issuer.asked += self.path == "/keys"
            body = json.dumps(found.get(self.path)).encode()
            self.send_response(500 if issuer.is_broken or self.path not in found else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = TokenIssuer(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
