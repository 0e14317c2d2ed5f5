"""Prints how long model folders take to be ready, and the peak of resident memory.

    python measure_loading.py FOLDER…

Best of three starts of the release build with 2 threads, the files in the page cache.
"""

import pathlib
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

SERVER = pathlib.Path(__file__).parents[3] / ".build" / "release" / "bert-server"


def is_ready(port):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready")
        return True
    except urllib.error.HTTPError:
        return False


def load(folder):
    """Seconds, and the peak in MiB."""
    start = time.perf_counter()
    command = [SERVER, "serve", "--port=0", "--threads=2", "--drain-seconds=0", "--model", folder]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    port = process.stdout.readline().rsplit(":", 1)[1].strip()
    while not is_ready(port):
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    process.terminate()
    process.wait()
    return seconds, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


for folder in sys.argv[1:]:
    seconds, peak = min(load(folder) for _ in range(3))
    print(f"{seconds:.2f} s, {peak:.0f} MiB: {folder}")
