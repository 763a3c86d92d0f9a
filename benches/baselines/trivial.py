#!/usr/bin/env python3
"""What the programs of tests/programs must beat: figures on test without any model.

    python3 benches/baselines/trivial.py FOLDER

- a class: the most frequent one of train
- tags: the most frequent tag of each word in train, of others the most frequent tag of all
- relations: every ordered pair of gold entities whose types are most often related in train has that relation
- trees: each word depends on the one before it (or after it, whichever is better on train), with the most frequent
  label of its part of speech
- relatedness: Pearson correlation with the share of words that two sentences have in common
"""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path


def lines(path):
    return path.read_text("utf-8").splitlines()


def columns(path):
    """The sentences of a file of columns, each a list of rows."""
    sentences = [[]]
    for line in lines(path):
        if not line.strip():
            sentences.append([])
        elif not line.startswith("#") or len(line.split()) > 2 and line.split()[0].isdigit():
            sentences[-1].append(line.split("\t") if "\t" in line else line.split())
    return [sentence for sentence in sentences if sentence]


def spans(tags):
    """The spans of BIO tags, as conlleval reads them."""
    found, start, kind = set(), None, None
    for i, tag in enumerate([*tags, "O"]):
        mark, _, of = tag.partition("-")
        if start is not None and (mark != "I" or of != kind):
            found.add((start, i, kind))
            start = None
        if mark == "B" or mark == "I" and start is None:
            start, kind = i, of
    return found


def f1(predicted, gold):
    right = sum(len(p & g) for p, g in zip(predicted, gold))
    return 200 * right / max(1, sum(map(len, predicted)) + sum(map(len, gold)))


def majority(train, test):
    label = Counter(train).most_common(1)[0][0]
    return 100 * sum(x == label for x in test) / len(test)


def usual_tags(train):
    """Says the most frequent tag of each word."""
    of_word, of_all = defaultdict(Counter), Counter()
    for words, tags in train:
        for word, tag in zip(words, tags):
            of_word[word][tag] += 1
            of_all[tag] += 1
    other = of_all.most_common(1)[0][0]
    known = {word: tags.most_common(1)[0][0] for word, tags in of_word.items()}
    return lambda words: [known.get(word, other) for word in words]


def accuracy(said, gold):
    pairs = [(a, b) for x, y in zip(said, gold) for a, b in zip(x, y)]
    return 100 * sum(a == b for a, b in pairs) / len(pairs)


def tagging(train, test):
    says = usual_tags(train)
    said, gold = [says(words) for words, _ in test], [tags for _, tags in test]
    return f1([spans(tags) for tags in said], [spans(tags) for tags in gold]), accuracy(said, gold), said


def slu(folder):
    def split(name):
        texts, tags = (lines(folder / name / file) for file in ("seq.in", "seq.out"))
        return [(a.split(), b.split()) for a, b in zip(texts, tags)], lines(folder / name / "label")

    (train, intents), (test, gold) = split("train"), split("test")
    slots, _, said = tagging(train, test)
    label = Counter(intents).most_common(1)[0][0]
    whole = sum(a == b[1] and i == label for a, b, i in zip(said, test, gold))
    return {"slots.span_f1": slots, "intent.accuracy": majority(intents, gold), "sentence": 100 * whole / len(test)}


def conll04(folder):
    def split(name):
        return [json.loads(line) for line in lines(folder / f"{name}.jsonl")]

    def bio(example):
        tags = ["O"] * len(example["tokens"])
        for e in example["entities"]:
            tags[e["start"] : e["end"]] = [f"B-{e['type']}"] + [f"I-{e['type']}"] * (e["end"] - e["start"] - 1)
        return example["tokens"], tags

    train, test = split("train"), split("test")
    entities, _, said = tagging([bio(x) for x in train], [bio(x) for x in test])

    def pairs(example, found):
        return [(a, b) for a in found for b in found if a != b]

    def typed(example):
        return [(e["start"], e["end"], e["type"]) for e in example["entities"]]

    related = defaultdict(Counter)
    for x in train:
        found = typed(x)
        of = {(r["head"], r["tail"]): r["type"] for r in x["relations"]}
        for i, a in enumerate(found):
            for j, b in enumerate(found):
                if i != j:
                    related[a[2], b[2]][of.get((i, j))] += 1
    best = {}
    for types, counts in related.items():
        named = [(n, label) for label, n in counts.items() if label]
        if named:
            best[types] = max(named)[1]

    def f1_over(found_of):
        predicted = [{(a, b, best[a[2], b[2]]) for a, b in pairs(x, found) if (a[2], b[2]) in best} for x, found in found_of]
        gold = [{(typed(x)[r["head"]], typed(x)[r["tail"]], r["type"]) for r in x["relations"]} for x in test]
        return f1(predicted, gold)

    return {"entities.span_f1": entities, "relations.strict_f1": f1_over([(x, sorted(spans(t))) for x, t in zip(test, said)])}


def ewt(folder):
    def split(name):
        whole = columns(folder / f"{name}.conllu")
        return [[row for row in sentence if row[0].isdigit()] for sentence in whole]

    train, test = split("train"), split("test")
    _, pos, _ = tagging(*([([r[1] for r in s], [r[3] for r in s]) for s in part] for part in (train, test)))
    label = defaultdict(Counter)
    for sentence in train:
        for row in sentence:
            label[row[3]][row[7]] += 1
    label = {tag: labels.most_common(1)[0][0] for tag, labels in label.items()}

    def score(part, step):
        rows = [(i, len(s), row) for s in part for i, row in enumerate(s)]
        heads = [(row, i + 1 + step if 0 < i + 1 + step <= n else 0) for i, n, row in rows]
        uas = [int(row[6]) == head for row, head in heads]
        las = [ok and label[row[3]] == row[7] for ok, (row, _) in zip(uas, heads)]
        return 100 * sum(uas) / len(uas), 100 * sum(las) / len(las)

    step = max((-1, 1), key=lambda step: score(train, step))
    uas, las = score(test, step)
    return {"pos.accuracy": pos, "tree.uas": uas, "tree.las": las}


def chunks(folder):
    parts = [[([r[0] for r in s], [r[2] for r in s]) for s in columns(folder / f"{name}.txt")] for name in ("train", "test")]
    return {"chunk.span_f1 (by word)": tagging(*parts)[0]} | {
        "chunk.span_f1 (by part of speech)": tagging(
            *([([r[1] for r in s], [r[2] for r in s]) for s in columns(folder / f"{name}.txt")] for name in ("train", "test"))
        )[0]
    }


def sick(folder):
    def split(name):
        head, *rows = (line.split("\t") for line in lines(folder / f"{name}.tsv"))
        return [dict(zip(head, row)) for row in rows]

    train, test = split("train"), split("test")
    key = "entailment_judgment"

    def overlap(x):
        a, b = (set(x[f"sentence_{s}"].lower().split()) for s in "AB")
        return len(a & b) / len(a | b)

    x, y = [overlap(e) for e in test], [float(e["relatedness_score"]) for e in test]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    cov = sum((a - mx) * (b - my) for a, b in zip(x, y))
    pearson = cov / (sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y)) ** 0.5
    return {"entails.accuracy": majority([e[key] for e in train], [e[key] for e in test]), "related.pearson": 100 * pearson}


def trec(folder):
    train, test = ([line.split(" ", 1)[0] for line in lines(folder / f"{name}.txt")] for name in ("train", "test"))
    coarse = [[x.split(":")[0] for x in part] for part in (train, test)]
    return {"fine.accuracy": majority(train, test), "coarse.accuracy": majority(*coarse)}


def dailydialog(folder):
    def labels(split, part):
        return " ".join(lines(folder / split / f"dialogues_{part}.txt")).split()

    return {f"{part}.accuracy": majority(labels("train", part), labels("test", part)) for part in ("act", "emotion")}


def goemotions(folder):
    names = lines(folder / "labels.txt")
    gold = [{names[int(i)] for i in line.split("\t")[1].split(",")} for line in lines(folder / "test.tsv")]
    label = Counter(i for line in lines(folder / "train.tsv") for i in line.split("\t")[1].split(",")).most_common(1)[0][0]
    return {"emotions.micro_f1 (the most frequent)": f1([{names[int(label)]}] * len(gold), gold)}


def main():
    folder = Path(sys.argv[1])
    parts = {
        "atis": slu, "mixatis": slu, "conll04": conll04, "ewt": ewt, "conll2000": chunks, "sick": sick, "trec": trec,
        "goemotions": goemotions, "dailydialog": dailydialog,
    }  # fmt: skip
    for name, of in parts.items():
        for figure, value in of(folder / name).items():
            print(f"{name:10} {figure:40} {value:5.1f}")


if __name__ == "__main__":
    main()
