"""The published document's examples of keys."""

from __future__ import annotations

from service.api.exchange import Exchange
from service.api.specimens import CREATED, Json

KEY_PREFIX = "dl_4k2m9xq7wz"
NO_KEY_PREFIX = "dl_0000000000"
# Nobody's: no key has this checksum.
_SHOWN = "dl_8h3n5rt1cv_6Yq0Zb2mXk9sVt4wLp7aRc1dFe8gHj3nUo5iTyQz0xW000000"

KEY: Json = {
    "prefix": KEY_PREFIX,
    "name": "newsroom importer",
    "scopes": ["write"],
    "timelines": ["syria-2013"],
    "created_at": CREATED,
    "created_by": "operator",
    "expires_at": "2126-11-24T09:00:00Z",
    "revoked_at": None,
    "last_used_at": None,
    "replaces": None,
}
_BODY: Json = {name: KEY[name] for name in ("name", "scopes", "timelines", "expires_at")}
_MADE: Json = KEY | {"prefix": "dl_8h3n5rt1cv", "key": _SHOWN, "created_by": "dl_2b7d4f6g8h"}

EXCHANGES: tuple[Exchange, ...] = (
    Exchange("list_keys", 200, "All", {"items": [KEY], "next": None}, is_excerpt=True),
    Exchange("create_key", 201, "For who imports into one timeline", _MADE, body=_BODY),
    Exchange("get_key", 200, "It was not used yet", KEY),
    Exchange(
        "create_rotation", 201, "The one before is good for an hour more", _MADE | {"replaces": KEY_PREFIX},
        body={"overlap_seconds": 3600},
    ),
    Exchange("delete_key", 204, "Revoked"),
)  # fmt: skip
