"""Trains the same models in mtlc and in PyTorch, in turns, and prints ratios.

    compare.py STEPS INFER FOLDER [--rounds N] [--only NAME] [--forms packed,padded,compiled]

STEPS and INFER are the programs made from `benches/steps.rs` and `benches/infer.rs`; FOLDER takes
data, weights and batches. Every round lets each contender train, or predict, once, one after the
other, so that a machine that slows down slows all of them. Losses of the first 20 steps, without
dropout and from the same weights, must agree, and so must the intents of the first 20 batches.
"""
import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = HERE.parent / "programs"

# Data: lengths, examples, words, slot labels, intents.
DATA = {
    "atis": ["atis", "4478", "900", "120", "21"],
    "ewt": ["ewt", "4000", "9000", "50", "21"],
    "conll2000": ["conll2000", "8936", "19000", "22", "21"],
    "multi30k": ["multi30k", "8000", "8000", "0", "0"],
}

# Name: model, data, settings of the program, steps of a round, dropout, learning rate, clip.
CASES = {
    f"slu {width} x {size}": ("slu", "atis", {"width": width, "size": size}, 60, 0.3, 1e-3, 5.0)
    for width in (128, 256)
    for size in (16, 32)
}
CASES |= {
    f"encoder {data}": ("encoder", data, {"size": 32}, 8, 0.1, 5e-5, 1.0) for data in ("atis", "ewt")
}
CASES["minilm"] = ("minilm", "atis", {"size": 32}, 8, 0.1, 5e-5, 1.0)
CASES["translate"] = ("translate", "multi30k", {"size": 64}, 6, 0.1, 5e-4, 1.0)
CASES["crf"] = ("crf", "conll2000", {}, 20, 0.3, 1e-3, 5.0)

# Prediction: model, data, settings, examples of a batch, batches of a round.
PREDICTIONS = {
    f"predict {name} x {size}": (model, data, settings, size, count)
    for name, model, data, settings in (("slu 128", "slu", "atis", {"width": 128}), ("slu 256", "slu", "atis", {"width": 256}), ("encoder", "encoder", "atis", {}))
    for size, count in ((1, 200), (64, 40))
}

PREDICTIONS["translate, beam 5, x 64"] = ("translate", "multi30k", {}, 64, 2)

# Models without a packed form, and those of which each place counts alone.
PADDED = {"encoder", "minilm", "translate"}

AGREE = 20


class Contender:
    """A process that trains a round for each line it is given."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self.read()
        self.loaded = self.first["loaded"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"'{' '.join(map(str, self.process.args))}' ended early")
        return json.loads(line)

    def round(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def mtlc(steps, case, folder, count, drop, dump=None):
    model, data, settings, *_ = case
    command = [steps, PROGRAMS / f"{model}.mtl", str(count), "--data", folder / data]
    for name, value in {**settings, "drop": f"{drop:.0%}"}.items():
        command += ["--set", f"{name}={value}"]
    return Contender(command + (["--dump", dump] if dump else []))


def torch(form, case, folder, count, drop, dump):
    model, data, _, _, _, lr, clip = case
    arguments = [model, form, count, dump, folder / data / "slu", drop, lr, clip]
    return Contender([sys.executable, HERE / "steps.py", *map(str, arguments)])


def dumped(steps, name, case, folder, count, drop):
    """The weights and batches that mtlc begins with, and its losses."""
    to = folder / f"{name.replace(' ', '-')}-{drop}"
    subprocess.run(["rm", "-rf", to], check=True)
    contender = mtlc(steps, case, folder, count, drop, to)
    losses = contender.round()["losses"]
    contender.end()
    return to, losses


def agree(steps, name, case, folder):
    """The largest relative difference of the first losses."""
    dump, ours = dumped(steps, name, case, folder, AGREE, 0.0)
    # A padded batch gives the backward LSTM another start; only the Transformer does not care.
    form = "padded" if case[0] in PADDED else "packed"
    other = torch(form, case, folder, AGREE, 0.0, dump)
    theirs = other.round()["losses"]
    other.end()
    return max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))


def race(contenders, rounds):
    """Tokens a second of each round, and the peak above what was resident before."""
    speeds, peaks = {n: [] for n in contenders}, {}
    for turn in range(rounds + 1):
        for n, contender in contenders.items():
            done = contender.round()
            peaks[n] = done["peak"] - contender.loaded
            if turn > 0:
                speeds[n].append(done["tokens"] / done["seconds"])
    for contender in contenders.values():
        contender.end()
    return speeds, peaks


def train(asked, name, case, forms):
    difference = agree(asked.steps, name, case, asked.folder)
    count, drop = case[3], case[4]
    dump, _ = dumped(asked.steps, name, case, asked.folder, count, drop)
    contenders = {"mtlc": mtlc(asked.steps, case, asked.folder, count, drop)}
    contenders |= {form: torch(form, case, asked.folder, count, drop, dump) for form in forms}
    return f"{difference:.1e}", *race(contenders, asked.rounds)


def predict(asked, name, case, forms):
    model, data, settings, size, count = case
    dump = asked.folder / name.replace(" ", "-")
    subprocess.run(["rm", "-rf", dump], check=True)
    command = [asked.infer, PROGRAMS / f"{model}.mtl", str(count), "--data", asked.folder / data, "--size", str(size)]
    for setting, value in settings.items():
        command += ["--set", f"{setting}={value}"]
    contenders = {"mtlc": Contender(command + ["--dump", dump])}
    kept = json.load(open(dump / "labels.json"))
    for form in forms:
        arguments = [model, form, count, dump, asked.folder / data / "slu"]
        contenders[form] = Contender([sys.executable, HERE / "infer.py", *map(str, arguments)])
    # A padded batch gives the backward LSTM another start.
    exact = contenders["padded" if model in PADDED or size == 1 else "packed"].first["intents"]
    same = [ours[: len(theirs)] == theirs for ours, theirs in zip(kept, exact)]
    return f"{sum(same)} of {len(same)}", *race(contenders, asked.rounds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("steps", type=Path)
    parser.add_argument("infer", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--forms", default="packed,padded,compiled")
    asked = parser.parse_args()
    for name, arguments in DATA.items():
        make = [sys.executable, HERE / "data.py", asked.folder / name / "slu", *arguments]
        subprocess.run(make, check=True)
    if asked.only in "minilm":
        subprocess.run([sys.executable, HERE / "minilm.py", asked.folder / "atis"], check=True)
    all_forms = asked.forms.split(",")
    print("| model | agree | tokens/s | " + " | ".join(all_forms) + " | ratio | peak memory, ratio |")
    print("|---|---|---|" + "---|" * len(all_forms) + "---|---|")
    cases = [(name, case, train) for name, case in CASES.items()]
    cases += [(name, case, predict) for name, case in PREDICTIONS.items()]
    for name, case, run in cases:
        if asked.only not in name:
            continue
        forms = [f for f in all_forms if f != "packed" or case[0] not in PADDED]
        agreed, speeds, peaks = run(asked, name, case, forms)
        median = {n: statistics.median(s) for n, s in speeds.items()}
        best = max((n for n in median if n != "mtlc"), key=median.get)
        # Round by round against the form that is fastest over all.
        ratio = statistics.median(a / b for a, b in zip(speeds["mtlc"], speeds[best]))
        cells = [f"{median[f]:,.0f}" if f in median else "–" for f in all_forms]
        memory = f"{peaks['mtlc'] / max(peaks[best], 1):.2f}" if run is train else "–"
        row = [name, agreed, f"{median['mtlc']:,.0f}", *cells, f"{ratio:.2f}", memory]
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
