"""`parsing`: made-up English with parts of speech, chunks and trees, in CoNLL columns.

Many words are noun and verb at once and most stems are invented, so that a tag
follows from the place in the sentence and from the word's ending; a chunk
follows from the tags around it, and an arc from the chunks. What a prepositional
phrase hangs on follows from the preposition.
"""

from .draw import Draw

SIZES = [("train", 1000), ("dev", 120), ("test", 250)]

DETERMINERS = "the a this that every her his some".split()
PRONOUNS = "she he they it we".split()
PREPOSITIONS = "in on near under behind with after before".split()
AUXILIARIES = "will can must should may".split()
CONJUNCTIONS = "and or but".split()
PLAIN_ADVERBS = "often never soon again here".split()
NUMERALS = "two three five ten twenty".split()
BOTH = "plant light walk watch ship answer dream report plan record paint guess trade cover smile".split()
NOUNS = "river house garden letter window teacher bridge city".split()
ADJECTIVES = "old quiet long early open".split()
VERBS = "see bring keep find carry follow hear".split()

STARTS = "b br d dr f fl g gr k kl l m n p pl r s sk sl t tr v z".split()
MIDDLES = "a e i o u ai ou ea".split()
ENDS = "b d g k l m n p r sk st t lt nd".split()


def stem(draw):
    word = draw.one(STARTS) + draw.one(MIDDLES) + draw.one(ENDS)
    return word + draw.one(MIDDLES) + draw.one(ENDS) if draw.chance(300) else word


def noun(draw, plural):
    kind = draw.below(10)
    if kind < 3:
        word = draw.one(BOTH)
    elif kind < 6:
        word = draw.one(NOUNS)
    else:
        word = stem(draw) + draw.one(["ness", "ment", "tion", "er"])
    return (word + ("es" if plural and word[-1] == "s" else "s" if plural else ""), "NOUN")


def adjective(draw):
    return (draw.one(ADJECTIVES) if draw.chance(400) else stem(draw) + draw.one(["ish", "ous", "ful", "less"]), "ADJ")


def adverb(draw):
    return (draw.one(PLAIN_ADVERBS) if draw.chance(400) else stem(draw) + "ishly", "ADV")


def verb(draw, form):
    kind = draw.below(10)
    if kind < 4:
        word = draw.one(BOTH)
    elif kind < 6:
        word = draw.one(VERBS)
    else:
        word = stem(draw) + draw.one(["ify", "ize", ""])
    if form == "s":
        word = word[:-1] + "ies" if word.endswith("y") else word + "s"
    return (word, "VERB")


def chunked(kind, tokens):
    return [(word, tag, ("I-" if i else "B-") + kind) for i, (word, tag) in enumerate(tokens)]


def noun_phrase(draw, deep=True):
    kind = draw.below(10)
    if kind == 0:
        return chunked("NP", [(draw.one(PRONOUNS), "PRON")])
    if kind == 1:
        return chunked("NP", [(stem(draw).capitalize() + draw.one(["a", "o", "in"]), "PROPN")])
    tokens = []
    if kind == 2:
        tokens.append((draw.one(NUMERALS), "NUM"))
    elif kind < 9:
        tokens.append((draw.one(DETERMINERS), "DET"))
    while draw.chance(350) and len(tokens) < 3:
        tokens.append(adjective(draw))
    if draw.chance(150):
        tokens.append(noun(draw, False))
    tokens.append(noun(draw, kind in (2, 9)))
    phrase = chunked("NP", tokens)
    if deep and draw.chance(250):
        phrase += prepositional(draw)
    return phrase


def prepositional(draw):
    return chunked("PP", [(draw.one(PREPOSITIONS), "ADP")]) + noun_phrase(draw, False)


def verb_phrase(draw):
    tokens = []
    form = "s"
    if draw.chance(400):
        tokens.append((draw.one(AUXILIARIES), "AUX"))
        form = ""
        if draw.chance(200):
            tokens.append(("not", "PART"))
    if draw.chance(200):
        tokens.append(adverb(draw))
    return chunked("VP", tokens + [verb(draw, form)])


def sentence(draw):
    tokens = noun_phrase(draw) + verb_phrase(draw)
    if draw.chance(750):
        tokens += noun_phrase(draw)
    if draw.chance(300):
        tokens += prepositional(draw)
    if draw.chance(250):
        tokens += chunked("ADVP", [adverb(draw)])
    if draw.chance(200):
        tokens += [(draw.one(CONJUNCTIONS), "CCONJ", "O")] + noun_phrase(draw, False) + verb_phrase(draw)
    return tokens + [(".", "PUNCT", "O")]


INSIDE = {"DET": "det", "NUM": "nummod", "ADJ": "amod", "NOUN": "compound", "AUX": "aux", "PART": "advmod", "ADV": "advmod"}
OF_VERBS = {"with", "after", "before"}


def arcs(tokens):
    """Head (from 1, 0 for the root) and label of each token."""
    heads = [0] * len(tokens)
    labels = ["root"] * len(tokens)

    def hang(token, head, label):
        heads[token], labels[token] = head + 1, label

    # The last token of a noun or verb phrase is its head, and the others hang on it.
    tops = [i for i, t in enumerate(tokens) if t[2][2:] in ("NP", "VP") and (tokens + [("", "", "O")])[i + 1][2][:1] != "I"]
    top = {}
    for i in range(len(tokens)):
        top[i] = min((t for t in tops if t >= i), default=None)
        if tokens[i][2][2:] in ("NP", "VP") and top[i] != i:
            hang(i, top[i], INSIDE[tokens[i][1]])
    verbs = [i for i in tops if tokens[i][1] == "VERB"]
    for verb in verbs[1:]:
        hang(verb, verbs[0], "conj")
    noun, verb, preposition = None, None, None
    for i, (word, tag, chunk) in enumerate(tokens):
        if tag == "CCONJ":
            hang(i, verbs[1], "cc")
            noun, verb = None, None
        elif tag == "PUNCT":
            hang(i, verbs[0], "punct")
        elif chunk == "B-PP":
            hang(i, top[i], "case")
            preposition = word
        elif chunk == "B-ADVP":
            hang(i, verb, "advmod")
        elif i in verbs:
            verb = i
        elif i in tops and preposition:
            of_verb = verb is not None and (preposition in OF_VERBS or noun is None)
            hang(i, verb if of_verb else noun, "obl" if of_verb else "nmod")
            preposition = None
        elif i in tops:
            coming = min((v for v in verbs if v > i), default=None)
            hang(i, coming if verb is None else verb, "nsubj" if verb is None else "obj")
            noun = i
        if i in verbs:
            noun = None
    return [token + (str(head), label) for token, head, label in zip(tokens, heads, labels)]


def make():
    files = {}
    for number, (split, size) in enumerate(SIZES):
        draw = Draw(31_000 + number)
        blocks = []
        for _ in range(size):
            blocks.append("".join("\t".join(token) + "\n" for token in arcs(sentence(draw))))
        files[f"parsing/{split}.conll"] = "\n".join(blocks)
    return files
