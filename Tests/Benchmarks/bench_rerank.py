#!/usr/bin/env python3
"""Reranks beside other engines: bench_rerank.py --server SERVER --model DEFAULT_MODEL --work FOLDER --texts FORTUNES

The reranker is the default model with a head that is trained here, on halves of texts of Debian's `fortunes` that
belong together or not. Prints Markdown: how the order of 100 documents at reduced precisions agrees with
float32's, and the seconds that 1,000 documents of 100 tokens take. Ours is asked over HTTP, for one request; the
peers are called in this process, with the texts tokenized by `tokenizers`, sorted by length, in the batches that
are the fastest for them. Ours and theirs are timed in turns.
"""

import argparse
import pathlib
import shutil
import statistics
import sys
import time

import numpy as np
import requests
import tokenizers
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

import accuracy
import convert
import time_engine

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "EndToEnd"))
from server import Server  # noqa: E402

PAIRS, QUERIES, CANDIDATES = 3000, 50, 100
DOCUMENTS, TOKENS, TURNS, BATCHES = 1000, 100, 3, [4, 8, 16, 32, 64]
PEERS = {"float32": ["onnxruntime", "openvino"], "bfloat16": ["openvino"], "int8": ["onnxruntime", "openvino"]}


def halves(folder):
    found = []
    for text in accuracy.texts(folder):
        words = text.split()
        if 12 <= len(words) <= 80:
            found.append((" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])))
    return found


def make(folder, default, tokenizer, pairs):
    """The default model with a pooler and a classifier that tell halves that belong together."""
    torch.manual_seed(3)
    encoder = BertModel.from_pretrained(default, attn_implementation="eager").eval()
    chance = np.random.default_rng(4)
    others = chance.permutation(len(pairs))
    rows = [(first, second, 1.0) for first, second in pairs]
    rows += [(first, pairs[others[index]][1], 0.0) for index, (first, _) in enumerate(pairs)]
    features = []
    for start in range(0, len(rows), 32):
        part = tokenizer.encode_batch([list(row[:2]) for row in rows[start : start + 32]])
        inputs = time_engine.named_inputs([row.ids for row in part], [row.type_ids for row in part])
        with torch.no_grad():
            hidden = encoder(**{name: torch.from_numpy(values) for name, values in inputs.items()})
        features.append(hidden.last_hidden_state[:, 0])
    features, labels = torch.cat(features), torch.tensor([row[2] for row in rows])
    model = BertForSequenceClassification(BertConfig.from_pretrained(default, num_labels=1)).eval()
    model.bert.load_state_dict(encoder.state_dict())
    head = torch.nn.Sequential(model.bert.pooler.dense, torch.nn.Tanh(), model.classifier)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.01)
    for _ in range(40):
        for part in torch.randperm(len(rows)).split(64):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(head(features[part])[:, 0], labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.save_pretrained(folder)
    for name in convert.FILES:
        shutil.copy(default / name, folder)
    convert.to_onnx(folder, model, "logits")
    convert.to_openvino(folder)


def peer(name, precision, folder):
    prepare, run = getattr(time_engine, name)(precision, folder, 2)

    def scores(tokenizer, query, documents, batch):
        rows = tokenizer.encode_batch([[query, document] for document in documents])
        order = sorted(range(len(rows)), key=lambda index: len(rows[index].ids))
        found = np.zeros(len(rows), np.float32)
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            result = run(prepare([rows[index].ids for index in part], [rows[index].type_ids for index in part]))
            found[part] = (result[0] if name == "onnxruntime" else next(iter(result.values()))).reshape(-1)
        return found

    return scores


def ours(server, query, documents):
    answer = requests.post(server.url + "/rerank", json={"query": query, "texts": documents, "raw_scores": True})
    answer.raise_for_status()
    found = np.zeros(len(documents), np.float32)
    for each in answer.json():
        found[each["index"]] = each["score"]
    return found


def agreement(server, tests, expected):
    """Kendall's tau, the ten first that are the same, the first that is the same: means over the queries."""
    taus, tens, firsts = [], [], []
    for number, query in enumerate(tests[:QUERIES]):
        found = ours(server, query[0], [tests[(number + step) % len(tests)][1] for step in range(CANDIDATES)])
        reference = expected.setdefault(number, found)
        signs = [np.sign(values[:, None] - values[None, :]) for values in (reference, found)]
        taus.append((signs[0] * signs[1]).sum() / (CANDIDATES * (CANDIDATES - 1)))
        orders = [np.argsort(-values, kind="stable") for values in (reference, found)]
        tens.append(len(set(orders[0][:10]) & set(orders[1][:10])) / 10)
        firsts.append(orders[0][0] == orders[1][0])
    return np.mean(taus), np.mean(tens), np.mean(firsts)


def documents(tokenizer, pairs):
    """Texts of exactly so many tokens, cut at a token that begins a word."""
    words = " ".join(second for _, second in pairs).split()
    found, count, begin = [], 0, 0
    while len(found) < DOCUMENTS:
        count, end = 0, begin
        while count < TOKENS:
            count += len(tokenizer.encode(words[end % len(words)], add_special_tokens=False).ids)
            end += 1
        if count == TOKENS:
            found.append(" ".join(words[place % len(words)] for place in range(begin, end)))
        begin = end
    return found


def timed(call):
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def main():
    parser = argparse.ArgumentParser()
    for name in ["server", "model", "work", "texts"]:
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    tokenizer = tokenizers.Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    pairs = halves(arguments.texts)
    training, tests = pairs[:-400], pairs[-400:]
    folder = arguments.work / "reranker"
    if not folder.exists():
        # So that it is whole or not there.
        part = arguments.work / "reranker.part"
        shutil.rmtree(part, ignore_errors=True)
        make(part, arguments.model, tokenizer, training[:PAIRS])
        part.rename(folder)
    query = tests[0][0]
    texts = documents(tokenizer, pairs)
    expected, speed = {}, []
    print("| precision | Kendall's τ | of the first ten | the same first |\n|---|---|---|---|")
    for precision, peers in PEERS.items():
        with Server("--precision", precision, "--threads", "2", model=folder) as server:
            tau, ten, first = agreement(server, tests, expected)
            print(f"| {precision} | {tau:.4f} | {ten:.3f} | {first:.2f} |", flush=True)
            for name in peers:
                scores = peer(name, precision, folder)

                def seconds(size):
                    # The first time of a shape is slower.
                    return min(timed(lambda: scores(tokenizer, query, texts[:256], size))[0] for _ in range(2))

                best = min(BATCHES, key=seconds)
                turns = []
                for _ in range(TURNS):
                    own, found = timed(lambda: ours(server, query, texts))
                    other, reference = timed(lambda: scores(tokenizer, query, texts, best))
                    turns.append((own, other))
                own, other = (statistics.median(values) for values in zip(*turns))
                ratio = statistics.median(other / own for own, other in turns)
                speed.append(f"| {precision} | {own:.2f} | {name}, batches of {best} | {other:.2f} | {ratio:.2f} |")
                print(f"largest difference of a score, {name} {precision}: {np.abs(found - reference).max():.2g}", file=sys.stderr)
    print("\n| precision | bert-server, s | peer | s | times as fast |\n|---|---|---|---|---|")
    print("\n".join(speed))


if __name__ == "__main__":
    main()
