"""Prometheus's rules and Grafana's dashboards: as the code makes them, about metrics that exist, and taken by the real
programs."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from settings.config.values import PROJECT_DIR
from swapstats.metrics.boards import BOARDS
from swapstats.metrics.dashboards import DIRECTORY, files
from tests.deployment.promql import metrics_in, unknown_metrics
from tests.parts.missing import skip_or_fail

PROMETHEUS = PROJECT_DIR / "docker" / "prometheus"
RULES = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "rules" / "swapstats.yml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule["alert"] for rule in RULES]


def run(program: str, *words: str | Path) -> str:
    if shutil.which(program) is None:
        skip_or_fail(f"no {program}: apt-get install prometheus prometheus-alertmanager")
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_names_of_metrics_are_read_out_of_queries():
    expr = 'sum by (le, status) (rate(a_total{status=~"5.."}[5m:30s])) / on (x) b > 1 or vector(0) and max(c_bucket)'
    assert metrics_in(expr) == {"a_total", "b", "c_bucket"}
    assert unknown_metrics(['rate(events_ingested_total[1m]) + no_such_thing{a="b"}']) == {"no_such_thing"}


class TestDashboards:
    def test_files_are_as_make_docs_writes_them(self):
        assert {path.name: path.read_text() for path in DIRECTORY.glob("*.json")} == files()

    def test_they_ask_for_metrics_that_exist(self):
        assert not unknown_metrics(query.expr for board in BOARDS for panel in board.panels for query in panel.queries)

    @pytest.mark.parametrize("name", files())
    def test_grafanas_own_library_reads_them_without_losing_anything(self, name):
        ours = json.loads(files()[name])
        read = json.loads(JSONEncoder().encode(Dashboard.from_json(ours)))
        assert _lost(ours, read) == []

    def test_they_use_the_provisioned_datasource(self):
        provisioned = yaml.safe_load(
            (PROJECT_DIR / "docker/grafana/provisioning/datasources/prometheus.yml").read_text()
        )
        uids = {source["uid"] for source in provisioned["datasources"]}
        used = {panel["datasource"]["uid"] for text in files().values() for panel in json.loads(text)["panels"]}
        assert used == uids


def _lost(ours: object, read: object, path: str = "") -> list[str]:
    if isinstance(ours, dict):
        return [
            trouble
            for key, value in ours.items()
            for trouble in (
                _lost(value, read[key], f"{path}/{key}")
                if isinstance(read, dict) and key in read
                else [f"{path}/{key}"]
            )
        ]
    if isinstance(ours, list) and isinstance(read, list) and len(ours) == len(read):
        return [t for n, (a, b) in enumerate(zip(ours, read, strict=True)) for t in _lost(a, b, f"{path}/{n}")]
    return [] if ours == read else [path]


class TestRules:
    def test_they_ask_for_metrics_that_exist(self):
        assert not unknown_metrics(rule["expr"] for rule in RULES)

    def test_each_has_a_severity_a_summary_and_a_page_of_the_runbook(self):
        runbook = (PROJECT_DIR / "docs" / "runbook.md").read_text()
        pages = {
            re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^## (.+)$", runbook, re.M)
        }
        assert {rule["labels"]["severity"] for rule in RULES} == {"info", "warning", "critical"}
        assert not {rule["alert"]: rule["annotations"]["runbook"] for rule in RULES}.items() - {
            (rule["alert"], rule["annotations"]["runbook"]) for rule in RULES if rule["annotations"]["runbook"] in pages
        }
        assert all(rule["annotations"]["summary"] for rule in RULES)

    def test_promtool_takes_the_configuration_and_the_rules(self):
        assert f"SUCCESS: {len(RULES)} rules found" in run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")

    def test_each_alert_fires_for_its_trouble_and_is_silent_when_all_is_well(self):
        assert "SUCCESS" in run("promtool", "test", "rules", PROMETHEUS / "tests" / "alerts.yml")

    def test_no_alert_is_left_out_of_those_tests(self):
        tests = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text())["tests"]
        fired = {
            re.search(r'alertname="(\w+)"', sample["labels"])[1]
            for test in tests
            for check in test.get("promql_expr_test", ())
            for sample in check["exp_samples"]
            if "alertname" in sample["labels"]
        }
        assert fired == set(ALERTS)
        healthy = {name for series in tests[0]["input_series"] for name in metrics_in(series["series"])}
        asked = {name for rule in RULES for name in metrics_in(rule["expr"])}
        assert asked <= healthy, "silence says nothing where there are no numbers"


def test_alertmanager_takes_its_configuration(tmp_path):
    """Debian's is older than `bot_token_file` (0.26), which the image has; all else is checked as it stands."""
    text = (PROJECT_DIR / "docker/prometheus/alertmanager.yml").read_text()
    assert "bot_token_file: /run/secrets/telegram_bot_token" in text
    (tmp_path / "alertmanager.yml").write_text(re.sub(r"bot_token_file: \S+", "bot_token: x", text))
    assert "SUCCESS" in run("amtool", "check-config", tmp_path / "alertmanager.yml")
