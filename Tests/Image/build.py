"""Builds the Dockerfile with buildah. Where no registry of images is reached, debootstrap and this
machine's Swift stand in for the base images."""

import os
import pathlib
import shutil
import subprocess
import time

ROOT = pathlib.Path(__file__).parents[2]
WORK = ROOT / ".build-image"
CONTEXT = WORK / "context"
BASES = {
    "SWIFT_IMAGE": "docker.io/library/swift:6.3-bookworm",
    "DEBIAN_IMAGE": "docker.io/library/debian:bookworm-slim",
    "PYTHON_IMAGE": "docker.io/library/python:3.13-slim",
}
# What stands in for the images of tools holds: what Swift's own image has, and pip.
TOOLS = (
    "binutils ca-certificates git libc6-dev libcurl4 libedit2 libgcc-12-dev libncurses6 libsqlite3-0"
    " libstdc++-12-dev libxml2 pkg-config python3-minimal python3-pip tzdata"
)


def run(*command, **options):
    """Its standard output; what it says goes to the log, which is shown if it fails."""
    with open(WORK / "log", "a") as log:
        ended = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=log, text=True, **options)
        log.write(ended.stdout)
    if ended.returncode != 0:
        lines = (WORK / "log").read_text().splitlines()
        raise SystemExit("\n".join([*lines[-40:], f"failed: {' '.join(map(str, command))}"]))
    return ended.stdout.strip()


def buildah(command, *arguments):
    storage = ["--root", WORK / "storage", "--runroot", WORK / "run", "--storage-driver", "vfs"]
    return run("buildah", *storage, command, *arguments)


class Builder:
    """Knows the base images; `build` makes an image of one target."""

    def __init__(self):
        self.options = []
        WORK.mkdir(exist_ok=True)
        (WORK / "log").write_text("")
        images = {name: self.pull(image) for name, image in BASES.items()}
        self.are_stand_ins = None in images.values()
        if self.are_stand_ins:
            images = self.stand_ins()
        for name, image in images.items():
            self.options += ["--build-arg", f"{name}={image}"]

    @staticmethod
    def pull(image):
        try:
            buildah("pull", "--policy", "missing", image)
        except SystemExit:
            return None
        return image

    def stand_ins(self):
        swift = pathlib.Path(shutil.which("swift")).resolve().parents[1]
        self.options += ["--volume", f"{swift}:{swift}:ro"]
        packages = pathlib.Path.home() / ".cache" / "org.swift.swiftpm"
        if packages.exists():
            copy = WORK / "swiftpm"
            shutil.copytree(packages, copy, dirs_exist_ok=True)
            self.options += ["--volume", f"{copy}:/caches/org.swift.swiftpm"]
        debian = stand_in("debian", "")
        tools = stand_in("tools", TOOLS, f"PATH={swift}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                         "XDG_CACHE_HOME=/caches")
        return {"SWIFT_IMAGE": tools, "DEBIAN_IMAGE": debian, "PYTHON_IMAGE": tools}

    def build(self, tag, *flags, target=None):
        """The image's name, and how many seconds it took."""
        begin = time.monotonic()
        buildah(
            "build", "--isolation", "chroot", "--format", "docker", "--layers",
            *self.options, *(["--target", target] if target else []), *flags, "--tag", tag, CONTEXT,
        )  # fmt: skip
        return tag, time.monotonic() - begin


def stand_in(name, packages, *environment):
    """An image of Debian with those packages, made once."""
    image = f"localhost/{name}"
    if image in buildah("images", "--format", "{{.Name}}").split():
        return image
    tree = WORK / name
    shutil.rmtree(tree, ignore_errors=True)
    include = [f"--include={','.join(packages.split())}"] if packages else []
    run("debootstrap", "--variant=minbase", *include, "bookworm", tree)
    for file in ["/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf"]:  # this machine's way to PyPI
        if packages and os.path.exists(file):
            shutil.copy(file, f"{tree}{file}")
    for folder in ["var/cache/apt/archives", "var/lib/apt/lists", "usr/share/locale", "usr/share/man"]:
        shutil.rmtree(tree / folder)
    (tree / "var/cache/apt/archives/partial").mkdir(parents=True)
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, tree, "/")
    for variable in environment:
        buildah("config", "--env", variable, container)
    buildah("commit", "--rm", "--quiet", container, image)
    shutil.rmtree(tree)
    return image


def lay_context():
    """What is committed, and what is changed but not yet, as a clean clone would have it."""
    shutil.rmtree(CONTEXT, ignore_errors=True)
    files = run("git", "ls-files", "Package.swift", "Dockerfile", ".dockerignore", "LICENSE", "Sources", "config", cwd=ROOT)
    for file in [*files.split("\n"), "Package.resolved"]:
        if (ROOT / file).exists():
            (CONTEXT / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, CONTEXT / file)
