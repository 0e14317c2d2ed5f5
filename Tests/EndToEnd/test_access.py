"""Who may ask: API keys and pages of other origins."""

import os

import pytest

from server import Server, run
from test_tls import wait_for

KEY, OTHER, FIXED = "first-key-12345", "other-key-67890", "env-key-24680"
ORIGIN = "https://page.example:8443"


def status(server, key=None, path="/info"):
    return server.get(path, headers={"Authorization": f"Bearer {key}"} if key else {}).status_code


def test_changed_keys(tmp_path):
    """A new file is used soon, a bad one never, the environment's keys always; none is logged."""
    path, log_path = tmp_path / "keys", tmp_path / "server.log"
    path.write_text(f"# who has it\n{KEY}\n")

    def put(text):
        (tmp_path / "new").write_text(text)
        os.replace(tmp_path / "new", path)

    environment = {"BERT_SERVER_API_KEYS": f"{FIXED},another-{FIXED}"}
    flags = ["--api-key-file", path, "--log-level", "debug"]
    with log_path.open("w") as log, Server(*flags, environment=environment, log=log) as server:
        assert [status(server, key) for key in (KEY, FIXED, "another-" + FIXED)] == [200] * 3
        assert [status(server, key) for key in (None, OTHER, KEY + "x", KEY[:-1])] == [401] * 4
        put(f"{OTHER}\r\n")
        wait_for(lambda: status(server, OTHER) == 200)
        assert (status(server, KEY), status(server, FIXED)) == (401, 200)
        put("short\n")
        wait_for(lambda: "reload failed" in log_path.read_text())
        assert status(server, OTHER) == 200
        path.unlink()
        wait_for(lambda: log_path.read_text().count("reload failed") == 2)
        assert status(server, OTHER) == 200
        assert server.get("/health").status_code == 200
    logged = log_path.read_text()
    assert "/info" in logged
    for secret in (KEY, OTHER, FIXED, "short"):
        assert secret not in logged


def test_keys_of_the_environment_alone(log):
    with Server(environment={"BERT_SERVER_API_KEYS": FIXED}, log=log) as server:
        assert (status(server), status(server, FIXED)) == (401, 200)
        assert (status(server, path="/metrics"), status(server, FIXED, "/metrics")) == (401, 200)


def test_open_metrics(log):
    environment = {"BERT_SERVER_API_KEYS": FIXED}
    with Server("--metrics-access", "open", environment=environment, log=log) as server:
        assert (status(server, path="/metrics"), status(server)) == (200, 401)


def test_an_empty_variable_is_told(tmp_path):
    """A secret that came out empty opens the server."""
    path = tmp_path / "server.log"
    with open(path, "w") as log, Server(environment={"BERT_SERVER_API_KEYS": ""}, log=log) as server:
        assert server.post("a").status_code == 200
    assert "BERT_SERVER_API_KEYS is empty" in path.read_text()


def test_bad_keys_stop_the_start():
    ended = run("serve", "--port", "0", environment={"BERT_SERVER_API_KEYS": f"{FIXED},tooshor"})
    assert ended.returncode == 2
    assert "BERT_SERVER_API_KEYS" in ended.stderr and "tooshor" not in ended.stderr


@pytest.fixture(scope="module")
def for_pages(log):
    flags = ["--cors-origins", ORIGIN, "--cors-origins", "http://localhost:3000"]
    with Server(*flags, environment={"BERT_SERVER_API_KEYS": FIXED}, log=log) as running:
        yield running


def test_a_page_asks(for_pages):
    """Preflight without a key, then the request with it, as a browser does (WHATWG Fetch)."""
    url = for_pages.url + "/encode"
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    preflight = for_pages.session.options(url, headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    for name in ("authorization", "content-type"):
        assert name in preflight.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    headers = {"Origin": ORIGIN, "Authorization": f"Bearer {FIXED}"}
    answer = for_pages.post(["a fish"], headers=headers)
    assert answer.status_code == 200
    # What the page may read of failures too.
    for response in (answer, for_pages.post(["a fish"], headers={"Origin": ORIGIN})):
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "x-request-id" in response.headers["Access-Control-Expose-Headers"]
        assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize(
    "origin", [None, "null", "https://page.example", ORIGIN + ".evil.example", ORIGIN.upper(), "*"]
)
def test_other_pages_may_not(for_pages, server, origin):
    headers = {"Authorization": f"Bearer {FIXED}", **({"Origin": origin} if origin else {})}
    for response in (
        for_pages.post(["a fish"], headers=headers),
        for_pages.session.options(for_pages.url + "/encode", headers=headers),
    ):
        assert "Access-Control-Allow-Origin" not in response.headers
        assert "Origin" in response.headers["Vary"]
    answer = server.post(["a fish"], headers=headers)
    assert "Access-Control-Allow-Origin" not in answer.headers


# What OpenAI's client for JavaScript sends from a page, in the order of Chromium.
STAINLESS = (
    "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-os,x-stainless-package-version,"
    "x-stainless-retry-count,x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout"
)


def preflight(server, origin, asked=STAINLESS):
    request = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}
    return server.session.options(server.url + "/v1/embeddings", headers=request)


def test_a_preflight_names_fields_of_its_own(for_pages):
    answer = preflight(for_pages, ORIGIN)
    assert answer.headers["Access-Control-Allow-Headers"].split(", ") == STAINLESS.split(",")
    assert {"Origin", "Access-Control-Request-Headers"} <= set(answer.headers["Vary"].split(", "))
    for wrong in ("a b", "x-é".encode().decode("latin-1"), ",", ""):
        assert "authorization" in preflight(for_pages, ORIGIN, wrong).headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Headers" not in preflight(for_pages, "https://other.example").headers
    exposed = for_pages.get("/health", headers={"Origin": ORIGIN}).headers["Access-Control-Expose-Headers"]
    assert {"x-ignored-members", "x-truncated-texts"} <= set(exposed.split(", "))


def test_origins_of_applications(log):
    origins = ["app://obsidian.md", "null", "https://a.example", "chrome-extension://abcdefgh", "file://"]
    with Server("--cors-origins", ",".join(origins[:3]), "--cors-origins", ", ".join(origins[3:]), log=log) as server:
        for origin in origins:
            assert preflight(server, origin).headers["Access-Control-Allow-Origin"] == origin
            answer = server.post(["a"], headers={"Origin": origin})
            assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Access-Control-Allow-Origin" not in preflight(server, "app://other").headers


def test_origins_with_their_default_ports(log):
    """Browsers leave those out."""
    with Server("--cors-origins", "https://a.example:443,http://b.example:80,http://c.example:443", log=log) as server:
        for origin in ("https://a.example", "http://b.example", "http://c.example:443"):
            assert preflight(server, origin).headers["Access-Control-Allow-Origin"] == origin


@pytest.mark.parametrize("origin", ["https://any.example", "app://obsidian.md", "null"])
def test_all_origins(log, origin):
    with Server("--cors-origins", "*", log=log) as server:
        assert preflight(server, origin).headers["Access-Control-Allow-Origin"] == "*"
        assert "x-stainless-os" in preflight(server, origin).headers["Access-Control-Allow-Headers"]
        assert server.post(["a"], headers={"Origin": origin}).headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("origin", ["page.example", "https://page.example/", "https://", "https://A.example", "//a"])
def test_what_is_no_origin_stops_the_start(origin):
    ended = run("serve", "--port", "0", "--cors-origins", origin)
    assert ended.returncode == 2 and "--cors-origins" in ended.stderr
