"""Builds the images of the Dockerfile and runs them: `make image-test`.

Two cold builds must agree, and one after a change of a line must be shorter; the container answers
with a read-only root, without capabilities, as any user, and within limits or not at all.
"""

import json
import os
import pathlib
import re
import statistics
import sys

from build import CONTEXT, ROOT, Builder, buildah, lay_context
from container import Container, image

MOST_BYTES = 60_000_000
README = ROOT / "README.md"
MODEL = ROOT / "models" / "all-MiniLM-L6-v2"
QUESTION = "Improve the physical fitness of your goldfish by getting him a bicycle"


def say(what, *figures):
    print(f"{what:<58}", *figures, flush=True)


def check(what, is_so, because=""):
    if not is_so:
        sys.exit(f"{what}: no. {because}")
    say(what, "ok")


def layers(name):
    return json.loads(buildah("inspect", "--type", "image", name))["OCIv1"]["rootfs"]["diff_ids"]


def size(folder):
    """Bytes of the files below it; a file with two names counts once."""
    files = [each.lstat() for each in pathlib.Path(folder).rglob("*") if each.is_file() and not each.is_symlink()]
    return sum({(each.st_dev, each.st_ino): each.st_size for each in files}.values())


def build():
    builder = Builder()
    lay_context()
    say("base images", "stand-ins by debootstrap" if builder.are_stand_ins else "from the registry")
    first, seconds = builder.build("localhost/bert-server-first", "--no-cache", target="server")
    say("cold build", f"{seconds:.0f} s")
    changed = CONTEXT / "Sources" / "bert-server" / "BertServer.swift"
    source = changed.read_text()
    changed.write_text(source.replace('abstract: "', 'abstract: "Changed: ', 1))
    assert changed.read_text() != source
    other, seconds = builder.build("localhost/bert-server-changed", target="server")
    say("build after a change of a line", f"{seconds:.0f} s")
    check("only the binary's layer changed", differing(first, other) == [len(layers(first)) - 1])
    changed.write_text(source)
    again, _ = builder.build("localhost/bert-server", "--no-cache", target="server")
    check("a second cold build has the same layers", layers(first) == layers(again))
    whole, _ = builder.build("localhost/bert-server-with-model")
    return again, whole


def differing(first, second):
    return [index for index, pair in enumerate(zip(layers(first), layers(second), strict=True)) if pair[0] != pair[1]]


def look(configuration, root):
    bytes = size(root)
    check(f"image without a model: {bytes / 1e6:.1f} MB of {MOST_BYTES / 1e6:.0f}", bytes <= MOST_BYTES)
    programs = [each for each in pathlib.Path(root).rglob("*") if os.access(each, os.X_OK) and each.is_file()]
    names = {each.name for each in programs if ".so" not in each.name}
    check("one program, no shell", names == {"bert-server"}, names)
    user = configuration["User"].split(":")
    check("the user is a number, and not root", all(each.isdigit() and int(each) > 0 for each in user))
    check("title, licence and revision are labelled", {"title", "licenses", "revision"} <= {
        each.rsplit(".", 1)[-1] for each in configuration["Labels"]})  # fmt: skip


def serve(configuration, root):
    """The image with its model."""
    times = []
    for _ in range(5):
        with Container(configuration, root) as container:
            times.append(container.wait_until_ready())
    say("from `runc run` to ready, median of 5", f"{statistics.median(times) * 1000:.0f} ms")
    _, flags = re.search(r"^docker build -t (\S+) \. && docker run (.*) \1$", README.read_text(), re.M).groups()
    check("README's docker line is what is tried here", flags == "--read-only -p 8080:8080", flags)
    with Container(configuration, root, environment=()) as container:
        check("the port is 8080", container.port == 8080, container.log)
    expected = None
    for user in [configuration["User"], "12345:0", "1000680000:0"]:
        with Container(configuration, root, user=user) as container:
            container.wait_until_ready()
            health = configuration["Healthcheck"]["Test"]
            assert health[0] == "CMD"
            port = f"BERT_SERVER_PORT={container.port}"
            done = container.execute(*health[1:], environment=[port])
            check(f"{user}: the health check's command", done.returncode == 0, done.stderr)
            status, answer = container.ask("POST", "/encode", QUESTION)
            expected = expected or answer
            check(f"{user}: /encode", status == 200 and answer == expected, answer)
            status = container.stop()
            check(f"{user}: SIGTERM ends it with 0", status == 0, f"{status}: {container.log}")
    with Container(configuration, root, memory=48 << 20) as container:
        status = container.process.wait(60)
        told = container.log
    check("too little memory is an error at the start", status == 1 and "memory limit" in told, f"{status}: {told}")
    with Container(configuration, root, memory=192 << 20, cpus=1.5) as container:
        container.wait_until_ready()
        texts = json.dumps([QUESTION * 20] * 64)
        statuses = [container.ask("POST", "/encode", texts)[0] for _ in range(3)]
        information = json.loads(container.ask("GET", "/info")[1])
        check("192 MiB are enough to serve", statuses == [200] * 3 and container.stop() == 0, container.log)
    told = json.dumps(information)
    check("1.5 CPUs are one thread", "cgroup quota of 1.5 CPUs, rounded down" in told, told)


def serve_mounted(configuration, root):
    """The image without a model, and a folder below /models."""
    with Container(configuration, root) as container:
        status = container.process.wait(60)
        check("without a model it says so and ends with 1", status == 1 and "models/" in container.log, container.log)
    with Container(configuration, root, mounts=[(MODEL, "/models/mine")], environment=["BERT_SERVER_PORT=0", "BERT_SERVER_MODEL=models/mine"]) as container:
        container.wait_until_ready()
        status, answer = container.ask("POST", "/encode", QUESTION)
        check("a mounted model is served", status == 200 and json.loads(answer)["model"] == "mine", answer)
        check("and ends with 0", container.stop() == 0, container.log)


if __name__ == "__main__":
    plain, whole = build()
    with image(plain) as (configuration, root):
        look(configuration, root)
        serve_mounted(configuration, root)
    with image(whole) as (configuration, root):
        serve(configuration, root)
    print("the images are right")
