"""Control groups of our own with a limit of memory or of CPU, where the machine lets us make them."""

import contextlib
import itertools
import os
import pathlib
import re

ROOT = pathlib.Path("/sys/fs/cgroup")
NUMBERS = itertools.count()


def parent(controller):
    """The controller's group that we are in, and the version of its interface."""
    groups = pathlib.Path("/proc/self/cgroup").read_text()
    if version_one := re.search(rf"^\d+:(?:.*,)?{controller}(?:,.*)?:(/.*)$", groups, re.M):
        return ROOT / controller / version_one[1].strip("/"), 1
    if version_two := re.search(r"^0::(/.*)$", groups, re.M):
        # A group with processes hands no controllers down: ours becomes its sibling.
        return (ROOT / version_two[1].strip("/")).parent if version_two[1] != "/" else ROOT, 2
    raise OSError(f"no {controller} controller")


@contextlib.contextmanager
def limited(controller, files):
    """Gives what a child calls before exec to be in a group with `files`, by version of the interface;
    OSError if there can be none."""
    folder, version = parent(controller)
    group = folder / f"bert-server-test-{os.getpid()}-{next(NUMBERS)}"
    group.mkdir()
    try:
        for name, value in files[version].items():
            (group / name).write_text(str(value))
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        group.rmdir()


def memory_limit(count):
    """Of `count` bytes."""
    return limited("memory", {1: {"memory.limit_in_bytes": count}, 2: {"memory.max": count}})


def cpu_quota(cpus):
    """Of a number of CPUs, in periods of 100 ms."""
    quota = int(cpus * 100_000)
    return limited(
        "cpu", {1: {"cpu.cfs_period_us": 100_000, "cpu.cfs_quota_us": quota}, 2: {"cpu.max": f"{quota} 100000"}}
    )
