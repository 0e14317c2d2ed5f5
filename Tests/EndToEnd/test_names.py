"""Names of models and prefixes of paths, as clients and proxies have them."""

import json
import re
import shutil

import numpy as np
import openai
import pytest

from server import MODEL, Server, bits, run
from texts import SEED

HUB = f"sentence-transformers/{MODEL.name}"
OTHERS = ["text-embedding-ada-002", "BAAI/bge-small-en"]


@pytest.fixture(scope="module")
def expected(server):
    return np.float32(server.encode(SEED, output_key="sentence_embedding")["outputs"]["sentence_embedding"])


def answer(server, name, path="/v1/embeddings"):
    return server.post({"input": SEED, "model": name}, path=path)


def assert_is(response, expected):
    assert response.status_code == 200, response.text
    found = np.float32([each["embedding"] for each in response.json()["data"]])
    assert np.array_equal(bits(found), bits(expected))


@pytest.mark.parametrize("name", [HUB, MODEL.name, "", None, f"Xenova/{MODEL.name}"])
def test_names_that_need_no_setting(server, expected, name):
    assert_is(answer(server, name), expected)
    assert server.post(SEED, content_type="text/plain", model=name).status_code == 200


def test_the_slash_of_a_hub_name_in_a_path(server, expected):
    """tritonclient and others leave it as it is."""
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [SEED]}
    body = {"inputs": [tensor], "outputs": [{"name": "sentence_embedding"}]}
    for name in (HUB, HUB.replace("/", "%2F")):
        answer = server.post(body, path=f"/v2/models/{name}/infer").json()
        assert np.array_equal(bits(np.float32(answer["outputs"][0]["data"])), bits(expected[0]))
        assert server.get(f"/v2/models/{name}").json()["name"] == MODEL.name
        assert server.get(f"/v2/models/{name}/versions/1/ready").status_code == 200
        answer = server.post({"instances": [SEED]}, path=f"/v1/models/{name}:predict")
        assert answer.status_code == 200 and len(answer.json()["predictions"]) == 1
    with Server("--served-model-name", "a/b/c") as other:
        assert other.post(body, path="/v2/models/a/b/c/infer").status_code == 200
    for path in (f"/v2/models/{MODEL.name}/generate", f"/v1/models/{MODEL.name}/metadata/x"):
        assert "there is no route" in server.get(path).text
        assert server.post({}, path=path).status_code == 404
        with Server("--served-model-name", "*") as other:
            assert other.get(path).status_code == 404
    assert "unknown model: 'a/b'" in server.get("/v2/models/a/b").json()["error"]
    assert "classification head" in server.post({}, path=f"/v1/models/{HUB}:classify").text


@pytest.mark.parametrize("name", ["text-embedding-ada-002", "nreimers/MiniLM-L6-H384-uncased", f"a/b/{MODEL.name}", "*"])
def test_other_names_are_refused(server, name):
    """Also that of the model it was trained from, which config.json has: its vectors are others."""
    refused = answer(server, name)
    assert refused.status_code == 404
    assert refused.json()["error"]["code"] == "model_not_found"
    assert "--served-model-name" in refused.json()["error"]["message"]


@pytest.fixture(scope="module")
def named(log):
    with Server("--served-model-name", OTHERS[0], "--served-model-name", f"{MODEL.name}={OTHERS[1]}", log=log) as running:
        yield running


@pytest.mark.parametrize("name", [*OTHERS, HUB, MODEL.name, ""])
def test_given_names(named, expected, name):
    assert_is(answer(named, name), expected)
    assert named.post({"inputs": SEED}, path="/embed", model=name).status_code == 200


def test_given_names_are_listed(named):
    with openai.OpenAI(base_url=f"{named.url}/v1", api_key="none") as client:
        assert [each.id for each in client.models.list()] == [MODEL.name, *OTHERS]
        for name in OTHERS:
            assert client.models.retrieve(name).id == name
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("text-embedding-3-small")
    for path in (f"/v1/models/{OTHERS[1]}", "/v1/models/BAAI%2Fbge-small-en", f"/models/{OTHERS[0]}"):
        assert named.get(path).status_code == 200, path
    assert named.get("/v2/models/BAAI%2Fbge-small-en").json()["name"] == MODEL.name
    predicted = named.post({"instances": ["a"]}, path=f"/v1/models/{OTHERS[0]}:predict")
    assert predicted.status_code == 200


def test_any_name(log, expected):
    with Server("--served-model-name", "*", log=log) as server:
        for name in ("text-embedding-3-large", "a/b/c", "模型", "*"):
            assert_is(answer(server, name), expected)
        assert [each["id"] for each in server.get("/v1/models").json()["data"]] == [MODEL.name]


def test_names_that_cannot_be():
    for names in ("none=x", "a b", "gpt-*", "b", "x,b=x"):
        ended = run("serve", "--port", 0, "--model", MODEL, "--model", f"b={MODEL}", "--served-model-name", names)
        assert ended.returncode == 2 and "--served-model-name" in ended.stderr
    assert f"'x' would be a name of both '{MODEL.name}' and 'b'" in ended.stderr


def test_a_name_that_is_given_twice(log):
    """Charts name a model by its own name too."""
    with Server("--served-model-name", f"{MODEL.name},x,x", log=log) as server:
        assert [each["id"] for each in server.get("/v1/models").json()["data"]] == [MODEL.name, "x"]


def resident(server):
    status = open(f"/proc/{server.process.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10


def test_one_folder_under_two_names(server, tmp_path, log, expected):
    """The weights are loaded once, also by way of a link."""
    (tmp_path / "link").symlink_to(MODEL)
    with Server(log=log) as single:
        alone = resident(single)
    with Server("--model", f"small={MODEL}", "--model", f"linked={tmp_path / 'link'}", log=log) as several:
        assert resident(several) - alone < 20 << 20
        for name in (MODEL.name, "small", "linked"):
            assert_is(answer(several, name), expected)
            assert several.get(f"/v2/models/{name}").json()["name"] == name
            assert several.encode("a", model=name)["model"] == name
        assert several.get("/info").json()["models"] == [MODEL.name, "small", "linked"]


@pytest.mark.parametrize(("folder", "name"), [("my modèle v1.5", "my-mod-le-v1.5"), ("mo+del", "mo-del")])
def test_a_folder_s_name(tmp_path, log, expected, folder, name):
    (tmp_path / folder).symlink_to(MODEL)
    with Server(model=tmp_path / folder, log=log) as server:
        assert server.get("/info").json()["model"] == name
        assert_is(answer(server, f"owner/{name}"), expected)


def test_the_folder_that_the_process_is_in(log, monkeypatch):
    monkeypatch.setattr("server.ROOT", MODEL)
    with Server(model=".", log=log) as server:
        assert server.get("/info").json()["model"] == MODEL.name


def test_a_folder_without_a_name(tmp_path):
    (tmp_path / "模型").symlink_to(MODEL)
    ended = run("serve", "--port", 0, "--model", tmp_path / "模型")
    assert ended.returncode == 2 and "needs a NAME" in ended.stderr


def test_the_folder_s_own_hub_name(tmp_path, log, expected):
    folder = tmp_path / "bge-small"
    shutil.copytree(MODEL, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "_name_or_path": "BAAI/bge-small"}))
    with Server(model=f"mine={folder}", log=log) as server:
        assert_is(answer(server, "BAAI/bge-small"), expected)
        assert_is(answer(server, "anybody/mine"), expected)
        assert answer(server, "anybody/bge-small").status_code == 404


# Paths


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings", "/openai/v1/embeddings"])
def test_paths_of_embeddings(server, expected, path):
    assert_is(answer(server, MODEL.name, path), expected)


@pytest.mark.parametrize("path", ["/v1/models", "/models", "/openai/v1/models"])
def test_paths_of_models(server, path):
    assert server.get(path).json()["data"][0]["id"] == MODEL.name
    for name in (MODEL.name, HUB):
        assert server.get(f"{path}/{name}").json()["id"] == MODEL.name
    assert server.get(f"{path}/none").json()["error"]["code"] == "model_not_found"


def test_ping(server):
    assert server.get("/ping").json()["status"] == "ready"


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions"])
def test_what_is_missed_is_refused_by_name(server, path):
    refused = server.post({"query": "a", "documents": ["b"]}, path=path)
    error = refused.json()["error"]
    assert refused.status_code == 404
    words = error["message"] if isinstance(error, dict) else error
    assert words.startswith(f"there is no {path}: ") and "server" in words


@pytest.fixture(scope="module")
def proxied(log):
    with Server("--base-path", "/embeddings-api", log=log, environment={"BERT_SERVER_API_KEYS": "a-long-key"}) as running:
        running.session.headers["Authorization"] = "Bearer a-long-key"
        yield running


@pytest.mark.parametrize("base", ["/embeddings-api", ""])
def test_a_proxy_s_prefix(proxied, expected, base):
    """With it, and without it for health checks and proxies that take it off."""
    assert_is(answer(proxied, MODEL.name, f"{base}/v1/embeddings"), expected)
    assert proxied.post(SEED, path=f"{base}/encode", content_type="text/plain").status_code == 200
    assert proxied.post(b"a", path=f"{base}/encode?output_key=default", content_type="text/plain").status_code == 200
    assert proxied.get(f"{base}/health/ready").status_code == 200
    assert proxied.get(f"{base}/v1/models/none").json()["error"]["code"] == "model_not_found"
    assert proxied.get(f"{base}/v1/none").json()["error"]["type"] == "invalid_request_error"
    assert proxied.session.options(proxied.url + f"{base}/encode").headers["Allow"] == "POST, OPTIONS"
    page = proxied.get(base + "/")
    assert page.status_code == 200 and "text/html" in page.headers["Content-Type"]
    with openai.OpenAI(base_url=f"{proxied.url}{base}/v1", api_key="a-long-key") as client:
        assert client.models.retrieve(MODEL.name).id == MODEL.name


def test_the_description_has_the_prefix(proxied):
    assert proxied.get("/embeddings-api/openapi.json").json()["servers"] == [{"url": "/embeddings-api"}]
    assert proxied.get("/embeddings-api").status_code == 200
    for other in ("/embeddings-apis/health", "/embeddings-api/embeddings-api/health", "/Embeddings-api/health"):
        assert proxied.get(other).status_code == 404
    assert proxied.session.get(proxied.url + "/embeddings-api/info", headers={"Authorization": ""}).status_code == 401


def test_prefixes_that_cannot_be():
    for prefix in ("api", "/a b", "/a//b", "/.."):
        ended = run("serve", "--port", 0, "--base-path", prefix)
        assert ended.returncode == 2 and "--base-path" in ended.stderr


@pytest.mark.parametrize("prefix", ["/v1", "/health", "/openai", "/embed"])
def test_prefixes_that_would_hide_a_route(prefix):
    ended = run("serve", "--port", 0, "--base-path", prefix)
    assert ended.returncode == 1 and f"would hide the route {prefix}" in ended.stderr


@pytest.mark.parametrize("verb", ["classify", "regress"])
def test_heads_of_tensorflow_serving(server, verb):
    answer = server.post({"examples": []}, path=f"/v1/models/{MODEL.name}:{verb}")
    assert answer.status_code == 404 and "head" in answer.text


def test_pooling(tmp_path, log):
    """As `encode` has it, with the modules that follow, or alone where the folder has none."""
    (tmp_path / "texts.txt").write_text("a fish\nanother fish on a bike\n")
    bare = tmp_path / "bare"
    shutil.copytree(MODEL, bare, ignore=shutil.ignore_patterns("modules.json", "1_Pooling", "2_Normalize", "sentence*"))
    for folder, pooling in [(MODEL, "cls"), (MODEL, "max"), (bare, "mean")]:
        out = tmp_path / f"{folder.name}-{pooling}"
        done = run("encode", tmp_path / "texts.txt", "-o", out, "--model", folder, "--pooling", pooling,
                   "--output-key", "sentence_embedding")  # fmt: skip
        assert done.returncode == 0, done.stderr
        with Server("--pooling", pooling, model=folder, log=log) as server:
            found = server.encode(["a fish", "another fish on a bike"], output_key="sentence_embedding")
            vectors = np.float32(found["outputs"]["sentence_embedding"])
            assert server.get("/info").json()["model_type"]["embedding"]["pooling"] == pooling
        assert np.array_equal(bits(vectors), bits(np.load(out / "part-00000.npy")))
