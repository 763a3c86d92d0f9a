"""Bag-of-words logistic regression on the review domains: what `adversarial.mtl` must beat.

    reviews.py FOLDER     needs scikit-learn; FOLDER holds books.train, books.test, …
"""
import sys
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

DOMAINS = ["books", "dvd", "kitchen", "toys"]


def read(path):
    rows = [line.rstrip("\n").split("\t", 1) for line in open(path, errors="ignore")]
    return [text.lower() for _, text in rows], [label for label, _ in rows]


def accuracy(folder, domain, vectors, strength):
    texts, labels = read(folder / f"{domain}.train")
    held_out, gold = read(folder / f"{domain}.test")
    seen = vectors.fit_transform(texts)
    model = LogisticRegression(C=strength, max_iter=3000).fit(seen, labels)
    return 100 * model.score(vectors.transform(held_out), gold)


def main(folder):
    words = dict(tokenizer=str.split, token_pattern=None)
    for name, make, strength in [
        ("counts", lambda: CountVectorizer(**words), 1.0),
        ("presence, C 0.1", lambda: CountVectorizer(binary=True, **words), 0.1),
        ("tf-idf", lambda: TfidfVectorizer(), 1.0),
    ]:
        figures = [accuracy(folder, domain, make(), strength) for domain in DOMAINS]
        print(f"{name:16}", *(f"{d} {f:.2f} " for d, f in zip(DOMAINS, figures)), f"mean {sum(figures) / 4:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
