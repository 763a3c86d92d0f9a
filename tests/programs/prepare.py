#!/usr/bin/env python3
"""Makes from published data sets the files that some programs here read.

    python3 tests/programs/prepare.py FROM TO

FROM holds `trec`, `goemotions`, `conll2000`, `dailydialog`, `ewt`, `squad`, `sick`, `atis` and
`conll04` as their sources give them. TO gets

- `trec_types/{train,test}.tsv`: coarse and fine type of each question, and the question;
- `goemotions_sentiment/{train,dev,test}.tsv`: the text, its emotions joined by `,`, and the
  sentiment that the emotions belong to (Demszky et al. 2020), none where they disagree;
- `conll2000_part/{train,dev,test,rest}.txt`: every tenth sentence of train for training, every
  tenth from the fifth for development, and all others as `rest`, whose chunks are not to be read;
- `dialogue_acts/{train,test}.jsonl`: the turns of each dialogue, with the act and the emotion of each;
- `next_sentences/{train,dev,test}.jsonl`: two sentences of EWT and whether the second follows the
  first in a document, as half of them do (Devlin et al. 2019);
- `short_sentences/{train,dev,test}.jsonl`: sentences of EWT and what is left of them without
  modifiers: their trees without adverbials, clauses beside the main one, and what stands in apposition;
- `question_generation/{train,dev,test}.jsonl`: the sentence of a SQuAD paragraph that holds the
  answer, the answer as text and as a span of tokens, the question and its question word; articles
  are disjoint between splits;
- `answer_pairs/{train,dev,test}.jsonl`: the same sentences, each with its question and with another of
  the article; `asked` and `said` are question and sentence where they belong together, and nothing
  where they do not;
- `meanings/{train,dev,test}.jsonl`: the utterances of ATIS with their slots, and as text their
  meaning (intent, then each slot's name and value), the values alone, and the types of these;
- `triples/{train,dev,test}.jsonl`: head, relation and tail of the relations of CoNLL04;
- `entailments/{train,dev,test}.jsonl`: the pairs of SICK of which the first sentence entails the second.
"""

import json
import random
import re
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


def documents(path):
    """The documents of a treebank, each a list of sentences, those a text and rows of columns."""
    found = [[]]
    for block in path.read_text("utf-8").strip().split("\n\n"):
        lines = block.splitlines()
        if any(line.startswith("# newdoc") for line in lines):
            found.append([])
        text = next(line for line in lines if line.startswith("# text = "))[len("# text = ") :]
        rows = [line.split("\t") for line in lines if not line.startswith("#")]
        found[-1].append((text, [row for row in rows if row[0].isdigit()]))
    return [document for document in found if document]


def tokens(text):
    """Words, numbers and marks, in lower case."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def next_sentences(source, target):
    draw = random.Random(1)
    for split in ("train", "dev", "test"):
        all_of = [[" ".join(tokens(text)) for text, _ in document] for document in documents(source / f"{split}.conllu")]
        sentences = [sentence for document in all_of for sentence in document]
        rows = []
        for document in all_of:
            for first, second in zip(document, document[1:]):
                follows = draw.random() < 0.5
                second = second if follows else draw.choice(sentences)
                rows.append({"first": first, "second": second, "follows": "yes" if follows else "no"})
        write(target / f"{split}.jsonl", map(json.dumps, rows))


# Relations below which nothing stays in a short sentence.
MODIFIERS = set("advmod advcl acl appos parataxis conj cc obl list discourse vocative dislocated dep nmod".split())


def short_sentences(source, target):
    for split in ("train", "dev", "test"):
        rows = []
        for document in documents(source / f"{split}.conllu"):
            for _, words in document:
                heads = {word[0]: (word[6], word[7].split(":")[0]) for word in words}

                def stays(at):
                    while at != "0":
                        at, relation = heads[at]
                        if relation in MODIFIERS:
                            return False
                    return True

                long = [word[1].lower() for word in words]
                short = [word[1].lower() for word in words if stays(word[0])]
                if 8 <= len(long) <= 40 and 3 <= len(short) < len(long):
                    rows.append(json.dumps({"long": " ".join(long), "short": " ".join(short)}))
        write(target / f"{split}.jsonl", rows)


QUESTION_WORDS = "what who how when which where why".split()


def question_generation(source, target):
    articles = [json.loads(line) for line in (source / "dev.jsonl").read_text("utf-8").splitlines()]
    parts = {"train": articles[:36], "dev": articles[36:42], "test": articles[42:]}
    for split, articles in parts.items():
        rows = [row for article in articles for row in questions(article)]
        write(target / f"{split}.jsonl", map(json.dumps, rows))


def questions(article):
    """The questions of an article with the sentences that answer them."""
    for paragraph in article["paragraphs"]:
        context = paragraph["context"]
        ends = [m.end() for m in re.finditer(r"[.!?]\s+(?=[A-Z\"“(\[])", context)] + [len(context)]
        for qa in paragraph["qas"]:
            answer = next((a for a in qa["answers"] if a["answer_start"] is not None), None)
            if answer is None:
                continue
            begin, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
            first = max((e for e in ends if e <= begin), default=0)
            last = min(e for e in ends if e > begin)
            before, within = tokens(context[first:begin]), tokens(answer["text"])
            sentence = before + within + tokens(context[end:last])
            question = tokens(qa["question"])
            if end > last or not within or len(sentence) > 60:
                continue
            yield {
                "sentence": " ".join(sentence),
                "answer": " ".join(within),
                "spans": [{"start": len(before), "end": len(before) + len(within), "type": "answer"}],
                "question": " ".join(question),
                "kind": next((word for word in question if word in QUESTION_WORDS), "other"),
            }


def answer_pairs(source, target):
    draw = random.Random(1)
    for split in ("train", "dev", "test"):
        rows = []
        known = [json.loads(line) for line in (source / f"{split}.jsonl").read_text("utf-8").splitlines()]
        for i, row in enumerate(known):
            # Questions of an article stand together.
            other = known[min(max(i + draw.choice([-1, 1]) * draw.randint(5, 30), 0), len(known) - 1)]
            texts = {"question": row["question"], "sentence": row["sentence"]}
            rows.append({**texts, "asked": row["question"], "said": row["sentence"], "fits": "yes"})
            if other["sentence"] != row["sentence"]:
                rows.append({**texts, "question": other["question"], "asked": "", "said": "", "fits": "no"})
        write(target / f"{split}.jsonl", map(json.dumps, rows))


def meanings(source, target):
    for split in ("train", "dev", "test"):
        read = lambda name: (source / split / name).read_text("utf-8").splitlines()
        rows = []
        for text, tags, intent in zip(read("seq.in"), read("seq.out"), read("label"), strict=True):
            words, tags = text.split(), tags.split()
            values = []
            for word, tag in zip(words, tags, strict=True):
                if tag.startswith("B-"):
                    values.append((tag[2:], [word]))
                elif tag.startswith("I-") and values:
                    values[-1][1].append(word)
            meaning = [intent] + [part for name, value in values for part in [name, *value]]
            rows.append({
                "text": words,
                "slots": tags,
                "meaning": meaning,
                "values": [word for _, value in values for word in value] or ["nothing"],
                "types": [intent] + [name for name, _ in values],
            })
        write(target / f"{split}.jsonl", map(json.dumps, rows))


def triples(source, target):
    for split in ("train", "dev", "test"):
        rows = []
        for line in (source / f"{split}.jsonl").read_text("utf-8").splitlines():
            sentence = json.loads(line)
            ends = sentence["entities"]
            text = lambda i: " ".join(sentence["tokens"][ends[i]["start"] : ends[i]["end"]])
            for relation in sentence["relations"]:
                head, tail = text(relation["head"]), text(relation["tail"])
                rows.append({"head": head, "relation": relation["type"], "tails": [tail], "right": 0})
        write(target / f"{split}.jsonl", map(json.dumps, rows))


def entailments(source, target):
    for split in ("train", "dev", "test"):
        rows = [line.split("\t") for line in (source / f"{split}.tsv").read_text("utf-8").splitlines()]
        names = rows[0]
        pairs = [dict(zip(names, row)) for row in rows[1:]]
        kept = [pair for pair in pairs if pair["entailment_judgment"] == "ENTAILMENT"]
        both = lambda pair: {"premise": pair["sentence_A"].lower(), "hypothesis": pair["sentence_B"].lower()}
        write(target / f"{split}.jsonl", [json.dumps(both(pair)) for pair in kept])


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", "utf-8")


def main():
    source, target = map(Path, sys.argv[1:3])
    trec(source / "trec", target / "trec_types")
    goemotions(source / "goemotions", target / "goemotions_sentiment")
    conll2000(source / "conll2000", target / "conll2000_part")
    dailydialog(source / "dailydialog", target / "dialogue_acts")
    next_sentences(source / "ewt", target / "next_sentences")
    short_sentences(source / "ewt", target / "short_sentences")
    question_generation(source / "squad", target / "question_generation")
    answer_pairs(target / "question_generation", target / "answer_pairs")
    meanings(source / "atis", target / "meanings")
    triples(source / "conll04", target / "triples")
    entailments(source / "sick", target / "entailments")


if __name__ == "__main__":
    main()
