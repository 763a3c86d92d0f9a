"""`emotions`: what a writer feels, one or several at once, and the tone of the whole."""

from .draw import Draw, choose

SIZES = [("train", 1400), ("dev", 150), ("test", 300)]

# What brings each feeling up, and the tone it adds.
FEELINGS = {
    "joy": (1, ["i am (so|very|) happy about {x}", "{x} made my day", "i could dance because of {x}", "we laughed all through {x}"]),
    "gratitude": (1, ["thank you for {x}", "i owe you for {x}", "i am grateful for {x}", "it was kind of you to think of {x}"]),
    "hope": (1, ["i hope for {x}", "maybe {x} will turn out well", "i can hardly wait for {x}", "fingers crossed for {x}"]),
    "anger": (-1, ["i am furious about {x}", "{x} is an outrage", "how dare they do this to {x}", "i am sick of {x}"]),
    "sadness": (-1, ["i cried over {x}", "{x} breaks my heart", "i am so sad about {x}", "i miss {x}"]),
    "fear": (-1, ["i am afraid of {x}", "{x} keeps me awake at night", "what if {x} goes wrong", "i tremble at {x}"]),
    "surprise": (0, ["i did not expect {x}", "who would have thought of {x}", "{x} came out of nowhere", "i am amazed by {x}"]),
}
NEUTRAL = ["{x} starts at nine", "i read about {x}", "we spoke about {x} on the phone", "{x} is on monday"]
THINGS = (
    "the exam,the new job,the letter,the match,the trip,the concert,my old house,the dentist,the storm,"
    "the wedding,the visit,your cake,the train,the result,my neighbour,the meeting,the garden,the dog"
).split(",")
JOINS = [" and ", " but ", " , ", " . "]
# Said before a feeling, these take it back.
DENIED = ["i never said that ", "it is not true that ", "nobody believes that "]


def text(draw):
    feelings = []
    wanted = draw.weighted([(0, 2), (1, 5), (2, 4), (3, 1)])
    while len(feelings) < wanted:
        feeling = draw.one(list(FEELINGS))
        if feeling not in feelings:
            feelings.append(feeling)
    parts = [choose(draw, draw.one(FEELINGS[feeling][1])) for feeling in feelings]
    if not parts or draw.chance(250):
        parts.append(draw.one(NEUTRAL))
    if draw.chance(200):
        parts.append(draw.one(DENIED) + choose(draw, draw.one(FEELINGS[draw.one(list(FEELINGS))][1])))
    parts = [part.replace("{x}", draw.one(THINGS)) for part in draw.shuffled(parts)]
    total = sum(FEELINGS[feeling][0] for feeling in feelings)
    mixed = len(set(FEELINGS[feeling][0] for feeling in feelings) & {1, -1}) == 2
    tone = "mixed" if mixed else "good" if total > 0 else "bad" if total < 0 else "plain"
    words = parts[0]
    for part in parts[1:]:
        words += draw.one(JOINS) + part
    return words, "#".join(sorted(feelings)) or "none", tone


def make():
    files = {}
    for number, (split, size) in enumerate(SIZES):
        draw = Draw(61_000 + number)
        rows = ["text\temotions\ttone\n"] + ["\t".join(text(draw)) + "\n" for _ in range(size)]
        files[f"emotions/{split}.tsv"] = "".join(rows)
    return files
