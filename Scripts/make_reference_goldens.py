"""Makes Tests/NunchiTests/Goldens/reference-MODEL.json, the references for the real models.

    python Scripts/make_reference_goldens.py [MODEL …] [--cache FOLDER]

For each GGUF file two engines run the same token ids:
  reference   transformers in float32 on the file's dequantised weights,
  llama_cpp   llama.cpp on the file as it is, two threads, its default settings.
Needs torch, transformers, gguf and llama-cpp-python==0.3.36; the texts come from
Scripts/reference_texts.json. All logarithms are natural; a position counts from 0, and what stands
at position i is the prediction made after reading tokens[0...i].

    {
      "model": "SmolLM2-135M",
      "file": {"name", "bytes", "sha256"},
      "made_by": {"script", "cpu", "versions": {…}},
      "summary": {                   # of llama.cpp against the reference, over all prompts
        "llama_cpp_mean_error",      # mean |difference| of the log-probabilities of the top ten
        "llama_cpp_max_error",
        "llama_cpp_divergences"      # greedy steps, teacher-forced, with another argmax
      },
      "prompts": [{
        "language", "text",
        "tokens": [id, …],
        "positions": [{
          "position": 17,
          "ids": [ten ids, by falling reference probability],
          "reference": [their log-probabilities], "llama_cpp": [their log-probabilities]
        }, …],
        "greedy": {                  # the reference's own continuation, up to 64 tokens
          "tokens": [id, …],         # ends after the end-of-sequence token, if that comes
          "margins": [log p(first) - log p(second) at the step that chose the token, …],
          "llama_cpp": [its argmax after the same tokens, …]
        }
      }, …],
      "texts": [{                    # perplexity of tokens[1...] in one window, no sliding
        "name": "english|korean|code", "tokens": [id, …],
        "reference_perplexity", "llama_cpp_perplexity"
      }, …]
    }
"""

import argparse
import gc
import hashlib
import json
import math
import os
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

SCRIPTS = Path(__file__).resolve().parent
GOLDENS = SCRIPTS.parent / "Tests" / "NunchiTests" / "Goldens"
MODELS = {
    "SmolLM2-135M": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "Gemma-3-270M": "gemma-3-270m-q4_k_m.gguf",
    "Qwen2.5-Coder-0.5B": "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    "Qwen2.5-Coder-1.5B": "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
}
CHATML = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
PROMPT_LIMIT = 128  # tokens; SmolLM2 spells Korean in many
TEXT_LIMIT = 700  # tokens; beyond Gemma's window of 512
POSITIONS = 8  # per prompt
TOP = 10
CONTINUATION = 64
CHUNK = 64  # rows whose logits are held at once


# --- The reference: transformers on dequantised weights -------------------------------------------


def configuration(reader):
    """The transformers configuration that the file's metadata describe."""
    import transformers

    fields = {name: field.contents() for name, field in reader.fields.items()}
    architecture = fields["general.architecture"]
    tensors = {tensor.name for tensor in reader.tensors}

    def value(key, default=None):
        return fields.get(f"{architecture}.{key}", default)

    common = dict(
        vocab_size=len(fields["tokenizer.ggml.tokens"]),
        hidden_size=value("embedding_length"),
        intermediate_size=value("feed_forward_length"),
        num_hidden_layers=value("block_count"),
        num_attention_heads=value("attention.head_count"),
        num_key_value_heads=value("attention.head_count_kv"),
        max_position_embeddings=value("context_length"),
        rms_norm_eps=value("attention.layer_norm_rms_epsilon"),
        tie_word_embeddings="output.weight" not in tensors,
        eos_token_id=fields["tokenizer.ggml.eos_token_id"],
        pad_token_id=fields["tokenizer.ggml.eos_token_id"],
        bos_token_id=fields["tokenizer.ggml.bos_token_id"],
    )
    rope = {"rope_type": "default", "rope_theta": value("rope.freq_base")}
    if architecture == "llama":
        return transformers.LlamaConfig(**common, rope_parameters=rope)
    if architecture == "qwen2":
        return transformers.Qwen2Config(**common, rope_parameters=rope)
    if architecture == "gemma3":
        # Not in the file: five local layers to a global one, and the local base frequency.
        local = {"rope_type": "default", "rope_theta": 10_000.0}
        return transformers.Gemma3TextConfig(
            **common,
            head_dim=value("attention.key_length"),
            query_pre_attn_scalar=value("attention.key_length"),
            sliding_window=value("attention.sliding_window"),
            rope_parameters={"full_attention": rope, "sliding_attention": local},
        )
    raise SystemExit(f"no reference for the architecture {architecture}")


# GGUF's names of a block's tensors, and transformers'. In Gemma 3, ffn_norm is the norm before the
# feed-forward network and the post norms come after each part.
BLOCK = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTER = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}


def parameter_name(name, architecture):
    if not name.startswith("blk."):
        stem, kind = name.rsplit(".", 1)
        return f"{OUTER[stem]}.{kind}"
    _, layer, stem, kind = name.split(".")
    gemma = architecture == "gemma3"
    names = BLOCK | {
        "ffn_norm": "pre_feedforward_layernorm" if gemma else "post_attention_layernorm",
        "post_attention_norm": "post_attention_layernorm",
        "post_ffw_norm": "post_feedforward_layernorm",
    }
    return f"model.layers.{layer}.{names[stem]}.{kind}"


def split_halves(weight, heads):
    """Undoes GGUF's order of a Llama head's rows (pairs side by side) for transformers (halves)."""
    rows = weight.shape[0]
    pairs = weight.reshape(heads, rows // heads // 2, 2, *weight.shape[1:])
    return np.swapaxes(pairs, 1, 2).reshape(weight.shape)


def load_reference(path):
    import gguf
    import torch
    import transformers
    from transformers.initialization import no_init_weights

    reader = gguf.GGUFReader(path)
    config = configuration(reader)
    architecture = reader.fields["general.architecture"].contents()
    with no_init_weights():
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.tie_weights()
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for tensor in reader.tensors:
            weight = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            name = parameter_name(tensor.name, architecture)
            if architecture == "llama" and tensor.name.endswith("attn_q.weight"):
                weight = split_halves(weight, config.num_attention_heads)
            if architecture == "llama" and tensor.name.endswith("attn_k.weight"):
                weight = split_halves(weight, config.num_key_value_heads)
            if architecture == "gemma3" and tensor.name.endswith("norm.weight"):
                weight = weight - 1  # GGUF stores 1 + w
            parameters.pop(name).copy_(torch.from_numpy(np.ascontiguousarray(weight)))
    if parameters:
        raise SystemExit(f"{path}: no weights for {', '.join(parameters)}")
    return model.eval()


def rows_of_reference(model, tokens):
    """Yields the float64 log-probabilities after each token, in order."""
    import torch

    with torch.no_grad():
        hidden = model.model(torch.tensor([tokens])).last_hidden_state[0]
        for start in range(0, len(tokens), CHUNK):
            logits = model.lm_head(hidden[start : start + CHUNK])
            yield from log_softmax(logits.numpy())


def continuations(model, prompts):
    """Greedy continuations of all prompts in one padded batch."""
    import torch

    pad = model.config.eos_token_id
    width = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    with torch.no_grad():
        output = model.generate(
            ids, attention_mask=mask, do_sample=False, max_new_tokens=CONTINUATION
        )
    result = []
    for row in output[:, width:].tolist():
        end = row.index(pad) + 1 if pad in row else len(row)
        result.append(row[:end])
    return result


# --- llama.cpp on the file as it is ---------------------------------------------------------------


class LlamaCpp:
    """llama.cpp through its C interface: two threads, everything else at its default."""

    def __init__(self, path, context=1024):
        import llama_cpp

        self.api = llama_cpp
        # A callback that is dropped would be called after its end.
        self.quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self.quiet, None)
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params()
        )
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = context
        params.n_threads = params.n_threads_batch = 2
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.vocabulary)

    def tokenize(self, text):
        """Ids, special tokens parsed, the beginning-of-sequence token where the file wants it."""
        data = text.encode()
        ids = (self.api.llama_token * (len(data) + 8))()
        count = self.api.llama_tokenize(
            self.vocabulary, data, len(data), ids, len(ids), True, True
        )
        return list(ids[:count])

    def rows(self, tokens):
        """Yields the float64 log-probabilities after each token, in order."""
        api = self.api
        memory = api.llama_get_memory(self.context)
        api.llama_memory_clear(memory, True)
        batch = api.llama_batch_init(CHUNK, 0, 1)
        for start in range(0, len(tokens), CHUNK):
            part = tokens[start : start + CHUNK]
            batch.n_tokens = len(part)
            for i, token in enumerate(part):
                batch.token[i] = token
                batch.pos[i] = start + i
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = 0
                batch.logits[i] = True
            if api.llama_decode(self.context, batch) != 0:
                raise SystemExit("llama_decode failed")
            logits = np.ctypeslib.as_array(
                api.llama_get_logits(self.context), shape=(len(part), self.size)
            )
            yield from log_softmax(logits)
        api.llama_batch_free(batch)

    def close(self):
        self.api.llama_free(self.context)
        self.api.llama_model_free(self.model)


# --- Putting them together ------------------------------------------------------------------------


def log_softmax(logits):
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def perplexity(rows, tokens):
    losses = [-row[after] for row, after in zip(rows, tokens[1:])]
    return math.exp(sum(losses) / len(losses))


def rounded(values, digits=5):
    return [round(float(value), digits) for value in values]


def run_reference(path, prompts, texts):
    """Fills in what the reference says. Frees the model before it returns."""
    model = load_reference(path)
    for prompt, tail in zip(prompts, continuations(model, [p["tokens"] for p in prompts])):
        tokens, margins = prompt["tokens"], []
        spread = {len(tokens) * (i + 1) // POSITIONS - 1 for i in range(POSITIONS)}
        for position, row in enumerate(rows_of_reference(model, tokens + tail)):
            if position in spread:
                ids = np.argsort(-row, kind="stable")[:TOP]
                prompt["positions"].append(
                    {"position": position, "ids": ids.tolist(), "reference": rounded(row[ids])}
                )
            step = position - (len(tokens) - 1)
            if 0 <= step < len(tail):
                second, first = np.partition(row, -2)[-2:]
                if row[tail[step]] != first:
                    # The padded batch fell on the other side of a tie.
                    assert first - row[tail[step]] < 1e-3, (prompt["text"], step)
                    tail = tail[:step]
                    break
                margins.append(first - second)
        prompt["greedy"] = {"tokens": tail, "margins": rounded(margins, 4)}
    for text in texts:
        rows = rows_of_reference(model, text["tokens"])
        text["reference_perplexity"] = round(perplexity(rows, text["tokens"]), 5)


def run_llama_cpp(engine, prompts, texts):
    """Fills in what llama.cpp says about the same tokens, and returns the summary."""
    errors, divergences = [], 0
    for prompt in prompts:
        tokens, tail = prompt["tokens"], prompt["greedy"]["tokens"]
        wanted = {entry["position"]: entry for entry in prompt["positions"]}
        choices = []
        for position, row in enumerate(engine.rows(tokens + tail)):
            if entry := wanted.get(position):
                entry["llama_cpp"] = rounded(row[entry["ids"]])
                errors += [abs(a - b) for a, b in zip(entry["reference"], entry["llama_cpp"])]
            if 0 <= position - (len(tokens) - 1) < len(tail):
                choices.append(int(row.argmax()))
        prompt["greedy"]["llama_cpp"] = choices
        divergences += sum(a != b for a, b in zip(tail, choices))
    for text in texts:
        rows = engine.rows(text["tokens"])
        text["llama_cpp_perplexity"] = round(perplexity(rows, text["tokens"]), 5)
    return {
        "llama_cpp_mean_error": round(sum(errors) / len(errors), 5),
        "llama_cpp_max_error": round(max(errors), 5),
        "llama_cpp_divergences": divergences,
    }


def cpu_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def compact(golden):
    """JSON with one line for each list of numbers and each position: small, and diffs are short."""
    def lines(value, depth):
        flat = isinstance(value, list) and not any(isinstance(v, (list, dict)) for v in value)
        if flat or not isinstance(value, (list, dict)) or "position" in value:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        inner, outer = " " * (depth + 1), " " * depth
        if isinstance(value, list):
            body = [lines(item, depth + 1) for item in value]
            return "[\n" + ",\n".join(inner + item for item in body) + f"\n{outer}]"
        body = [f'{json.dumps(key)}: {lines(item, depth + 1)}' for key, item in value.items()]
        return "{\n" + ",\n".join(inner + item for item in body) + f"\n{outer}}}"

    return lines(golden, 0) + "\n"


def make(name, path, source):
    engine = LlamaCpp(path)
    chat = CHATML if name != "Gemma-3-270M" else "{}"  # Gemma here is a base model
    prompts = [
        {
            "language": entry["language"],
            "text": (text := chat.format(entry["text"]) if entry["chat"] else entry["text"]),
            "tokens": engine.tokenize(text)[:PROMPT_LIMIT],
            "positions": [],
        }
        for entry in source["prompts"]
    ]
    texts = [
        {"name": entry["name"], "tokens": engine.tokenize(entry["text"])[:TEXT_LIMIT]}
        for entry in source["texts"]
    ]
    run_reference(path, prompts, texts)
    gc.collect()
    summary = run_llama_cpp(engine, prompts, texts)
    engine.close()
    packages = ["torch", "transformers", "gguf", "llama-cpp-python", "numpy"]
    golden = {
        "model": name,
        "file": {
            "name": path.name,
            "bytes": path.stat().st_size,
            "sha256": hashlib.file_digest(path.open("rb"), "sha256").hexdigest(),
        },
        "made_by": {
            "script": "Scripts/make_reference_goldens.py",
            "cpu": cpu_name(),
            "versions": {"python": platform.python_version()}
            | {package: version(package) for package in packages},
        },
        "summary": summary,
        "prompts": prompts,
        "texts": texts,
    }
    out = GOLDENS / f"reference-{name}.json"
    out.write_text(compact(golden), encoding="utf-8")
    print(name, json.dumps(summary), f"{out.stat().st_size / 1000:.0f} kB")
    for text in texts:
        print(f"  {text['name']}: {len(text['tokens'])} tokens, perplexity",
              text["reference_perplexity"], "reference,", text["llama_cpp_perplexity"], "llama.cpp")
    return golden


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(MODELS))
    cache = os.environ.get("NUNCHI_CACHE", "~/.cache/nunchi")
    parser.add_argument("--cache", default=cache, help="the folder that holds models/")
    arguments = parser.parse_args()
    source = json.loads((SCRIPTS / "reference_texts.json").read_text(encoding="utf-8"))
    for name in arguments.models or MODELS:
        if name not in MODELS:
            parser.error(f"unknown model {name}; known: {', '.join(MODELS)}")
        make(name, Path(arguments.cache).expanduser() / "models" / MODELS[name], source)


if __name__ == "__main__":
    main()
