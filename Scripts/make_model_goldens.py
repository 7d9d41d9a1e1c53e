#!/usr/bin/env python3
"""Makes the goldens of LanguageModelsTests: tiny random models and their logits.

Needs torch, transformers, safetensors and numpy. Every model is written by transformers as a
Hugging Face folder; its logits for a fixed token sequence come from transformers in float32.

    python Scripts/make_model_goldens.py            # all tiny models
    python Scripts/make_model_goldens.py llama-yarn # one
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
    "llama-yarn": (
        transformers.LlamaConfig(
            **SMALL, tie_word_embeddings=True, rope_parameters=dict(
                rope_type="yarn", rope_theta=500.0, factor=8.0,
                original_max_position_embeddings=16)),
        torch.bfloat16, None),
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

# Nunchi keeps keys and values in half precision. What attention adds is scaled down so far that
# their rounding moves no logit by 1e-4 (make_tiny prints by how much it does), and is still
# thousands of times more than that, so that every mistake in it shows. The last norm makes the
# logits of an embedding that is also the head about 1.
GAINS = {"v_proj": 0.2, "o_proj": 0.2, "post_attention_layernorm": 0.1, "model.norm": 0.18}


def gain(key, tied, gemma):
    if "model.norm" in key and not tied or "post_attention" in key and not gemma:
        return 1
    return next((value for part, value in GAINS.items() if part in key), 1)


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
            scale = gain(key, configuration.tie_word_embeddings, name == "gemma3")
            if parameter.ndim == 1 and key.endswith("bias"):
                parameter.normal_(0, 0.3)
            elif parameter.ndim == 1:
                parameter.normal_(1, 0.2).mul_(scale)
                if name.startswith("gemma"):  # stores norms less one
                    parameter.sub_(1)
            elif "embed" in key:
                parameter.normal_(0, 1)
            else:
                parameter.normal_(0, scale / parameter.shape[1] ** 0.5)
            parameter.copy_(parameter.to(stored).float())
    model.eval()
    tokens = torch.randint(3, configuration.vocab_size, (1, ROWS))
    folder = GOLDENS / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    with torch.no_grad():
        logits = model(tokens, use_cache=False).logits[0].float().numpy()
        half_precision_cache(True)
        rounded = model(tokens, use_cache=False).logits[0].float().numpy()
        half_precision_cache(False)
        parts = [p for n, p in model.named_parameters() if "o_proj" in n]
        kept = [part.clone() for part in parts]
        for part in parts:
            part.zero_()
        without = model(tokens, use_cache=False).logits[0].float().numpy()
        for part, old in zip(parts, kept):
            part.copy_(old)
    (folder / "logits.f32").write_bytes(logits.astype("<f4").tobytes())
    print(
        f"{name:14} logits {numpy.sqrt((logits**2).mean()):.2f} rms, "
        f"half-precision cache {abs(logits - rounded).max():.1e}, "
        f"no attention {abs(logits - without).max():.2f}")
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
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MODELS))
    arguments = parser.parse_args()
    for path in arguments.greedy:
        make_greedy(path)
    if not arguments.greedy:
        for name in arguments.names or MODELS:
            make_tiny(name)
