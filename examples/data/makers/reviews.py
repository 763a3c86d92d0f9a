"""`reviews`: short opinions in four domains, with unlabelled text beside them.

Some words judge alike everywhere, some only in one domain, and some turn over
between domains: `predictable` is a fault of a film and a virtue of a kettle.
"""

from .draw import Draw, choose

DOMAINS = {
    "books": {
        "things": "novel story plot hero chapter ending author",
        "good": "gripping moving wise surprising long",
        "bad": "dull wordy predictable light quiet",
    },
    "films": {
        "things": "film actor scene score director ending picture",
        "good": "stunning funny tense surprising loud",
        "bad": "slow predictable long flat light",
    },
    "kitchen": {
        "things": "kettle pan knife blender oven handle lid",
        "good": "sharp sturdy predictable light quiet",
        "bad": "flimsy rusty loud surprising heavy",
    },
    "games": {
        "things": "game level map puzzle controller sequel hero",
        "good": "addictive clever hard long heavy",
        "bad": "buggy easy repetitive flat sharp",
    },
}
GOOD = "great excellent wonderful lovely superb"
BAD = "terrible awful poor disappointing horrible"
SAYINGS = [
    "the {t} is {a}",
    "i found the {t} (really|rather|quite|) {a}",
    "what (a|one) {a} {t}",
    "this {t} (was|felt) {a}",
    "(my wife|my brother|my friend|everyone) calls the {t} {a}",
]
DENIALS = [
    "the {t} is not {a}",
    "the {t} is (never|hardly|anything but) {a}",
    "nobody would call the {t} {a}",
]
FILLERS = [
    "i bought it (last week|in may|on sale|for a friend)",
    "it came (on time|in a box|with a note)",
    "we talked about the {t} (at dinner|all evening)",
]
SIZES = [("train", 260), ("test", 80)]
UNLABELLED = 150


def body(draw, words, good):
    """Sentences of one opinion, mostly of one mind."""
    parts = []
    for i in range(1 + draw.below(3)):
        agrees = i == 0 or draw.chance(850)
        says_good = good == agrees
        denied = draw.chance(180)
        own, common = ("good", GOOD) if says_good != denied else ("bad", BAD)
        word = draw.one(words[own].split() if draw.chance(600) else common.split())
        text = choose(draw, draw.one(DENIALS if denied else SAYINGS))
        parts.append(text.replace("{a}", word).replace("{t}", draw.one(words["things"].split())))
    if draw.chance(400):
        parts.insert(draw.below(len(parts) + 1), choose(draw, draw.one(FILLERS)).replace("{t}", draw.one(words["things"].split())))
    return draw.one([" . ", " , ", " and "]).join(parts)


def make():
    files = {}
    for number, (domain, words) in enumerate(DOMAINS.items()):
        draw = Draw(47_000 + number)
        for split, size in SIZES:
            rows = []
            for i in range(size):
                good = i % 2 == 0
                rows.append(("good" if good else "bad") + "\t" + body(draw, words, good) + "\n")
            files[f"reviews/{domain}.{split}"] = "".join(draw.shuffled(rows))
        # What is tested is nowhere in what is trained on.
        tested = {row.split("\t")[1] for row in files[f"reviews/{domain}.test"].splitlines(True)}
        raw = []
        while len(raw) < UNLABELLED:
            text = body(draw, words, draw.chance(500)) + "\n"
            if text not in tested:
                raw.append(text)
        files[f"reviews/{domain}.unlabel"] = "".join(raw)
    return files
