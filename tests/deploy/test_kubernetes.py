from __future__ import annotations

from typing import Any

import pytest

from tests.deploy import manifest

POD = "spec/template/spec"
CONTAINER = f"{POD}/containers/0"
GONE = object()


@pytest.mark.parametrize("version", manifest.VERSIONS)
def test_each_object_is_valid(version: str) -> None:
    assert [fault for one in manifest.documents() for fault in manifest.schema_faults(one, version)] == []


@pytest.mark.parametrize(
    ("kind", "path", "value", "fault"),
    [
        ("Deployment", f"{CONTAINER}/readinesProbe", {"httpGet": {"path": "/", "port": "http"}}, "readinesProbe"),
        ("Deployment", f"{CONTAINER}/securityContext/capabilities/dropp", ["ALL"], "dropp"),
        ("Job", "spec/backOffLimit", 4, "backOffLimit"),
        ("Deployment", "spec/replicas", "two", "replicas"),
        ("Service", "spec/ports/0/port", "http", "port"),
        ("PodDisruptionBudget", "spec/selectors", {}, "selectors"),
    ],
)
def test_what_is_not_valid_is_found(kind: str, path: str, value: object, fault: str) -> None:
    one = manifest.only(manifest.documents(), kind)
    plant(one, path, value)
    (found,) = manifest.schema_faults(one, manifest.VERSIONS[-1])
    assert fault in found


def test_the_manifest_has_no_fault() -> None:
    assert list(manifest.faults(manifest.documents())) == []


@pytest.mark.parametrize(
    ("kind", "path", "value", "fault"),
    [
        ("Deployment", f"{CONTAINER}/securityContext/readOnlyRootFilesystem", False, "the container is not confined"),
        ("Job", f"{CONTAINER}/securityContext/capabilities/drop", ["NET_RAW"], "the container is not confined"),
        ("Job", f"{CONTAINER}/securityContext/capabilities/add", ["NET_RAW"], "the container is not confined"),
        ("Deployment", f"{CONTAINER}/securityContext/privileged", True, "the container is not confined"),
        ("Deployment", f"{POD}/securityContext/seccompProfile/type", "Unconfined", "the pod is not confined"),
        ("Deployment", f"{POD}/securityContext/runAsNonRoot", GONE, "the pod is not confined"),
        ("Deployment", f"{POD}/securityContext/runAsUser", 1000, "the image's user"),
        ("Job", f"{POD}/automountServiceAccountToken", GONE, "a token for the cluster"),
        ("Deployment", f"{POD}/enableServiceLinks", True, "variables of its own"),
        ("Deployment", f"{POD}/volumes/0/emptyDir", {}, "no /tmp of a limited size"),
        ("Deployment", f"{POD}/volumes/0/emptyDir/sizeLimit", "2Gi", "does not fit into 2Gi"),
        ("Deployment", f"{CONTAINER}/resources/limits", GONE, "what it takes is not said"),
        ("Deployment", f"{CONTAINER}/image", "dateline:latest", "the image is dateline:latest"),
        ("ConfigMap", "data/DATELINE_WORKER_COUNT", "2", "DATELINE_WORKER_COUNT is no setting"),
        ("ConfigMap", "data/DATELINE_WORKERS", "3", "for each of 3 server processes"),
        ("ConfigMap", "data/DATELINE_WORKERS", "0", "DATELINE_WORKERS"),
        ("ConfigMap", "data/DATELINE_METRICS_PORT", "9001", "the ports are"),
        ("ConfigMap", "data/DATELINE_RATE_LIMIT_REDIS_URL", "redis://:secret@cache", "may have a password"),
        ("Job", f"{CONTAINER}/env/0/name", "DATELINE_DIRECT_DATABASE_URL", "does not run as the owner"),
        (
            "Deployment",
            f"{CONTAINER}/env/0/valueFrom/secretKeyRef/name",
            "dateline-owner",
            "the servers have the owner's URL",
        ),
        ("Job", f"{CONTAINER}/env/1/valueFrom/secretKeyRef/name", "dateline-other", "grants to another role"),
        ("Job", f"{CONTAINER}/args", GONE, "the Job does not do its work"),
        ("Deployment", f"{CONTAINER}/livenessProbe/httpGet/path", "/health/ready", "the livenessProbe asks"),
        ("Deployment", f"{CONTAINER}/readinessProbe", GONE, "the readinessProbe asks"),
        ("Deployment", f"{POD}/terminationGracePeriodSeconds", 10, "it is killed before it has ended"),
        ("ConfigMap", "data/DATELINE_DRAIN_SECONDS", GONE, "ends before all know"),
        ("Deployment", "spec/strategy/rollingUpdate/maxUnavailable", 1, "moments with no server"),
        ("Deployment", f"{POD}/topologySpreadConstraints/0/labelSelector/matchLabels", {"a": "b"}, "spread"),
        ("PodDisruptionBudget", "spec/maxUnavailable", 0, "a drain of nodes is held up"),
        ("Service", "spec/selector", {"app.kubernetes.io/name": "dateline"}, "Service: its selector"),
        ("Service", "spec/ports/0/targetPort", "https", "of the ports"),
    ],
)
def test_a_planted_mistake_is_found(kind: str, path: str, value: object, fault: str) -> None:
    objects = manifest.documents()
    plant(manifest.only(objects, kind), path, value)
    found = list(manifest.faults(objects))
    assert any(fault in one for one in found), found


def test_no_secret_stands_in_the_manifest() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dateline-owner"}, "stringData": {"url": "x"}}
    assert list(manifest.faults([*manifest.documents(), secret])) == ["a Secret is for whoever runs it to make"]


def plant(one: manifest.Object, path: str, value: object) -> None:
    """Put a value at a path, or take away what is there."""
    *above, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    place: Any = one
    for step in above:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
