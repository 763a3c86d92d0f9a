"""Trains the same models in mtlc and in PyTorch, in turns, and prints ratios.

    compare.py STEPS FOLDER [--rounds N] [--only NAME] [--forms packed,padded,compiled]

STEPS is the program made from `benches/steps.rs`; FOLDER takes data, weights and batches. Every
round trains each contender once, one after the other, so that a machine that slows down slows
all of them. Losses of the first 20 steps, without dropout and from the same weights, must agree.
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
CASES["crf"] = ("crf", "conll2000", {}, 20, 0.3, 1e-3, 5.0)

AGREE = 20


class Contender:
    """A process that trains a round for each line it is given."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.loaded = self.read()["loaded"]

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
    form = "padded" if case[0] == "encoder" else "packed"
    other = torch(form, case, folder, AGREE, 0.0, dump)
    theirs = other.round()["losses"]
    other.end()
    return max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))


def race(steps, name, case, folder, forms, rounds):
    count, drop = case[3], case[4]
    dump, _ = dumped(steps, name, case, folder, count, drop)
    contenders = {"mtlc": mtlc(steps, case, folder, count, drop)}
    contenders |= {form: torch(form, case, folder, count, drop, dump) for form in forms}
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("steps", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--forms", default="packed,padded,compiled")
    asked = parser.parse_args()
    for name, arguments in DATA.items():
        make = [sys.executable, HERE / "data.py", asked.folder / name / "slu", *arguments]
        subprocess.run(make, check=True)
    print("| model | agree to | tokens/s | " + " | ".join(asked.forms.split(",")) + " | ratio | peak memory, ratio |")
    print("|---|---|---|" + "---|" * len(asked.forms.split(",")) + "---|---|")
    for name, case in CASES.items():
        if asked.only not in name:
            continue
        difference = agree(asked.steps, name, case, asked.folder)
        forms = [f for f in asked.forms.split(",") if f != "packed" or case[0] != "encoder"]
        speeds, peaks = race(asked.steps, name, case, asked.folder, forms, asked.rounds)
        median = {n: statistics.median(s) for n, s in speeds.items()}
        best = max((n for n in median if n != "mtlc"), key=median.get)
        # Round by round against the form that is fastest over all.
        ratio = statistics.median(a / b for a, b in zip(speeds["mtlc"], speeds[best]))
        cells = [f"{median[f]:,.0f}" if f in median else "–" for f in asked.forms.split(",")]
        memory = peaks["mtlc"] / max(peaks[best], 1)
        print(
            f"| {name} | {difference:.1e} | {median['mtlc']:,.0f} | {' | '.join(cells)} | {ratio:.2f} | {memory:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
