"""Draws and templates: what every generator shares.

`Draw` is SplitMix64 and nothing of Python's `random`, so that the text it
makes is the same under every version of Python, and no generator walks a set
or depends on a hash.
"""

MASK = (1 << 64) - 1


class Draw:
    """A seeded stream of choices."""

    def __init__(self, seed):
        self.state = seed & MASK

    def bits(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, n):
        """A whole number from 0 to n - 1."""
        return self.bits() % n

    def chance(self, per_mille):
        """True `per_mille` times in a thousand."""
        return self.below(1000) < per_mille

    def one(self, options):
        return options[self.below(len(options))]

    def weighted(self, options):
        """One of a list of (item, whole weight)."""
        left = self.below(sum(weight for _, weight in options))
        for item, weight in options:
            if left < weight:
                return item
            left -= weight
        raise AssertionError("weights are positive")

    def shuffled(self, items):
        items = list(items)
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items


def choose(draw, template):
    """Settle the `(one|other|)` choices of a template, innermost first."""
    while True:
        close = template.find(")")
        if close < 0:
            return template
        start = template.rindex("(", 0, close)
        picked = draw.one(template[start + 1 : close].split("|"))
        template = template[:start] + picked + template[close + 1 :]


def typo(draw, word):
    """The word with two neighbouring letters swapped, one lost or one doubled."""
    if len(word) < 4:
        return word
    i = 1 + draw.below(len(word) - 2)
    kind = draw.below(3)
    if kind == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == 1:
        return word[:i] + word[i + 1 :]
    return word[:i] + word[i] + word[i:]
