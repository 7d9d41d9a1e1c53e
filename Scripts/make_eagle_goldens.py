#!/usr/bin/env python3
"""Makes the EAGLE goldens of DrafterTests: a tiny random target, an EAGLE-1 and an EAGLE-3 drafter
for it in the public layout, and the log-probabilities of three drafts after a prompt.

Needs torch, transformers, safetensors and numpy. The drafters are computed here from the papers'
formulas (2401.15077, 2503.01840), in float32.

    python Scripts/make_eagle_goldens.py
"""
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file

GOLDENS = pathlib.Path(__file__).resolve().parent.parent / "Tests/DrafterTests/Goldens"
HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY = 32, 64, 4, 2, 16, 96
EPSILON, THETA = 1e-6, 10000.0
ROWS, DRAFTS, DRAFT_VOCABULARY = 12, 3, 40
LAYERS = 7  # so that EAGLE-3's three layers (2, n/2, n-3) are different ones

CONFIGURATION = dict(
    hidden_size=HIDDEN, intermediate_size=INTERMEDIATE, num_attention_heads=HEADS,
    num_key_value_heads=KV_HEADS, head_dim=HEAD_DIM, vocab_size=VOCABULARY,
    max_position_embeddings=256, rms_norm_eps=EPSILON, hidden_act="silu",
)  # fmt: skip


def make_target():
    configuration = transformers.LlamaConfig(
        **CONFIGURATION, num_hidden_layers=LAYERS, bos_token_id=1, eos_token_id=2,
        pad_token_id=0, tie_word_embeddings=False)
    model = transformers.AutoModelForCausalLM.from_config(configuration, dtype=torch.float32)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.normal_(1, 0.2)
            else:
                parameter.normal_(0, 1 if "embed" in key else parameter.shape[1] ** -0.5)
            parameter.copy_(parameter.bfloat16().float())
    folder = GOLDENS / "eagle-target"
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    return model.float().eval()


def matrix(rows, columns, gain=0.8):
    return torch.randn(rows, columns) * gain / columns**0.5


def norm_weight():
    return 1 + 0.2 * torch.randn(HIDDEN)


def layer(prefix, columns):
    """The decoder layer's tensors; its attention sees `columns` inputs."""
    return {
        prefix + "self_attn.q_proj.weight": matrix(HEADS * HEAD_DIM, columns),
        prefix + "self_attn.k_proj.weight": matrix(KV_HEADS * HEAD_DIM, columns),
        prefix + "self_attn.v_proj.weight": matrix(KV_HEADS * HEAD_DIM, columns),
        prefix + "self_attn.o_proj.weight": matrix(HIDDEN, HEADS * HEAD_DIM),
        prefix + "mlp.gate_proj.weight": matrix(INTERMEDIATE, HIDDEN),
        prefix + "mlp.up_proj.weight": matrix(INTERMEDIATE, HIDDEN),
        prefix + "mlp.down_proj.weight": matrix(HIDDEN, INTERMEDIATE),
        prefix + "post_attention_layernorm.weight": norm_weight(),
    }


def rms(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * weight


def rotate(x):
    """x (heads, rows, head_dim), positions 0, 1, …"""
    pairs = HEAD_DIM // 2
    frequencies = THETA ** (-torch.arange(pairs, dtype=torch.float64) * 2 / HEAD_DIM)
    angles = torch.arange(x.shape[1], dtype=torch.float64)[:, None] * frequencies
    cosines, sines = angles.cos().float(), angles.sin().float()
    low, high = x[..., :pairs], x[..., pairs:]
    return torch.cat([low * cosines - high * sines, high * cosines + low * sines], -1)


def decoder(weights, prefix, attention_input, residual):
    """One decoder layer over a whole chain. (rows, …) -> (rows, HIDDEN)"""
    rows = residual.shape[0]

    def heads(name, count):
        return (attention_input @ weights[prefix + f"self_attn.{name}.weight"].T).view(
            rows, count, HEAD_DIM).transpose(0, 1)

    query, key = rotate(heads("q_proj", HEADS)), rotate(heads("k_proj", KV_HEADS))
    value = heads("v_proj", KV_HEADS)
    key, value = (x.repeat_interleave(HEADS // KV_HEADS, 0) for x in (key, value))
    scores = query @ key.transpose(1, 2) / HEAD_DIM**0.5
    scores.masked_fill_(torch.ones(rows, rows).triu(1).bool(), -torch.inf)
    attended = (scores.softmax(-1) @ value).transpose(0, 1).reshape(rows, -1)
    x = residual + attended @ weights[prefix + "self_attn.o_proj.weight"].T
    y = rms(x, weights[prefix + "post_attention_layernorm.weight"])
    gate = torch.nn.functional.silu(y @ weights[prefix + "mlp.gate_proj.weight"].T)
    up = y @ weights[prefix + "mlp.up_proj.weight"].T
    return x + (gate * up) @ weights[prefix + "mlp.down_proj.weight"].T


class Eagle1:
    name, architecture = "eagle1", "LlamaForCausalLM"
    extra = {}

    def __init__(self, target):
        self.embedding, self.head = target.model.embed_tokens.weight, target.lm_head.weight
        self.weights = layer("layers.0.", HIDDEN) | {
            "fc.weight": matrix(HIDDEN, 2 * HIDDEN), "fc.bias": 0.3 * torch.randn(HIDDEN),
            "embed_tokens.weight": self.embedding.clone()}  # fmt: skip

    def start(self, states):  # hidden_states: after the last norm
        return states[-1]

    def step(self, tokens, states):
        joined = torch.cat([self.embedding[tokens], states], -1)
        x = joined @ self.weights["fc.weight"].T + self.weights["fc.bias"]
        x = decoder(self.weights, "layers.0.", x, x)
        return x, x[-1] @ self.head.T

    def token(self, column):
        return column


class Eagle3:
    name, architecture = "eagle3", "LlamaForCausalLMEagle3"
    extra = {"draft_vocab_size": DRAFT_VOCABULARY}

    def __init__(self, target):
        self.embedding = target.model.embed_tokens.weight
        tokens = torch.randperm(VOCABULARY)[:DRAFT_VOCABULARY].sort().values
        mask = torch.zeros(VOCABULARY, dtype=torch.bool)
        mask[tokens] = True
        self.tokens = tokens
        self.weights = layer("midlayer.", 2 * HIDDEN) | {
            "fc.weight": matrix(HIDDEN, 3 * HIDDEN),
            "midlayer.hidden_norm.weight": norm_weight(),
            "midlayer.input_layernorm.weight": norm_weight(), "norm.weight": norm_weight(),
            "lm_head.weight": matrix(DRAFT_VOCABULARY, HIDDEN),
            "d2t": tokens - torch.arange(DRAFT_VOCABULARY), "t2d": mask}  # fmt: skip

    def start(self, states):  # what enters layer i (counted from 0) is states[i]
        low, middle, high = (states[i] for i in (2, LAYERS // 2, LAYERS - 3))
        return torch.cat([low, middle, high], -1) @ self.weights["fc.weight"].T

    def step(self, tokens, states):
        seen = torch.cat([
            rms(self.embedding[tokens], self.weights["midlayer.input_layernorm.weight"]),
            rms(states, self.weights["midlayer.hidden_norm.weight"])], -1)  # fmt: skip
        x = decoder(self.weights, "midlayer.", seen, states)
        return x, rms(x[-1], self.weights["norm.weight"]) @ self.weights["lm_head.weight"].T

    def token(self, column):
        return int(self.tokens[column])


def make_drafter(kind, target, prompt, first, states):
    drafter = kind(target)
    tokens, inputs = prompt[1:] + [first], drafter.start(states)
    drafts = []
    for _ in range(DRAFTS):
        x, logits = drafter.step(torch.tensor(tokens), inputs)
        token = drafter.token(int(logits.argmax()))
        logarithms = torch.full((VOCABULARY,), -torch.inf)
        for column, value in enumerate(torch.log_softmax(logits, -1).tolist()):
            logarithms[drafter.token(column)] = value
        finite = [None if v == -torch.inf else round(v, 6) for v in logarithms.tolist()]
        drafts.append(dict(token=token, logarithms=finite))
        tokens, inputs = tokens + [token], torch.cat([inputs, x[-1:]])
    folder = GOLDENS / drafter.name
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().contiguous() for k, v in drafter.weights.items()},
              folder / "model.safetensors")  # fmt: skip
    (folder / "config.json").write_text(json.dumps(
        dict(architectures=[drafter.architecture], model_type="llama", num_hidden_layers=1,
             rope_theta=THETA, **CONFIGURATION, **drafter.extra), indent=2) + "\n")  # fmt: skip
    (folder / "drafts.json").write_text(
        json.dumps(dict(prompt=prompt, first=first, drafts=drafts)) + "\n")
    print(drafter.name, [d["token"] for d in drafts],
          [round(max(v for v in d["logarithms"] if v is not None), 2) for d in drafts])


if __name__ == "__main__":
    torch.manual_seed(4)
    GOLDENS.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        target = make_target()
        prompt = torch.randint(3, VOCABULARY, (ROWS,)).tolist()
        output = target(torch.tensor([prompt]), output_hidden_states=True)
        first = int(output.logits[0, -1].argmax())
        states = [state[0] for state in output.hidden_states]
        for kind in Eagle1, Eagle3:
            make_drafter(kind, target, prompt, first, states)
