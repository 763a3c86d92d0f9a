"""`pairs`: two sentences, how related they are (1 to 5) and whether the first entails the second."""

from .draw import Draw

SIZES = [("train", 1500), ("dev", 150), ("test", 300)]

# A word and what it is a kind of.
WHO = {
    "cat": "animal", "dog": "animal", "horse": "animal", "bird": "animal",
    "woman": "person", "man": "person", "girl": "child", "boy": "child",
}
LOOK = "small old black wet young tired".split()
ACTS = {
    "sleeping": "resting", "lying": "resting", "running": "moving", "jumping": "moving",
    "eating": "eating", "sitting": "resting", "walking": "moving",
}
WHERE = {
    "in the garden": "outside", "in the street": "outside", "on the grass": "outside",
    "on the sofa": "inside", "in the kitchen": "inside", "on the bed": "inside",
}
OPPOSITE = {"outside": "inside", "inside": "outside"}


def article(words):
    return ("an " if words[0] in "aeio" else "a ") + words


def text(scene):
    look, who, act, where, negated = scene
    noun = (look + " " if look else "") + who
    if negated:
        return f"there is no {noun} {act} {where}".strip()
    return f"{article(noun)} is {act} {where}".strip()


def other(draw, options, than):
    return draw.one([option for option in options if option != than])


def pair(draw):
    """One pair: the sentences, a grade with a little noise, and a label."""
    look = draw.one(LOOK)
    who = draw.one(list(WHO))
    act = draw.one(list(ACTS))
    where = draw.one(list(WHERE))
    first = (look, who, act, where, False)
    kind = draw.below(10)
    if kind < 3:  # less is said of the same scene
        changes = 0
        look2, who2, act2, where2 = look, who, act, where
        if draw.chance(500):
            look2, changes = "", changes + 1
        if draw.chance(500):
            who2, changes = WHO[who], changes + 1
        if draw.chance(400):
            act2, changes = ACTS[act], changes + 1
        if draw.chance(400):
            where2, changes = WHERE[where], changes + 1
        second, grade, label = (look2, who2, act2, where2, False), 50 - 3 * changes, "entailment"
    elif kind < 5:  # the same scene, denied
        second, grade, label = (draw.one(["", look]), who, act, where, True), 36, "contradiction"
    elif kind < 6:  # the same one, somewhere it cannot be
        second, grade, label = (look, who, act, OPPOSITE[WHERE[where]], False), 34, "contradiction"
    elif kind < 7:  # more than is known
        second, grade, label = (other(draw, LOOK, look), who, act, where, False), 42, "neutral"
    elif kind < 8:  # somebody else
        second, grade, label = (look, other(draw, list(WHO), who), act, where, False), 30, "neutral"
    elif kind < 9:  # something else
        second, grade, label = (look, who, other(draw, list(ACTS), act), where, False), 32, "neutral"
    else:  # another scene
        scene = (other(draw, LOOK, look), other(draw, list(WHO), who), other(draw, list(ACTS), act))
        second, grade, label = scene + (other(draw, list(WHERE), where), False), 13, "neutral"
    grade = min(50, max(10, grade + draw.below(5) - 2))
    return text(first), text(second), f"{grade // 10}.{grade % 10}", label


def make():
    files = {}
    for number, (split, size) in enumerate(SIZES):
        draw = Draw(59_000 + number)
        rows = ["first\tsecond\trelated\tentails\n"]
        rows += ["\t".join(pair(draw)) + "\n" for _ in range(size)]
        files[f"pairs/{split}.tsv"] = "".join(rows)
    return files
