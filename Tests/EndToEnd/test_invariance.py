"""A text's answer does not depend on its company or on the threads: the same bytes."""

import concurrent.futures
import random

import pytest

from server import Server
from texts import TEXTS

NAMES = [
    "sentence_0", "empty", "character_3", "language_0", "language_7", "symbol_5", "invisible_6",
    "special_1", "code_1", "pair_0", "words_1", "words_4", "words_7", "words_9", "words_12",
    "words_14", "words_17", "unicode_3",
]  # fmt: skip
KEYS = "pooled_output,sentence_embedding,sequence_output,encoder_outputs"


def per_text(answer):
    """The base64 strings of each text of an answer."""
    outputs = answer["outputs"]
    blocks = zip(*outputs["encoder_outputs"], strict=True)
    keys = [outputs[key] for key in KEYS.split(",")[:-1]]
    return list(zip(*keys, blocks, strict=True))


def encode(server, names):
    texts = [TEXTS[name] for name in names]
    return per_text(
        server.encode(texts, output_key=KEYS, layers="0,-1", format="base64", max_tokens=512)
    )


@pytest.fixture(scope="module", params=["float32", "bfloat16", "int8"])
def precision(request):
    return request.param


@pytest.fixture(scope="module")
def alone(precision):
    with Server("--precision", precision, "--threads", 1) as server:
        return {name: encode(server, [name])[0] for name in NAMES}


@pytest.mark.parametrize("threads", [1, 2])
def test_random_batches(alone, log, precision, threads):
    generator = random.Random(threads)
    with Server("--precision", precision, "--threads", threads, log=log) as server:
        for _ in range(50):
            names = generator.choices(NAMES, k=generator.randint(1, 10))
            for name, found in zip(names, encode(server, names), strict=True):
                assert found == alone[name], f"{name} among {names}"


def private_memory(server):
    """Bytes that the process has touched and that are no file's."""
    with open(f"/proc/{server.process.pid}/status") as status:
        line = next(line for line in status if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024


def test_many_threads(alone, log, precision):
    """More threads than CPUs: many passes at once, the same bytes, and some 2 MB a thread more than two take."""
    memory = {}
    for threads in (2, 64):
        with Server("--precision", precision, "--threads", threads, log=log) as server:
            generator = random.Random(threads)
            requests = [generator.choices(NAMES, k=16) for _ in range(40)]

            def embed(names):
                texts = [TEXTS[name] for name in names]
                answer = server.encode(texts, output_key="sentence_embedding", format="base64", max_tokens=512)
                return answer["outputs"]["sentence_embedding"]

            with concurrent.futures.ThreadPoolExecutor(8) as clients:
                for names, found in zip(requests, clients.map(embed, requests), strict=True):
                    assert found == [alone[name][1] for name in names]
            memory[threads] = private_memory(server)
    # Where there are no products of bfloat16, what products read is kept as floats besides.
    limit = 2.2e6 if precision == "bfloat16" else 2e6
    assert memory[64] - memory[2] < 62 * limit, memory
