"""TLS as clients see it: protocols, ciphers, certificates and their renewal."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from server import CERTIFICATES, PATIENCE, Server, run

FILES = {name: CERTIFICATES / f"{name}.pem" for name in ("server", "other", "client", "authority")}
KEYS = {name: CERTIFICATES / f"{name}.key" for name in ("server", "other", "client")}
FLAGS = ["--tls-certificate", FILES["server"], "--tls-key", KEYS["server"]]
HEALTH = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def secure(log):
    with Server(*FLAGS, log=log) as running:
        yield running


def trusting(*names):
    """A client's context that believes in these certificates only."""
    context = ssl.create_default_context()
    for name in names:
        context.load_verify_locations(FILES[name])
    return context


@contextlib.contextmanager
def connected(server, context=None, name="localhost"):
    with (
        socket.create_connection((server.host, server.port), timeout=PATIENCE) as plain,
        (context or trusting("server")).wrap_socket(plain, server_hostname=name) as connection,
    ):
        yield connection


def ask(connection, request=HEALTH):
    connection.sendall(request)
    return connection.recv(65536)


def certificate(server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connected(server, context) as connection:
        return ssl.DER_cert_to_PEM_cert(connection.getpeercert(True))


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_everyday_clients(secure):
    assert secure.first_line == f"listening on https://127.0.0.1:{secure.port}\n"
    assert secure.get("/health/ready").json()["status"] == "ready"
    long = ["a long text " * 100] * 40
    assert len(secure.encode(long, output_key="sequence_output")["lengths"]) == 40
    if shutil.which("curl"):
        url = secure.url.replace("127.0.0.1", "localhost") + "/health/ready"
        shown = subprocess.run(
            ["curl", "--silent", "--cacert", FILES["server"], url], capture_output=True, check=True
        )
        assert b"ready" in shown.stdout


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_protocols_and_ciphers(secure, version):
    context = trusting("server")
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connected(secure, context) as connection:
        assert ask(connection).startswith(b"HTTP/1.1 200 ")
        name, protocol, _ = connection.cipher()
        assert connection.version() == version.name.replace("v1_", "v1.")
        assert connection.selected_alpn_protocol() == "http/1.1"
        # Forward secrecy and authenticated encryption.
        assert "GCM" in name or "CHACHA20" in name
        assert protocol == "TLSv1.3" or name.startswith("ECDHE-")
        assert connection.compression() is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_protocols_are_refused(secure, version):
    context = trusting("server")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version|unsupported"), connected(secure, context):
        pass


@pytest.mark.parametrize(
    "ciphers", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "eNULL", "aNULL"]
)
def test_weak_ciphers_are_refused(secure, ciphers):
    """No forward secrecy, CBC, no encryption, nobody known."""
    context = trusting("server")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="(?i)handshake.failure"), connected(secure, context):
        pass


def test_a_client_that_wants_only_http2_is_told(secure):
    context = trusting("server")
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"), connected(secure, context):
        pass


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl command")
def test_renegotiation_is_refused(secure):
    with subprocess.Popen(
        ["openssl", "s_client", "-tls1_2", "-connect", f"{secure.host}:{secure.port}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=0,
    ) as client:
        shown = ""
        while "Verify return code" not in shown:
            shown += client.stdout.readline()
        client.stdin.write("R\n")
        shown += client.communicate(timeout=PATIENCE)[0]
    assert "no renegotiation" in shown


def test_sessions_are_resumed(secure):
    context = trusting("server")
    with connected(secure, context) as first:
        ask(first)
        session = first.session
    with (
        socket.create_connection((secure.host, secure.port), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as second,
    ):
        assert second.session_reused
        assert ask(second).startswith(b"HTTP/1.1 200 ")


def test_byte_by_byte(secure):
    """Handshake, request and end in packets of one byte each."""
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting("server").wrap_bio(inward, outward, server_hostname="localhost")
    with socket.create_connection((secure.host, secure.port), timeout=PATIENCE) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def step(action, *arguments):
            while True:
                try:
                    result = action(*arguments)
                except ssl.SSLWantReadError:
                    result = None
                for byte in outward.read():
                    plain.sendall(bytes([byte]))
                if result is not None or action == client.do_handshake and client.version():
                    return result
                inward.write(plain.recv(65536))

        step(client.do_handshake)
        step(client.write, HEALTH)
        assert step(client.read, 65536).startswith(b"HTTP/1.1 200 ")


def test_plain_http_gets_an_answer(secure):
    status, headers, body = secure.raw_response(HEALTH)
    assert status == 400
    assert b"https://" in body and headers["Content-Type"] == "application/json"


def test_the_answer_ends_with_close_notify(secure):
    """So that a client can tell it from one that was cut off."""
    with connected(secure) as connection:
        connection.suppress_ragged_eofs = False
        connection.sendall(HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        while connection.recv(65536):
            pass


def test_client_certificates(log):
    flags = [*FLAGS, "--tls-client-ca", FILES["authority"]]
    environment = {
        "BERT_SERVER_TLS_CERTIFICATE": str(FILES["server"]),
        "BERT_SERVER_TLS_KEY": str(KEYS["server"]),
    }
    server = Server(*flags, log=log)
    server.session.cert = (FILES["client"], KEYS["client"])
    with server:
        assert server.encode("a fish")["lengths"] == [4]
        for identity in [None, "other"]:
            context = trusting("server")
            if identity:
                context.load_cert_chain(FILES[identity], KEYS[identity])
            # In TLS 1.3 the client learns of it when it reads.
            with pytest.raises((ssl.SSLError, ConnectionError)), connected(server, context) as connection:
                ask(connection)
        assert run("healthcheck", "--port", server.port, environment=environment).returncode == 1


def test_healthcheck(secure, server, tmp_path):
    as_set = {
        "BERT_SERVER_TLS_CERTIFICATE": str(FILES["server"]),
        "BERT_SERVER_TLS_KEY": str(KEYS["server"]),
        "BERT_SERVER_PORT": str(secure.port),
    }
    assert run("healthcheck", environment=as_set).returncode == 0
    assert run("healthcheck", "--tls", "--port", secure.port).returncode == 0
    assert run("healthcheck", "--port", secure.port).returncode == 1
    assert run("healthcheck", "--port", server.port).returncode == 0
    assert run("healthcheck", "--tls", "--port", server.port).returncode == 1
    file = tmp_path / "settings.json"
    file.write_text(f'{{"port": {server.port}}}')
    assert run("healthcheck", "--config", file).returncode == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--tls-certificate", FILES["server"]], ["--tls-certificate", "tls_key"]),
        (["--tls-certificate", FILES["server"], "--tls-key", KEYS["other"]], ["other.key", "server.pem"]),
        (["--tls-certificate", "/nowhere.pem", "--tls-key", KEYS["other"]], ["/nowhere.pem"]),
        (["--tls-certificate", FILES["server"], "--tls-key", CERTIFICATES / "locked.key"], ["password"]),
    ],
)
def test_files_that_cannot_be_used_stop_the_start(flags, words):
    ended = run("serve", "--port", "0", *flags)
    assert ended.returncode == 2
    for word in words:
        assert word in ended.stderr


def test_changed_files_are_read_again(tmp_path):
    """No restart and no dropped connection; a bad file changes nothing."""
    paths = {name: tmp_path / name for name in ("certificate", "key")}

    def put(certificate, key):
        for path, source in zip(paths.values(), (certificate, key)):
            # In one step, as whoever renews certificates should.
            shutil.copy(source, tmp_path / "new")
            os.replace(tmp_path / "new", path)

    put(FILES["server"], KEYS["server"])
    log_path = tmp_path / "server.log"
    flags = ["--tls-certificate", paths["certificate"], "--tls-key", paths["key"]]
    with log_path.open("w") as log, Server(*flags, log=log) as server, connected(server) as old:
        assert certificate(server) == FILES["server"].read_text()
        put(FILES["other"], KEYS["other"])
        wait_for(lambda: certificate(server) == FILES["other"].read_text())
        assert ask(old).startswith(b"HTTP/1.1 200 ")
        server.session.close()
        server.session.verify = FILES["other"]

        put(FILES["server"], KEYS["other"])
        wait_for(lambda: "reload failed" in log_path.read_text())
        assert certificate(server) == FILES["other"].read_text()
        put(FILES["server"], KEYS["server"])
        wait_for(lambda: certificate(server) == FILES["server"].read_text())
        assert ask(old).startswith(b"HTTP/1.1 200 ")
        server.session.close()
        server.session.verify = FILES["server"]
    assert log_path.read_text().count("reload failed") == 1


def test_bad_handshakes_cost_a_connection_each(secure):
    """By the hundred, while others are served; then all is as before."""
    waste = [b"", b"\x16\x03\x01", b"\x00" * 64, b"\x16\x03\x01\x40\x00" + b"\xff" * 3000]
    for number in range(400):
        with socket.create_connection((secure.host, secure.port), timeout=PATIENCE) as plain:
            plain.sendall(waste[number % len(waste)])
        if number % 20 == 0:
            assert secure.get("/health/live").status_code == 200
    wait_for(lambda: "bert_open_connections 1\n" in secure.get("/metrics").text)
    assert "bert_failed_handshakes_total" in secure.get("/metrics").text
