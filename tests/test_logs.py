"""What the log looks like, for machines and for people, and what never stands in it."""

from __future__ import annotations

import io
import logging

import pytest
from structlog.contextvars import bound_contextvars

from service.logs import Form, strike_out
from tests.logged import logged


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_is_an_object_with_what_was_said_beside_the_words() -> None:
    with logged() as log, bound_contextvars(request_id="r1"):
        logging.getLogger("dateline.x").warning("it took %d s", 3, extra={"route": "/v1/é"})
    (line,) = log.lines()
    assert list(line)[:4] == ["timestamp", "level", "logger", "event"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "dateline.x",
        "event": "it took 3 s",
        "route": "/v1/é",
        "request_id": "r1",
    }


def test_a_line_stays_one_whatever_is_in_it() -> None:
    with logged() as log:
        logging.getLogger("x").info('a\n{"level": "error"}\r\u2028', extra={"path": "b\nc"})
    assert log.text.count("\n") == 1
    assert [line["level"] for line in log.lines()] == ["info"]


def test_the_servers_own_words_take_the_same_form_and_come_once() -> None:
    with logged(level="debug") as log:
        logging.getLogger("uvicorn.error").info("Started %d", 7, extra={"color_message": "Started \x1b[36m%d"})
    (line,) = log.lines()
    assert (line["logger"], line["event"]) == ("uvicorn.error", "Started 7")
    assert "color_message" not in line


def test_libraries_are_heard_when_it_is_of_concern() -> None:
    with logged() as log:
        logging.getLogger("uvicorn.error").info("Started")
        logging.getLogger("uvicorn.error").warning("Stopped early")
        logging.getLogger("dateline.x").debug("detail")
    assert [line["event"] for line in log.lines()] == ["Stopped early"]


def fail_with(secret: str) -> None:
    kept_local = secret
    raise ValueError(f"it has {len(kept_local)} characters")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_where_and_no_variables(form: Form) -> None:
    with logged(form) as log:
        try:
            fail_with("hunter2")
        except ValueError:
            logging.getLogger("x").exception("no luck")
    said = log.text
    assert "fail_with" in said
    assert "it has 7 characters" in said
    assert "hunter2" not in said.replace('fail_with("hunter2")', "")
    if form == "json":
        (line,) = log.lines()
        (raised,) = line["exception"]
        assert (raised["exc_type"], raised["frames"][-1]["name"]) == ("ValueError", "fail_with")
        assert isinstance(raised["frames"][-1]["lineno"], int)


@pytest.mark.parametrize(("stream", "is_text"), [(Terminal(), True), (io.StringIO(), False)])
def test_by_itself_a_terminal_gets_text_and_all_else_json(stream: io.StringIO, is_text: bool) -> None:  # noqa: FBT001
    with logged("auto", stream=stream) as log:
        logging.getLogger("x").info("hello")
    assert log.text.startswith("{") is not is_text
    assert "hello" in log.text


def test_text_in_a_file_has_no_colours() -> None:
    with logged("text") as log:
        logging.getLogger("x").info("hello", extra={"status": 200})
    assert "\x1b" not in log.text
    assert "status=200" in log.text


KEY = "dl_7Hs0fQ9zLmN3xYpA2bCdEfGh"
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYob7oD/8"  # noqa: S105  # made up


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"asked with {KEY}", "asked with dl_***"),
        ("by dl_0123456789_secretsecretsecret0", "by dl_0123456789***"),
        (f"path /v1/keys/{KEY}/x", "path /v1/keys/dl_***/x"),
        (f"signed with {SECRET}.", "signed with whsec_***."),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("authorization: bearer abc", "authorization: bearer ***"),
        ("at postgresql://me:hunter2@db.example:5432/x", "at postgresql://me:***@db.example:5432/x"),
        ("at redis://:hunter2@cache/0", "at redis://:***@cache/0"),
        ("host=x password=hunter2 user=me", "host=x password=*** user=me"),
    ],
)
def test_what_looks_like_a_secret_is_struck_out(said: str, left: str) -> None:
    assert strike_out(said) == left
    for form in ("json", "text"):
        with logged(form) as log:
            logging.getLogger("x").info(said, extra={"beside": said})
        assert "hunter2" not in log.text
        assert KEY not in log.text
        assert "abc" not in log.text
        assert SECRET.partition("_")[2] not in log.text


@pytest.mark.parametrize(
    "said",
    [
        "http://127.0.0.1:8000/docs",
        "dl_ is how keys begin",
        "by dl_0123456789",
        "the bearer",
        "see https://a.example/x:y@z",
    ],
)
def test_what_does_not_stays(said: str) -> None:
    assert strike_out(said) == said
