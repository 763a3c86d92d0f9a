"""`diary`: notes as they are said, what they are about, and the entry that a diary keeps of them."""

from .draw import Draw, choose

SIZES = [("train", 1600), ("dev", 120), ("test", 240)]

MONTHS = "january february march april may june july august september october november december".split()
DAYS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
TENS = {"twenty": 20, "thirty": 30}
HOURS = "one two three four five six seven eight nine ten eleven twelve".split()

# Names are made of syllables, so that test has many that train has not.
STARTS = "al be cor da el fi gre ha il ja ka lo mi nor or pe ro sa ti ul vi wen".split()
MIDDLES = " ba bel di do fa go li lo ma mi na no ra ri ro ta ti va ze".split(" ")
ENDS = "da dric len lia mar na nor ra ric sa tha vin".split()

ABOUT = {
    "call": ["(call|ring|phone) {name} {when}", "{when} i (must|have to) (call|ring) {name}", "give {name} a ring {when}"],
    "meet": ["{name} and i meet {when}", "(lunch|dinner|coffee) with {name} {when}", "{when} i see {name}"],
    "birthday": ["{name} (has|celebrates) a birthday {when}", "{when} is the birthday of {name}", "{name} was born {when}"],
    "pay": ["pay {name} {when}", "{name} gets the money {when}", "{when} the rent goes to {name}"],
}


def day(draw):
    number = 1 + draw.below(28)
    if number <= 20:
        return number, DAYS[number - 1]
    return number, f"twenty {DAYS[number - 21]}"


def hour(draw):
    at = 1 + draw.below(12)
    kind = draw.one(["whole", "half", "quarter past", "quarter to", "twenty past"])
    if kind == "whole":
        return f"{at:02} 00", f"at {HOURS[at - 1]}"
    if kind == "quarter to":
        return f"{at - 1 or 12:02} 45", f"at a quarter to {HOURS[at - 1]}"
    minutes = {"half": 30, "quarter past": 15, "twenty past": 20}[kind]
    said = {"half": "half past", "quarter past": "a quarter past", "twenty past": "twenty past"}[kind]
    return f"{at:02} {minutes}", f"at {said} {HOURS[at - 1]}"


def note(draw):
    about = draw.one(list(ABOUT))
    month = draw.below(12)
    number, said = day(draw)
    name = draw.one(STARTS) + draw.one(MIDDLES) + draw.one(ENDS)
    when = choose(draw, draw.one(["on the {day} of {month}", "on {month} the {day}", "(this|next) {month} on the {day}"]))
    when = when.format(day=said, month=MONTHS[month])
    entry = f"{month + 1:02} {number:02}"
    if about != "birthday" and draw.below(2):
        clock, spoken = hour(draw)
        when, entry = f"{when} {spoken}", f"{entry} at {clock}"
    text = choose(draw, draw.one(ABOUT[about])).format(name=name, when=when)
    return f"{text}\t{about}\t{about} {name} {entry}"


def make():
    files = {}
    for seed, (split, size) in enumerate(SIZES, 701):
        draw = Draw(seed)
        rows = [note(draw) for _ in range(size)]
        files[f"diary/{split}.tsv"] = "note\tabout\tentry\n" + "".join(row + "\n" for row in rows)
    return files
