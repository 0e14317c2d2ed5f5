"""Requests are split as others split them: the server, on a socket, against three other parsers.

It is a finding where the server takes what two of three refuse, or splits a stream in other requests than one that
takes it whole. BERT_TEST_STREAMS is how many streams are compared; a finding's seed is printed.
"""

import os
import random
import re
import socket

from framing_oracles import ORACLES, Reading, request_id
from framing_streams import Streams
from server import PATIENCE

SEED = int(os.environ.get("BERT_TEST_SEED", 7))
COUNT = int(os.environ.get("BERT_TEST_STREAMS", 2000))

# What the server takes and others refuse, each with the rule that it follows.
ARGUED = [
    (rb" HTTP/1\.[2-9]\r\n", "RFC 9110 2.5: a higher minor version is read as the highest that is known"),
    (rb"\r\n[0-9A-Fa-f]+[ \t]+;", "RFC 9112 7.1.1: white space before an extension MUST be parsed and removed"),
]


# Answers to what is not read on; others come from a route.
REFUSALS = {400, 408, 413, 414, 417, 431, 501, 505}


def served(port, stream):
    """How the server splits it, and how many of the requests are whole for sure: some are answered at their head."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        rest = b""
        try:
            connection.sendall(stream)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                rest += piece
        except ConnectionError:
            pass  # Answered and closed before all was sent.
    ids, refused, closed, whole = [], False, False, 0
    while rest:
        head, separator, rest = rest.partition(b"\r\n\r\n")
        assert separator and not closed and not refused, f"{stream!r} is answered with {head + separator + rest!r}"
        status = int(head.split()[1])
        if status == 100:
            continue
        fields = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
        length = int(dict((name.lower(), value) for name, value in fields)[b"content-length"])
        body, rest = rest[:length], rest[length:]
        closed = [b"Connection", b"close"] in fields
        refused = closed and status in REFUSALS
        if not refused:
            ids.append(request_id(fields))
            if status == 404 and b"(x)" in body or b"'x'" in body:
                whole = len(ids)
    return Reading(tuple(ids), refused, closed), whole


def finding(stream, ours, whole):
    """What is wrong with how the server splits a stream, or None."""
    theirs = {name: oracle(stream) for name, oracle in ORACLES.items()}
    refusers = [name for name, reading in theirs.items() if reading.refused and len(reading.ids) < whole]
    if len(refusers) >= 2 and not any(re.search(pattern, stream) for pattern, _ in ARGUED):
        return f"takes what {' and '.join(refusers)} refuse: {theirs}"
    for name, reading in theirs.items():
        common = min(len(reading.ids), len(ours.ids))
        if reading.ids[:common] != ours.ids[:common]:
            return f"splits otherwise than {name}: {theirs}"
        ends = reading.refused or reading.closed
        if len(reading.ids) < whole and not ends:
            return f"takes more requests than {name}: {theirs}"
        if len(reading.ids) > len(ours.ids) and not ours.refused and not ours.closed:
            return f"takes fewer requests than {name}: {theirs}"
    return None


def test_streams_are_split_as_others_do(server):
    streams = Streams(random.Random(SEED))
    findings, taken = [], 0
    for number, stream in zip(range(COUNT), streams):
        ours, whole = served(server.port, stream)
        taken += not ours.refused
        if found := finding(stream, ours, whole):
            findings.append(f"stream {number} of seed {SEED}: {stream!r}: the server, {ours}, {found}")
    assert not findings, f"{len(findings)} findings:\n\n" + "\n\n".join(findings[:20])
    # Streams of both kinds were looked at.
    assert COUNT / 4 < taken < COUNT * 7 / 8, f"{taken} of {COUNT} streams were taken"
    assert server.get("/health/ready").status_code == 200
