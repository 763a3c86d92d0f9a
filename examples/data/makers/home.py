"""`home`: requests to an assistant, with an intent and BIO slots.

The words alone rarely give the intent away. Half of the utterances hold two
requests of which one is withdrawn, reported or left to somebody else, and only
the order says which; reminders and messages quote other requests whole; song
titles are made of other intents' words; a person, a town, a day or a number
fills different slots in different places.
"""

from .draw import Draw, choose, typo

SIZES = [("train", 2400), ("dev", 300), ("test", 400)]

# The last entries of each list, behind the bar, never occur in train.
FILLERS = {
    "person": "anna bob carla david emma felix greta henry ines jakob lena marco nora oscar paula rosa"
    " | tilda viktor",
    "town": "paris lyon berlin hamburg vienna graz rome milan madrid porto oslo bergen prague zurich"
    " new_york san_marino | krakow",
    "day": "monday tuesday wednesday thursday friday saturday sunday tomorrow next_monday next_friday"
    " the_first_of_may the_tenth_of_june | the_third_of_july",
    "time": "six seven eight nine ten noon half_past_six half_past_nine quarter_to_eight seven_thirty"
    " | quarter_past_nine",
    "room": "kitchen bedroom bathroom office hallway living_room dining_room garage | attic",
    "color": "red green blue orange purple warm_white | turquoise",
    "number": "ten fifteen twenty twenty_two thirty forty fifty sixty | seventy",
    "span": "ten_minutes fifteen_minutes twenty_minutes half_an_hour an_hour two_hours thirty_seconds"
    " | forty_seconds",
    "genre": "jazz rock techno folk blues opera classical_music hip_hop | reggae",
    "song": "dim_the_lights call_me_monday rain_in_paris message_from_bob twenty_two move_on tell_anna"
    " remind_me_tomorrow ten_minutes cold_kitchen blue_friday not_now the_last_train_to_lyon do_not_wait"
    " | warm_rain",
    "artist": "the_timers nora_lane rosa_milan cold_office the_borrowers henry_and_the_reminders velvet_garage"
    " paula_green | attic_rain",
    "item": "milk bread eggs coffee apples rice butter tea olive_oil dish_soap light_bulbs green_tea | honey",
    "list": "shopping party travel work | birthday",
    "event": "meeting dinner dentist_appointment piano_lesson call gym_class lunch team_lunch | interview",
    "vehicle": "train flight bus night_train | ferry",
}

# What is said, by intent. `{slot:list}` is a filled slot, `(a|b|)` a choice.
SAID = {
    "play_music": [
        "play (some|) {genre:genre} (in the {room:room}|)",
        "play {song:song} by {artist:artist}",
        "play {song:song} (in the {room:room}|)",
        "play (something|a song) by {artist:artist}",
    ],
    "set_light": [
        "dim the {room:room} (lights|lamp) to {brightness:number} percent",
        "make the (lights|lamp) in the {room:room} {color:color}",
        "set the {room:room} (lights|lamp) to {color:color}",
        "set the {room:room} lights to {brightness:number} percent",
    ],
    "set_heating": [
        "set the {room:room} to {degrees:number} degrees",
        "(warm up|cool) the {room:room} to {degrees:number} degrees",
        "set the heating to {degrees:number} degrees (in the {room:room}|)",
    ],
    "set_timer": [
        "set a timer for {duration:span}",
        "set a timer of {duration:span}",
        "count down {duration:span}",
    ],
    "set_alarm": [
        "wake me (up|) at {alarm_time:time} (on {alarm_day:day}|)",
        "set (an|the) alarm for {alarm_time:time} (on {alarm_day:day}|)",
    ],
    "make_call": [
        "call {contact:person}",
        "(ring|call) {contact:person} (back|)",
        "get {contact:person} on the phone",
    ],
    "read_message": [
        "read (me|) the message from {sender:person} to {receiver:person}",
        "read (me|) the message to {receiver:person} from {sender:person}",
        "read (me|) what {sender:person} wrote to {receiver:person}",
        "read (me|) the message from {sender:person}",
    ],
    "book_trip": [
        "book a {vehicle:vehicle} from {origin:town} to {destination:town} (on {trip_day:day}|)",
        "book a {vehicle:vehicle} to {destination:town} from {origin:town} (on {trip_day:day}|)",
        "book a {vehicle:vehicle} to {destination:town} (on {trip_day:day}|)",
        "get me from {origin:town} to {destination:town} (on {trip_day:day}|)",
    ],
    "move_event": [
        "move the {event:event} from {old_day:day} to {new_day:day}",
        "move the {event:event} to {new_day:day} from {old_day:day}",
        "move the {event:event} with {guest:person} to {new_day:day}",
    ],
    "make_event": [
        "put a {event:event} with {guest:person} on {event_day:day} (at {event_time:time}|)",
        "set up a {event:event} with {guest:person} (at {event_time:time}|) on {event_day:day}",
        "put a {event:event} (at {event_time:time}|) on {event_day:day} with {guest:person}",
    ],
    "change_list": [
        "put {new_item:item} on the {list:list} list",
        "put {new_item:item} in place of {old_item:item} on the {list:list} list",
        "replace {old_item:item} with {new_item:item} (on the {list:list} list|)",
        "take {old_item:item} off the {list:list} list",
    ],
    "note_debt": [
        "note that {lender:person} lent me {amount:number} euros",
        "note {amount:number} euros from {lender:person} to me",
        "note down that i got {amount:number} euros from {lender:person}",
    ],
    "note_loan": [
        "note that i lent {borrower:person} {amount:number} euros",
        "note {amount:number} euros from me to {borrower:person}",
        "note down that i lent {amount:number} euros to {borrower:person}",
    ],
    "ask_weather": [
        "check (whether|if) it rains in {weather_town:town} (on {weather_day:day}|)",
        "check the weather in {weather_town:town} (on {weather_day:day}|)",
    ],
}

# Requests that quote another one: the quoted words are a single slot.
QUOTING = {
    "make_reminder": [
        ("remind me to", "todo"),
        ("remind me on {remind_day:day} to", "todo"),
    ],
    "send_message": [
        ("(tell|ask) {recipient:person} to", "message_text"),
        ("text {recipient:person} to", "message_text"),
    ],
}

INTENTS = list(SAID) + list(QUOTING)

# `A` is what is wanted and `B` what is not; each pair uses the same words.
WANTED_FIRST = [
    "A rather than B",
    "A but do not B",
    "you A and i will B",
    "i want you to A but {p} wants to B",
]
WANTED_LAST = [
    "rather than B A",
    "do not B but A",
    "i will B and you A",
    "{p} wants to B but i want you to A",
    "B no wait A",
]
OPENERS = ["", "", "", "please", "hey home", "could you", "can you please", "home", "i would like you to", "ok"]
CLOSERS = ["", "", "", "", "please", "thanks", "right away", "if you can"]


def filler_lists(full):
    """The fillers of a split: all of them, or only those that train may hold."""
    lists = {}
    for name, words in FILLERS.items():
        seen, unseen = words.split("|")
        words = seen.split() + (unseen.split() if full else [])
        lists[name] = [word.replace("_", " ") for word in words]
    return lists


def fill(draw, template, lists):
    """A template's tokens as (token, tag); no filler twice in one clause."""
    tokens, used = [], []
    for word in choose(draw, template).split():
        if not word.startswith("{"):
            tokens.append((word, "O"))
            continue
        slot, name = word[1:-1].split(":")
        value = draw.one(lists[name])
        while value in used:
            value = draw.one(lists[name])
        used.append(value)
        if tokens and tokens[-1][0] == "on" and value.split()[0] in ("tomorrow", "next"):
            tokens.pop()
        tokens += [(part, ("I-" if i else "B-") + slot) for i, part in enumerate(value.split())]
    return tokens


def quoted(draw, lists, depth):
    """The inside of a reminder or a message: words without slots of their own."""
    if depth and draw.chance(350):
        return clause(draw, lists, draw.one(list(QUOTING)), depth - 1)
    return clause(draw, lists, draw.one(list(SAID)), 0)


def clause(draw, lists, intent, depth=1):
    if intent in SAID:
        return fill(draw, draw.one(SAID[intent]), lists)
    head, slot = draw.one(QUOTING[intent])
    inside = quoted(draw, lists, depth)
    body = [(word, ("I-" if i else "B-") + slot) for i, (word, _) in enumerate(inside)]
    return fill(draw, head, lists) + body


def plain(tokens):
    return [(word, "O") for word, _ in tokens]


def utterance(draw, lists):
    """One request: tokens with tags, and its intent."""
    intent = draw.one(INTENTS)
    wanted = clause(draw, lists, intent)
    if draw.chance(550):
        # A quotation runs to the end of the sentence, so nothing may follow it.
        last = intent in QUOTING or draw.chance(500)
        frame = draw.one(WANTED_LAST if last else WANTED_FIRST)
        other = draw.one(INTENTS if not last else list(SAID))
        unwanted = plain(clause(draw, lists, other, 0))
        tokens = []
        for word in frame.split():
            if word == "A":
                tokens += wanted
            elif word == "B":
                tokens += unwanted
            else:
                tokens.append((draw.one(lists["person"]) if word == "{p}" else word, "O"))
        return tokens, intent
    opener = [(word, "O") for word in draw.one(OPENERS).split()]
    closer = [(word, "O") for word in draw.one(CLOSERS).split()]
    return opener + wanted + ([] if intent in QUOTING else closer), intent


def make():
    """The files of the data set: path -> text."""
    files, met = {}, set()
    for number, (split, size) in enumerate(SIZES):
        draw = Draw(20_240 + number)
        lists = filler_lists(split == "test")
        typos = 15 if split == "test" else 8
        rows = []
        while len(rows) < size:
            tokens, intent = utterance(draw, lists)
            text = " ".join(word for word, _ in tokens)
            if text in met or len(tokens) > 34:
                continue
            met.add(text)
            tokens = [(typo(draw, word) if draw.chance(typos) else word, tag) for word, tag in tokens]
            rows.append((tokens, intent))
        columns = {
            "seq.in": [" ".join(word for word, _ in tokens) for tokens, _ in rows],
            "seq.out": [" ".join(tag for _, tag in tokens) for tokens, _ in rows],
            "label": [intent for _, intent in rows],
        }
        for name, lines in columns.items():
            files[f"home/{split}/{name}"] = "".join(line + "\n" for line in lines)
    return files
