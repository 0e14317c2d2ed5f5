"""Folders of many kinds answer as their frameworks do, or are refused with what to do.

answers.json has what sentence-transformers and transformers answered; `make compare-folders` asks
them again, for hundreds of folders.
"""

import base64
import json
import sys

import numpy as np

from server import ROOT, Server, run

sys.path.append(str(ROOT / "Tests" / "Folders"))
import folders  # noqa: E402

ROWS = json.loads((ROOT / "Tests" / "Folders" / "answers.json").read_text())
AT_ONCE = 25


def worst_error(server, name, row):
    """The largest difference from the recorded answers, relative to the numbers' size."""
    worst = 0
    for text, expected in zip(folders.TEXTS, row["answers"]):
        if expected is None:  # the framework fails at it
            continue
        found = server.encode([text], model=name, output_key=",".join(expected))["outputs"]
        for key, value in expected.items():
            mine = np.array(found[key][0])
            assert list(mine.shape) == value["shape"], (row["number"], text, key)
            ends = mine if mine.ndim == 1 else mine[[0, -1]]
            theirs = np.frombuffer(base64.b64decode(value["ends"]), "<f4").reshape(ends.shape)
            worst = max(worst, np.abs(ends - theirs).max() / max(1, np.abs(theirs).max()))
    return worst


def test_answers_and_refusals(tmp_path, log, capsys):
    served, refused, worst = [], 0, 0
    for row in ROWS:
        folder = tmp_path / f"m{row['number']}"
        choices = folders.make(folder, row["number"])
        assert json.loads(json.dumps(choices)) == row["choices"], "record answers.json again"
        inspected = run("inspect", folder)
        if "refusal" in row:
            refused += 1
            message = inspected.stderr.strip().replace(str(folder), "FOLDER")
            assert message == f"bert-server: FOLDER is refused: {row['refusal']}", row
        else:
            assert inspected.returncode == 0, (row["number"], choices, inspected.stderr)
            served.append((folder, row))
    for start in range(0, len(served), AT_ONCE):
        some = served[start : start + AT_ONCE]
        more = [flag for folder, _ in some[1:] for flag in ("--model", f"{folder.name}={folder}")]
        with Server("--max-batch-tokens", 2048, *more, model=f"{some[0][0].name}={some[0][0]}", log=log) as server:
            for folder, row in some:
                error = worst_error(server, folder.name, row)
                worst = max(worst, error)
                assert error < 2e-5, row
    with capsys.disabled():
        print(f"\n{len(ROWS)} folders: {len(served)} served, the largest relative error {worst:.2g}; {refused} refused")
    assert served and refused
