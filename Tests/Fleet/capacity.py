"""How many replicas, and what balancer, autoscaler and batching do to waiting: `make capacity`.

    capacity.py --tokens-per-second 9000 --plot FILE.svg

A replica is a queue of which a pass takes what waits, up to `PASS_TOKENS`; a pass costs a fixed time and a
time a token, as measured (`bert-server bench`). Requests come at random moments, their lengths as
sentences' are (lognormal, mean 27 tokens), one in fifty a page of 256.
"""

import argparse
import collections
import heapq
import math
import pathlib
import random
import statistics

PASS_TOKENS = 1024
PASS_SECONDS = 0.0003
SECONDS_A_DAY = 86_400


def length(dice):
    if dice.random() < 0.02:
        return 256
    return int(min(256, max(4, dice.lognormvariate(3.1, 0.65))))


def mean_length():
    dice = random.Random(1)
    return statistics.fmean(length(dice) for _ in range(100_000))


class Fleet:
    """Discrete events: an arrival, or the end of a pass."""

    def __init__(self, replicas, rate, balance, dice):
        self.rate, self.balance, self.dice = rate, balance, dice
        self.waiting = [collections.deque() for _ in range(replicas)]
        self.busy = [False] * replicas
        self.open = [0] * replicas
        self.turn = 0
        self.ends, self.times, self.passes = [], [], 0

    def choose(self):
        count = len(self.open)
        if self.balance == "random":
            return self.dice.randrange(count)
        if self.balance == "round robin":
            self.turn = (self.turn + 1) % count
            return self.turn
        if self.balance == "two choices":
            pair = self.dice.randrange(count), self.dice.randrange(count)
            return min(pair, key=self.open.__getitem__)
        least = min(self.open)
        return self.open.index(least)

    def begin(self, replica, now):
        taken, tokens = [], 0
        queue = self.waiting[replica]
        while queue and (not taken or tokens + queue[0][1] <= PASS_TOKENS):
            taken.append(queue.popleft())
            tokens += taken[-1][1]
        self.busy[replica] = bool(taken)
        if taken:
            self.passes += 1
            heapq.heappush(self.ends, (now + PASS_SECONDS + tokens / self.rate, replica, taken))

    def add(self, now, tokens):
        replica = self.choose()
        self.open[replica] += 1
        self.waiting[replica].append((now, tokens))
        if not self.busy[replica]:
            self.begin(replica, now)

    def end_until(self, now):
        while self.ends and self.ends[0][0] <= now:
            end, replica, taken = heapq.heappop(self.ends)
            self.open[replica] -= len(taken)
            self.times += [end - came for came, _ in taken]
            self.begin(replica, end)

    def grow(self, count):
        self.waiting += [collections.deque() for _ in range(count)]
        self.busy += [False] * count
        self.open += [0] * count


def simulate(replicas, rate, load, balance, requests):
    """p50, p99 in ms and requests a pass, of a load as a share of what the tokens alone allow."""
    dice = random.Random(7)
    fleet = Fleet(replicas, rate, balance, dice)
    arrivals = load * replicas * rate / mean_length()
    now = 0.0
    for _ in range(requests):
        now += dice.expovariate(arrivals)
        fleet.end_until(now)
        fleet.add(now, length(dice))
    fleet.end_until(float("inf"))
    times = sorted(fleet.times[len(fleet.times) // 5 :])
    return {
        "p50": 1e3 * times[len(times) // 2], "p99": 1e3 * times[len(times) * 99 // 100],
        "requests_a_pass": requests / fleet.passes,
    }  # fmt: skip


def rise(rate, delay):
    """The longest wait in s when the load of ten replicas doubles from 60 %, and `delay` s later twelve
    more are there."""
    dice = random.Random(7)
    fleet = Fleet(10, rate, "least connections", dice)
    arrivals = 0.6 * 10 * rate / mean_length()
    now, has_grown = 0.0, False
    while now < 20 + delay + 40:
        now += dice.expovariate(arrivals * (2 if now > 20 else 1))
        if now > 20 + delay and not has_grown:
            fleet.grow(12)
            has_grown = True
        fleet.end_until(now)
        fleet.add(now, length(dice))
    fleet.end_until(float("inf"))
    return max(fleet.times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tokens-per-second", type=float, required=True, help="of a replica, by bench")
    parser.add_argument("--plot", type=pathlib.Path)
    arguments = parser.parse_args()
    rate = arguments.tokens_per_second
    mean = mean_length()
    texts = 0.7 * rate / mean * SECONDS_A_DAY
    print(f"a replica at 70 % load: {texts / 1e6:.1f} million texts a day, mean {mean:.0f} tokens\n")
    print("| texts a day | " + " | ".join(f"{each:,} million" for each in DAILY) + " |")
    print("|---|" + "---|" * len(DAILY))
    print("| replicas at 70 % | " + " | ".join(str(math.ceil(each * 1e6 / texts)) for each in DAILY) + " |")
    print(f"\nReplica hours for a million texts, to be multiplied by what one costs: {24e6 / texts:.2f}\n")
    print("| replicas, balancer | " + " | ".join(f"{load:.0%}" for load in LOADS) + " |")
    print("|---|" + "---|" * len(LOADS))
    curves = {}
    for replicas in (10, 100, 1000):
        for balance in ("random", "round robin", "two choices", "least connections"):
            line = [simulate(replicas, rate, load, balance, 200 * replicas + 20_000) for load in LOADS]
            curves[replicas, balance] = line
            cells = [f"{each['p50']:.0f}, {each['p99']:.0f}" for each in line]
            print(f"| {replicas}, {balance} | " + " | ".join(cells) + " |", flush=True)
    print("\n| autoscaler's delay | " + " | ".join(f"{delay} s" for delay in DELAYS) + " |")
    print("|---|" + "---|" * len(DELAYS))
    print("| longest wait | " + " | ".join(f"{rise(rate, delay):.1f} s" for delay in DELAYS) + " |")
    one = simulate(10, rate, 0.9, "least connections", 40_000)["requests_a_pass"]
    print(f"\nAt 90 % a pass takes {one:.1f} requests on average.")
    if arguments.plot:
        draw(curves, arguments.plot)


DAILY = [1, 10, 100, 1000]
LOADS = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95]
DELAYS = [0, 5, 15, 30, 60]


def draw(curves, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "bert-server"
    import matplotlib.pyplot as pyplot

    figure, axes = pyplot.subplots(1, 3, sharey=True, figsize=(10, 3.5), layout="constrained")
    for axis, replicas in zip(axes, (10, 100, 1000), strict=True):
        for (count, balance), line in curves.items():
            if count == replicas:
                axis.plot([100 * load for load in LOADS], [each["p99"] for each in line], label=balance)
        axis.set(title=f"{replicas} replicas", xlabel="load, %", yscale="log")
    axes[0].set(ylabel="p99, ms")
    axes[0].legend()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
