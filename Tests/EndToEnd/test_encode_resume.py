"""`bert-server encode` goes on where it was, but only with what it had begun with."""

import fcntl
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from server import BINARY, MODEL, PATIENCE, ROOT, Server, run, said_on_a_terminal
from test_encode_command import SEED, contents, encode

COUNT = 60
PART = ["--part-size", 10]


def records(changed=None, count=COUNT):
    return "".join(
        json.dumps(f"record {number}" + (" changed" if number == changed else "")) + "\n" for number in range(count)
    )


@pytest.fixture
def begun(tmp_path):
    """A job of six parts of which three are there, as after an interruption."""
    path = tmp_path / "texts.jsonl"
    path.write_text(records())
    encode(tmp_path / "out", path, *PART)
    for part in (tmp_path / "out").glob("part-0000[345]*"):
        part.unlink()
    return path


def refused(folder, *arguments, texts=None, model=MODEL):
    """The next start is refused, and changes nothing."""
    before = contents(folder)
    done = run("encode", "--model", model, "-o", folder, *arguments, *PART, standard_input=texts or "")
    assert done.returncode == 1, done.stderr
    assert contents(folder) == before
    return done.stderr


def test_the_same_input_goes_on(begun, tmp_path):
    said = encode(tmp_path / "out", begun, *PART)
    assert "there already: 3" in said and "parts written: 3" in said


def test_a_copy_of_the_input_goes_on(begun, tmp_path):
    """Nothing depends on when the file was written."""
    content = begun.read_bytes()
    begun.unlink()
    begun.write_bytes(content)
    os.utime(begun, (1, 1))
    encode(tmp_path / "out", begun, *PART)


@pytest.mark.parametrize("changed", [0, 15, 29])
def test_a_file_of_the_same_size_with_another_text(begun, tmp_path, changed):
    text = begun.read_text().replace(f"record {changed}\"", f"rekord {changed}\"")
    times = begun.stat()
    assert len(text) == begun.stat().st_size
    begun.write_text(text)
    os.utime(begun, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "another job" in refused(tmp_path / "out", begun)


def test_a_large_file_with_one_other_byte(tmp_path):
    """Too large to be compared as a whole before it is read: the parts tell."""
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(f"{number} " + "x" * 1000) + "\n" for number in range(8000)))
    arguments = [path, "--max-tokens", 3, "--part-size", 2000, "--precision", "int8"]
    encode(tmp_path / "out", *arguments)
    (tmp_path / "out" / "part-00003.npy").unlink()
    with path.open("r+b") as file:
        file.seek(1_700_100)
        file.write(b"y")
    before = contents(tmp_path / "out")
    said = encode(tmp_path / "out", *arguments, status=1)
    assert "made of other records" in said or "another job" in said
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("count", [15, 25, 30, 70, 600])
def test_an_input_that_is_longer_or_shorter(begun, tmp_path, count):
    begun.write_text(records(count=count))
    refused(tmp_path / "out", begun)


def test_another_standard_input(tmp_path):
    arguments = ["--input-format", "jsonl", *PART]
    encode(tmp_path / "out", *arguments, texts=records())
    (tmp_path / "out" / "part-00004.npy").unlink()
    # What differs behind a missing part is seen when that part is made; each part knows its own records.
    for changed in (0, 12, 35):
        said = refused(tmp_path / "out", "--input-format", "jsonl", texts=records(changed))
        assert "made of other records" in said
        assert not (tmp_path / "out" / "part-00004.npy").exists()
    refused(tmp_path / "out", "--input-format", "jsonl", texts=records(count=25))
    encode(tmp_path / "out", *arguments, texts=records())


def test_another_standard_input_behind_what_is_there(tmp_path):
    """What is not encoded yet may be anything: the result is that of one run over this input."""
    arguments = ["--input-format", "jsonl", *PART]
    encode(tmp_path / "out", *arguments, texts=records())
    for part in (tmp_path / "out").glob("part-00005*"):
        part.unlink()
    encode(tmp_path / "out", *arguments, texts=records(55))
    encode(tmp_path / "whole", *arguments, texts=records(55))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("file", ["model.safetensors", "vocab.txt", "tokenizer.json", "config.json"])
def test_weights_or_words_changed_in_place(begun, tmp_path, file):
    """One index of two models is none."""
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    path = tmp_path / "texts.jsonl"
    encode_with = ["encode", "--model", folder, "-o", tmp_path / "other", path, *PART]
    assert run(*encode_with).returncode == 0
    (tmp_path / "other" / "part-00003.npy").unlink()
    with (folder / file).open("r+b") as changed:
        content = bytearray(changed.read())
        if file == "model.safetensors":
            content[-1000] ^= 1
        elif file == "vocab.txt":
            content = content.replace(b"\nfish\n", b"\nfosh\n")
        elif file == "tokenizer.json":
            content = content.replace(b'"fish"', b'"fosh"')
        else:
            content = content.replace(b"1e-12", b"1e-11")
        assert content != (MODEL / file).read_bytes()
        changed.seek(0)
        changed.write(content)
    assert "model_sha256" in refused(tmp_path / "other", path, model=folder)


@pytest.mark.parametrize(
    "arguments",
    [["--dtype", "float16"], ["--max-tokens", 9], ["--truncate", "left"], ["--field", "body"], ["--id-field", "id"],
     ["--format", "jsonl"], ["--limit", 45], ["--output-key", "sentence_embedding"], ["--precision", "int8"]],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_other_options(begun, tmp_path, arguments):
    assert "another job" in refused(tmp_path / "out", begun, *arguments)


def test_two_at_once(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text(records(count=10_000))
    command = [BINARY, "encode", "--model", MODEL, "-o", tmp_path / "out", path, "--part-size", "50"]
    first = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        while not (tmp_path / "out").exists():
            assert first.poll() is None
            time.sleep(0.01)
        while not (tmp_path / "out" / "job.json").exists():
            time.sleep(0.01)
        said = encode(tmp_path / "out", path, "--part-size", 50, status=1)
        assert "another encode writes" in said
        assert first.poll() is None
    finally:
        first.kill()
        first.wait()
    # What a killed one held is free.
    again = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        before = len(list((tmp_path / "out").glob("part-*.npy")))
        while len(list((tmp_path / "out").glob("part-*.npy"))) == before:
            assert again.poll() is None, again.stderr.read()
            time.sleep(0.05)
    finally:
        again.kill()
        again.wait()


def test_broken_off_at_random_and_changed_in_between(tmp_path, capsys):
    """Kill it anywhere, change a record that is done, or none: refused, or the bytes of one run."""
    moments = random.Random(SEED)
    path, whole = tmp_path / "texts.jsonl", records(count=2000)
    path.write_text(whole)
    options = ["--part-size", 200, "--precision", "int8", "--max-tokens", 16]
    encode(tmp_path / "whole", path, *options)
    command = [BINARY, "encode", "--model", MODEL, "-o", tmp_path / "out", path, *map(str, options)]
    stopped = told = 0
    for attempt in range(60):
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            process.wait(moments.uniform(0.1, 1.2 + attempt / 5))
        except subprocess.TimeoutExpired:
            process.send_signal(moments.choice([signal.SIGKILL, signal.SIGTERM]))
            process.wait()
            stopped += 1
        parts = len(list((tmp_path / "out").glob("part-*.npy")))
        if parts and moments.random() < 0.5:
            changed = moments.randrange(parts * 200)
            path.write_text(records(changed, count=2000))
            encode(tmp_path / "out", path, *options, status=1)
            path.write_text(whole)
            told += 1
        if process.returncode == 0:
            break
    assert process.returncode == 0 and stopped > 0
    found = contents(tmp_path / "out")
    assert found == contents(tmp_path / "whole")
    with capsys.disabled():
        print(f"\nencode: stopped {stopped} times, {told} changes of the input told")


def test_progress_after_a_resumption_counts_what_is_done(tmp_path):
    """On a terminal the share begins where the run before ended, and never goes back."""
    path = tmp_path / "texts.jsonl"
    path.write_text(records(count=8_000))
    options = ["--part-size", "400", "--precision", "int8", "--max-tokens", "32"]
    encode(tmp_path / "out", path, *options)
    for part in (tmp_path / "out").glob("part-0001*"):
        part.unlink()
    said = said_on_a_terminal("encode", "--model", MODEL, "-o", tmp_path / "out", path, *options)
    shares = [int(share) for share in re.findall(r", (\d+) %", said)]
    assert shares and shares == sorted(shares)
    # Half was there; a window is a fifth of the input at most.
    assert 50 <= shares[0] < 75 and shares[-1] <= 100


@pytest.mark.parametrize("limits", [[], ["--truncate", "error", "--max-tokens", 8]], ids=["", "sample refused"])
def test_another_model_behind_the_service(limits, tmp_path, log):
    """It is noticed by its answers, also under limits that refuse the long sample."""
    path = tmp_path / "texts.jsonl"
    path.write_text(records())
    arguments = [path, *PART, *limits]
    with Server(log=log) as server:
        assert run("encode", "-o", tmp_path / "out", "--server", server.url, *arguments).returncode == 0
    (tmp_path / "out" / "part-00003.npy").unlink()
    other = tmp_path / MODEL.name
    shutil.copytree(MODEL, other)
    with (other / "model.safetensors").open("r+b") as file:
        file.seek(-2000, os.SEEK_END)
        file.write(np.full(100, 0.25, np.float32).tobytes())
    with Server(model=other, log=log) as server:
        done = run("encode", "-o", tmp_path / "out", "--server", server.url, *arguments)
        assert done.returncode == 1 and "another job" in done.stderr
        assert "its answer_sha256 is" in done.stderr


def test_what_an_earlier_run_left_out_counts(tmp_path):
    """Run again with a smaller limit, or with none left out allowed, the folder is refused."""
    path = tmp_path / "texts.jsonl"
    path.write_text("".join("{\n" if number % 2 else '"a"\n' for number in range(20)))
    arguments = [path, "--part-size", 4]
    encode(tmp_path / "out", *arguments, "--on-error", "skip")
    said = encode(tmp_path / "out", *arguments, "--on-error", "skip", "--max-skipped", 9, status=1)
    assert "10 records cannot be encoded and --max-skipped is 9" in said
    encode(tmp_path / "out", *arguments, "--on-error", "skip", "--max-skipped", 10)
    said = encode(tmp_path / "out", *arguments, status=1)
    assert "part-00000.npy leaves out 2 records, and --on-error is stop" in said


# What another process does between this one's open(2) and flock(2) of the file that it writes.
OTHER_PROCESS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
int flock(int file, int operation) {
  static int done;
  char link[64], path[4096], part[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t count = readlink(link, path, sizeof path - 1);
  path[count < 0 ? 0 : count] = 0;
  char *name = strstr(path, "/.part-00000.whole");
  if (name && !done++) {
    snprintf(part, sizeof part, "%.*s/part-00000.npy", (int)(name - path), path);
    int other = dup(file);
    if (write(other, "finished", 8) != 8 || rename(path, part)) return -1;
    close(other);
  }
  return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(file, operation);
}
"""


def test_a_part_that_another_process_finishes_meanwhile(tmp_path):
    """It is not what this process empties."""
    (tmp_path / "other.c").write_text(OTHER_PROCESS)
    library = tmp_path / "other.so"
    subprocess.run(["clang", "-shared", "-fPIC", "-o", library, tmp_path / "other.c", "-ldl"], check=True)
    path = tmp_path / "texts.jsonl"
    path.write_text(records())
    encode(tmp_path / "whole", path)
    done = run("encode", "--model", MODEL, "-o", tmp_path / "out", path, environment={"LD_PRELOAD": str(library)})
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_folder_that_was_there_stays(tmp_path):
    """A start that fails removes what it made itself, and nothing else."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{\n")
    folder = tmp_path / "out"
    encode(folder, bad, status=1)
    assert not folder.exists()
    folder.mkdir()
    encode(folder, bad, status=1)
    assert folder.is_dir()


def test_a_folder_that_another_process_has_open_stays(tmp_path):
    folder, bad = tmp_path / "out", tmp_path / "bad.jsonl"
    os.mkfifo(bad)
    command = [BINARY, "encode", "--model", MODEL, "-o", folder, "--shard", "0/2", bad]
    first = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    with bad.open("w") as pipe:
        while not folder.exists():
            assert first.poll() is None
            time.sleep(0.01)
        # Another shard that has not written yet.
        other = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(other, fcntl.LOCK_SH)
        pipe.write("{\n")
    assert first.wait() == 1
    assert folder.is_dir()
    os.close(other)


def test_parts_without_a_description(tmp_path):
    """Nothing says what they were made of."""
    path = tmp_path / "texts.jsonl"
    path.write_text(records())
    encode(tmp_path / "out", path, *PART)
    (tmp_path / "out" / "job.json").unlink()
    (tmp_path / "out" / "part-00001.npy").unlink()
    assert "no job.json" in encode(tmp_path / "out", path, *PART, status=1)


@pytest.mark.parametrize("size", [0, 100])
def test_a_part_that_is_cut_short(size, tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text(records())
    encode(tmp_path / "out", path, *PART)
    part = tmp_path / "out" / "part-00001.npy"
    whole = part.read_bytes()
    os.truncate(part, size)
    assert "part-00001.npy does not have" in encode(tmp_path / "out", path, *PART, status=1)
    part.unlink()
    encode(tmp_path / "out", path, *PART)
    assert part.read_bytes() == whole


def test_the_same_folder_by_another_path(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text(records())
    encode(tmp_path / "out", path, *PART)
    (tmp_path / "out" / "part-00001.npy").unlink()
    (tmp_path / "model").symlink_to(MODEL)
    done = run("encode", "--model", tmp_path / "model", "-o", tmp_path / "out", path, *PART)
    assert done.returncode == 0, done.stderr


def test_a_file_that_changes_while_it_is_read(tmp_path):
    """Rows of two versions would not fit each other."""
    path = tmp_path / "texts.txt"
    path.write_text("a fish\n" * 30_000)
    arguments = ["encode", path, "-o", tmp_path / "out", "--model", MODEL, "--part-size", "100"]
    process = subprocess.Popen([BINARY, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "out" / "part-00000.npy").exists():
        assert process.poll() is None
        time.sleep(0.01)
    with path.open("r+") as file:
        file.write("a cats\n" * 30_000)
    # What is done by now counts; the rest need not be waited for.
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and "was changed while it was read" in said, said
