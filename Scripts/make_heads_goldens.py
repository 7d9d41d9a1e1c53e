#!/usr/bin/env python3
"""Makes the goldens of DrafterTests for heads on the target's state and for tiny language models:
random Medusa heads in FasterDecoding's and in vLLM's layout, Hydra heads in zankner's, a one-layer
Llama, and the logits that PyTorch gives after a prompt.

Needs torch, transformers and safetensors, and the target that make_eagle_goldens.py made. The heads
are computed here from the papers' formulas (2401.10774, 2402.05109), in float32.

    python Scripts/make_heads_goldens.py
"""
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file

GOLDENS = pathlib.Path(__file__).resolve().parent.parent / "Tests/DrafterTests/Goldens"
HEADS, ROWS, CUT = 3, 12, 40


def load_target():
    target = transformers.AutoModelForCausalLM.from_pretrained(
        GOLDENS / "eagle-target", dtype=torch.float32).eval()
    prompt = torch.randint(3, target.config.vocab_size, (ROWS,))
    with torch.no_grad():
        # The state after the last norm, of the prompt's last token.
        state = target.model(prompt[None]).last_hidden_state[0, -1]
    return target, prompt, state


def write(name, configuration, tensors, golden, card=None):
    folder = GOLDENS / name
    folder.mkdir(exist_ok=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(configuration, indent=2) + "\n")
    if card:
        (folder / "nunchi.json").write_text(json.dumps(card, indent=2) + "\n")
    rounded = {k: [[round(x, 5) for x in row] for row in v] if k == "logits" else v
               for k, v in golden.items()}
    (folder / "golden.json").write_text(json.dumps(rounded) + "\n")


def linear(rows, columns, gain=1.0):
    return torch.randn(rows, columns) * gain / columns**0.5


def residual(x, weight, bias=0):
    return x + torch.nn.functional.silu(x @ weight.T + bias)


def card(method, target, **more):
    hidden, vocabulary = target.config.hidden_size, target.config.vocab_size
    return dict(method=method, target=dict(
        name="eagle-target", hiddenSize=hidden, vocabularySize=vocabulary), **more)


def medusa_original(target, prompt, state):
    hidden, vocabulary, layers = target.config.hidden_size, target.config.vocab_size, 2
    tensors, logits = {}, []
    for head in range(HEADS):
        x = state
        for layer in range(layers):
            weight, bias = linear(hidden, hidden), 0.3 * torch.randn(hidden)
            tensors[f"{head}.{layer}.linear.weight"] = weight
            tensors[f"{head}.{layer}.linear.bias"] = bias
            x = residual(x, weight, bias)
        tensors[f"{head}.{layers}.weight"] = linear(vocabulary, hidden)
        logits.append((tensors[f"{head}.{layers}.weight"] @ x).tolist())
    write("medusa-original", dict(medusa_num_heads=HEADS, medusa_num_layers=layers,
          base_model_name_or_path="eagle-target"), tensors,
          dict(prompt=prompt.tolist(), path=[], logits=logits))


def medusa(target, prompt, state):
    hidden, vocabulary = target.config.hidden_size, target.config.vocab_size
    head_matrix = target.lm_head.weight.detach()
    # In the order of their counts, as a file of frequent tokens is.
    tokens = torch.randperm(vocabulary)[:CUT].tolist()
    tensors, logits = {}, []
    for head in range(HEADS):
        weight = linear(hidden, hidden, gain=2)
        tensors[f"blocks.{head}.layers.0.weight"] = weight
        logits.append((head_matrix[sorted(tokens)] @ residual(state, weight)).tolist())
    write("medusa", dict(model_type="medusa", architectures=["MedusaModel"], num_heads=HEADS,
          num_hidden_layers=1, hidden_size=hidden, vocab_size=vocabulary), tensors,
          dict(prompt=prompt.tolist(), path=[], logits=logits),
          card("medusa", target, frequentTokens="frequent_tokens.json"))
    counts = list(range(2 * CUT, CUT, -1))
    (GOLDENS / "medusa" / "frequent_tokens.json").write_text(json.dumps(dict(
        vocabularySize=vocabulary, total=2 * sum(counts), tokens=tokens, counts=counts)) + "\n")


def hydra(target, prompt, state):
    hidden, layers = target.config.hidden_size, 2
    embedding = target.model.embed_tokens.weight.detach()
    # The pending token, then those drafted.
    path = torch.randint(3, target.config.vocab_size, (HEADS,))
    tensors, logits = {}, []
    x = state
    for head in range(HEADS):
        x = torch.cat([x, embedding[path[head]]])
        names = [f"hydra_mlp.{head}.0.{part}" for part in ("linear", "res_connection")]
        for name in names:
            tensors[name + ".weight"] = linear(hidden, x.numel())
            tensors[name + ".bias"] = 0.3 * torch.randn(hidden)
        inner, outer = (tensors[n + ".weight"] @ x + tensors[n + ".bias"] for n in names)
        y = outer + torch.nn.functional.silu(inner)
        for layer in range(1, layers):
            name = f"hydra_mlp.{head}.{layer}.linear"
            tensors[name + ".weight"] = linear(hidden, hidden)
            tensors[name + ".bias"] = 0.3 * torch.randn(hidden)
            y = residual(y, tensors[name + ".weight"], tensors[name + ".bias"])
        logits.append((target.lm_head.weight.detach() @ y).tolist())
    write("hydra", dict(hydra_num_heads=HEADS, hydra_num_layers=layers, hydra_head_arch="mlp",
          grounded_heads=True, hidden_state_offset=0,
          base_model_name_or_path="eagle-target"), tensors,
          dict(prompt=prompt.tolist(), path=path.tolist(), logits=logits))


def tiny_lm(target, prompt):
    configuration = transformers.LlamaConfig(
        hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2,
        head_dim=16, vocab_size=target.config.vocab_size, max_position_embeddings=256,
        num_hidden_layers=1, tie_word_embeddings=True)
    model = transformers.AutoModelForCausalLM.from_config(configuration, dtype=torch.float32)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.normal_(1, 0.2)
            else:
                parameter.normal_(0, 0.3 if "embed" in key else parameter.shape[1] ** -0.5)
            parameter.copy_(parameter.bfloat16().float())
        logits = model(prompt[None]).logits[0]
    folder = GOLDENS / "tiny-lm"
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "golden.json").write_text(json.dumps(dict(
        prompt=prompt.tolist(), path=[],
        logits=[[round(x, 5) for x in row] for row in logits.tolist()])) + "\n")


def main():
    torch.manual_seed(4)
    target, prompt, state = load_target()
    medusa_original(target, prompt, state)
    medusa(target, prompt, state)
    hydra(target, prompt, state)
    tiny_lm(target, prompt)


if __name__ == "__main__":
    main()
