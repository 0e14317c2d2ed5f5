"""An image run by runc: read-only root, no capabilities, any user, limits of memory and CPU."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time

from build import WORK, buildah, run

PATIENCE = 60


@contextlib.contextmanager
def image(name):
    """The image's configuration, and the folder with its files."""
    container = buildah("from", "--pull-never", name)
    try:
        configuration = json.loads(buildah("inspect", container))["Docker"]["config"]
        yield configuration, buildah("mount", container)
    finally:
        buildah("rm", container)


class Container:
    """A context in which the image's command runs, and which kills what is left of it."""

    def __init__(self, configuration, root, *, user=None, memory=None, cpus=None, mounts=(), environment=("BERT_SERVER_PORT=0",)):
        self.name = f"bert-server-{os.getpid()}-{time.monotonic_ns()}"
        self.bundle = WORK / "bundles" / self.name
        self.bundle.mkdir(parents=True)
        user, group = map(int, (user or configuration["User"]).split(":"))
        run("runc", "spec", "--bundle", self.bundle)
        spec = json.loads((self.bundle / "config.json").read_text())
        spec["root"] = {"path": root, "readonly": True}
        spec["process"] |= {
            "terminal": False,
            "user": {"uid": user, "gid": group},
            "args": configuration["Entrypoint"] + configuration["Cmd"],
            "env": [*configuration["Env"], "BERT_SERVER_HOST=127.0.0.1", *environment],
            "cwd": configuration["WorkingDir"],
            "noNewPrivileges": True,
            "capabilities": {},
        }
        # This machine's loopback, so that the test reaches the port.
        spec["linux"]["namespaces"] = [each for each in spec["linux"]["namespaces"] if each["type"] != "network"]
        limits = spec["linux"]["resources"]
        if memory:
            limits["memory"] = {"limit": memory}
        if cpus:
            limits["cpu"] = {"quota": int(cpus * 100_000), "period": 100_000}
        spec["mounts"] += [
            {"destination": there, "source": str(here), "type": "bind", "options": ["rbind", "ro"]}
            for here, there in mounts
        ]
        (self.bundle / "config.json").write_text(json.dumps(spec))
        self.environment = spec["process"]["env"]

    def __enter__(self):
        with open(self.bundle / "log", "w") as log:
            self.begin = time.monotonic()
            self.process = subprocess.Popen(
                [*self.runc("run", "--bundle"), self.bundle, self.name],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        match = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", self.process.stdout.readline())
        self.port = int(match[1]) if match else None
        return self

    def __exit__(self, *failure):
        subprocess.run([*self.runc("delete", "--force"), self.name], capture_output=True)
        self.process.communicate()
        shutil.rmtree(self.bundle)

    @staticmethod
    def runc(*arguments):
        return ["runc", "--root", str(WORK / "runc"), *arguments]

    @property
    def log(self):
        return (self.bundle / "log").read_text()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def wait_until_ready(self):
        """Seconds from `runc run` to ready."""
        while self.ask("GET", "/health/ready")[0] != 200:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < self.begin + PATIENCE, self.log
            time.sleep(0.002)
        return time.monotonic() - self.begin

    def execute(self, *command, environment=()):
        """A second process in the container, to its end."""
        flags = [flag for each in environment for flag in ("--env", each)]
        return subprocess.run(
            [*self.runc("exec"), *flags, self.name, *command], capture_output=True, text=True, timeout=PATIENCE
        )

    def stop(self):
        subprocess.run([*self.runc("kill"), self.name, "TERM"], check=True)
        return self.process.wait(PATIENCE)
