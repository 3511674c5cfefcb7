"""Two containers that start at once on an empty database, as with `docker compose up --scale`: what is true of each."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

import psycopg

from service.announcing import EXAMPLE
from tests.image import bill, confinement
from tests.image.containers import Container
from tests.image.tools import Storage
from tests.prove.cluster import NAME, Cluster


def check(say: Callable[[str], None], storage: Storage, database: Cluster) -> None:
    """Start both, hold them to their promises, and stop them."""
    settings = {  # the password beside the URL, as in compose.yaml
        "DATELINE_DATABASE_URL": f"postgresql://{NAME}@127.0.0.1:{database.port}/{NAME}",
        "PGPASSWORD": database.password,
    }
    containers = [Container(storage, f"together-{number}", settings) for number in (1, 2)]
    storage.podman("start", *(container.name for container in containers))
    for container in containers:
        container.wait_until_ready()
    say("two containers that started at once on an empty database are ready")
    for container in containers:
        status, body = container.get(EXAMPLE)
        events = json.loads(body)["items"]
        assert status == 200
        assert len(events) > 5, events
    with psycopg.connect(database.url()) as connection:
        assert connection.execute("SELECT count(*) FROM timeline").fetchone() == (1,)
    say(f"the seeded timeline answers, with {len(events)} events that are certain in February 2013")
    check_pages(say, containers[0])
    confinement.check(say, containers[0])
    bill.check(say, containers[0])
    storage.podman("healthcheck", "run", containers[0].name)
    say("the health check of the image passes")
    for container in containers:
        began = time.monotonic()
        assert container.stop() == 0, container.logs()
        assert time.monotonic() - began < 10
        logs = container.logs()
        assert EXAMPLE in logs
        assert "stopped" in logs, "what it says on standard error is there, too"
        assert database.password not in logs
    say("both stop at once, with exit code 0, and their logs hold no password")


def check_pages(say: Callable[[str], None], container: Container) -> None:
    """Open the pages, and whatever they load: a file that was left out of the package is missed here alone."""
    loaded = {"/openapi.json"}
    for page in ("/", "/docs"):
        status, body = container.get(page)
        assert status == 200, page
        loaded |= set(re.findall(r'(?:src|href)="(/[^"#?]+\.(?:css|js|png|svg|ico))"', body.decode()))
    for path in loaded:
        assert container.get(path)[0] == 200, path
    say(f"the pages answer, and so do the {len(loaded)} files that they load")
