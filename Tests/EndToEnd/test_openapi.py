"""The service against its own description."""

import os
import subprocess
import sys

import pytest

from server import MODEL, PATIENCE, ROOT, Server

# Random ones of each route. With a number of your own, paths that lead to the same handler as
# another are tried too.
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES")
SHORT = ["--max-examples", "2", "--exclude-path-regex", "/versions/|/labels/|^/embeddings|^/models|^/openai|^/$"]


@pytest.fixture(scope="module")
def document(server):
    return server.get("/openapi.json").json()


def operations(document):
    return [(path, method, each) for path, methods in document["paths"].items() for method, each in methods.items()]


def test_complete(document):
    assert document["openapi"] == "3.1.0"
    found = operations(document)
    assert len(found) > 35
    for path, method, operation in found:
        assert operation["summary"] and operation["tags"], path
        assert {"200", "default"} <= set(operation["responses"]), path
        assert ("requestBody" in operation) == (method == "post"), path
        places = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        assert path.count("{") == len(places)
        for place in places:
            assert f"{{{place}}}" in path
        for status, response in operation["responses"].items():
            content = response.get("content", {})
            if status not in ("200", "default"):
                assert content["application/json"]["examples"], (path, status)
    names = [each["operationId"] for _, _, each in found]
    assert len(names) == len(set(names))


@pytest.fixture(scope="module")
def sparse(log):
    folder = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "heads" / "splade"
    with Server(model=folder, log=log) as running:
        yield running


@pytest.fixture(scope="module")
def reranker(log):
    """What the routes of heads ask for."""
    folder = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "heads" / "reranker"
    with Server(model=f"ms-marco-MiniLM-L6-v2={folder}", log=log) as running:
        yield running


def test_every_example_works(server, reranker, sparse, document):
    """Bodies as the description shows them are answered."""
    tried = 0
    for path, method, operation in operations(document):
        asked = reranker if path.endswith(("rerank", "/predict")) else sparse if path == "/embed_sparse" else server
        path = path.format(model=MODEL.name, version="1", label="stable", owner="somebody")
        if method == "get":
            assert server.get(path).status_code == 200, path
        for content_type, media in operation.get("requestBody", {}).get("content", {}).items():
            headers = {"Inference-Header-Content-Length": "0"} if "octet" in content_type else None
            response = asked.post(
                media["example"], path=path, content_type=content_type, headers=headers
            )
            assert response.status_code == 200, (path, content_type, response.text)
            given = response.headers["Content-Type"].split(";")[0]
            assert given in operation["responses"]["200"]["content"], path
            tried += 1
    assert tried > 15


def test_schemathesis(server):
    """Right and wrong requests by the hundred: every answer is one that is described."""
    ended = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", "Tests/EndToEnd/schemathesis.toml",
         "run", f"{server.url}/openapi.json", "--checks", "all", *(["--max-examples", EXAMPLES] if EXAMPLES else SHORT),
         "--phases", "examples,coverage,fuzzing", "--workers", "1", "--no-color",
         "--seed", os.environ.get("BERT_TEST_SEED", "1"),
         "--generation-database", "none", "--suppress-health-check", "all"],
        cwd=ROOT, capture_output=True, text=True, timeout=50 * PATIENCE,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
