"""An embedding server as people write it: FastAPI, one engine, texts that wait go in one batch.

Run by uvicorn; the environment names PEER (of time_engine.py), PRECISION, FOLDER and THREADS.
POST /embed {"inputs": text or list} as text-embeddings-inference takes it.
"""

import asyncio
import concurrent.futures
import contextlib
import os
import pathlib

import numpy as np
import orjson
from fastapi import FastAPI, Request, Response
from tokenizers import Tokenizer

import shapes
from time_engine import ENGINES

FOLDER = pathlib.Path(os.environ["FOLDER"])
TOKENIZER = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
TOKENIZER.no_padding()
TOKENIZER.enable_truncation(256)
PREPARE, RUN = ENGINES[os.environ["PEER"]](
    os.environ["PRECISION"], FOLDER, int(os.environ["THREADS"])
)
LANE = concurrent.futures.ThreadPoolExecutor(1)
waiting = asyncio.Queue()


def embed(texts):
    ids = [encoding.ids for encoding in TOKENIZER.encode_batch(texts)]
    inputs = PREPARE(ids)
    hidden = np.asarray(RUN(inputs)[0])
    mask = inputs["attention_mask"][:, :, None].astype(np.float32)
    means = (hidden * mask).sum(1) / mask.sum(1)
    return np.ascontiguousarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


async def answer_batches():
    loop = asyncio.get_running_loop()
    while True:
        batch = [await waiting.get()]
        while len(batch) < shapes.BATCH and not waiting.empty():
            batch.append(waiting.get_nowait())
        vectors = await loop.run_in_executor(LANE, embed, [text for text, _ in batch])
        for vector, (_, answer) in zip(vectors, batch):
            answer.set_result(vector)


@contextlib.asynccontextmanager
async def lifespan(_):
    task = asyncio.create_task(answer_batches())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.post("/embed")
async def embed_route(request: Request):
    inputs = orjson.loads(await request.body())["inputs"]
    answers = []
    for text in [inputs] if isinstance(inputs, str) else inputs:
        answers.append(asyncio.get_running_loop().create_future())
        waiting.put_nowait((text, answers[-1]))
    vectors = [await answer for answer in answers]
    return Response(orjson.dumps(vectors, option=orjson.OPT_SERIALIZE_NUMPY))
