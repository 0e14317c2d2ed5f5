"""Holds the model of capacity to a replica under load: `make capacity-test`, two minutes.

One thread on one CPU, clients on another. What `bert-server bench` measures there goes into `capacity.py`'s
model; then the same lengths are asked for, as fast as they go and at random moments, and both are printed.
Ends with 1 if the most that the replica answers is further than 15 % from the model's.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from capacity import length, mean_length, simulate

ALLOWED = 0.15
LOADS = (0.5, 0.7, 0.8)
SECONDS = 20
CLIENTS = 64


def text_of(tokens):
    """One of the words for each token but the first and the last, which the model puts in."""
    return " ".join(["fish"] * (tokens - 2))


def measured_rate(server, model, dice):
    """Tokens a second of the encoder on lengths as they come."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(text_of(length(dice)) + "\n" for _ in range(400))
        file.flush()
        command = [server, "bench", "--model", model, "--texts", file.name, "--shapes", "1x8", "--threads", "1"]
        done = subprocess.run([*command, "--rounds", "3", "--json"], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return next(line["tokens_per_second"] for line in lines if "lines of the file" in line.get("shape", ""))


class Clients:
    """A connection a thread."""

    def __init__(self, port):
        self.port = port
        self.own = threading.local()

    def ask(self, tokens):
        if not hasattr(self.own, "connection"):
            self.own.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        # Of every token, as in bench: for `default` the last block computes one row of each text.
        self.own.connection.request("POST", "/encode?output_key=sentence_embedding", text_of(tokens))
        response = self.own.connection.getresponse()
        response.read()
        assert response.status == 200, response.status

    def most(self, dice):
        """Texts a second when each of the clients asks again as soon as it is answered."""
        lengths = [length(dice) for _ in range(4096)]
        answered, begin = [0] * CLIENTS, time.monotonic()

        def client(number):
            while time.monotonic() < begin + SECONDS:
                self.ask(lengths[(answered[number] * CLIENTS + number) % len(lengths)])
                answered[number] += 1

        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(client, range(CLIENTS)))
        return sum(answered) / (time.monotonic() - begin)

    def times(self, rate, dice):
        """Milliseconds of requests at random moments, `rate` a second, from when they were due."""
        moments, moment = [], 0.0
        while (moment := moment + dice.expovariate(rate)) < SECONDS:
            moments.append((moment, length(dice)))
        begin = time.monotonic() + 0.1

        def request(planned):
            due, tokens = begin + planned[0], planned[1]
            time.sleep(max(0, due - time.monotonic()))
            self.ask(tokens)
            return 1e3 * (time.monotonic() - due)

        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            return statistics.quantiles(pool.map(request, moments), n=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    dice = random.Random(7)
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("the replica needs a CPU, and the clients another")
    # Children have it from here.
    os.sched_setaffinity(0, cpus[:1])
    rate = measured_rate(arguments.server, arguments.model, dice)
    command = [arguments.server, "serve", "--model", arguments.model, "--port", "0", "--threads", "1", "--io-queues", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        os.sched_setaffinity(0, cpus[1:])
        clients = Clients(port)
        expected, most = rate / mean_length(), clients.most(dice)
        print(f"bench: {rate:.0f} tokens a second, {mean_length():.1f} tokens a text\n")
        print("| | model | measured |\n|---|---|---|")
        print(f"| most texts a second | {expected:.0f} | {most:.0f} ({most / expected:.2f}) |", flush=True)
        for load in LOADS:
            model = simulate(1, rate, load, "random", 20_000)
            times = clients.times(load * expected, dice)
            print(
                f"| {load:.0%} of that: p50, p99 in ms | {model['p50']:.0f}, {model['p99']:.0f}"
                f" | {times[49]:.0f}, {times[98]:.0f} |",
                flush=True,
            )
    finally:
        process.kill()
        process.wait()
    sys.exit(1 if abs(most / expected - 1) > ALLOWED else 0)


if __name__ == "__main__":
    main()
