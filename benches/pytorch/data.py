"""Utterances of the lengths that ATIS, the English Web Treebank and CoNLL-2000 have, and pairs of
sentences of the lengths of Multi30k in pieces of words, for `compare.sh`.

Words and labels are drawn at random: how long a step takes depends on lengths and sizes alone.
"""
import random
import sys
from pathlib import Path

# How many training examples in a thousand have 1, 2, … tokens: ATIS as every paper splits it.
ATIS = [1, 7, 7, 13, 31, 43, 60, 83, 113, 114, 114, 94, 74, 66, 50, 36, 29, 17, 13, 10, 7, 5, 4, 3, 2, 2, 1, 1]
# Sentences of the English Web Treebank: mean 16, with a long tail, by tens from 1-10 upwards.
EWT = [400, 290, 165, 80, 36, 15, 8, 4, 2]
# Sentences of the chunking task's training set: mean 24, by tens.
CONLL2000 = [103, 299, 326, 196, 59, 13, 4]
TENS = {"ewt": EWT, "conll2000": CONLL2000}


def length(rng, kind):
    if kind == "atis":
        return rng.choices(range(1, len(ATIS) + 1), ATIS)[0]
    tens = TENS[kind]
    ten = rng.choices(range(len(tens)), tens)[0]
    return 10 * ten + rng.randint(1, 10)


def pairs(folder, count, words):
    """Sentences of 14 pieces on average, each with another of about its length."""
    rng = random.Random(7)
    draw = lambda n: " ".join(f"w{rng.randrange(words)}" for _ in range(n)) + "\n"
    lengths = [max(4, min(40, round(rng.gauss(14, 4.5)))) for _ in range(count)]
    both = [(draw(n), draw(max(4, n + round(rng.gauss(0, 1.5))))) for n in lengths]
    # Every word stands on both sides.
    every = [" ".join(f"w{i}" for i in range(first, min(first + 40, words))) + "\n" for first in range(0, words, 40)]
    both += [(text, text) for text in every]
    for name, texts in zip(("source", "target"), zip(*both)):
        (folder / name).write_text("".join(texts))


def main(folder, kind, count, words, slots, intents):
    rng = random.Random(7)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "multi30k":
        return pairs(folder, count, words)
    tags = ["O"] + [f"{b}-{i}" for i in range(slots // 2) for b in "BI"]
    with open(folder / "seq.in", "w") as texts, open(folder / "seq.out", "w") as outs, open(folder / "label", "w") as labels:
        for i in range(count):
            n = length(rng, kind)
            texts.write(" ".join(f"w{rng.randrange(words)}" for _ in range(n)) + "\n")
            # Every label occurs, and most tokens have none.
            outs.write(" ".join(tags[(i + k) % len(tags)] if rng.random() < 0.3 else "O" for k in range(n)) + "\n")
            labels.write(f"i{i % intents}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7]))
