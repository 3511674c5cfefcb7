"""A deployment as the manifest of Kubernetes has it: migrated by one role, served by another, stopped, bereft.

A cluster is not to be had; commands, settings and roles are the manifest's, and what is done to them is what a cluster
and its nodes do.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from service.settings import variable
from tests.deploy import manifest
from tests.image.confinement import check_processes
from tests.image.containers import Container
from tests.image.database import Roles, free_port, make_database
from tests.image.tools import Storage
from tests.prove import IS_LONG
from tests.prove.cluster import Cluster
from tests.prove.drain import BATCHES, BODIES, EXPORTS, STREAMS, WRITES, Target, drain
from tests.prove.outage import Outage

OUTAGE_SECONDS = 30.0 if IS_LONG else 5.0
OUTSIDE_SECONDS = 3  # that the programs of containers take to stop one, beyond what the service takes


def check(say: Callable[[str], None], storage: Storage, database: Cluster) -> None:
    """Migrate, serve, stop in the midst of work, start again, and take the database away for a while."""
    roles = make_database(database.administrator, database.port)
    refused = Container(storage, "too-early", environment("Deployment", roles))
    assert refused.run() == 1
    say("a server that starts before the migration ends with a word")
    migration = Container(storage, "migration", environment("Job", roles), *arguments("Job"))
    assert migration.run() == 0, migration.logs()
    say("the migration's role has made the schema, and granted what serving takes")
    server = Container(storage, "server", environment("Deployment", roles), *arguments("Deployment"))
    server.start()
    key = server.execute("dateline", "keys", "create", "a test", "--scope", "admin").splitlines()[-1]
    processes = check_processes(server)
    say(f"a server with {processes} processes, confined as well, is ready; memory: {memory_megabytes(server)} MB")
    check_drain(say, server, key, roles)
    check_outage(say, server, key, database)
    assert server.stop() == 0, server.logs()
    logs = [container.logs() for container in (refused, migration, server)]
    assert not any(secret in said for said in logs for secret in (*passwords(roles), key))


def environment(kind: str, roles: Roles) -> dict[str, str]:
    """Give the variables of the manifest's containers; ports are free ones."""
    objects = manifest.documents()
    given = manifest.environment(manifest.pods(objects)[kind], objects)
    secrets = {"dateline-owner": roles.owner, "dateline-serving": roles.serving}
    metrics_port = {variable("metrics_port"): str(free_port())}
    return {name: secrets.get(value, value) for name, value in given.items()} | metrics_port


def arguments(kind: str) -> list[str]:
    """Give the arguments of the manifest's containers."""
    return list(manifest.container(manifest.pods(manifest.documents())[kind]).get("args", ()))


def passwords(roles: Roles) -> list[str]:
    """Give what must be read nowhere."""
    return [re.findall(r":(\w+)@", url)[0] for url in roles]


def memory_megabytes(server: Container) -> int:
    """Sum up what its processes hold alone, and their parts of what they share."""
    rollups = server.execute("sh", "-c", "cat /proc/[0-9]*/smaps_rollup")
    return sum(int(kilobytes) for kilobytes in re.findall(r"^Pss:\s+(\d+) kB$", rollups, re.MULTILINE)) // 1024


def check_drain(say: Callable[[str], None], server: Container, key: str, roles: Roles) -> None:
    """Stop it in the midst of its work."""
    with ThreadPoolExecutor(1) as stopping:
        ends: list[Future[int]] = []
        target = Target(
            server.base,
            key,
            roles.owner,
            stop=lambda: ends.append(stopping.submit(server.stop)),
            wait=lambda: ends[0].result(),  # noqa: PLW0108  # there is none yet
            start=server.start,
        )
        found = asyncio.run(drain(target))
    say(f"stopped in the midst of its work, it {found}")
    settings = manifest.only(manifest.documents(), "ConfigMap")["data"]
    drained = float(settings[variable("drain_seconds")])
    assert found.code == 0
    assert found.seconds < drained + manifest.LEAVING_SECONDS + OUTSIDE_SECONDS
    assert found.under_way == {
        "writes 201": WRITES,
        "batches 200": BATCHES,
        "slow bodies 201": BODIES,
        "whole exports": EXPORTS,
    }
    assert found.streams == {"ended": STREAMS, "resumed without a gap": STREAMS}
    assert found.newcomers["broken"] == 0


def check_outage(say: Callable[[str], None], server: Container, key: str, database: Cluster) -> None:
    """Take its database away, and give it back."""
    found = asyncio.run(Outage(server.base, key).suffer(database.kill, database.start, OUTAGE_SECONDS))
    say(f"without a database for {OUTAGE_SECONDS:g} s: {found}")
    assert found.refusals
    assert set(found.liveness) == {200}
    assert set(found.readiness) == {503}
    assert (found.lost, found.doubled, found.streams_with_gaps, found.streams_cut) == (0, 0, 0, 0)
    state = json.loads(server.storage.podman("inspect", "--format", "{{json .State}}", server.name))
    assert state["Running"] is True
    assert state.get("RestartCount", 0) == 0
