"""A control group of our own with a memory limit, where the machine lets us make one."""

import contextlib
import os
import pathlib
import re

ROOT = pathlib.Path("/sys/fs/cgroup")


def parent():
    """The memory group that we are in: its folder and its limit's file, of v1 or v2."""
    groups = pathlib.Path("/proc/self/cgroup").read_text()
    if version_one := re.search(r"^\d+:(?:.*,)?memory(?:,.*)?:(/.*)$", groups, re.M):
        return ROOT / "memory" / version_one[1].strip("/"), "memory.limit_in_bytes"
    if version_two := re.search(r"^0::(/.*)$", groups, re.M):
        # A group with processes hands no controllers down: ours becomes its sibling.
        return (ROOT / version_two[1].strip("/")).parent if version_two[1] != "/" else ROOT, "memory.max"
    raise OSError("no memory controller")


@contextlib.contextmanager
def memory_limit(count):
    """Gives what a child calls before exec to be limited to `count` bytes; OSError if it cannot be."""
    folder, limit = parent()
    group = folder / f"bert-server-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / limit).write_text(str(count))
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        group.rmdir()
