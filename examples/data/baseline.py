#!/usr/bin/env python3
"""What `home` gives to models that do not look at order (needs scikit-learn).

    python3 examples/data/baseline.py [DIR]

The intent by logistic regression over a bag of words, its strength chosen on
dev; each token's slot by the tag that train gives the token most often.
"""

import sys
from collections import Counter, defaultdict
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression


def read(folder, split):
    columns = [(folder / split / name).read_text("utf-8").splitlines() for name in ("seq.in", "seq.out", "label")]
    return [line.split() for line in columns[0]], [line.split() for line in columns[1]], columns[2]


def spans(tags):
    """The labelled spans of BIO tags; an I- that continues nothing begins a span."""
    found, start, kind = set(), None, None
    for i, tag in enumerate(tags + ["O"]):
        prefix, _, label = tag.partition("-")
        if start is not None and (prefix != "I" or label != kind):
            found.add((start, i, kind))
            start = None
        if prefix != "O" and start is None:
            start, kind = i, label
    return found


def span_f1(gold, predicted):
    right = sum(len(spans(g) & spans(p)) for g, p in zip(gold, predicted))
    total = sum(len(spans(g)) + len(spans(p)) for g, p in zip(gold, predicted))
    return 2 * right / total if total else 0.0


def main(folder):
    train, dev, test = (read(folder, split) for split in ("train", "dev", "test"))
    for name, grams in (("words", (1, 1)), ("words and pairs of words", (1, 2))):
        bag = CountVectorizer(analyzer="word", token_pattern=r"\S+", ngram_range=grams)
        x = [bag.fit_transform(map(" ".join, train[0]))] + [bag.transform(map(" ".join, s[0])) for s in (dev, test)]
        models = [LogisticRegression(C=c, max_iter=2000).fit(x[0], train[2]) for c in (0.03, 0.1, 0.3, 1, 3, 10, 30)]
        best = max(models, key=lambda model: model.score(x[1], dev[2]))
        print(f"intent accuracy, logistic regression over {name} (C={best.C}): {100 * best.score(x[2], test[2]):.1f}")
    seen = defaultdict(Counter)
    for words, tags in zip(train[0], train[1]):
        for word, tag in zip(words, tags):
            seen[word][tag] += 1
    usual = {word: min(tags, key=lambda tag: (-tags[tag], tag)) for word, tags in seen.items()}
    guess = [[usual.get(word, "O") for word in words] for words in test[0]]
    print(f"slot span F1, most frequent tag of each token: {100 * span_f1(test[1], guess):.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "home")
