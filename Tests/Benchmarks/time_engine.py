#!/usr/bin/env python3
"""Times one peer on bench's shapes: time_engine.py ENGINE PRECISION FOLDER THREADS SECONDS [SHAPES]

Prints a JSON line a shape: the median seconds of all its calls, and the seconds of the first time.
Only the forward pass to the last hidden state is timed; ids are padded before. SHAPES are as
bench's --shapes takes them: 1x16,32x128.
"""

import json
import pathlib
import statistics
import sys
import time

import numpy as np

import shapes


def padded(sequences):
    """Ids and mask, [count, longest] of int64."""
    longest = max(map(len, sequences))
    ids = np.zeros((len(sequences), longest), np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask


def named_inputs(sequences, segments=None):
    """As the graphs call them; segments as the sequences are, or all 0."""
    ids, mask = padded(sequences)
    types = padded(segments)[0] if segments else np.zeros_like(ids)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def onnxruntime(precision, folder, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    file = {"float32": "fused.onnx", "int8": "int8.onnx"}[precision]
    session = ort.InferenceSession(
        folder / "onnx" / file, options, providers=["CPUExecutionProvider"]
    )
    # Fusion turns the inputs to int32.
    types = {
        entry.name: np.int32 if entry.type == "tensor(int32)" else np.int64
        for entry in session.get_inputs()
    }

    def prepare(sequences, segments=None):
        inputs = named_inputs(sequences, segments)
        return {name: inputs[name].astype(types[name]) for name in types}

    return prepare, lambda inputs: session.run(None, inputs)


def openvino(precision, folder, threads):
    import openvino as ov

    file = "int8.xml" if precision == "int8" else "float32.xml"
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }
    model = ov.Core().compile_model(folder / "openvino" / file, "CPU", settings)
    request = model.create_infer_request()
    names = {name for entry in model.inputs for name in entry.names}

    def prepare(sequences, segments=None):
        return {name: ids for name, ids in named_inputs(sequences, segments).items() if name in names}

    return prepare, lambda inputs: request.infer(inputs, share_inputs=True, share_outputs=True)


def ctranslate2(precision, folder, threads):
    import ctranslate2 as ct2

    encoder = ct2.Encoder(
        str(folder / "ctranslate2"), compute_type=precision, inter_threads=1, intra_threads=threads
    )
    return lambda sequences: sequences, encoder.forward_batch


def zentorch(precision, folder, threads):
    import torch
    import torch._inductor.config
    import zentorch as _  # registers the backend
    from transformers import BertModel

    torch.set_num_threads(threads)
    torch._inductor.config.freezing = True
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    model = BertModel.from_pretrained(folder, add_pooling_layer=False, dtype=dtype).eval()
    compiled = torch.compile(model, backend="zentorch", dynamic=True)

    def prepare(sequences):
        ids, mask = map(torch.from_numpy, padded(sequences))
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}

    def run(inputs):
        with torch.no_grad():
            return compiled(**inputs).last_hidden_state

    return prepare, run


def llama(precision, folder, threads):
    import llama_cpp as lib

    kind = {"float32": "f32", "bfloat16": "bf16", "int8": "q8_0"}[precision]
    lib.llama_backend_init()
    model = lib.llama_model_load_from_file(
        str(folder / "llama" / f"{kind}.gguf").encode(), lib.llama_model_default_params()
    )
    settings = lib.llama_context_default_params()
    settings.n_ctx = settings.n_batch = settings.n_ubatch = 4096
    settings.n_threads = settings.n_threads_batch = threads
    settings.embeddings, settings.kv_unified = True, True
    settings.pooling_type = lib.LLAMA_POOLING_TYPE_MEAN
    context = lib.llama_init_from_model(model, settings)
    batch = lib.llama_batch_init(settings.n_batch, 0, 1)

    def run(sequences):
        # One at a time: its attention is over the whole call, so more at once are slower.
        for sequence in sequences:
            batch.n_tokens = len(sequence)
            for position, token in enumerate(sequence):
                batch.token[position], batch.pos[position] = token, position
                batch.n_seq_id[position], batch.seq_id[position][0] = 1, 0
                batch.logits[position] = 1
            if lib.llama_encode(context, batch) != 0:
                raise RuntimeError("llama_encode failed")
            lib.llama_get_embeddings_seq(context, 0)[0]  # waits

    return lambda sequences: sequences, run


ENGINES = {each.__name__: each for each in (onnxruntime, openvino, ctranslate2, zentorch, llama)}


def measure(run, inputs, seconds):
    """Seconds of the first time, and the median of the later ones."""

    def once():
        start = time.perf_counter()
        for each in inputs:
            run(each)
        return time.perf_counter() - start

    first = once()
    if first < 5:
        once()
    times = []
    while sum(times) < seconds or (len(times) < 3 and sum(times) < 10):
        times.append(once())
    return {"first_seconds": first, "seconds": statistics.median(times)}


def main(engine, precision, folder, threads, seconds, names=None):
    configuration = json.loads((folder / "config.json").read_text())
    prepare, run = ENGINES[engine](precision, folder, threads)
    positions, vocabulary = configuration["max_position_embeddings"], configuration["vocab_size"]
    if names:
        inputs = shapes.named(names, vocabulary)
        # What the first pass of all costs is not the shape's.
        run(prepare([list(range(100, 109))]))
    else:
        inputs = shapes.fixed(positions, vocabulary)
        # A peer may sort what it is given; it is held against ours, which needs no order.
        inputs[shapes.MIXED + ", sorted"] = sorted(inputs[shapes.MIXED], key=len, reverse=True)
    for name, sequences in inputs.items():
        prepared = [prepare(call) for call in shapes.calls(sequences)]
        print(json.dumps({"shape": name, **measure(run, prepared, seconds)}), flush=True)


if __name__ == "__main__":
    main(
        *sys.argv[1:3], pathlib.Path(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), *sys.argv[6:]
    )
