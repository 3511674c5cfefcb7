"""Where a database is: read as libpq reads it, shown without its secrets, and given to a program without them."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

URL_SCHEMES = ("postgresql://", "postgres://")
# What libpq keeps secret; the rest of a database URL may be shown.
SECRET_KEYWORDS = frozenset({"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"})


def normalized_url(text: str) -> str:
    """Write libpq's keywords (`host=… dbname=…`) as a URL; a URL stays as it is.

    Raises ValueError, which never repeats the text, where libpq would not take it.
    """
    try:
        parameters = conninfo_to_dict(text)
    except psycopg.Error:
        raise ValueError(
            "is neither a URL (postgresql://user:password@host:5432/database) nor in libpq's keywords "
            "(host=… dbname=…); special characters in a URL's password are written as %XX"
        ) from None
    if not all(port.isdecimal() for port in str(parameters.get("port", "0")).split(",") if port):
        raise ValueError("has a port that is no number")
    if text.startswith(URL_SCHEMES):
        return text
    if "://" in text or not parameters:
        raise ValueError("is no PostgreSQL URL: it starts with neither postgresql:// nor postgres://")
    database = quote(str(parameters.pop("dbname", "")), safe="")
    return f"postgresql:///{database}?{urlencode(parameters, quote_via=quote)}"


def shown_url(text: str) -> str:
    """Write a database URL for the eyes: put together anew from what libpq understood, without secrets."""
    parameters = {name: str(value) for name, value in conninfo_to_dict(text).items()}
    secret = SECRET_KEYWORDS & parameters.keys()
    for name in secret:
        del parameters[name]
    user = parameters.pop("user", "") + (":***" if secret else "")
    host = "" if "/" in parameters.get("host", "") else parameters.pop("host", "")  # a socket's folder
    port = parameters.pop("port", "")
    database = parameters.pop("dbname", "")
    address = f"{user}{'@' if user else ''}{host}{':' if port else ''}{port}"
    return f"postgresql://{address}/{database}{'?' if parameters else ''}{urlencode(parameters)}"


def without_password(text: str) -> tuple[str, dict[str, str]]:
    """Write a database URL in libpq's keywords for a command line, and its password for the environment.

    Raises ValueError where it has another secret, which libpq takes from no variable.
    """
    parameters = conninfo_to_dict(text)
    password = parameters.pop("password", None)
    for name in SECRET_KEYWORDS & parameters.keys():
        raise ValueError(
            f"The database URL has {name}, which a command line would show: write it into libpq's ~/.pg_service.conf, "
            "and name that in the URL as service=…"
        )
    return make_conninfo("", **parameters), {} if password is None else {"PGPASSWORD": str(password)}
