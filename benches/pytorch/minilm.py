"""`minilm.mtl` as a user of `transformers` would write it, and the checkpoint of MiniLM's size that both begin with.

    minilm.py FOLDER

makes the checkpoint FOLDER/minilm with random weights. Its vocabulary is the words of FOLDER/slu and as many others
as MiniLM's has.
"""
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import BertConfig, BertModel

from models import linear_from, losses

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = 30522


def make(folder):
    words = sorted({word for line in open(folder / "slu" / "seq.in") for word in line.split()})
    words = SPECIAL + words
    words += [f"unused{i}" for i in range(PIECES - len(words))]
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=PIECES, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )
    BertModel(config).save_pretrained(folder / "minilm")
    (folder / "minilm" / "vocab.txt").write_text("\n".join(words) + "\n")


class Minilm(nn.Module):
    """The encoder over padded texts, each between [CLS] and [SEP]."""

    def __init__(self, weights, drop, folder):
        super().__init__()
        dropout = {"hidden_dropout_prob": drop, "attention_probs_dropout_prob": drop}
        self.bert = BertModel.from_pretrained(folder, add_pooling_layer=False, **dropout)
        self.intent = linear_from(weights, "intent.head.weight", "intent.head.bias")
        self.slots = linear_from(weights, "slots.head.weight", "slots.head.bias")

    def forward(self, batch):
        h = self.bert(batch["pieces"], attention_mask=batch["seen"]).last_hidden_state
        return losses((self.intent(h[:, 0]), self.slots(h[:, 1:-1])), batch)


def batches(dump, data):
    """Padded batches, with the places of [CLS] and [SEP]."""
    rows = {word: i for i, word in enumerate((data.parent / "minilm" / "vocab.txt").read_text().split("\n"))}
    schema = json.load(open(dump / "vocabularies.json"))
    spaces = {space["name"]: {label: i for i, label in enumerate(space["labels"])} for space in schema["spaces"]}
    slots = next(labels for name, labels in spaces.items() if "slots" in name)
    names = next(labels for name, labels in spaces.items() if "intent" in name)
    texts, tags, intents = ([line.split() for line in open(data / name)] for name in ("seq.in", "seq.out", "label"))
    made = []
    for examples in json.load(open(dump / "batches.json")):
        longest = max(len(texts[i]) for i in examples)
        padded = lambda row, fill, size: row + [fill] * (size - len(row))
        pieces = [[2] + [rows[w] for w in texts[i]] + [3] for i in examples]
        lengths = torch.tensor([len(texts[i]) for i in examples])
        made.append({
            "pieces": torch.tensor([padded(row, 0, longest + 2) for row in pieces]),
            "seen": torch.tensor([padded([1] * len(row), 0, longest + 2) for row in pieces]),
            "slots": torch.tensor([padded([slots[t] for t in tags[i]], -1, longest) for i in examples]),
            "intent": torch.tensor([names[intents[i][0]] for i in examples]),
            "lengths": lengths,
            "mask": torch.arange(longest).unsqueeze(0) < lengths.unsqueeze(1),
        })
    return made


if __name__ == "__main__":
    make(Path(sys.argv[1]))
