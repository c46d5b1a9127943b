"""The compose files, checked without a container engine: by their specification's schema, and against each other."""

import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from jsonschema import Draft7Validator

from settings.config import Config
from settings.config.values import PROJECT_DIR
from swapstats.adapters.embedded.redis_server import LEDGER_SETTINGS

DOCKER = PROJECT_DIR / "docker"
FILES = {name: DOCKER / f"docker-compose.{name}.yml" for name in ("dev", "prod")}


def composed(name: str) -> dict[str, Any]:
    return yaml.safe_load(FILES[name].read_text())


def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if "swapstats" in service["image"].lower()}


@pytest.fixture(params=FILES)
def file(request) -> dict[str, Any]:
    return composed(request.param)


def test_they_follow_the_compose_specification(file):
    schema = resources.files("check_jsonschema.builtin_schemas").joinpath("vendor/compose-spec.json").read_text()
    assert [error.message for error in Draft7Validator(json.loads(schema)).iter_errors(file)] == []


def test_what_they_mount_exists(file):
    mounts = [m for service in file["services"].values() for m in service.get("volumes", ())]
    for source, *_ in (mount.split(":") for mount in mounts):
        assert (DOCKER / source).exists() if source.startswith(".") else source in file["volumes"], source


def test_what_services_wait_for_exists_and_tells_whether_it_is_healthy(file):
    for name, service in file["services"].items():
        for other, condition in service.get("depends_on", {}).items():
            assert other in file["services"], f"{name} waits for {other}"
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in file["services"][other], other


def test_every_command_of_ours_exists(file):
    commands = {path.stem for path in (PROJECT_DIR / "aggregator/management/commands").glob("[a-z]*.py")} | {"migrate"}
    for service in ours(file["services"]).values():
        words = " ".join(service.get("command", ()))
        asked = re.findall(r"manage\.py (\w+)", words) or ([] if "entrypoint" in service else words.split()[:1])
        assert set(asked) <= commands


@pytest.mark.parametrize("name", FILES)
def test_the_configuration_is_valid_and_names_the_services(name, tmp_path, monkeypatch):
    file, text = composed(name), (DOCKER / "config" / f"{name}.yaml").read_text()
    for path in set(re.findall(r"/run/secrets/(\w+)", text)):
        (tmp_path / path).write_text("12345678:" + 40 * "s")
    settings = yaml.safe_load(text.replace("/run/secrets", str(tmp_path)))
    config = Config(**settings)
    services = file["services"]
    sentinel = config.stores.redis.sentinel
    redis = [host.split(":")[0] for host in sentinel.hosts] if sentinel else ["redis"]
    hosts = {*redis, *re.findall(r"://(?:\w+@)?(\w+):", f"{config.stores.clickhouse.dsn} {config.database.url}")}
    assert hosts <= services.keys()
    assert config.metrics.pprof is not None
    assert config.metrics.pprof.host == "127.0.0.1"


def test_redis_is_set_as_the_ledger_needs_it():
    settings = dict(
        line.split(None, 1)
        for line in (DOCKER / "redis/redis.conf").read_text().splitlines()
        if line and line[0] != "#"
    )
    assert LEDGER_SETTINGS.items() <= settings.items()
    assert (settings["appendonly"], settings["maxmemory-policy"]) == ("yes", "noeviction")


class TestDevelopment:
    def test_the_broker_is_chosen_by_two_keys_and_the_profile(self):
        chosen = dict(
            line.split("=", 1) for line in (DOCKER / ".env").read_text().splitlines() if line[:1] not in {"", "#"}
        )
        assert chosen["COMPOSE_PROFILES"] == chosen["SWAPSTATS_BROKER_TYPE"] == "redpanda"
        file = composed("dev")
        for broker in ("redpanda", "kafka"):
            assert file["services"][broker]["profiles"] == [broker]
        assert json.loads(chosen["SWAPSTATS_BROKERS"]) == ["redpanda:9092"]


class TestProduction:
    def services(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from composed("prod")["services"].items()

    def test_each_container_is_confined(self):
        for name, service in self.services():
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert service["user"] not in {"root", "0"}, name
            assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name

    def test_each_that_runs_on_has_a_limit_and_is_watched(self):
        without_shell = {"prometheus", "alertmanager", "grafana"}
        for name, service in self.services():
            if service["restart"] != "no":
                assert "memory" in service["deploy"]["resources"]["limits"], name
                assert name in without_shell or "healthcheck" in service, name

    def test_secrets_are_files_and_none_is_left_over(self):
        file = composed("prod")
        used = {secret for _, service in self.services() for secret in service.get("secrets", ())}
        assert used == file["secrets"].keys()
        config = (DOCKER / "config/prod.yaml").read_text()
        assert set(re.findall(r"/run/secrets/(\w+)", config)) == set(file["x-app"]["secrets"])
        environment = json.dumps([service.get("environment", {}) for _, service in self.services()])
        assert not re.search(r'PASSWORD"|SECRET_KEY"|TOKEN"', environment)

    def test_images_are_pinned_by_version(self):
        images = {service["image"] for _, service in self.services()}
        assert all(re.search(r":[\w.-]*\d|^\$\{SWAPSTATS_IMAGE:\?", image) for image in images)

    def test_workers_get_the_time_to_save(self):
        services = dict(self.services())
        assert {services[name]["stop_grace_period"] for name in ("consume", "archive")} == {"60s"}


class TestImage:
    TEXT = (DOCKER / "Dockerfile").read_text()

    def test_it_runs_as_nobody_in_particular(self):
        assert re.findall(r"^USER (\S+)$", self.TEXT, re.MULTILINE) == ["10001"]

    def test_it_takes_only_what_it_needs(self):
        allowed = [line[1:] for line in (PROJECT_DIR / ".dockerignore").read_text().splitlines() if line[0] == "!"]
        assert allowed == [
            "manage.py",
            "requirements.txt",
            "settings",
            "swapstats",
            "aggregator",
            "api",
            "realtime",
            "clients",
        ]
        assert all((PROJECT_DIR / path).exists() for path in allowed)
        for _, directory in settings.STATICFILES_DIRS:
            assert Path(directory).relative_to(PROJECT_DIR).parts[0] in allowed

    def test_nothing_in_production_needs_what_is_left_out(self):
        assert "chdb" not in (PROJECT_DIR / "requirements.txt").read_text()


def test_files_in_docker_are_readable_by_others():
    """They are mounted into containers that run as somebody else."""
    assert [path for path in DOCKER.rglob("*") if path.is_file() and not path.stat().st_mode & 0o004] == []


def test_shell_scripts_may_be_run():
    assert [path for path in Path(DOCKER).rglob("*.sh") if not path.stat().st_mode & 0o111] == []
