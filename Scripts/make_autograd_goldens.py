#!/usr/bin/env python3
"""Makes the golden of DrafterTraining's autograd: a small Llama block, its losses and gradients.

Needs torch. Attention sees the rows of its segment and, as in EAGLE-3's multi-step training, the
same row of extra keys and values.

    python Scripts/make_autograd_goldens.py
"""
import json
import pathlib

import torch
import torch.nn.functional as F

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / (
    "Tests/DrafterTrainingTests/Goldens/autograd.json")
ROWS, WIDTH, MIDDLE, HEADS, KV_HEADS, DIM, VOCABULARY = 7, 12, 10, 4, 2, 4, 23
SEGMENTS = [(0, 4), (4, 7)]
FREQUENCIES = [1.0, 0.1]
POSITIONS = [0, 1, 2, 3, 5, 6, 7]
TARGETS = [3, 22, -1, 0, 7, 11, 5]
WEIGHTS = [1.0, 0.5, 2.0, 1.0, 0.0, 1.5, 1.0]
TEMPERATURE = 1.5
SHAPES = {
    "table": (VOCABULARY, WIDTH), "norm": (WIDTH,), "query": (HEADS * DIM, WIDTH),
    "queryBias": (HEADS * DIM,), "key": (KV_HEADS * DIM, WIDTH),
    "value": (KV_HEADS * DIM, WIDTH), "extraKey": (ROWS, KV_HEADS * DIM),
    "extraValue": (ROWS, KV_HEADS * DIM), "output": (WIDTH, HEADS * DIM),
    "gate": (MIDDLE, WIDTH), "up": (MIDDLE, WIDTH), "down": (WIDTH, MIDDLE),
    "head": (VOCABULARY, WIDTH),
}  # fmt: skip


def rotate(x, heads):
    """Pairs (i, i + DIM / 2) of every head, as transformers' Llama does."""
    angles = torch.tensor(POSITIONS, dtype=torch.float64)[:, None] * torch.tensor(FREQUENCIES)
    cosines, sines = angles.cos()[:, None, :], angles.sin()[:, None, :]
    a, b = x.view(ROWS, heads, DIM).split(DIM // 2, dim=2)
    return torch.cat([a * cosines - b * sines, b * cosines + a * sines], 2)


def attention(q, k, v, extra_k, extra_v):
    group = HEADS // KV_HEADS
    k, v, extra_k, extra_v = (
        t.view(ROWS, KV_HEADS, DIM).repeat_interleave(group, 1) for t in (k, v, extra_k, extra_v))
    seen = torch.zeros(ROWS, ROWS, dtype=torch.bool)
    for begin, end in SEGMENTS:
        seen[begin:end, begin:end] = torch.ones(end - begin, end - begin).tril().bool()
    scores = torch.einsum("qhd,khd->hqk", q, k).masked_fill(~seen, -torch.inf)
    scores = torch.cat([scores, torch.einsum("qhd,qhd->hq", q, extra_k)[:, :, None]], 2)
    p = (scores * DIM**-0.5).softmax(2)
    mixed = torch.einsum("hqk,khd->qhd", p[:, :, :ROWS], v) + p[:, :, ROWS].T[:, :, None] * extra_v
    return mixed.reshape(ROWS, HEADS * DIM)


def main():
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    # Rounded to Float32 first, so that both sides start from the same numbers.
    w = {
        name: torch.randn(shape).mul(0.5).float().double().requires_grad_()
        for name, shape in SHAPES.items()
    }
    teacher = torch.randn(ROWS, VOCABULARY).float().double()
    goal = torch.randn(ROWS, WIDTH).float().double()
    tokens = torch.randint(VOCABULARY, (ROWS,))
    weights = torch.tensor(WEIGHTS)

    x = w["table"][tokens]
    normed = F.rms_norm(x, (WIDTH,), w["norm"], eps=1e-5)
    q = rotate(F.linear(normed, w["query"], w["queryBias"]), HEADS)
    k = rotate(F.linear(normed, w["key"]), KV_HEADS)
    mixed = attention(q, k, F.linear(normed, w["value"]), w["extraKey"], w["extraValue"])
    x = x + F.linear(mixed, w["output"])
    x = x + F.linear(F.silu(F.linear(x, w["gate"])) * F.linear(x, w["up"]), w["down"])
    x = x + F.gelu(x, approximate="tanh")
    logits = F.linear(x, w["head"])

    targets = torch.tensor(TARGETS)
    counted = torch.where(targets < 0, 0.0, weights)
    rows = F.cross_entropy(logits, targets, ignore_index=-1, reduction="none")
    cross_entropy = (counted * rows).sum() / counted.sum()
    p, log_q = (teacher / TEMPERATURE).softmax(1), (logits / TEMPERATURE).log_softmax(1)
    distillation = (weights * -(p * log_q).sum(1)).sum() / weights.sum()
    smooth = F.smooth_l1_loss(x, goal, reduction="none").mean(1)
    smooth_l1 = (weights * smooth).sum() / weights.sum()
    total = cross_entropy + 0.5 * distillation + 2 * smooth_l1
    total.backward()

    def numbers(t):
        return [float(f"{v:.9g}") for v in t.detach().flatten().tolist()]

    golden = dict(
        tokens=tokens.tolist(), positions=POSITIONS, targets=TARGETS, weights=WEIGHTS,
        segments=SEGMENTS, frequencies=FREQUENCIES, temperature=TEMPERATURE,
        teacher=numbers(teacher), goal=numbers(goal), crossEntropy=cross_entropy.item(),
        distillation=distillation.item(), smoothL1=smooth_l1.item(), logits=numbers(logits),
        parameters={
            name: dict(shape=list(SHAPES[name]), value=numbers(t), gradient=numbers(t.grad))
            for name, t in w.items()
        })
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
