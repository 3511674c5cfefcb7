"""Generated clients of three languages do the same to the running service, and are told the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.making import MAKERS, run, workshop
from tests.live import asking
from tests.live.service import Service, running
from tests.prove import IS_LONG

# What each of the programs does, it is told; see programs/client.py.
MET = {
    "status": "planned",
    "dates": ["2013-02", "2013-02-25"],
    "found": [[1, 0], [1, 1]],  # possibly and certainly on that day, before and after the day was named
    "history": [[2, "The day was named."], [1, None]],
    "stale": [412, "/problems/version-conflict", 2],
    "taken": [412, "/problems/version-conflict", 2],  # by a PUT that only creates
    "refused": [422, "/problems/invalid-body", ["/when"]],
    "batch": [201],
}


@pytest.fixture(scope="module")
def service(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service"), database_url=module_database_url, seed="false") as started:
        yield started


@pytest.mark.skipif(not IS_LONG, reason="`make clients` generates, compiles and runs all of them")
@pytest.mark.parametrize("language", MAKERS)
def test_a_generated_client_works(language: str, tmp_path: Path, service: Service) -> None:
    published = asking.get(f"{service.base}/openapi.json").text
    folder = workshop(tmp_path, published)
    command = MAKERS[language](folder)
    assert json.loads(run(folder, *command, service.base, service.key)) == MET
