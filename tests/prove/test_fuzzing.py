"""Whatever the published document allows, and what it does not: no request brings the service down or out of line.

schemathesis sends what it makes of the document to the service as it runs, with a key that opens everything, with one
that opens two timelines, and with none; all its checks hold, and what is refused though the document allows it is
explained (fuzzing.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from service.api.webhook_examples import DELIVERY_ID, NEWEST_SECRET, OLD_SECRET, WEBHOOK_ID
from service.wire.key_text import new_key
from tests.api.example_key import insert_example_key
from tests.api.example_webhook import insert_example_webhook
from tests.api.published import OPERATIONS
from tests.keys import ADMIN, bearer, insert_key
from tests.live.service import ROOT, Service, running, tracebacks
from tests.prove import IS_LONG

SEED = 20130220
SEALED = "quetzalcoatl"
SLUGS = [f"fuzz-{number}" for number in range(12)]
TIMELINES, OWN = SLUGS[:4], SLUGS[:2]
EVENTS = [str(UUID(int=number, version=4)) for number in range(1, 9)]
CLAIMS = [str(UUID(int=number, version=4)) for number in range(11, 19)]
WATCHED = "syria-2013"
# The short form leaves out the others who ask, and the phases that take each keyword of each schema, and each link.
PHASES = "examples,coverage,fuzzing,stateful" if IS_LONG else "examples,fuzzing"
MOST_EXAMPLES, LEAST_CASES = (90, 20_000) if IS_LONG else (2, 200)


@dataclass
class Found:
    """What a run has found: answers by operation and status, failures, and what was explained."""

    label: str
    output: str
    returned: int
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    explained: Counter[str] = field(default_factory=Counter)

    @property
    def cases(self) -> int:
        return sum(answers.total() for answers in self.statuses.values())

    def succeeded(self, operation: str) -> int:
        return sum(times for status, times in self.statuses[operation].items() if status < 300)


@pytest.fixture(scope="module")
def service(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service on the seeded timeline and what else there is to be named; webhooks are made, and never sent."""
    folder = tmp_path_factory.mktemp("fuzzed")
    settings = {"database_url": module_database_url, "worker": False, "rate_limit_failed_keys_per_minute": 0}
    with running(folder, **settings) as started:
        insert_example_webhook(module_database_url)
        insert_example_key(module_database_url)
        with httpx.Client(base_url=f"{started.base}/v1", headers=bearer(ADMIN), timeout=60) as http:
            fill(http)
        yield started
        assert tracebacks(folder) == []


def fill(http: httpx.Client) -> None:
    """Make of all kinds what has the same names, so that whichever are put together name something."""
    for slug in SLUGS:
        create(http, "/timelines", slug=slug, title=slug)
        create(http, "/actors", slug=slug, name=slug, kind="person")
        create(http, "/places", slug=slug, name=slug)
        create(http, "/sources", slug=slug, title=slug)
    create(http, "/timelines", slug="sealed", title=SEALED, visibility="private")
    for timeline in [*TIMELINES, "sealed"]:
        title = SEALED if timeline == "sealed" else "fuzzed"
        for event, slug in zip(EVENTS, SLUGS, strict=False):
            body = {
                "title": title,
                "when": "2013-02-25",
                "status": "planned",
                "participants": [{"actor": slug}],
                "place": {"place": slug},
                "claims": [{"id": claim, "source": slug} for claim in CLAIMS],
                "reported_at": "2013-02-01T00:00:00Z",
            }
            http.put(f"/timelines/{timeline}/events/{event}", json=body).raise_for_status()


def create(http: httpx.Client, path: str, **members: object) -> dict[str, Any]:
    made: dict[str, Any] = http.post(path, json=members).raise_for_status().json()
    return made


def named(http: httpx.Client) -> dict[str, list[str]]:
    """List what there is to be named, for the paths and bodies of a share of the requests."""
    hook = f"/timelines/{WATCHED}/webhooks"
    webhooks = [create(http, hook, url="https://receiver.example/") for _ in range(3)]
    keys = [create(http, "/keys", name="fuzzed", scopes=["read"]) for _ in range(4)]
    return {
        "timelines": [*TIMELINES, "sealed"],
        "watched": [WATCHED],
        "slugs": SLUGS,
        # the rest is referred to by nothing, and may be deleted
        "used": SLUGS[: len(EVENTS)],
        "events": EVENTS,
        "claims": CLAIMS,
        "webhooks": [WEBHOOK_ID, *(one["id"] for one in webhooks)],
        "secrets": [OLD_SECRET["id"], NEWEST_SECRET["id"]],
        "deliveries": [DELIVERY_ID],
        "keys": [one["prefix"] for one in keys],
    }


def run(service: Service, folder: Path, label: str, key: str | None, *, examples: int) -> Found:
    """Let schemathesis go, with a key or none, and read what it reports."""
    config, report, explanations = (folder / f"{label}.{kind}" for kind in ("toml", "ndjson", "explained"))
    explanations.touch()
    with httpx.Client(base_url=f"{service.base}/v1", headers=bearer(ADMIN), timeout=60) as http:
        dictionaries = [f"{name} = {{ values = {json.dumps(values)} }}" for name, values in named(http).items()]
    auth = [] if key is None else ["[auth.openapi.Key]", f'bearer = "{key}"']
    written = [(Path(__file__).parent / "schemathesis.toml").read_text(), *dictionaries, *auth]
    config.write_text("\n".join(written))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", config, "--no-color"),
        *("run", f"{service.base}/openapi.json", "--phases", PHASES, "--seed", SEED, "--max-examples", examples),
        *("--report", "ndjson", "--report-ndjson-path", report),
    ]
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env=os.environ
        | {"DATELINE_FUZZING_EXPLANATIONS": str(explanations)}
        | ({} if key == ADMIN else {"DATELINE_FUZZING_SEALED": SEALED}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    explained = Counter(explanations.read_text().splitlines())
    return Found(label, ended.stdout, ended.returncode, answers_of(report), explained)


def answers_of(report: Path) -> dict[str, Counter[int]]:
    """Count the answers of each operation by their status; methods that are for no operation count in the sum."""
    names = {f"{one.method.upper()} {one.path}": one.name for one in OPERATIONS}
    statuses: dict[str, Counter[int]] = defaultdict(Counter)
    with report.open() as lines:
        for line in lines:
            recorded = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
            for identity, interaction in recorded.get("interactions", {}).items():
                if interaction["response"] is not None:
                    case = recorded["cases"][identity]["value"]
                    name = names.get(f"{case['method']} {case['path']}", "no operation")
                    statuses[name][interaction["response"]["status_code"]] += 1
    return statuses


def tell(found: Found) -> None:
    """Print how many answers were successes, for each operation, and how many refusals were explained."""
    sys.stdout.write(f"{found.label}: {found.cases} cases\n")
    for name, answers in sorted(found.statuses.items(), key=lambda one: found.succeeded(one[0]) / one[1].total()):
        share = found.succeeded(name) / answers.total()
        told = ", ".join(f"{status}: {times}" for status, times in sorted(answers.items()))
        sys.stdout.write(f"  {share:4.0%} of {answers.total():5} {name}  {told}\n")
    for reason, times in found.explained.most_common():
        sys.stdout.write(f"  {times:5} explained: {reason}\n")


def test_no_request_brings_it_down_or_out_of_line(service: Service, module_database_url: str, tmp_path: Path) -> None:
    limited = new_key()
    insert_key(module_database_url, limited, ["write"], OWN)
    # whoever may do less goes first, and leaves to the next what there is to be named
    few = MOST_EXAMPLES // 3
    all_found = [
        *([run(service, tmp_path, "nobody", None, examples=few)] if IS_LONG else []),
        *([run(service, tmp_path, "a writer of two timelines", limited, examples=few)] if IS_LONG else []),
        run(service, tmp_path, "an administrator", ADMIN, examples=MOST_EXAMPLES),
    ]
    for found in all_found:
        tell(found)
    failed = [f"{found.label}:\n{found.output}" for found in all_found if found.returned != 0]
    assert failed == [], "\n".join(failed)
    for found in all_found:
        assert not [status for answers in found.statuses.values() for status in answers if status >= 500]
    assert sum(found.cases for found in all_found) >= LEAST_CASES
    if IS_LONG:
        assert {name for name in all_found[-1].statuses if not all_found[-1].succeeded(name)} == {"no operation"}
