#!/usr/bin/env python3
"""Makes the goldens of DrafterTrainingTests' optimizer tests: a few steps of torch.optim.AdamW with
LambdaLR and clip_grad_norm_, on random weights and gradients.

Needs torch.

    python Scripts/make_optimizer_goldens.py
"""
import json
import math
import pathlib

import torch

GOLDEN = (
    pathlib.Path(__file__).resolve().parent.parent
    / "Tests/DrafterTrainingTests/Goldens/optimizer.json"
)
STEPS, WARMUP, PEAK, MINIMUM_SHARE = 12, 3, 0.02, 0.1
DECAY, CLIP = 0.1, 1.0


def rate_share(step):
    """Of the highest rate: linear warm-up, then half a cosine down to MINIMUM_SHARE."""
    if step < WARMUP:
        return (step + 1) / (WARMUP + 1)
    progress = (step - WARMUP) / (STEPS - WARMUP)
    return MINIMUM_SHARE + (1 - MINIMUM_SHARE) * (1 + math.cos(math.pi * progress)) / 2


def main():
    torch.manual_seed(4)
    matrix = torch.nn.Parameter(torch.randn(3, 5))
    norm = torch.nn.Parameter(torch.randn(5))
    golden = {
        "steps": STEPS, "warmup": WARMUP, "peak": PEAK, "minimumShare": MINIMUM_SHARE,
        "decay": DECAY, "clip": CLIP, "matrix": matrix.flatten().tolist(),
        "norm": norm.tolist(), "records": [],
    }  # fmt: skip
    optimizer = torch.optim.AdamW(
        [{"params": [matrix]}, {"params": [norm], "weight_decay": 0.0}],
        lr=PEAK, betas=(0.9, 0.95), eps=1e-8, weight_decay=DECAY,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate_share)
    for step in range(STEPS):
        # Some gradients are clipped and some are not.
        size = 2.0 if step % 2 else 0.1
        matrix.grad = size * torch.randn(3, 5)
        norm.grad = size * torch.randn(5)
        gradients = matrix.grad.flatten().tolist(), norm.grad.tolist()
        length = torch.nn.utils.clip_grad_norm_([matrix, norm], CLIP).item()
        rate = optimizer.param_groups[0]["lr"]
        optimizer.step()
        schedule.step()
        golden["records"].append({
            "matrixGradient": gradients[0], "normGradient": gradients[1], "length": length,
            "rate": rate, "matrix": matrix.flatten().tolist(), "norm": norm.tolist(),
        })  # fmt: skip
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
