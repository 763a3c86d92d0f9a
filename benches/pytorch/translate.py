"""`translate.mtl` as a good PyTorch user would write it: training, and beam search with cached keys and values."""
import json
import math

import torch
import torch.nn.functional as F
from torch import nn

from models import Block, linear_from


def positions(count, width):
    at = torch.arange(count).unsqueeze(1) * torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    return torch.stack((at.sin(), at.cos()), 2).reshape(count, width)


def norm_from(weights, prefix):
    norm = nn.LayerNorm(weights[f"{prefix}_gain"].shape[0])
    with torch.no_grad():
        norm.weight.copy_(weights[f"{prefix}_gain"])
        norm.bias.copy_(weights[f"{prefix}_bias"])
    return norm


class Writer(nn.Module):
    """A block of the decoder."""

    def __init__(self, weights, prefix, heads, drop):
        super().__init__()
        part = lambda name: linear_from(weights, f"{prefix}.{name}_weight", f"{prefix}.{name}_bias")
        self.qkv, self.out, self.query, self.memory = map(part, ("qkv", "out", "cross_query", "cross_memory"))
        self.cross_out, self.ff_in, self.ff_out = map(part, ("cross_out", "ff_in", "ff_out"))
        self.norm1, self.cross_norm, self.norm2 = (norm_from(weights, f"{prefix}.{n}") for n in ("norm1", "cross_norm", "norm2"))
        self.heads, self.drop = heads, drop

    def split(self, x, parts):
        b, t, d = x.shape
        return x.view(b, t, parts, self.heads, d // parts // self.heads).permute(2, 0, 3, 1, 4)

    def keys_of(self, memory):
        return self.split(self.memory(memory), 2)

    def forward(self, x, memory, mask, cache=None):
        b, t, d = x.shape
        p = self.drop if self.training else 0.0
        q, k, v = self.split(self.qkv(self.norm1(x)), 3)
        if cache is not None:
            k, v = cache.extend(self, k, v)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=cache is None)
        x = x + F.dropout(self.out(y.transpose(1, 2).reshape(b, t, d)), self.drop, self.training)
        q = self.split(self.query(self.cross_norm(x)), 1)[0]
        y = F.scaled_dot_product_attention(q, *memory, attn_mask=mask, dropout_p=p)
        x = x + F.dropout(self.cross_out(y.transpose(1, 2).reshape(b, t, d)), self.drop, self.training)
        y = F.dropout(F.gelu(self.ff_in(self.norm2(x))), self.drop, self.training)
        return x + F.dropout(self.ff_out(y), self.drop, self.training)


class Cache:
    """Keys and values of what each hypothesis has read."""

    def __init__(self):
        self.kept = {}

    def extend(self, block, k, v):
        if block in self.kept:
            before = self.kept[block]
            k, v = torch.cat((before[0], k), 2), torch.cat((before[1], v), 2)
        self.kept[block] = (k, v)
        return k, v

    def follow(self, parents):
        self.kept = {block: (k[parents], v[parents]) for block, (k, v) in self.kept.items()}


class Translate(nn.Module):
    """`translate.mtl`; the rows of the one table are the labels of the target and the end."""

    def __init__(self, weights, drop, rows):
        super().__init__()
        table = torch.cat((weights["words.embed.weight"][rows], weights["translate.head.end"]))
        self.words = nn.Embedding.from_pretrained(table.clone(), freeze=False)
        self.bias = nn.Parameter(weights["translate.head.bias"].clone())
        self.reader = nn.ModuleList(Block(weights, f"reader.transformer.l{i}", 4, drop) for i in range(3))
        self.norm = norm_from(weights, "reader.transformer.norm")
        self.writer = nn.ModuleList(Writer(weights, f"writer.transformer.l{i}", 4, drop) for i in range(3))
        self.last = norm_from(weights, "writer.transformer.norm")
        self.register_buffer("positions", positions(512, table.shape[1]))
        self.end = table.shape[0] - 1

    def read(self, source, mask):
        x = self.words(source) + self.positions[: source.shape[1]]
        for block in self.reader:
            x = block(x, mask)
        return self.norm(x)

    def logits(self, h):
        return F.linear(h / math.sqrt(h.shape[-1]), self.words.weight, self.bias)

    def forward(self, batch):
        mask = batch["mask"][:, None, None, :]
        memory = self.read(batch["source"], mask)
        x = self.words(batch["before"]) + self.positions[: batch["before"].shape[1]]
        for block in self.writer:
            x = block(x, block.keys_of(memory), mask)
        logits = self.logits(self.last(x)).transpose(1, 2)
        loss = F.cross_entropy(logits, batch["gold"], ignore_index=-1, label_smoothing=0.1, reduction="sum")
        return loss / len(batch["source"])

    @torch.inference_mode()
    def write(self, batch, beam=5, longest=24, alpha=0.6):
        """The likeliest text of each example, ranked by log p / ((5 + n) / 6)^alpha."""
        count = len(batch["source"])
        mask = batch["mask"][:, None, None, :].repeat_interleave(beam, 0)
        memory = self.read(batch["source"], batch["mask"][:, None, None, :]).repeat_interleave(beam, 0)
        keys = [block.keys_of(memory) for block in self.writer]
        cache, words = Cache(), torch.full((count * beam, 1), self.end)
        scores = torch.full((count, beam), -torch.inf)
        scores[:, 0] = 0.0
        done = [[] for _ in range(count)]
        first = torch.arange(count).unsqueeze(1) * beam
        for length in range(longest + 1):
            x = self.words(words[:, -1:]) + self.positions[length]
            for block, key in zip(self.writer, keys):
                x = block(x, key, mask, cache)
            log_p = self.logits(self.last(x[:, -1])).log_softmax(-1)
            log_p[:, 0] = -torch.inf
            if length == longest:
                log_p[:, :-1] = -torch.inf
            all_of = (scores.view(-1, 1) + log_p).view(count, -1)
            best, at = all_of.topk(2 * beam, 1)
            parent, word = at // log_p.shape[1] + first, at % log_p.shape[1]
            ended = (word == self.end) & torch.isfinite(best)
            for example, rank in ended.nonzero().tolist():
                if rank < beam or length == longest:
                    score = best[example, rank].item() / ((6 + length) / 6) ** alpha
                    done[example].append((score, words[parent[example, rank], 1:].tolist()))
            best = best.masked_fill(word == self.end, -torch.inf)
            scores, order = best.topk(beam, 1)
            # As many as the beam have ended and none that goes on is worth more, or none ever can be.
            now, last = (((6 + n) / 6) ** alpha for n in (length + 1, longest))
            over = lambda d, p: d and (len(d) >= beam and max(d)[0] >= p / now or max(d)[0] >= p / last)
            scores[[bool(over(d, p)) for d, p in zip(done, scores[:, 0].tolist())]] = -torch.inf
            chosen = parent.gather(1, order).view(-1)
            words = torch.cat((words[chosen], word.gather(1, order).view(-1, 1)), 1)
            if not torch.isfinite(scores).any():
                break
            cache.follow(chosen)
        return [max(texts)[1] if texts else [] for texts in done]


def rows_of(dump):
    """The labels of the target, and the rows of the table that they are."""
    schema = json.load(open(dump / "vocabularies.json"))
    labels = next(space["labels"] for space in schema["spaces"] if "target" in space["name"])
    rows = {word: i for i, word in enumerate(schema["vocabs"][0]["words"])}
    return labels, torch.tensor([rows.get(label, 0) for label in labels])


def batches(dump, data):
    labels, _ = rows_of(dump)
    number, end = {word: i for i, word in enumerate(labels)}, len(labels)
    read = lambda name: [[number[word] for word in line.split()] for line in open(data / name)]
    source, target = read("source"), read("target")
    made = []
    for examples in json.load(open(dump / "batches.json")):
        padded = lambda rows, fill: torch.tensor([row + [fill] * (max(map(len, rows)) - len(row)) for row in rows])
        of_source, of_target = [source[i] for i in examples], [target[i] for i in examples]
        lengths = torch.tensor([len(row) for row in of_source])
        made.append({
            "source": padded(of_source, 0),
            "before": padded([[end] + row for row in of_target], 0),
            "gold": padded([row + [end] for row in of_target], -1),
            "mask": torch.arange(int(lengths.max())).unsqueeze(0) < lengths.unsqueeze(1),
            "lengths": lengths if lengths.sum() >= sum(map(len, of_target)) else torch.tensor([len(t) for t in of_target]),
        })
    return made
