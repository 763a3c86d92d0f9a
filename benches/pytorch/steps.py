"""Trains a model in rounds of steps, as `benches/steps.rs` does, from the same weights on the same batches.

    steps.py MODEL FORM STEPS DUMP DATA DROP LR CLIP

FORM is `packed`, `padded` or `compiled`. A line of JSON is written when the model is loaded; for each line
that is read, STEPS steps are trained and what they took is written. Batches are made into padded
tensors before the clock starts: their cost is not counted.
"""
import json
import os
import resource
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

import translate
from models import MODELS


def memory(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def batches(dump, data, with_intents):
    schema = json.load(open(dump / "vocabularies.json"))
    rows = {word: i for i, word in enumerate(schema["vocabs"][0]["words"])}
    spaces = {space["name"]: {label: i for i, label in enumerate(space["labels"])} for space in schema["spaces"]}
    read = lambda name: [line.split() for line in open(data / name)]
    texts, tags, intents = read("seq.in"), read("seq.out"), read("label")
    made = []
    for examples in json.load(open(dump / "batches.json")):
        longest = max(len(texts[i]) for i in examples)
        padded = lambda row, fill: row + [fill] * (longest - len(row))
        lengths = torch.tensor([len(texts[i]) for i in examples])
        slots = next(labels for name, labels in spaces.items() if "slots" in name)
        batch = {
            "words": torch.tensor([padded([rows[w] for w in texts[i]], 0) for i in examples]),
            "slots": torch.tensor([padded([slots[t] for t in tags[i]], -1) for i in examples]),
            "lengths": lengths,
            "mask": torch.arange(longest).unsqueeze(0) < lengths.unsqueeze(1),
        }
        if with_intents:
            names = next(labels for name, labels in spaces.items() if "intent" in name)
            batch["intent"] = torch.tensor([names[intents[i][0]] for i in examples])
        made.append(batch)
    return made


def main(name, form, steps, dump, data, drop, lr, clip):
    torch.set_num_threads(int(os.environ.get("THREADS", os.cpu_count())))
    torch.manual_seed(1)
    dump, data = Path(dump), Path(data)
    weights = load_file(dump / "model.safetensors")
    if name == "translate":
        made = translate.batches(dump, data)
        model = translate.Translate(weights, float(drop), translate.rows_of(dump)[1])
    elif name == "minilm":
        import minilm

        made, model = minilm.batches(dump, data), minilm.Minilm(weights, float(drop), data.parent / "minilm")
    else:
        made = batches(dump, data, name != "crf")
        model = MODELS[name](weights, float(drop), form == "packed")
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=float(lr), weight_decay=0.01, fused=True)
    run = torch.compile(model, dynamic=True) if form == "compiled" else model
    open("/proc/self/clear_refs", "w").write("5")
    print(json.dumps({"loaded": memory("VmRSS"), "parameters": sum(p.numel() for p in trained)}), flush=True)
    at = 0
    for _ in sys.stdin:
        losses, tokens = [], 0
        begun = time.perf_counter()
        for _ in range(int(steps)):
            batch = made[at % len(made)]
            at += 1
            optimizer.zero_grad(set_to_none=True)
            loss = run(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, float(clip))
            optimizer.step()
            losses.append(loss.item())
            tokens += int(batch["lengths"].sum())
        seconds = time.perf_counter() - begun
        print(json.dumps({"seconds": seconds, "tokens": tokens, "losses": losses, "peak": memory("VmHWM")}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
