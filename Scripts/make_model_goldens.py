#!/usr/bin/env python3
"""Makes the goldens of LanguageModelsTests: tiny random models and their logits.

Needs torch, transformers, safetensors and numpy. Every model is written by transformers as a
Hugging Face folder; its logits for a fixed token sequence come from transformers in float32.

    python Scripts/make_model_goldens.py            # tiny models
    python Scripts/make_model_goldens.py --greedy MODEL.gguf   # greedy continuation of a real one
"""
import argparse
import json
import pathlib

import numpy
import torch
import transformers

GOLDENS = pathlib.Path(__file__).resolve().parent.parent / "Tests/LanguageModelsTests/Goldens"
ROWS = 40

SMALL = dict(
    vocab_size=96, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
    bos_token_id=1, eos_token_id=2, pad_token_id=0, head_dim=16,
)  # fmt: skip

# name: (configuration, stored type, shard size or None)
MODELS = {
    "llama": (
        transformers.LlamaConfig(**SMALL, tie_word_embeddings=False), torch.float32, None),
    "llama3-scaled": (
        transformers.LlamaConfig(
            **SMALL, tie_word_embeddings=True, rope_parameters=dict(
                rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0,
                high_freq_factor=4.0, original_max_position_embeddings=16)),
        torch.bfloat16, None),
    "llama-linear": (
        transformers.LlamaConfig(
            **SMALL, tie_word_embeddings=True,
            rope_parameters=dict(rope_type="linear", rope_theta=1e4, factor=4.0)),
        torch.float16, None),
    "mistral": (
        transformers.MistralConfig(**SMALL, sliding_window=8, tie_word_embeddings=False),
        torch.float16, None),
    "qwen2": (
        transformers.Qwen2Config(
            **{k: v for k, v in SMALL.items() if k != "head_dim"} | dict(num_attention_heads=2,
            num_key_value_heads=1), tie_word_embeddings=True), torch.float32, "40KB"),
    "qwen3": (
        transformers.Qwen3Config(**SMALL, tie_word_embeddings=False), torch.bfloat16, None),
    "gemma3": (
        transformers.Gemma3TextConfig(
            **SMALL | dict(num_hidden_layers=7), sliding_window=8, query_pre_attn_scalar=24,
            rope_parameters=dict(
                sliding_attention=dict(rope_type="default", rope_theta=1e4),
                full_attention=dict(rope_type="linear", rope_theta=1e6, factor=8.0))),
        torch.bfloat16, None),
}  # fmt: skip


def half_precision_cache(enabled):
    """Makes transformers round keys and values to half precision, as Nunchi's cache does."""
    interface = transformers.modeling_utils.ALL_ATTENTION_FUNCTIONS
    original = transformers.integrations.sdpa_attention.sdpa_attention_forward

    def rounded(module, query, key, value, *args, **kwargs):
        return original(module, query, key.half().float(), value.half().float(), *args, **kwargs)

    interface["sdpa"] = rounded if enabled else original


def make_tiny(name):
    configuration, stored, shard = MODELS[name]
    configuration._attn_implementation = "sdpa"
    torch.manual_seed(sum(map(ord, name)))
    model = transformers.AutoModelForCausalLM.from_config(configuration, dtype=torch.float32)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.ndim == 1 and key.endswith("bias"):
                parameter.normal_(0, 0.3)
            elif parameter.ndim == 1:  # norms: near 1; Gemma stores them less 1
                parameter.normal_(0 if name.startswith("gemma") else 1, 0.2)
            elif "embed" in key:
                parameter.normal_(0, 0.5 if name != "gemma3" else 0.2)
            else:
                parameter.normal_(0, 1.2 / parameter.shape[1] ** 0.5)
            parameter.copy_(parameter.to(stored).float())
    model.eval()
    tokens = torch.randint(3, configuration.vocab_size, (1, ROWS))
    folder = GOLDENS / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    with torch.no_grad():
        for file, halved in [("logits.f32", False), ("logits-half-cache.f32", True)]:
            half_precision_cache(halved)
            logits = model(tokens, use_cache=False).logits[0].float().numpy()
            (folder / file).write_bytes(logits.astype("<f4").tobytes())
            print(f"{name:14} {file:24} rms {numpy.sqrt((logits**2).mean()):.3f}")
    half_precision_cache(False)
    (folder / "tokens.json").write_text(json.dumps(tokens[0].tolist()) + "\n")
    model.to(stored).save_pretrained(folder, max_shard_size=shard or "5GB")
    (folder / "generation_config.json").unlink(missing_ok=True)


def make_greedy(path, rows=48):
    """The greedy continuation by the float32 model on dequantized weights, with its margins."""
    path = pathlib.Path(path)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    prompt = tokenizer("The capital of France is Paris. The capital of Italy is")["input_ids"]
    ids, margins, tops = list(prompt), [], []
    with torch.no_grad():
        for _ in range(rows):
            scores = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1].double(), -1)
            top = scores.topk(10)
            margins.append(round(float(top.values[0] - top.values[1]), 4))
            tops.append([[int(i), round(float(v), 4)] for i, v in zip(top.indices, top.values)])
            ids.append(int(top.indices[0]))
    golden = dict(prompt=prompt, continuation=ids[len(prompt):], margins=margins, top=tops)
    (GOLDENS / f"greedy-{path.stem}.json").write_text(json.dumps(golden) + "\n")
    print(tokenizer.decode(ids), min(margins))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--greedy", metavar="MODEL.gguf", nargs="*", default=[])
    arguments = parser.parse_args()
    for path in arguments.greedy:
        make_greedy(path)
    if not arguments.greedy:
        for name in MODELS:
            make_tiny(name)
