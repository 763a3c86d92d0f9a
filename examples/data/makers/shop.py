"""`shop`: two data sets about one shop. Letters (CSV) have a topic and an urgency; chat lines (JSONL) have tags."""

import csv
import io
import json

from .draw import Draw, choose

LETTERS = [("train", 900), ("dev", 100), ("test", 200)]
CHATS = [("train", 350), ("dev", 60), ("test", 150)]

PRODUCTS = "lamp,desk chair,kettle,rain coat,camera,rug,garden table,bread knife,phone,suitcase".split(",")
PLACES = "Graz,Lyon,Porto,Oslo,Bergen,Vienna,San Marino,Prague".split(",")
PEOPLE = "Ines,Marco,Paula Green,Oscar,Lena,Viktor,Rosa Lane,Jakob".split(",")
DAYS = "Monday,Tuesday,Friday,next week,tomorrow".split(",")

TOPICS = {
    "delivery": [
        "the {product} has not (arrived|come) in {place}",
        "when will the {product} be in {place}",
        "please send the {product} to {place} and not to {place}",
    ],
    "refund": [
        "i (want|would like) my money back for the {product}",
        "you charged me twice for the {product}",
        "i sent the {product} back from {place} and was never paid",
    ],
    "fault": [
        "the {product} (is broken|does not work|fell apart)",
        "the {product} (smokes|makes a noise) when i use it",
        "a part of the {product} is missing",
    ],
    "praise": [
        "the {product} (is perfect|works well), thank you",
        "{person} in {place} helped me with the {product}, how kind",
        "i love the {product}",
    ],
}
# What is written around it, and how much more urgent it makes a letter.
URGENCY = [
    ("", 0), ("when you have time", -10), ("no hurry", -10), ("i need it by {day}", 15),
    ("this is urgent", 25), ("i have waited for three weeks", 20), ("answer at once", 30),
]
BASE = {"delivery": 40, "refund": 50, "fault": 60, "praise": 15}

LINES = [
    "can {person:person} bring the {product:product} to {place:place} on {day:day}",
    "i ordered a {product:product} from {place:place}",
    "{person:person} said the {product:product} is in {place:place}",
    "is {person:person} in {place:place} {day:day}",
    "(ask|tell) {person:person} that the {product:product} comes {day:day}",
    "the {product:product} , the {product:product} and the {product:product} please",
    "hello this is {person:person}",
    "good morning , is anybody there",
    "has the {product:product} for {person:person} left {place:place} yet",
]


def pick(draw, name):
    return draw.one({"product": PRODUCTS, "place": PLACES, "person": PEOPLE, "day": DAYS}[name])


def letter(draw):
    topic = draw.one(list(TOPICS))
    words, more = draw.one(URGENCY)
    parts = [choose(draw, draw.one(TOPICS[topic])), words]
    text = ", ".join(part for part in draw.shuffled(parts) if part)
    while "{" in text:
        start, end = text.index("{"), text.index("}")
        text = text[:start] + pick(draw, text[start + 1 : end]) + text[end + 1 :]
    urgency = min(100, max(0, BASE[topic] + more + draw.below(7) - 3))
    # In hundredths, and now and then not graded at all: such a letter trains the topic alone.
    return text, topic, "" if draw.chance(80) else f"{urgency // 100}.{urgency % 100:02d}"


def chat(draw):
    words, tags = [], []
    for word in choose(draw, draw.one(LINES)).split():
        if word.startswith("{"):
            name, slot = word[1:-1].split(":")
            parts = pick(draw, name).split()
            if words and words[-1] == "on" and parts[0] in ("next", "tomorrow"):
                words.pop()
                tags.pop()
            words += parts
            tags += [("I-" if i else "B-") + slot for i in range(len(parts))]
        else:
            words.append(word)
            tags.append("O")
    return {"id": None, "line": {"tokens": words, "tags": tags}}


def make():
    files = {}
    for number, (split, size) in enumerate(LETTERS):
        draw = Draw(73_000 + number)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["letter", "topic", "urgency"])
        for _ in range(size):
            writer.writerow(letter(draw))
        files[f"shop/letters.{split}.csv"] = out.getvalue()
    for number, (split, size) in enumerate(CHATS):
        draw = Draw(79_000 + number)
        lines = []
        for i in range(size):
            example = chat(draw)
            example["id"] = f"{split}-{i}"
            lines.append(json.dumps(example) + "\n")
        files[f"shop/chats.{split}.jsonl"] = "".join(lines)
    return files
