#!/usr/bin/env python3
"""Makes from published data sets the files that some programs here read.

    python3 tests/programs/prepare.py FROM TO

FROM holds `trec`, `goemotions`, `conll2000` and `dailydialog` as their sources give them. TO gets

- `trec_types/{train,test}.tsv`: coarse and fine type of each question, and the question;
- `goemotions_sentiment/{train,dev,test}.tsv`: the text, its emotions joined by `,`, and the
  sentiment that the emotions belong to (Demszky et al. 2020), none where they disagree;
- `conll2000_part/{train,dev,test,rest}.txt`: every tenth sentence of train for training, every
  tenth from the fifth for development, and all others as `rest`, whose chunks are not to be read;
- `dialogue_acts/{train,test}.jsonl`: the turns of each dialogue, with the act and the emotion of each.
"""

import json
import sys
from pathlib import Path

GROUPS = {
    "positive": "amusement excitement joy love desire optimism caring pride admiration gratitude relief approval",
    "negative": "fear nervousness remorse embarrassment disappointment sadness grief disgust anger annoyance disapproval",
    "ambiguous": "realization surprise curiosity confusion",
    "neutral": "neutral",
}


def trec(source, target):
    for split in ("train", "test"):
        rows = ["coarse\tfine\tquestion"]
        for line in (source / f"{split}.txt").read_text("utf-8").splitlines():
            types, question = line.split(" ", 1)
            rows.append(f"{types.split(':')[0]}\t{types}\t{question}")
        write(target / f"{split}.tsv", rows)


def goemotions(source, target):
    names = (source / "labels.txt").read_text("utf-8").split()
    group = {name: sentiment for sentiment, names in GROUPS.items() for name in names.split()}
    for split in ("train", "dev", "test"):
        rows = ["text\temotions\tsentiment"]
        for line in (source / f"{split}.tsv").read_text("utf-8").splitlines():
            text, labels, _ = line.split("\t")
            emotions = [names[int(label)] for label in labels.split(",")]
            sentiments = {group[emotion] for emotion in emotions}
            sentiment = sentiments.pop() if len(sentiments) == 1 else "_"
            rows.append(f"{text}\t{','.join(emotions)}\t{sentiment}")
        write(target / f"{split}.tsv", rows)


def conll2000(source, target):
    sentences = {split: (source / f"{split}.txt").read_text("utf-8").strip().split("\n\n") for split in ("train", "test")}
    parts = {"train": [], "dev": [], "rest": [], "test": sentences["test"]}
    for i, sentence in enumerate(sentences["train"]):
        parts[{0: "train", 5: "dev"}.get(i % 10, "rest")].append(sentence)
    for part, sentences in parts.items():
        write(target / f"{part}.txt", [sentence + "\n" for sentence in sentences])


def dailydialog(source, target):
    for split in ("train", "test"):
        parts = [
            (source / split / f"dialogues{part}.txt").read_text("utf-8").splitlines()
            for part in ("", "_act", "_emotion")
        ]
        rows = []
        for turns, acts, emotions in zip(*parts, strict=True):
            turns = [turn.strip() for turn in turns.split("__eou__")[:-1]]
            rows.append(json.dumps({"turns": turns, "acts": acts.split(), "emotions": emotions.split()}))
        write(target / f"{split}.jsonl", rows)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", "utf-8")


def main():
    source, target = map(Path, sys.argv[1:3])
    trec(source / "trec", target / "trec_types")
    goemotions(source / "goemotions", target / "goemotions_sentiment")
    conll2000(source / "conll2000", target / "conll2000_part")
    dailydialog(source / "dailydialog", target / "dialogue_acts")


if __name__ == "__main__":
    main()
