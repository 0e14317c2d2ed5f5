"""What is told of requests: traces, log lines, metrics. And bert-as-service's body."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from server import MODEL, Server, bits
from texts import SEED, SEED_TOKENS

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_trace(server):
    answer = server.post([SEED], headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
    version, trace, span, flags = answer.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert len(span) == 16 and span != SPAN
    for malformed in ["", "00-0-0-00", f"00-{'0' * 32}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01"]:
        assert "traceparent" not in server.post([SEED], headers={"traceparent": malformed}).headers


def test_one_line_a_request(tmp_path):
    """With sizes, times and the trace, and never the text."""
    path = tmp_path / "server.log"
    secret = "goldfish-secret"
    with open(path, "w") as log, Server("--log-level", "debug", "--log-format", "json", log=log) as server:
        headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "x-request-id": "mine"}
        assert server.post([SEED, secret], headers=headers).status_code == 200
        assert server.post({"input": secret}, path="/v1/embeddings").status_code == 200
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    [mine] = [line for line in lines if line.get("id") == "mine"]
    assert mine["message"] == "request"
    assert (mine["method"], mine["route"], mine["status"]) == ("POST", "/encode", 200)
    assert (mine["model"], mine["texts"]) == (MODEL.name, 2)
    assert mine["tokens"] > SEED_TOKENS
    assert (mine["trace_id"], mine["parent_span_id"]) == (TRACE, SPAN)
    assert len(mine["span_id"]) == 16
    for stage in ["tokenize_us", "queue_us", "encode_us", "serialize_us", "total_us"]:
        assert mine[stage] >= 0
    assert [line["route"] for line in lines if line.get("route") == "/v1/embeddings"]
    assert secret not in path.read_text()


def counts(server):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(server.get("/metrics").text)
        for sample in family.samples
    }


def test_counts(server):
    before = counts(server)
    server.post({"input": [SEED, SEED]}, path="/v1/embeddings")
    server.post([SEED] * 3, timeout_ms=1)
    after = counts(server)

    def grown(*key):
        return after.get(key, 0) - before.get(key, 0)

    route = [("method", "POST"), ("route", "/v1/embeddings"), ("status", "200")]
    assert grown("bert_http_requests_total", *route) == 1
    assert grown("te_request_count_total", ("method", "batch")) == 2
    assert grown("te_request_input_length_count") == 5
    assert grown("te_request_input_length_sum") == 5 * SEED_TOKENS
    answered = grown("te_request_success_total", ("method", "batch"))
    assert answered + grown("te_request_failure_total", ("err", "timeout")) == 2
    assert any(name == "bert_build_info" and labels for name, *labels in after)


def test_promtool(server):
    """Nothing to remark but text-embeddings-inference's own names, which dashboards know."""
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("there is no promtool (Debian's package prometheus)")
    server.post([SEED] * 3, timeout_ms=1)
    metrics = server.get("/metrics").text
    checked = subprocess.run([promtool, "check", "metrics"], input=metrics, capture_output=True, text=True)
    remarks = (checked.stdout + checked.stderr).splitlines()
    names = {"te_request_count", "te_request_success", "te_request_failure"}
    assert [line for line in remarks if line.split()[0] not in names] == []


def test_bert_as_service(server):
    for id in [123, "mine", None]:
        answer = server.encode({"id": id, "texts": [SEED, "a"], "is_tokenized": False})
        assert (answer["id"], answer["status"]) == (id, 200)
        assert np.array_equal(bits(answer["result"]), bits(answer["outputs"]["default"]))
    answer = server.encode({"id": 1, "texts": [["a", "fish"]], "is_tokenized": True}, output_key="all")
    assert answer["result"] == answer["outputs"]["default"]
    assert "result" not in server.encode({"texts": [SEED]})
