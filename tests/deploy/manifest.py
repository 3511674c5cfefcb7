"""What a Kubernetes manifest of the service must be: valid, confined, and of one mind with image and settings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from pydantic import ValidationError

from service.app import create_app
from service.settings import PREFIX, Settings, complaints, unknown_variables, variable

ROOT = Path(__file__).parents[2]
Object = dict[str, Any]
EVERY_VERSION: list[str] = kubernetes_validate.utils.all_versions()
VERSIONS = EVERY_VERSION[EVERY_VERSION.index("1.30.0") :]  # of Kubernetes that the manifest is for
LEAVING_SECONDS = 10  # within which the service ends once it has drained


def documents() -> list[Object]:
    """Read the manifest."""
    return list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text()))


def faults(objects: list[Object]) -> Iterator[str]:
    """Yield in what an object is not as it must be, a sentence each; whether it is valid is asked before."""
    for name, pod in pods(objects).items():
        yield from (f"{name}: {fault}" for fault in confinement_faults(pod))
        yield from (f"{name}: {fault}" for fault in image_faults(pod))
        yield from (f"{name}: {fault}" for fault in setting_faults(pod, objects))
    yield from secret_faults(objects)
    yield from serving_faults(objects)
    yield from selector_faults(objects)


def schema_faults(one: Object, version: str) -> Iterator[str]:
    """Hold an object to the schema of a version of Kubernetes, where an unknown field is a fault, too."""
    try:
        kubernetes_validate.validate(one, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{one['kind']}: {'/'.join(map(str, error.absolute_path))}: {error.message}"


def only(objects: list[Object], kind: str) -> Object:
    """Answer the one object of a kind."""
    (one,) = (found for found in objects if found["kind"] == kind)
    return one


def pods(objects: list[Object]) -> dict[str, Object]:
    """Answer what the pods are like, by the kind that makes them."""
    return {kind: only(objects, kind)["spec"]["template"]["spec"] for kind in ("Deployment", "Job")}


def container(pod: Object) -> Object:
    """Answer the one container of a pod."""
    (one,) = pod["containers"]
    found: Object = one
    return found


def environment(pod: Object, objects: list[Object]) -> dict[str, str]:
    """Answer the variables of a pod's container; those that come out of a Secret as the Secret's name."""
    settings = only(objects, "ConfigMap")
    found: dict[str, str] = {}
    for source in container(pod).get("envFrom", ()):
        assert source == {"configMapRef": {"name": settings["metadata"]["name"]}}
        found |= settings["data"]
    for one in container(pod).get("env", ()):
        found[one["name"]] = one["value"] if "value" in one else one["valueFrom"]["secretKeyRef"]["name"]
    return found


def confinement_faults(pod: Object) -> Iterator[str]:
    """Hold a pod to the restricted level of the Pod Security Standards, and to a root that nobody writes."""
    inside = container(pod)
    wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    if inside.get("securityContext") != wanted:
        yield "the container is not confined"
    outside = pod.get("securityContext", {})
    if not outside.get("runAsNonRoot") or outside.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "the pod is not confined"
    if pod.get("automountServiceAccountToken") is not False:
        yield "the pod has a token for the cluster"
    if pod.get("enableServiceLinks") is not False:
        yield "the cluster sets variables of its own that look like settings"
    volumes = {one["name"] for one in pod.get("volumes", ()) if one.get("emptyDir", {}).get("sizeLimit")}
    if {"/tmp"} != {one["mountPath"] for one in inside.get("volumeMounts", ()) if one["name"] in volumes}:  # noqa: S108
        yield "there is no /tmp of a limited size to write in"
    resources = inside.get("resources", {})
    if not {"cpu", "memory"} <= resources.get("requests", {}).keys() or "memory" not in resources.get("limits", {}):
        yield "what it takes is not said"


def image_faults(pod: Object) -> Iterator[str]:
    """Compare with the image: its name and version, and its user."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if container(pod)["image"] != f"{project['name']}:{project['version']}":
        yield f"the image is {container(pod)['image']}, and the project is at {project['version']}"
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert user is not None
    context = pod["securityContext"]
    if [context.get("runAsUser"), context.get("runAsGroup")] != [int(number) for number in user.groups()]:
        yield f"it does not run as the image's user {user[0]}"


def setting_faults(pod: Object, objects: list[Object]) -> Iterator[str]:
    """Hold the variables to the settings that there are, and to what each may be."""
    given = environment(pod, objects)
    yield from unknown_variables(given)
    plain = {name: value for name, value in given.items() if not name.endswith("DATABASE_URL")}
    try:
        Settings.model_validate({name.removeprefix(PREFIX).lower(): value for name, value in plain.items()})
    except ValidationError as error:
        yield from complaints(error)
    if variable("database_url") not in given:
        yield "it has no database"


def secret_faults(objects: list[Object]) -> Iterator[str]:
    """See that no secret stands here, and that the owner's is for the migration alone."""
    if any(one["kind"] == "Secret" for one in objects):
        yield "a Secret is for whoever runs it to make"
    if "://" in "".join(yaml.safe_dump(one) for one in objects):
        yield "a URL stands here, which may have a password"
    owner = variable("migration_database_url")
    given = {kind: environment(pod, objects) for kind, pod in pods(objects).items()}
    if owner not in given["Job"]:
        yield "the migration does not run as the owner"
    elif owner in given["Deployment"] or given["Job"][owner] in given["Deployment"].values():
        yield "the servers have the owner's URL"
    if given["Deployment"][variable("database_url")] != given["Job"].get(variable("database_url")):
        yield "the migration grants to another role than the servers have"
    for kind, arguments in (("Job", ["dateline", "migrate"]), ("Deployment", None)):
        if container(pods(objects)[kind]).get("args") != arguments:
            yield f"the {kind} does not do its work"


def serving_faults(objects: list[Object]) -> Iterator[str]:
    """Hold the Deployment to what lets nobody notice that a server goes and another comes."""
    spec = only(objects, "Deployment")["spec"]
    pod = pods(objects)["Deployment"]
    inside = container(pod)
    probes = {"startupProbe": "/health/live", "livenessProbe": "/health/live", "readinessProbe": "/health/ready"}
    for probe, path in probes.items():
        asked = inside.get(probe, {}).get("httpGet", {})
        if asked != {"path": path, "port": "http"} or path not in readable_paths():
            yield f"the {probe} asks {asked.get('path')}"
    ports = {one["name"]: str(one["containerPort"]) for one in inside["ports"]}
    image_port = re.search(r"^EXPOSE (\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert image_port is not None
    given = environment(pod, objects)
    if ports != {"http": image_port[1], "metrics": given.get(variable("metrics_port"))}:
        yield f"the ports are {ports}"
    drain = float(given.get(variable("drain_seconds"), 0))
    if drain < 1 or pod.get("terminationGracePeriodSeconds", 30) < drain + 2 * LEAVING_SECONDS:
        yield "it is killed before it has ended, or ends before all know that it does"
    if spec["replicas"] < 2 or spec["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
        yield "there are moments with no server"
    room = pod["volumes"][0]["emptyDir"].get("sizeLimit", "0Gi")
    workers = int(given.get(variable("workers"), Settings().workers))
    if not room.endswith("Gi") or int(room.removesuffix("Gi")) * 2**30 <= workers * Settings().import_bytes:
        yield f"an import for each of {workers} server processes does not fit into {room}"
    if not pod.get("topologySpreadConstraints"):
        yield "all servers may be on one node"
    if only(objects, "PodDisruptionBudget")["spec"].get("maxUnavailable") != 1:
        yield "a drain of nodes is held up, or takes all servers at once"


@cache
def readable_paths() -> frozenset[str]:
    """Answer the paths that the service has for GET."""
    return frozenset(path for path, methods in create_app(Settings()).openapi()["paths"].items() if "get" in methods)


def selector_faults(objects: list[Object]) -> Iterator[str]:
    """See that what selects pods selects the servers, and that the ports it names are theirs."""
    template = only(objects, "Deployment")["spec"]["template"]
    labels = template["metadata"]["labels"]
    ports = {one["name"] for one in container(template["spec"])["ports"]}
    migration = only(objects, "Job")["spec"]["template"]["metadata"]["labels"]
    selectors = {
        "Deployment": only(objects, "Deployment")["spec"]["selector"]["matchLabels"],
        "Service": only(objects, "Service")["spec"]["selector"],
        "PodDisruptionBudget": only(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        "spread": template["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    }
    for name, selector in selectors.items():
        if not selector.items() <= labels.items() or selector.items() <= migration.items():
            yield f"{name}: its selector does not mean the servers, and them alone"
    policy = only(objects, "NetworkPolicy")["spec"]
    if not policy["podSelector"]["matchLabels"].items() <= labels.items():
        yield "the NetworkPolicy does not mean the servers"
    named = {one["targetPort"] for one in only(objects, "Service")["spec"]["ports"]}
    named |= {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    if not named <= ports:
        yield f"of the ports {sorted(named)} there are only {sorted(ports)}"
    accounts = {one["metadata"]["name"] for one in objects if one["kind"] == "ServiceAccount"}
    if {pod["serviceAccountName"] for pod in pods(objects).values()} != accounts:
        yield "the pods have another account"
