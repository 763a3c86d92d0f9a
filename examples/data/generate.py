#!/usr/bin/env python3
"""Write the example data, or check that the kept text is what this makes.

    python3 examples/data/generate.py            # write every data set
    python3 examples/data/generate.py home       # write one
    python3 examples/data/generate.py --check    # compare with what is kept; exit 1 on a difference

Standard library only, a fixed seed for each split, and the same bytes on every
system and every Python from 3.8.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from makers import diary, emotions, home, pairs, parsing, reviews, shop  # noqa: E402

MAKERS = {
    "home": home,
    "parsing": parsing,
    "reviews": reviews,
    "pairs": pairs,
    "emotions": emotions,
    "shop": shop,
    "diary": diary,
}


def main(arguments):
    check = "--check" in arguments
    names = [a for a in arguments if a != "--check"] or list(MAKERS)
    unknown = [name for name in names if name not in MAKERS]
    if unknown:
        sys.exit(f"no data set {', '.join(unknown)}; there are {', '.join(MAKERS)}")
    different = []
    for name in names:
        for path, text in MAKERS[name].make().items():
            file = HERE / path
            if check:
                if not file.is_file() or file.read_bytes() != text.encode("utf-8"):
                    different.append(path)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(text.encode("utf-8"))
    if different:
        sys.exit("differs from what the generator makes: " + ", ".join(different))
    print(("checked " if check else "wrote ") + ", ".join(names))


if __name__ == "__main__":
    main(sys.argv[1:])
