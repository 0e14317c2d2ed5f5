"""Many clients at once: every answer is the one that the request gets when it is alone."""

import glob
import http.client
import json
import os
import random
import signal
import threading
import time
from email.utils import parsedate_to_datetime

from server import PATIENCE, Server
from texts import TEXTS

CLIENTS = 64
SECONDS = float(os.environ.get("BERT_LOAD_SECONDS", "15"))
STOPS = int(os.environ.get("BERT_TEST_STOPS", "4"))
NAMES = [name for name in TEXTS if not name.startswith("word_length")]
QUERIES = [
    "",
    "?output_key=pooled_output&format=base64",
    "?output_key=sentence_embedding",
    "?output_key=sequence_output&format=base64",
    "?output_key=sequence_output&seq_length=64&format=npy",
    "?output_key=encoder_outputs&layers=0,-1&format=base64",
    "?output_key=all&seq_length=32&format=safetensors",
    "?output_key=default&tokens=true",
]


def make_work(generator, count=150):
    """(path, body) of requests with 1 to 6 texts."""
    for number in range(count):
        texts = [TEXTS[name] for name in generator.choices(NAMES, k=generator.choice([1, 1, 2, 6]))]
        yield "/encode" + QUERIES[number % len(QUERIES)], json.dumps(texts).encode()


class Client(threading.Thread):
    """Asks over one keep-alive connection until `until` is set or the server says goodbye.

    A server that stops closes connections between two requests. A request that crosses that close
    on the wire was never accepted (RFC 9112 section 9.5): `turned_away`, if not a byte came back.
    """

    def __init__(self, server, work, seed, until):
        super().__init__()
        self.server, self.work, self.until = server, work, until
        self.generator = random.Random(seed)
        self.answered, self.failures, self.turned_away = 0, [], None

    def run(self):
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=PATIENCE)
        try:
            while not self.until.is_set() and self.ask(connection):
                pass
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected) as error:
            self.turned_away = repr(error)
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"no answer: {error!r}")
        finally:
            connection.close()

    def ask(self, connection):
        """False when the server closes the connection after its answer."""
        (path, body), expected = self.generator.choice(self.work)
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        self.answered += 1
        if (response.status, content) != (200, expected):
            self.failures.append(f"{path}: {response.status} {content[:200]}")
        return not response.will_close


def alone(server, work):
    for path, body in work:
        response = server.post(body, path=path)
        assert response.status_code == 200, response.text
        yield (path, body), response.content


def start(server, work, until):
    clients = [Client(server, work, seed, until) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    return clients


def finish(clients):
    for client in clients:
        client.join()
    assert [failure for client in clients for failure in client.failures] == []
    return sum(client.answered for client in clients)


def accepted_requests(log_path):
    """Those for /encode that the server took, by its own log: a line each, whatever became of it."""
    return log_path.read_text().count("route=/encode")


def test_load_then_sigterm_in_the_middle(tmp_path, capsys):
    """The clients go on past the signal, each until it is told that its connection closes."""
    log_path = tmp_path / "server.log"
    with log_path.open("w") as log, Server("--log-level", "debug", log=log) as server:
        work = list(alone(server, make_work(random.Random(64))))
        stop, never = threading.Event(), threading.Event()

        began = time.monotonic()
        clients = start(server, work, stop)
        time.sleep(SECONDS)
        stop.set()
        answered = finish(clients)
        assert [client.turned_away for client in clients if client.turned_away] == []
        seconds = time.monotonic() - began

        clients = start(server, work, never)
        time.sleep(min(2, SECONDS))
        server.process.send_signal(signal.SIGTERM)
        answered_at_the_end = finish(clients)
        assert server.process.wait(PATIENCE) == 0
    # Every request that was accepted has its answer at the client.
    assert accepted_requests(log_path) == len(work) + answered + answered_at_the_end
    with capsys.disabled():
        print(
            f"\n{CLIENTS} clients, {answered} requests in {seconds:.0f} s, then"
            f" {answered_at_the_end} round a SIGTERM: every answer right, none lost"
        )
    assert answered > CLIENTS and answered_at_the_end > CLIENTS


def test_sigterm_at_any_moment(tmp_path, capsys):
    """`BERT_TEST_STOPS=100` asks for a hundred."""
    answered, source = 0, random.Random(STOPS)
    for stop in range(STOPS):
        log_path, never = tmp_path / f"{stop}.log", threading.Event()
        with log_path.open("w") as log, Server("--log-level", "debug", log=log) as server:
            work = list(alone(server, make_work(source, 20)))
            clients = start(server, work, never)
            time.sleep(source.uniform(0.1, 0.6))
            server.process.send_signal(signal.SIGTERM)
            this_time = finish(clients)
            assert server.process.wait(PATIENCE) == 0
        assert accepted_requests(log_path) == len(work) + this_time
        answered += this_time
    with capsys.disabled():
        print(f"\n{STOPS} SIGTERMs under {CLIENTS} clients: {answered} requests accepted, none lost")


def test_kill_leaves_no_answer_that_looks_whole(tmp_path):
    """SIGKILL under load: what a client has read is the whole right answer or seen to be broken."""
    with (tmp_path / "log").open("w") as log:
        with Server(log=log) as server:
            work = list(alone(server, make_work(random.Random(9), 40)))
            clients = start(server, work, threading.Event())
            time.sleep(3)
            server.process.kill()
            server.process.wait()
            for client in clients:
                client.join()
        assert sum(client.answered for client in clients) > 0
        broken = [failure for client in clients for failure in client.failures]
        assert [failure for failure in broken if not failure.startswith("no answer")] == []
        assert all(client.turned_away or client.failures for client in clients)
        with Server(log=log) as server:  # as ready as ever
            assert next(alone(server, [work[0][0]]))[1] == work[0][1]


FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), "")


def test_a_clock_that_jumps(tmp_path, log):
    """A year ahead, a day back: the date of answers follows, and no deadline passes."""
    now = tmp_path / "now"
    now.write_text("+0")
    environment = {
        "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(now), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    with Server(environment=environment, log=log) as server:
        days = []
        for jump in ("+0", "+365d", "-1d", "+365d"):
            now.write_text(jump)
            for _ in range(20):
                response = server.post(["a fish"])
                assert response.status_code == 200
            date = parsedate_to_datetime(response.headers["Date"]).timestamp()
            days.append(round((date - time.time()) / 86_400))
    assert days == [0, 365, -1, 365]
