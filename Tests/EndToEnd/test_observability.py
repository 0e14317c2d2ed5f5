"""What is told of requests: traces, log lines, metrics. And bert-as-service's body."""

import json
import random
import socket
import subprocess
import threading
import time

import numpy as np
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

import test_load
from server import MODEL, PATIENCE, Server, bits
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


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
def test_a_client_that_leaves_a_streamed_answer(content_type, tmp_path):
    """It is no success: the log and the metrics say 499."""
    path = tmp_path / "server.log"
    texts = [SEED] * 500
    body = json.dumps(texts) if content_type == "application/json" else "".join(json.dumps(text) + "\n" for text in texts)
    request = (
        "POST /encode?output_key=encoder_outputs HTTP/1.1\r\nHost: a\r\nx-request-id: left\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}"
    )
    with open(path, "w") as log, Server("--log-level", "debug", "--log-format", "json", log=log) as server:
        with socket.create_connection((server.host, server.port), timeout=PATIENCE) as connection:
            connection.sendall(request.encode())
            assert connection.recv(400).startswith(b"HTTP/1.1 200")
        deadline = time.monotonic() + PATIENCE
        while not (found := [line for line in path.read_text().splitlines() if '"left"' in line]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert [json.loads(line)["status"] for line in found if '"request"' in line] == [499]
        counted = {name: value for name, value in counts(server).items() if "/encode" in str(name)}
        assert counted[("bert_http_requests_total", ("method", "POST"), ("route", "/encode"), ("status", "499"))] == 1
        assert server.post([SEED] * 3, output_key="encoder_outputs").status_code == 200


def counts(server):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(server.get("/metrics").text)
        for sample in family.samples
    }


def test_counts(server):
    before = counts(server)
    server.post({"input": [SEED, SEED]}, path="/v1/embeddings")
    server.post([SEED] * 3)
    after = counts(server)

    def grown(*key):
        return after.get(key, 0) - before.get(key, 0)

    route = [("method", "POST"), ("route", "/v1/embeddings"), ("status", "200")]
    assert grown("bert_http_requests_total", *route) == 1
    assert grown("te_request_count_total", ("method", "batch")) == 2
    assert grown("te_request_input_length_count") == 5
    assert grown("te_request_input_length_sum") == 5 * SEED_TOKENS
    assert grown("te_request_success_total", ("method", "batch")) == 2
    # How far it comes by then differs: its texts count from when they are read.
    late = server.post([SEED] * 3, timeout_ms=1).status_code == 504
    before, after = after, counts(server)
    assert grown("bert_http_requests_total", ("method", "POST"), ("route", "/encode"), ("status", "504")) == late
    asked, answered = (grown(f"te_request_{count}_total", ("method", "batch")) for count in ["count", "success"])
    assert grown("te_request_failure_total", ("err", "timeout")) == asked - answered
    assert answered == (not late)
    assert any(name == "bert_build_info" and labels for name, *labels in after)


def test_promtool(server):
    """Nothing to remark but text-embeddings-inference's own names, which dashboards know."""
    server.post([SEED] * 3, timeout_ms=1)
    metrics = server.get("/metrics").text
    checked = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True)
    remarks = (checked.stdout + checked.stderr).splitlines()
    names = {"te_request_count", "te_request_success", "te_request_failure"}
    assert [line for line in remarks if line.split()[0] not in names] == []


def test_prometheus_under_load(tmp_path, log):
    """Prometheus scrapes every half second beside busy clients, misses nothing, and counts as they do."""
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 500ms, scrape_timeout: 400ms}\n"
        "scrape_configs: [{job_name: bert, file_sd_configs: [{files: [targets.json]}]}]\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["prometheus", "--config.file", tmp_path / "prometheus.yml", "--storage.tsdb.path", tmp_path]
    with Server(log=log) as server:
        (tmp_path / "targets.json").write_text(json.dumps([{"targets": [f"{server.host}:{server.port}"]}]))
        process = subprocess.Popen([*command, "--web.listen-address", address], stdout=log, stderr=log)
        try:

            def ask(query):
                answer = server.session.get(f"http://{address}/api/v1/query", params={"query": query})
                return [float(each["value"][1]) for each in answer.json()["data"]["result"]]

            wait_until(lambda: is_up(address) and ask("up") == [1])
            work, stop = list(test_load.alone(server, test_load.make_work(random.Random(7), 24))), threading.Event()
            clients = test_load.start(server, work, stop)
            time.sleep(8)
            stop.set()
            asked = len(work) + test_load.finish(clients)
            wait_until(lambda: ask('sum(bert_http_requests_total{route="/encode"})') == [asked])
            assert ask("min_over_time(up[1m])") == [1]
            assert ask("count_over_time(up[1m])")[0] >= 14
            assert ask('histogram_quantile(0.5, sum by (le) (te_request_duration_bucket))')[0] > 0
        finally:
            process.kill()
            process.wait()


def is_up(address):
    try:
        return requests.get(f"http://{address}/-/ready").status_code == 200
    except requests.ConnectionError:
        return False


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_bert_as_service(server):
    for id in [123, "mine", None]:
        answer = server.encode({"id": id, "texts": [SEED, "a"], "is_tokenized": False})
        assert (answer["id"], answer["status"]) == (id, 200)
        assert np.array_equal(bits(answer["result"]), bits(answer["outputs"]["default"]))
    answer = server.encode({"id": 1, "texts": [["a", "fish"]], "is_tokenized": True}, output_key="all")
    assert answer["result"] == answer["outputs"]["default"]
    assert "result" not in server.encode({"texts": [SEED]})


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_full_disk_takes_the_log_alone(log_format):
    with open("/dev/full", "w") as full:
        with Server("--log-level", "trace", "--log-format", log_format, log=full) as server:
            for _ in range(50):
                assert server.encode(["a fish"])["lengths"] == [4]
