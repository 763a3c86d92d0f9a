"""Predicts in rounds of batches, as `benches/infer.rs` does, from the same weights on the same batches.

    infer.py MODEL FORM STEPS DUMP DATA

FORM is `packed`, `padded` or `compiled`. The first line that is written has the intents of the first 20 batches.
Batches are made into padded tensors before the clock starts: their cost is not counted.
"""
import json
import os
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

import translate
from models import MODELS
from steps import batches, memory


# Batches whose texts are compared.
KEPT = 4


def writing(steps, dump, data):
    """Texts instead of labels."""
    labels, rows = translate.rows_of(dump)
    made = translate.batches(dump, data)
    model = translate.Translate(load_file(dump / "model.safetensors"), 0.0, rows).eval()
    numbers = lambda batch: [int(labels[word][1:]) for text in model.write(batch) for word in text]
    texts = [numbers(batch) for batch in made[:KEPT]]
    open("/proc/self/clear_refs", "w").write("5")
    print(json.dumps({"loaded": memory("VmRSS"), "intents": texts}), flush=True)
    at = 0
    for _ in sys.stdin:
        tokens, begun = 0, time.perf_counter()
        for _ in range(steps):
            batch = made[at % len(made)]
            at += 1
            model.write(batch)
            tokens += int(batch["lengths"].sum())
        seconds = time.perf_counter() - begun
        print(json.dumps({"seconds": seconds, "tokens": tokens, "peak": memory("VmHWM")}), flush=True)


def main(name, form, steps, dump, data):
    torch.set_num_threads(int(os.environ.get("THREADS", os.cpu_count())))
    dump, data = Path(dump), Path(data)
    if name == "translate":
        return writing(int(steps), dump, data)
    made = batches(dump, data, True)
    model = MODELS[name](load_file(dump / "model.safetensors"), 0.0, form == "packed").eval()
    scores = torch.compile(model.scores, dynamic=True) if form == "compiled" else model.scores
    predict = lambda batch: [s.argmax(-1) for s in scores(batch)]
    with torch.inference_mode():
        intents = [predict(batch)[0].tolist() for batch in made[:20]]
        open("/proc/self/clear_refs", "w").write("5")
        print(json.dumps({"loaded": memory("VmRSS"), "intents": intents}), flush=True)
        at = 0
        for _ in sys.stdin:
            tokens, begun = 0, time.perf_counter()
            for _ in range(int(steps)):
                batch = made[at % len(made)]
                at += 1
                intent, slots = predict(batch)
                intent.tolist(), slots.tolist()
                tokens += int(batch["lengths"].sum())
            seconds = time.perf_counter() - begun
            print(json.dumps({"seconds": seconds, "tokens": tokens, "peak": memory("VmHWM")}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
