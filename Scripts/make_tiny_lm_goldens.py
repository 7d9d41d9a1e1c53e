#!/usr/bin/env python3
"""Makes Tests/DrafterTrainingTests/Goldens/tiny-lm: a random Llama as transformers writes it, in the
sizes of the trainer's tests, with the logits that transformers computes.

Needs torch and transformers. Run from the repository's root.
"""

import json
import pathlib

import torch
from transformers import LlamaConfig, LlamaForCausalLM

FOLDER = pathlib.Path("Tests/DrafterTrainingTests/Goldens/tiny-lm")


def main():
    torch.manual_seed(1)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        vocab_size=160,
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        rope_theta=10000.0,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(FOLDER)
    (FOLDER / "generation_config.json").unlink(missing_ok=True)
    tokens = torch.randint(0, 160, (24,)).tolist()
    # Loaded anew: conversion to bfloat16 also rounds the rotary frequencies.
    model = LlamaForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
    golden = {"tokens": tokens, "logits": [round(x, 5) for x in logits.flatten().tolist()]}
    (FOLDER / "logits.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
