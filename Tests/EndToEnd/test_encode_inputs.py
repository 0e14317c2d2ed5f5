"""`bert-server encode`: what it reads, and what it tells of what it does not."""

import csv
import gzip
import io
import json
import os

import numpy as np
import pytest

from server import MODEL, bits, run
from test_encode_command import contents, encode

TEXTS = ["a fish", 'he said "hi", twice', "", "two\nlines", "Grüße, 世界 😀", "a\ttab", "x" * 3000]
FLAT = [text.replace("\n", " ").replace("\t", " ") for text in TEXTS]
ROWS = [{"id": f"r{number}", "body": text} for number, text in enumerate(TEXTS)]


def table(rows, separator=","):
    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", "body"], delimiter=separator, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def json_lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


WRITTEN = {
    "csv": table(ROWS),
    "tsv": table(ROWS, "\t"),
    "jsonl": json_lines(ROWS),
    "ndjson": "\n\n" + json_lines(ROWS),
    "json": json.dumps(ROWS, indent=2),
}
ENCODINGS = {
    "plain": lambda text: text.encode(),
    "bom": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "utf16": lambda text: text.encode("utf-16"),
    "utf16be": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "gz": lambda text: gzip.compress(text.encode()),
    "gz_members": lambda text: gzip.compress(text.encode()[:9]) + gzip.compress(text.encode()[9:]),
    "gz_utf16": lambda text: gzip.compress(text.encode("utf-16")),
}


@pytest.fixture(scope="module")
def expected(server):
    return server.tensors(TEXTS)["default"]


def vectors(folder):
    return np.load(folder / "part-00000.npy")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("ending", WRITTEN)
def test_the_same_records_in_every_format(ending, encoding, expected, tmp_path):
    path = tmp_path / (f"texts.{ending}" + (".gz" if "gz" in encoding else ""))
    path.write_bytes(ENCODINGS[encoding](WRITTEN[ending]))
    encode(tmp_path / "out", path, "--field", "body", "--id-field", "id")
    assert np.array_equal(bits(vectors(tmp_path / "out")), bits(expected))
    summary = json.loads((tmp_path / "out" / "part-00000.records.json").read_text())
    assert summary["records"] == [row["id"] for row in ROWS] and summary["skipped"] == 0


@pytest.mark.parametrize("encoding", ["bom", "utf16", "gz"])
def test_text_in_every_encoding(encoding, server, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes(ENCODINGS[encoding]("\r\n".join(FLAT) + "\r\n"))
    encode(tmp_path / "out", path)
    assert np.array_equal(bits(vectors(tmp_path / "out")), bits(server.tensors(FLAT)["default"]))


def test_a_folder_of_files(server, tmp_path):
    folder = tmp_path / "texts"
    (folder / "inner").mkdir(parents=True)
    (folder / "b.jsonl").write_text(json_lines(ROWS))
    (folder / "a.csv").write_text(table(ROWS[:2]))
    (folder / "inner" / "c.json.gz").write_bytes(gzip.compress(json.dumps(ROWS[:1]).encode()))
    (folder / ".hidden.jsonl").write_text("nonsense")
    encode(tmp_path / "out", folder, "--field", "body", "--id-field", "id", "--format", "jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out" / "part-00000.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [row["id"] for row in ROWS[:2] + ROWS + ROWS[:1]]
    assert [line["record"] for line in lines] == list(range(len(lines)))


REFUSED = {
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(20), "texts.jsonl", [], "looks like zstd"),
    "zip": (b"PK\x03\x04" + bytes(20), "texts.csv", [], "looks like zip"),
    "parquet": (b"PAR1" + bytes(20), "texts.csv", [], "looks like Parquet"),
    "xz": (b"\xfd7zXZ\x00" + bytes(20), "texts.txt", [], "looks like xz"),
    "utf16": ("a fish\n".encode("utf-16-le"), "texts.txt", [], "looks like UTF-16"),
    "utf32": ("a fish\n".encode("utf-32"), "texts.txt", [], "looks like UTF-32"),
    "cut_gzip": (gzip.compress(b"a fish\n" * 1000)[:-12], "texts.txt", [], "ends in the middle"),
    "broken_gzip": (gzip.compress(b"a fish\n")[:10] + b"\xff" * 30, "texts.txt", [], "broken gzip"),
    "unknown_ending": (b"a fish\n", "texts.dat", [], "--input-format"),
    "no_ending": (b"a fish\n", "texts", [], "--input-format"),
    "field_of_text": (b"a fish\n", "texts.txt", ["--field", "body"], "--input-format"),
    "second_field_of_text": (b"a fish\n", "texts.txt", ["--second-field", "body"], "--input-format"),
    "id_field_of_text": (b"a fish\n", "texts.txt", ["--id-field", "id"], "--input-format"),
    "no_array": (b'{"text": "a"}', "texts.json", [], "--input-format jsonl"),
    "cut_array": (b'["a", "b', "texts.json", [], "ends in the middle"),
    "after_the_array": (b'["a"] ["b"]', "texts.json", [], "something follows"),
    "two_columns": (b"text,text\na,b\n", "texts.csv", [], "two columns 'text'"),
    "open_quote": (b'text\na\n"b\n' + b"c\n" * 50, "texts.csv", ["--on-error", "skip"], "texts.csv:3: a quoted cell"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_named(name, tmp_path):
    """And nothing is left behind that would keep the next start from the folder."""
    content, file, arguments, words = REFUSED[name]
    (tmp_path / file).write_bytes(content)
    said = encode(tmp_path / "out", tmp_path / file, *arguments, status=1)
    assert words in said
    assert not (tmp_path / "out").exists()


def test_json_lines_on_standard_input_are_not_taken_for_text(tmp_path):
    said = encode(tmp_path / "out", "--field", "body", texts=json_lines(ROWS), status=1)
    assert "standard input is read as plain text" in said
    encode(tmp_path / "out", "--field", "body", "--input-format", "jsonl", texts=json_lines(ROWS))
    assert len(vectors(tmp_path / "out")) == len(ROWS)


def test_a_failed_start_leaves_no_claim(tmp_path):
    """Whatever the first start tripped over, the next one with other options has the folder."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": 7}\n')
    for arguments in (["nowhere.txt"], [bad], [bad, "--field", "body", "--dtype", "float16"]):
        encode(tmp_path / "out", *arguments, status=1)
        assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())
    good = tmp_path / "good.jsonl"
    good.write_text(json_lines(ROWS))
    encode(tmp_path / "out", good, "--field", "body")


def test_what_a_stray_quote_takes_along_is_told(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text('text\na\n"b\nc\nd"e\nf\n')
    said = encode(tmp_path / "out", path, "--on-error", "skip")
    assert "texts.csv:3: left out: a quote opens a cell here, and the next one, in line 5, does not" in said
    assert "texts.csv:5: left out: a quote within a cell that is not quoted" in said
    assert len(vectors(tmp_path / "out")) == 3


def rows(folder):
    return json.loads((folder / "part-00000.records.json").read_text())["records"]


@pytest.mark.parametrize("separator", [",", "\t"])
def test_a_stray_quote_spoils_its_line_alone(separator, tmp_path):
    """Wherever the next quote is, and whether that is an odd one."""
    lines = ["a"] * 3000
    strays = {5: f'5" disk{separator}x', 1000: f'"5 disk{separator}x', 2000: f'x{separator}5" "disk"',
              2500: f'"5" disk{separator}x', 2900: f'"x"{separator}"y" z{separator}"'}  # fmt: skip
    table = [f"text{separator}id"] + [strays.get(number, f"a{separator}{number}") for number in range(len(lines))]
    quoted = f'"two\nlines, ""quoted"""{separator}"7"\n'
    path = tmp_path / ("texts.csv" if separator == "," else "texts.tsv")
    path.write_text(quoted.join(["\n".join(table) + "\n", ""]))
    options = ["--id-field", "id", "--max-tokens", 3, "--precision", "int8"]
    encode(tmp_path / "few", path, *options, "--on-error", "skip", "--max-skipped", len(strays) - 1, status=1)
    said = encode(tmp_path / "out", path, *options, "--on-error", "skip", "--max-skipped", len(strays))
    assert rows(tmp_path / "out") == [str(number) for number in range(len(lines)) if number not in strays] + ["7"]
    for number in strays:
        assert f"{path.name}:{number + 2}: left out" in said


def test_a_quote_that_takes_everything_along_ends_the_run(tmp_path):
    """A cell of many lines that is too long: how many records that were is not known."""
    path = tmp_path / "texts.csv"
    path.write_text('text\n"a\n' + "b\n" * (5 << 20) + 'c"\nd\n')
    said = encode(tmp_path / "out", path, "--on-error", "skip", status=1)
    assert "texts.csv:2: a quoted cell that begins in this record has no end within 8 MiB" in said


def test_a_bad_item_is_named_by_its_first_line(tmp_path):
    path = tmp_path / "texts.json"
    path.write_text('["a",\n{\n"body":\n"b"\n}\n,\n"c"]')
    said = encode(tmp_path / "out", path, "--on-error", "skip")
    assert "texts.json:2: left out" in said


@pytest.mark.parametrize(("most", "status"), [(0, 1), (2, 1), (3, 0), (None, 0)])
def test_too_many_bad_records_end_the_run(most, status, tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text('"a"\n{\n"b"\n{\n{\n"c"\n')
    limit = [] if most is None else ["--max-skipped", most]
    said = encode(tmp_path / "out", path, "--on-error", "skip", "--part-size", 2, *limit, status=status)
    assert status == 0 or "--max-skipped" in said
    # Those that earlier parts left out count, too.
    encode(tmp_path / "out", path, "--on-error", "skip", "--part-size", 2, *limit, status=status)


def test_a_huge_line_is_one_bad_record(tmp_path):
    huge = "x" * (9 << 20)
    for name, content in [
        ("a.txt", f"a\n{huge}\nb\n"),
        ("a.jsonl", f'"a"\n"{huge}"\n"b"\n'),
        ("a.json", f'["a", "{huge}", "b"]'),
        ("a.csv", f'text\na\n"{huge}"\nb\n'),
    ]:
        (tmp_path / name).write_text(content)
        said = encode(tmp_path / f"{name}.out", tmp_path / name, "--on-error", "skip")
        assert "it is longer than 8 MiB" in said and "1 left out" in said
        assert len(vectors(tmp_path / f"{name}.out")) == 2


def test_a_dry_run_writes_nothing(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text('"a"\n{\n"b"\n')
    said = encode(tmp_path / "out", path, "--dry-run", status=1)
    assert "texts.jsonl:2: it is not JSON" in said and "2 records to encode, 1 that cannot be" in said
    said = encode(tmp_path / "out", path, "--dry-run", "--on-error", "skip")
    assert "parts: 1" in said and "default [384]" in said
    assert not (tmp_path / "out").exists()


def test_a_limit(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text(json_lines(ROWS))
    encode(tmp_path / "out", path, "--field", "body", "--limit", 3)
    assert len(vectors(tmp_path / "out")) == 3
    said = encode(tmp_path / "out", path, "--field", "body", status=1)
    assert "its limit is '3'" in said


# BERT_TEST_RECORDS=20000 takes two minutes.
RECORDS = int(os.environ.get("BERT_TEST_RECORDS", 2000))


def test_many_records(tmp_path):
    """Each format as a whole and through a pipe gives the same files."""
    rows = [{"id": str(number), "body": f"record {number}, a \"fish\""} for number in range(RECORDS)]
    arguments = ["--field", "body", "--id-field", "id", "--precision", "int8", "--max-tokens", 8,
                 "--part-size", RECORDS // 2]  # fmt: skip
    wholes = {"csv": table(rows), "tsv": table(rows, "\t"), "jsonl": json_lines(rows), "json": json.dumps(rows)}
    first = None
    for ending, content in wholes.items():
        path = tmp_path / f"texts.{ending}.gz"
        path.write_bytes(gzip.compress(content.encode(), 1))
        encode(tmp_path / ending, path, *arguments)
        found = {name: data for name, data in contents(tmp_path / ending).items() if name != "job.json"}
        first = first or found
        assert found == first
    encode(tmp_path / "pipe", "--input-format", "jsonl", *arguments, texts=wholes["jsonl"])
    assert {name: data for name, data in contents(tmp_path / "pipe").items() if name != "job.json"} == first
    assert sorted(first) == [
        "part-00000.npy", "part-00000.records.json", "part-00001.npy", "part-00001.records.json"
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_quoted_empty_cell_is_a_record(ending, tmp_path):
    """Alone in its line too; a line of nothing is none."""
    path = tmp_path / f"texts.{ending}"
    path.write_text('text\r\nhello\r\n""\r\n\r\nb\r\n""\r\n')
    encode(tmp_path / "out", path, "--format", "jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out" / "part-00000.jsonl").read_text().splitlines()]
    assert [line["tokens"] for line in lines] == [3, 2, 3, 2]


def test_an_id_that_is_no_integer(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "a", "id": 1.5}\n')
    assert "64-bit integer" in encode(tmp_path / "out", path, "--id-field", "id", status=1)


def test_an_output_folder_in_the_input(tmp_path):
    (tmp_path / "a.txt").write_text("a\n")
    done = run("encode", tmp_path, "-o", tmp_path / "out", "--model", MODEL)
    assert done.returncode != 0 and "in the input folder" in done.stderr and not (tmp_path / "out").exists()


def test_documents(server, tmp_path):
    """A text a file, whatever its name says: its path is its id."""
    texts = {"a.txt": "one line\ntwo lines", "b/c.md": "", "b/d.csv": 'a,"b\n', "e.gz": "Grüße, 世界\n\n!"}
    folder = tmp_path / "notes"
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    (folder / "f.log").write_bytes(b"long " * (2 << 20))
    said = encode(tmp_path / "out", folder, "--input-format", "document", "--on-error", "skip", "--max-tokens", 64)
    assert f"{folder}/f.log:1: left out: it is longer than 8 MiB" in said
    summary = json.loads((tmp_path / "out" / "part-00000.records.json").read_text())
    assert summary["records"] == [f"{folder}/{name}" for name in texts] and summary["skipped"] == 1
    expected = server.tensors(list(texts.values()), max_tokens=64)["default"]
    assert np.array_equal(bits(vectors(tmp_path / "out")), bits(expected))


def test_documents_in_chunks(tmp_path):
    (tmp_path / "notes").mkdir()
    text = "\r\n".join(f"line {number} of a long note" for number in range(200))
    (tmp_path / "notes" / "long.txt").write_bytes(text.encode() + b"\r\n")
    options = ["--input-format", "document", "--max-tokens", 64, "--chunk-overlap", 16]
    encode(tmp_path / "out", tmp_path / "notes", *options, "--output-key", "sentence_embedding")
    summary = json.loads((tmp_path / "out" / "part-00000.records.json").read_text())
    assert len(vectors(tmp_path / "out")) == len(summary["bytes"]) == len(summary["records"]) > 20
    read = text.replace("\r\n", "\n").encode()
    start, end = summary["bytes"][1]
    assert read[start:end].decode().split() and summary["bytes"][-1][1] == len(read)
