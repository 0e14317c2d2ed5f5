"""The files under config/ against the schemas of their kinds and against the program itself; and a
mistake of each kind, which must be found."""

import copy
import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

import manifests
from server import ROOT, run

CONFIG = ROOT / "config"
OVERLAYS = sorted(each.name for each in (CONFIG / "kubernetes" / "overlays").iterdir())


def read(path):
    return [each for each in yaml.safe_load_all((CONFIG / path).read_text()) if each]


def files(folder):
    """Resources of a folder; a kustomization is for kustomize to judge."""
    paths = sorted(path for path in (CONFIG / folder).rglob("*.yaml") if path.name != "kustomization.yaml")
    return [document for path in paths for document in read(path)]


def kustomize(overlay):
    if not shutil.which("kubectl"):
        pytest.skip("there is no kubectl, which brings kustomize along")
    command = ["kubectl", "kustomize", CONFIG / "kubernetes" / "overlays" / overlay]
    return list(yaml.safe_load_all(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


BASE, KSERVE, COMPOSE = files("kubernetes"), files("kserve"), read("compose/compose.yaml")
DASHBOARD = json.loads((CONFIG / "grafana/dashboards/bert-server.json").read_text())
SOURCES = read("grafana/provisioning/datasources/prometheus.yaml")[0]
PROMETHEUS, ALERTS = read("prometheus/prometheus.yml"), read("prometheus/alerts.yml")


@pytest.fixture(scope="module")
def program(server):
    defaults = {key: value for key, value in json.loads(run("settings").stdout).items() if not key.startswith("//")}
    server.encode(["a fish"])
    paths = json.loads(server.get("/openapi.json").text)["paths"]
    return manifests.Program(run("settings", "--markdown").stdout, defaults, paths, server.get("/metrics").text)


def all_complaints(documents, program):
    each = [manifests.schema(one) + manifests.hardening(one) for one in documents]
    whole = [program.settings, program.places, program.series, program.grace]
    return [complaint for found in [*each, *(check(documents) for check in whole)] for complaint in found]


def test_kubernetes(program):
    assert {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy",
            "ServiceMonitor"} == {each["kind"] for each in BASE}  # fmt: skip
    assert all_complaints(BASE, program) + manifests.references(BASE) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays(program, overlay):
    documents = kustomize(overlay)
    assert len(documents) >= 5
    assert all_complaints(documents, program) + manifests.references(documents) == []


def test_kserve(program):
    assert {each["kind"] for each in KSERVE} == {"ClusterServingRuntime", "InferenceService"}
    assert all_complaints(KSERVE, program) == []
    [runtime] = [each for each in KSERVE if each["kind"] == "ClusterServingRuntime"]
    for each in KSERVE:
        model = each["spec"].get("predictor", {}).get("model", {"runtime": "bert-server"})
        assert model["runtime"] == runtime["metadata"]["name"]
        assert model.get("modelFormat", {"name": "huggingface"})["name"] in {
            known["name"] for known in runtime["spec"]["supportedModelFormats"]
        }


def bulk(job):
    """Complaints about a Job's arguments: `encode` must have each flag, and the shards be all."""
    spec = job["spec"]
    [container] = spec["template"]["spec"]["containers"]
    command, *arguments = container["args"]
    known = set(re.findall(r"--[a-z-]+", run(command, "--help").stdout))
    given = [argument.split("=")[0] for argument in arguments if argument.startswith("-")]
    found = [f"{command} has no {flag}" for flag in given if flag not in known]
    count = f"--shard=$(JOB_COMPLETION_INDEX)/{spec['completions']}"
    return found + ([] if count in arguments else [f"{count} is missing"])


def test_bulk_job():
    [job] = files("bulk")
    assert manifests.schema(job) + manifests.hardening(job) + bulk(job) == []
    for change in [
        lambda job: job["spec"].update(completions=7),
        lambda job: job["spec"]["template"]["spec"]["containers"][0]["args"].append("--nonsense"),
    ]:
        wrong = copy.deepcopy(job)
        change(wrong)
        assert len(bulk(wrong)) == 1
    wrong = copy.deepcopy(job)
    wrong["spec"]["completions"] = "eight"
    assert manifests.schema(wrong) != []


def test_compose(program):
    [compose] = COMPOSE
    assert all_complaints(COMPOSE, program) == []
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            here = volume.split(":")[0]
            assert here in compose["volumes"] or (CONFIG / "compose" / here).is_dir(), volume
    assert compose["services"]["bert-server"]["ports"][0].endswith(f":{program.defaults['port']}")
    [scraped] = PROMETHEUS[0]["scrape_configs"]
    assert scraped["static_configs"][0]["targets"] == [f"bert-server:{program.defaults['port']}"]
    [provider] = read("grafana/provisioning/dashboards/bert-server.yaml")[0]["providers"]
    mounts = [volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"]]
    assert ["../grafana/dashboards", provider["options"]["path"]] in mounts


def test_prometheus_and_grafana(program):
    assert program.places(PROMETHEUS) == []
    assert program.series([ALERTS, DASHBOARD]) == []
    assert manifests.dashboard(DASHBOARD, SOURCES) == []


def test_values_of_settings(program):
    """Each variable's value, read by the program itself."""
    for documents in [BASE, KSERVE, COMPOSE]:
        for each in manifests.walk(documents):
            pairs = [(each.get("name"), each.get("value")), *each.items()]
            for name, value in [pair for pair in pairs if pair[0] in program.keys and isinstance(pair[1], str)]:
                answer = run("healthcheck", environment={"BERT_SERVER_PORT": "1", name: value})
                assert answer.returncode == 1, f"{name}={value}: {answer.stderr}"


def test_dockerfile(program):
    lines = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^EXPOSE (\d+)$", lines, re.M) == [str(program.defaults["port"])]
    names = re.findall(r"BERT_SERVER_\w+", lines)
    assert names and set(names) <= set(program.keys)


def checked(*command):
    replicas = {f"BERT_REPLICA_{number}": f"127.0.0.1:{number}" for number in (1, 2, 3)}
    return subprocess.run(
        command, env={**os.environ, **replicas}, capture_output=True, text=True
    )


def test_promtool():
    ended = checked("promtool", "check", "config", CONFIG / "prometheus/prometheus.yml")
    assert ended.returncode == 0, ended.stderr
    assert "5 rules found" in ended.stdout


def test_proxy(program):
    text = (CONFIG / "proxy/haproxy.cfg").read_text()
    [path] = re.findall(r"uri (\S+)", text)
    assert path in program.paths
    [idle] = re.findall(r"timeout http-keep-alive (\d+)s", text)
    assert int(idle) < program.defaults["idle_timeout_seconds"]
    [interval, falls] = re.findall(r"inter (\d+)ms fall (\d+)", text)[0]
    assert int(interval) * (int(falls) + 1) / 1000 < program.defaults["drain_seconds"]
    ended = checked("haproxy", "-c", "-f", CONFIG / "proxy/haproxy.cfg")
    assert ended.returncode == 0, ended.stderr


def changed(documents, path, value):
    """With one member changed: the kind of the resource, and the way down from there."""
    documents = copy.deepcopy(documents)
    kind, *keys, last = (part.replace("~", "/") for part in path.split("/"))
    [place] = [each for each in documents if each.get("kind", "") == kind]
    for key in keys:
        place = place[int(key) if key.isdigit() else key]
    place[last] = value
    return documents


POD = "Deployment/spec/template/spec"
MISTAKES = [
    (BASE, f"{POD}/containers/0/imagePulPolicy", "Always", "imagePulPolicy"),
    (BASE, f"{POD}/containers/0/ports/0/containerPort", 8081, "no port 8081"),
    (BASE, f"{POD}/containers/0/livenessProbe/httpGet/path", "/alive", "no /alive"),
    (BASE, f"{POD}/containers/0/readinessProbe/httpGet/port", "web", "no port web"),
    (BASE, f"{POD}/containers/0/env/1/name", "BERT_SERVER_DRAIN", "no setting BERT_SERVER_DRAIN"),
    (BASE, f"{POD}/containers/0/securityContext/readOnlyRootFilesystem", False, "readOnlyRootFilesystem"),
    (BASE, f"{POD}/enableServiceLinks", True, "enableServiceLinks"),
    (BASE, f"{POD}/terminationGracePeriodSeconds", 30, "30 s to stop"),
    (BASE, "Deployment/spec/selector/matchLabels", {manifests.APP: "bert"}, "nothing bears"),
    (BASE, "Service/spec/selector", {manifests.APP: "bert"}, "nothing bears"),
    (BASE, "Service/spec/port", 80, "port"),
    (BASE, "HorizontalPodAutoscaler/spec/scaleTargetRef/name", "bert", "no bert"),
    (BASE, "HorizontalPodAutoscaler/spec/minReplicas", "two", "minReplicas"),
    (BASE, "PodDisruptionBudget/spec/selector/matchLabels", {manifests.APP: "bert"}, "nothing bears"),
    (BASE, "NetworkPolicy/spec/policyTypes", "Ingress", "policyTypes"),
    (BASE, "NetworkPolicy/spec/podSelector/matchLabels", {manifests.APP: "bert"}, "nothing bears"),
    (BASE, "NetworkPolicy/spec/ingress/0/ports/0/port", 80, "no port 80"),
    (BASE, "ServiceMonitor/spec/endpoints/0/path", "/metric", "no /metric"),
    (BASE, "ServiceMonitor/spec/endpoints/0/port", "web", "no port web"),
    (BASE, "ServiceMonitor/spec/endpoint", [], "endpoint"),
    (KSERVE, "ClusterServingRuntime/spec/containers/0/args", ["serve", "--modle"], "no setting --modle"),
    (KSERVE, "ClusterServingRuntime/spec/containers/0/readynessProbe", {}, "readynessProbe"),
    (KSERVE, "ClusterServingRuntime/spec/protocolVersions", ["v3"], "v3"),
    (KSERVE, "ClusterServingRuntime/spec/annotations/prometheus.kserve.io~port", "8081", "no 8081"),
    (KSERVE, "InferenceService/spec/predictor/model/storageUrl", "hf://a/b", "storageUrl"),
    (KSERVE, "InferenceService/spec/predictor/terminationGracePeriodSeconds", 30, "30 s to stop"),
    (COMPOSE, "/services/bert-server/environment", {"BERT_SERVER_PROT": "1"}, "no setting BERT_SERVER_PROT"),
    (COMPOSE, "/services/bert-server/stop_grace_period", "10s", "10 s to stop"),
    (COMPOSE, "/services/bert-server/readonly", True, "readonly"),
    (ALERTS, "/groups/0/rules/1/expr", "bert_rejected_total > 0", "no metric bert_rejected_total"),
    (PROMETHEUS, "/scrape_configs/0/metrics_path", "/metric", "no /metric"),
]


@pytest.mark.parametrize(("documents", "path", "value", "complaint"), MISTAKES, ids=[each[1] for each in MISTAKES])
def test_mistake_is_found(program, documents, path, value, complaint):
    wrong = changed(documents, path, value)
    if documents in (ALERTS, PROMETHEUS):
        found = program.series(wrong) + program.places(wrong)
    else:
        found = all_complaints(wrong, program) + (manifests.references(wrong) if documents is BASE else [])
    assert any(complaint in each for each in found), found


def test_mistake_in_a_dashboard(program):
    for path, value in [("datasource", {"uid": "prom"}), ("targets", []), ("id", 2), ("gridPos", {"x": 12, "y": 0})]:
        wrong = copy.deepcopy(DASHBOARD)
        wrong["panels"][0][path] = value
        assert manifests.dashboard(wrong, SOURCES)
    wrong = copy.deepcopy(DASHBOARD)
    wrong["panels"][0]["targets"][0]["expr"] = "rate(te_request_counts[1m])"
    assert program.series(wrong) == ["there is no metric te_request_counts"]
