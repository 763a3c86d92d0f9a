"""The models of `benches/programs` as a good PyTorch user would write them.

Parameters are read from the weights that mtlc began with, so both begin alike. An LSTM of
PyTorch has two biases where one is enough; the second is 0 and stays.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def lstm_from(weights, prefix, width_in, width):
    lstm = nn.LSTM(width_in, width // 2, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for suffix in ("", "_reverse"):
            getattr(lstm, f"weight_ih_l0{suffix}").copy_(weights[f"{prefix}.w_ih{suffix}"])
            getattr(lstm, f"weight_hh_l0{suffix}").copy_(weights[f"{prefix}.w_hh{suffix}"])
            getattr(lstm, f"bias_ih_l0{suffix}").copy_(weights[f"{prefix}.bias{suffix}"])
            second = getattr(lstm, f"bias_hh_l0{suffix}")
            second.zero_()
            second.requires_grad_(False)
    return lstm


def linear_from(weights, weight, bias):
    linear = nn.Linear(weights[weight].shape[1], weights[weight].shape[0])
    with torch.no_grad():
        linear.weight.copy_(weights[weight])
        linear.bias.copy_(weights[bias])
    return linear


def run_lstm(lstm, x, lengths, packed):
    if not packed:
        return lstm(x)[0]
    y, _ = lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    return pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0]


def losses(scores, batch):
    """Both tasks: the mean over examples of the sum over places."""
    intent = F.cross_entropy(scores[0], batch["intent"])
    slots = F.cross_entropy(scores[1].transpose(1, 2), batch["slots"], ignore_index=-1, reduction="sum")
    return intent + slots / batch["mask"].shape[0]


class Slu(nn.Module):
    """`slu.mtl`."""

    def __init__(self, weights, drop, packed):
        super().__init__()
        self.words = nn.Embedding.from_pretrained(weights["words.embed.weight"].clone(), freeze=False)
        width = self.words.embedding_dim
        self.reader = lstm_from(weights, "reader.bilstm", width, weights["intent.head.weight"].shape[1])
        self.intent = linear_from(weights, "intent.head.weight", "intent.head.bias")
        self.slots = linear_from(weights, "slots.head.weight", "slots.head.bias")
        self.drop, self.packed = drop, packed

    def scores(self, batch):
        x = F.dropout(self.words(batch["words"]), self.drop, self.training)
        h = F.dropout(run_lstm(self.reader, x, batch["lengths"], self.packed), self.drop, self.training)
        pooled = h.masked_fill(~batch["mask"].unsqueeze(-1), -torch.inf).amax(1)
        return self.intent(pooled), self.slots(h)

    def forward(self, batch):
        return losses(self.scores(batch), batch)


class Block(nn.Module):
    def __init__(self, weights, prefix, heads, drop):
        super().__init__()
        part = lambda name: linear_from(weights, f"{prefix}.{name}_weight", f"{prefix}.{name}_bias")
        self.qkv, self.out, self.ff_in, self.ff_out = map(part, ("qkv", "out", "ff_in", "ff_out"))
        width = self.out.weight.shape[0]
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.heads, self.drop = heads, drop

    def forward(self, x, mask):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        p = self.drop if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=p)
        y = self.out(y.transpose(1, 2).reshape(b, t, d))
        x = x + F.dropout(y, self.drop, self.training)
        y = F.dropout(F.gelu(self.ff_in(self.norm2(x))), self.drop, self.training)
        return x + F.dropout(self.ff_out(y), self.drop, self.training)


class Encoder(nn.Module):
    """`encoder.mtl`."""

    def __init__(self, weights, drop, packed):
        super().__init__()
        self.words = nn.Embedding.from_pretrained(weights["h.embed.weight"].clone(), freeze=False)
        self.blocks = nn.ModuleList(Block(weights, f"h.transformer.l{i}", 12, drop) for i in range(6))
        width = self.words.embedding_dim
        self.norm = nn.LayerNorm(width)
        self.intent = linear_from(weights, "intent.head.weight", "intent.head.bias")
        self.slots = linear_from(weights, "slots.head.weight", "slots.head.bias")
        at = torch.arange(512).unsqueeze(1) * torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
        table = torch.stack((at.sin(), at.cos()), 2).reshape(512, width)
        self.register_buffer("positions", table)

    def scores(self, batch):
        x = self.words(batch["words"])
        x = x + self.positions[: x.shape[1]]
        wide = batch["mask"][:, None, None, :]
        for block in self.blocks:
            x = block(x, wide)
        h = self.norm(x)
        return self.intent(h[:, 0]), self.slots(h)

    def forward(self, batch):
        return losses(self.scores(batch), batch)


class Crf(nn.Module):
    """`crf.mtl`: the forward algorithm over all sentences of a batch at once."""

    def __init__(self, weights, drop, packed):
        super().__init__()
        self.words = nn.Embedding.from_pretrained(weights["words.embed.weight"].clone(), freeze=False)
        width = weights["slots.head.weight"].shape[1]
        self.reader = lstm_from(weights, "slots.bilstm", self.words.embedding_dim, width)
        self.slots = linear_from(weights, "slots.head.weight", "slots.head.bias")
        copy = lambda name: nn.Parameter(weights[name].clone())
        self.transitions, self.start, self.end = copy("slots.head.transitions"), copy("slots.head.start"), copy("slots.head.end")
        self.drop, self.packed = drop, packed

    def forward(self, batch):
        mask, gold = batch["mask"], batch["slots"].clamp(min=0)
        x = F.dropout(self.words(batch["words"]), self.drop, self.training)
        h = F.dropout(run_lstm(self.reader, x, batch["lengths"], self.packed), self.drop, self.training)
        scores = self.slots(h)
        last = (mask.sum(1) - 1).unsqueeze(1)
        on = mask.to(scores.dtype)
        path = (scores.gather(2, gold.unsqueeze(2)).squeeze(2) * on).sum(1)
        path = path + (self.transitions[gold[:, :-1], gold[:, 1:]] * on[:, 1:]).sum(1)
        path = path + self.start[gold[:, 0]] + self.end[gold.gather(1, last).squeeze(1)]
        alpha = self.start + scores[:, 0]
        for t in range(1, scores.shape[1]):
            step = torch.logsumexp(alpha.unsqueeze(2) + self.transitions, 1) + scores[:, t]
            alpha = torch.where(mask[:, t].unsqueeze(1), step, alpha)
        return (torch.logsumexp(alpha + self.end, 1) - path).mean()


MODELS = {"slu": Slu, "encoder": Encoder, "crf": Crf}
