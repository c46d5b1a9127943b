"""The Kubernetes manifests: valid by the cluster's own schemas, confined, and rolled out without a gap."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from settings.config.values import PROJECT_DIR

DIRECTORY = PROJECT_DIR / "docker" / "k8s"
VERSIONS = ("1.29", "1.37")
PROCESSES = {"consume", "archive", "wsgi", "asgi"}


def manifests() -> Iterator[dict[str, Any]]:
    for name in yaml.safe_load((DIRECTORY / "base/kustomization.yaml").read_text())["resources"]:
        yield from yaml.safe_load_all((DIRECTORY / "base" / name).read_text())


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in manifests() if found["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    return {name: found["spec"]["template"]["spec"] for name, found in (of_kind("Deployment") | of_kind("Job")).items()}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "manifest", list(manifests()), ids=lambda found: f"{found['kind']}-{found['metadata']['name']}"
)
def test_each_follows_the_schema(manifest, version):
    kubernetes_validate.validate(manifest, version, strict=True)


def test_kustomize_puts_them_together():
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl; each manifest is validated by itself all the same")
    command = ["kubectl", "kustomize", str(DIRECTORY / "prod")]
    rendered = list(yaml.safe_load_all(subprocess.run(command, capture_output=True, check=True).stdout))
    images = {
        container["image"]
        for found in rendered
        if found["kind"] in {"Deployment", "Job"}
        for container in found["spec"]["template"]["spec"]["containers"]
    }
    assert images == {"registry.example.org/swapstats:0.1.0"}
    assert {found["metadata"].get("namespace") for found in rendered if found["kind"] != "Namespace"} == {"swapstats"}
    for found in rendered:
        kubernetes_validate.validate(found, VERSIONS[-1], strict=True)


def test_there_is_one_deployment_for_each_process():
    assert of_kind("Deployment").keys() == PROCESSES


def test_each_pod_is_confined():
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert not pod["automountServiceAccountToken"], name
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"], name
            assert not context["allowPrivilegeEscalation"], name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert {"memory"} <= container["resources"]["limits"].keys(), name


def test_a_rollout_takes_nothing_away_before_its_successor_is_there():
    for name, deployment in of_kind("Deployment").items():
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}, name
        pod = deployment["spec"]["template"]["spec"]
        assert {"startupProbe", "livenessProbe"} <= pod["containers"][0].keys(), name
    for name in ("wsgi", "asgi"):
        [container] = of_kind("Deployment")[name]["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]


def test_disruptions_and_scaling_are_about_deployments_that_exist():
    for kind in ("PodDisruptionBudget", "HorizontalPodAutoscaler"):
        assert of_kind(kind).keys() <= PROCESSES
    for name, scaler in of_kind("HorizontalPodAutoscaler").items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
    asked = [str(scaler["spec"]["metrics"]) for scaler in of_kind("HorizontalPodAutoscaler").values()]
    assert any("consumer_lag_records" in metrics for metrics in asked)
    assert any("ws_clients_gauge" in metrics for metrics in asked)


def test_workers_are_not_more_than_partitions():
    partitions = yaml.safe_load((DIRECTORY / "base/config.yaml").read_text())["ingest"]["topic_cfg"]["partitions"]
    assert of_kind("HorizontalPodAutoscaler")["consume"]["spec"]["maxReplicas"] <= partitions
