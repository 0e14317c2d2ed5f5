"""Three replicas behind config/proxy/haproxy.cfg, each in a network namespace of its own and with half a
CPU: what clients see of restarts, deaths, hangs, slowness and a cut cable. `make fleet-test`, as root; a
minute.

Prints a table, and ends with 1 if a request got no answer or a wrong one. `--without-retries` shows
what the proxy's settings are for: the same faults, the lines for asking again left out.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd"))
from control_group import cpu_quota  # noqa: E402

MODEL = ROOT / "models" / "all-MiniLM-L6-v2"
PROXY = ROOT / "config" / "proxy" / "haproxy.cfg"
PATIENCE = 20
# Of each replica: its periods of 100 ms are then half without it.
CPUS = 0.5
WORDS = "improve the physical fitness of your goldfish by getting him a bicycle".split()
# Kept short, so that a minute is enough; the settings shipped wait longer for a replica that hangs.
ANSWER_TIMEOUT = "2s"


def free_port(address):
    with socket.socket() as any:
        any.bind((address, 0))
        return any.getsockname()[1]


class Network:
    """A namespace with one cable to this one, for the length of a context."""

    def __init__(self, number):
        self.name = f"bert-replica-{number}"
        self.cable = f"bert-cable-{number}"
        self.here, self.there = f"10.231.{number}.1", f"10.231.{number}.2"

    def __enter__(self):
        self.ip("netns", "add", self.name)
        self.ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        self.ip("address", "add", f"{self.here}/30", "dev", self.cable)
        self.ip("-n", self.name, "address", "add", f"{self.there}/30", "dev", "eth0")
        self.ip("-n", self.name, "link", "set", "eth0", "up")
        self.set("up")
        return self

    def __exit__(self, *failure):
        # The cable goes with its end.
        self.ip("netns", "delete", self.name)

    def set(self, state):
        self.ip("link", "set", self.cable, state)

    @staticmethod
    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)


class Replica:
    def __init__(self, network, binary, log, enter_quota):
        self.network = network
        self.enter_quota = enter_quota
        self.address, self.port = network.there, 8080
        self.command = [
            "ip", "netns", "exec", network.name, binary, "serve", "--model", MODEL, "--threads", 1, "--io-queues", 1,
            "--host", self.address, "--port", self.port, "--drain-seconds", 2,
        ]  # fmt: skip
        self.log = log

    def start(self):
        self.process = subprocess.Popen(
            [*map(str, self.command)], stdout=subprocess.DEVNULL, stderr=self.log, preexec_fn=self.enter_quota
        )
        deadline = time.monotonic() + PATIENCE
        while ask(self.address, self.port, "GET", "/health/ready")[0] != 200:
            assert time.monotonic() < deadline, "a replica does not become ready"
            time.sleep(0.01)

    def signal(self, number):
        self.process.send_signal(number)

    def restart(self):
        """As an orchestrator does: SIGTERM, its end, a new one, and a moment for who routes."""
        self.signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        assert status == 0, f"a replica told to stop ended with {status}"
        self.start()
        time.sleep(1)

    def die(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        time.sleep(1.5)
        self.start()

    def hang(self):
        self.signal(signal.SIGSTOP)
        time.sleep(4)
        self.signal(signal.SIGCONT)

    def cut(self):
        """Its packets go nowhere, and nobody is told."""
        self.network.set("down")
        time.sleep(4)
        self.network.set("up")

    def limp(self, seconds):
        """Runs for a tenth of the time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.signal(signal.SIGSTOP)
            time.sleep(0.09)
            self.signal(signal.SIGCONT)
            time.sleep(0.01)


class Proxy:
    def __init__(self, replicas, log, balance="leastconn", retries=True):
        self.port = free_port("127.0.0.1")
        lines = PROXY.read_text().splitlines(keepends=True)
        if not retries:
            lines = [line for line in lines if not line.lstrip().startswith(("retr", "option redispatch"))]
        self.file = tempfile.NamedTemporaryFile("w", suffix=".cfg")
        self.file.write("".join(lines))
        self.file.flush()
        environment = {f"BERT_REPLICA_{n}": f"{each.address}:{each.port}" for n, each in enumerate(replicas, 1)}
        environment |= {
            "BERT_PROXY_ADDRESS": f"127.0.0.1:{self.port}", "BERT_PROXY_BALANCE": balance,
            "BERT_PROXY_ANSWER_TIMEOUT": ANSWER_TIMEOUT,
        }  # fmt: skip
        self.process = subprocess.Popen(
            ["haproxy", "-db", "-f", self.file.name], env={**os.environ, **environment}, stdout=log, stderr=log
        )

    def __enter__(self):
        deadline = time.monotonic() + PATIENCE
        while ask("127.0.0.1", self.port, "GET", "/health/ready")[0] != 200:
            assert time.monotonic() < deadline and self.process.poll() is None, "no haproxy"
            time.sleep(0.05)
        return self

    def __exit__(self, *failure):
        self.process.kill()
        self.process.wait()
        self.file.close()


def ask(address, port, method, path, body=None):
    """Status and body; (0, why) without an answer."""
    connection = http.client.HTTPConnection(address, port, timeout=PATIENCE)
    with contextlib.closing(connection):
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, repr(error).encode()


def one_length(random):
    return json.dumps([" ".join(random.choices(WORDS, k=12))])


def mixed_lengths(random):
    """Nine of ten a question, one a page of eight paragraphs: sixty times the work."""
    if random.random() < 0.9:
        return one_length(random)
    return json.dumps([" ".join(random.choices(WORDS, k=100)) for _ in range(8)])


@dataclasses.dataclass
class Phase:
    name: str
    seconds: float
    fault: object = None
    rate: float = 40
    body: object = one_length

    def run(self, proxy, exact):
        """Asks at moments fixed beforehand, however long answers take; a line of the table."""
        dice = random.Random(7)
        bodies = [self.body(dice) for _ in range(20)]
        expected = [exact(body) for body in bodies]
        moments, moment = [], 0.0
        while (moment := moment + dice.expovariate(self.rate)) < self.seconds:
            moments.append(moment)
        fault = threading.Thread(target=self.fault) if self.fault else None
        begin = time.monotonic()

        def request(index):
            planned = begin + moments[index]
            time.sleep(max(0, planned - time.monotonic()))
            status, answer = ask("127.0.0.1", proxy.port, "POST", "/encode", bodies[index % len(bodies)])
            seconds = time.monotonic() - planned
            if status == 200 and answer == expected[index % len(bodies)]:
                return seconds, None
            return seconds, answer[:120] if status != 200 else b"a wrong answer"

        with concurrent.futures.ThreadPoolExecutor(128) as pool:
            answers = pool.map(request, range(len(moments)))
            if fault:
                time.sleep(0.5)
                fault.start()
            answers = list(answers)
        if fault:
            fault.join()
        errors = [why for _, why in answers if why]
        times = statistics.quantiles([seconds * 1000 for seconds, _ in answers], n=100)
        print(
            f"| {self.name} | {len(answers)} | {len(errors)} | {times[49]:.0f} | {times[98]:.0f} |"
            f" {max(seconds for seconds, _ in answers) * 1000:.0f} |",
            flush=True,
        )
        for why in sorted(set(errors)):
            print(f"  {errors.count(why)} × {why.decode(errors='replace')}", file=sys.stderr)
        return len(errors)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", type=pathlib.Path, default=ROOT / ".build" / "release" / "bert-server")
    parser.add_argument("--without-retries", action="store_true")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        networks = [stack.enter_context(Network(number)) for number in (1, 2, 3)]
        replicas = [
            Replica(network, options.server.resolve(), log, stack.enter_context(cpu_quota(CPUS)))
            for network in networks
        ]
        for each in replicas:
            each.start()
            # One that was stopped cannot end itself.
            stack.callback(lambda each=each: (each.process.kill(), each.process.wait()))

        def exact(body):
            status, answer = ask(replicas[0].address, replicas[0].port, "POST", "/encode", body)
            assert status == 200, answer
            return answer

        proxy = stack.enter_context(Proxy(replicas, log, retries=not options.without_retries))
        turns = stack.enter_context(Proxy(replicas, log, "roundrobin"))
        first, second, third = replicas
        faults = [
            (Phase("kill -9, a new one 1.5 s later", 4, first.die), proxy),
            (Phase("SIGSTOP for 4 s", 6, second.hang), proxy),
            (Phase("the network cut for 4 s", 6, third.cut), proxy),
        ]
        if not options.without_retries:
            faults = [
                (Phase("none", 3), proxy),
                (Phase("rolling restart of all three", 11, lambda: [each.restart() for each in replicas]), proxy),
                *faults,
                (Phase("one runs a tenth of the time: leastconn", 5, lambda: third.limp(4)), proxy),
                (Phase("the same: roundrobin", 5, lambda: third.limp(4)), turns),
                (Phase("mixed lengths: leastconn", 6, rate=25, body=mixed_lengths), proxy),
                (Phase("the same: roundrobin", 6, rate=25, body=mixed_lengths), turns),
            ]
        print("| fault | requests | errors | p50 ms | p99 ms | most ms |\n|---|---|---|---|---|---|")
        lost = sum(phase.run(way, exact) for phase, way in faults)
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
