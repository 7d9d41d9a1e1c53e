#!/usr/bin/env python3
"""Trains EAGLE drafters of many languages on a GPU, from answers that the target writes there.

    python3 Scripts/gpu/train_eagle.py TARGET.gguf --data data.npz --out drafters

A CPU writes 30 tokens a second and learns from 400; a GPU of Hopper's kind writes 20,000 and learns from
100,000. What it makes are weights in EAGLE-1's public layout (2401.15077), the same network that
`nunchi train eagle` trains, from which that command goes on (`--start`) or which Nunchi loads as they are.
`prepare_data.py` beside this makes the data. Needs torch, transformers and gguf, and about 60 GB of the
GPU's memory for a model of 1.5 billion parameters.

First a drafter of all languages, `mixed`; from it one for each; and one that learns from English alone, with as
many updates, for comparison.
"""
import argparse
import datetime
import hashlib
import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

# Tokens of a document, prompt included: longer ones are cut.
LENGTH = 256
FUSION_INPUT, GAIN = 0.1, 0.2
STARTED = time.time()


def say(*words) -> None:
    print(f"{time.time() - STARTED:6.1f} s", *words, flush=True)


# MARK: - What the target writes


@torch.inference_mode()
def answers(model, prompts: list[np.ndarray], temperatures: np.ndarray, count: int, stops: list[int]):
    """What the target says after each prompt, by sampling at its temperature; greedy at 0."""
    device = next(model.parameters()).device
    width = max(len(prompt) for prompt in prompts)
    tokens = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros(len(prompts), width + count, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        tokens[row, width - len(prompt) :] = torch.from_numpy(prompt.astype(np.int64))
        mask[row, width - len(prompt) :] = 1
    tokens, mask = tokens.to(device), mask.to(device)
    heat = torch.from_numpy(temperatures.astype(np.float32)).to(device)[:, None]
    stop = torch.tensor(stops, device=device)
    positions = (mask[:, :width].cumsum(1) - 1).clamp(min=0)
    done = torch.zeros(len(prompts), dtype=torch.bool, device=device)
    written, cache, seen = [], None, tokens
    for step in range(count):
        output = model(
            input_ids=seen,
            attention_mask=mask[:, : width + step],
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = output.past_key_values
        logits = output.logits[:, -1].float()
        noise = -torch.empty_like(logits).exponential_().log()
        best = (logits + heat * noise).argmax(1)
        written.append(best)
        seen, positions = best[:, None], positions[:, -1:] + 1
        done |= torch.isin(best, stop)
        if step % 16 == 15 and done.all():
            break
    rows = torch.stack(written, 1).cpu().numpy()
    result = []
    for row in rows:
        ends = np.flatnonzero(np.isin(row, stops))
        result.append(row[: ends[0] + 1] if len(ends) else row)
    return result


def write_answers(model, prompts, temperatures, count, stops, batch, seed):
    """Documents of prompt and answer, and which of their tokens are the target's."""
    chance = np.random.default_rng(seed)
    torch.manual_seed(seed)
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    documents = []
    for first in range(0, len(order), batch):
        some = [prompts[index] for index in order[first : first + batch]]
        heat = chance.choice(np.array(temperatures, dtype=np.float32), len(some))
        for prompt, answer in zip(some, answers(model, some, heat, count, stops)):
            tokens = np.concatenate([prompt, answer])
            own = np.concatenate([np.zeros(len(prompt), np.uint8), np.ones(len(answer), np.uint8)])
            documents.append((tokens, own))
    return documents


def self_written(model, start: np.ndarray, count: int, longest: int, stop: int, batch: int):
    """Questions that the target asks itself: what it writes at the user's turn (2406.08464)."""
    questions = []
    for _ in range(0, count, batch):
        heat = np.ones(batch)
        for answer in answers(model, [start] * batch, heat, longest, [stop]):
            if answer[-1] == stop and len(answer) > 5:
                questions.append(np.concatenate([start, answer]))
    return questions


# MARK: - Documents with the target's states


class Documents:
    """Tokens (rows, LENGTH), which are the target's, lengths, and final states (rows, LENGTH, hidden)."""

    def __init__(self, model, documents, batch=64):
        device = next(model.parameters()).device
        documents = [(tokens[:LENGTH], own[:LENGTH]) for tokens, own in documents if len(tokens) >= 16]
        documents.sort(key=lambda document: len(document[0]))
        self.tokens = torch.zeros(len(documents), LENGTH, dtype=torch.int32)
        self.own = torch.zeros(len(documents), LENGTH, dtype=torch.uint8)
        self.lengths = torch.tensor([len(tokens) for tokens, _ in documents])
        for row, (tokens, own) in enumerate(documents):
            self.tokens[row, : len(tokens)] = torch.from_numpy(tokens.astype(np.int32))
            self.own[row, : len(own)] = torch.from_numpy(own)
        self.tokens, self.own, self.lengths = (x.to(device) for x in (self.tokens, self.own, self.lengths))
        hidden = model.config.get_text_config().hidden_size
        self.states = torch.zeros(len(documents), LENGTH, hidden, dtype=torch.bfloat16, device=device)
        with torch.inference_mode():
            for first in range(0, len(documents), batch):
                rows = slice(first, first + batch)
                # Padding is behind the text, which cannot see it.
                width = int(self.lengths[rows].max())
                self.states[rows, :width] = model.model(
                    input_ids=self.tokens[rows, :width].long(), use_cache=False
                ).last_hidden_state.to(torch.bfloat16)

    def __len__(self):
        return len(self.tokens)

    def counts(self, vocabulary: int) -> torch.Tensor:
        return torch.bincount(self.tokens[self.own > 0].long(), minlength=vocabulary)


# MARK: - The network


class Eagle(torch.nn.Module):
    """EAGLE-1's layer as `Eagle1Network` trains it: columns of size 1 in what the products see."""

    def __init__(self, shape: dict, sizes: torch.Tensor, embedding_scale: float, epsilon: float, theta: float):
        super().__init__()
        self.shape = shape
        hidden, inner = shape["hidden"], shape["intermediate"]
        width, kv = shape["heads"] * shape["head_size"], shape["kv_heads"] * shape["head_size"]

        def matrix(rows, columns, scale=1.0):
            return torch.nn.Parameter(torch.randn(rows, columns, device=sizes.device) * scale / columns**0.5)

        self.fuse = matrix(hidden, 2 * hidden)
        self.query, self.key, self.value = matrix(width, hidden), matrix(kv, hidden), matrix(kv, hidden)
        self.output = matrix(hidden, width, 0.5)
        self.gate, self.up = matrix(inner, hidden), matrix(inner, hidden)
        self.down = matrix(hidden, inner, 0.5)
        self.stream = sizes.median()
        self.norm = torch.nn.Parameter(self.stream / sizes)
        self.sizes, self.embedding_scale, self.theta = sizes, embedding_scale, theta
        self.to_unit = self.stream / sizes
        self.epsilon = epsilon / float(self.stream) ** 2

    def rotated(self, x, positions):
        size = self.shape["head_size"]
        pairs = torch.arange(0, size, 2, device=x.device, dtype=torch.float32) / size
        angle = positions[:, None] * self.theta**-pairs
        cos, sin = angle.cos()[None, :, None].to(x.dtype), angle.sin()[None, :, None].to(x.dtype)
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def step(self, state, embeddings, shift: int, memory: list):
        """The next state, of the stream's size. state and embeddings (batch, length, hidden)"""
        shape, (batch, length, _) = self.shape, state.shape
        seen = torch.cat([embeddings, state * self.to_unit], -1)
        fused = F.linear(seen * FUSION_INPUT, self.fuse)
        x = fused * self.to_unit
        positions = torch.arange(length, device=x.device, dtype=torch.float32) + shift
        query = self.rotated(F.linear(x, self.query).view(batch, length, shape["heads"], -1), positions)
        key = self.rotated(F.linear(x, self.key).view(batch, length, shape["kv_heads"], -1), positions)
        value = F.linear(x, self.value).view(batch, length, shape["kv_heads"], -1)
        groups = shape["heads"] // shape["kv_heads"]
        key, value = key.repeat_interleave(groups, 2), value.repeat_interleave(groups, 2)
        memory.append((key, value))
        scale = shape["head_size"] ** -0.5
        first_key, first_value = memory[0]
        scores = torch.einsum("bqhd,bkhd->bhqk", query, first_key).float() * scale
        causal = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        scores = scores.masked_fill(causal, float("-inf"))
        # What was drafted from a row on the way here is seen by that row alone.
        drafted = [(query * key).sum(-1).float().transpose(1, 2)[..., None] * scale for key, _ in memory[1:]]
        weights = torch.cat([scores, *drafted], -1).softmax(-1).to(first_value.dtype)
        mixed = torch.einsum("bhqk,bkhd->bqhd", weights[..., :length], first_value)
        for index, (_, value) in enumerate(memory[1:]):
            mixed = mixed + weights[..., length + index].transpose(1, 2)[..., None] * value
        stream = fused + GAIN * F.linear(mixed.reshape(batch, length, -1), self.output)
        size = stream.float().pow(2).mean(-1, keepdim=True)
        normed = (stream * torch.rsqrt(size + self.epsilon)) * self.norm
        inner = F.silu(F.linear(normed, self.gate)) * F.linear(normed, self.up)
        return stream + GAIN * F.linear(inner, self.down)

    def scales(self) -> dict:
        """What turns each weight into that of the public layout, for states and embeddings as they are."""
        from_state = 1 / self.sizes
        embedding = torch.full_like(from_state, self.embedding_scale)
        layer = "layers.0."
        return {
            "fuse": ("fc.weight", torch.cat([embedding, from_state]) * FUSION_INPUT * self.stream),
            "query": (layer + "self_attn.q_proj.weight", from_state),
            "key": (layer + "self_attn.k_proj.weight", from_state),
            "value": (layer + "self_attn.v_proj.weight", from_state),
            "output": (layer + "self_attn.o_proj.weight", GAIN * self.stream),
            "norm": (layer + "post_attention_layernorm.weight", torch.ones_like(from_state)),
            "gate": (layer + "mlp.gate_proj.weight", torch.ones_like(from_state)),
            "up": (layer + "mlp.up_proj.weight", torch.ones_like(from_state)),
            "down": (layer + "mlp.down_proj.weight", GAIN * self.stream),
        }

    @torch.no_grad()
    def exported(self) -> dict:
        return {
            public: (getattr(self, name) * scale).to(torch.bfloat16).cpu().contiguous()
            for name, (public, scale) in self.scales().items()
        }

    @torch.no_grad()
    def start(self, weights: dict) -> None:
        for name, (public, scale) in self.scales().items():
            parameter = getattr(self, name)
            parameter.copy_(weights[public].to(parameter.device).float() / scale)


class Course:
    """The target's embedding and head, and how a drafter learns and is measured."""

    def __init__(self, model, arguments):
        self.embedding = model.get_input_embeddings().weight.detach()
        self.head = model.get_output_embeddings().weight.detach()
        self.arguments = arguments

    def embed(self, network, tokens):
        return self.embedding[tokens.long()] * network.embedding_scale

    def fit(self, network, documents: Documents) -> None:
        """At first the fusion alone predicts the next state, as well as a linear map can."""
        hidden = self.embedding.shape[1]
        squares = torch.zeros(2 * hidden, 2 * hidden, device=self.head.device)
        products = torch.zeros(hidden, 2 * hidden, device=self.head.device)
        rows = 0
        some = torch.randperm(len(documents), generator=torch.Generator().manual_seed(0))[:1024]
        for part in some.to(self.head.device).split(32):
            states = documents.states[part].float() / network.sizes
            tokens = documents.tokens[part]
            x = torch.cat([self.embed(network, tokens[:, 1:]).float(), states[:, :-1]], -1)
            y = states[:, 1:] * network.sizes / network.stream
            inside = torch.arange(1, LENGTH, device=x.device) < documents.lengths[part, None]
            x, y = x[inside], y[inside]
            squares += x.T @ x
            products += y.T @ x
            rows += len(x)
        squares.diagonal().add_(1e-3 * rows)
        with torch.no_grad():
            network.fuse.copy_(torch.linalg.solve(squares, products.T).T / FUSION_INPUT)

    def steps(self, network, batch, count, noise=0.0):
        """For each step its outputs (batch, length, hidden)."""
        tokens, states = batch["tokens"], batch["states"]
        state = states / network.stream
        if noise:
            state = state + (torch.rand_like(state) * 2 - 1) * noise * network.sizes / network.stream
        memory, outputs = [], []
        for step in range(count):
            ahead = torch.roll(tokens, -1 - step, 1)
            state = network.step(state, self.embed(network, ahead), step, memory)
            outputs.append(state)
        return outputs

    def batch(self, parts: list[tuple[Documents, torch.Tensor]]) -> dict:
        fields = ("tokens", "own", "lengths", "states")
        return {field: torch.cat([getattr(part, field)[rows] for part, rows in parts]) for field in fields}

    def loss(self, network, batch, places, head):
        """Σ over steps of the divergence from the target, and the distance of states."""
        arguments = self.arguments
        outputs = self.steps(network, batch, arguments.steps, arguments.noise)
        states = batch["states"] / network.stream
        length = states.shape[1]
        rows = torch.arange(length, device=states.device)
        scaled = (head * network.stream).to(head.dtype)
        known = places[torch.roll(batch["tokens"], -1, 1).long()] >= 0
        known |= rows + 1 >= batch["lengths"][:, None]
        # What a row counts whose state is predicted.
        weight = torch.where(batch["own"] > 0, 1.0, arguments.prompt_weight)
        weight = weight * known * (rows < batch["lengths"][:, None])
        total = 0
        with torch.no_grad():
            teacher = F.linear(states.to(head.dtype), scaled).float().softmax(-1).to(torch.bfloat16)
        for step, output in enumerate(outputs):
            ahead = 1 + step
            target, output, weights = teacher[:, ahead:], output[:, :-ahead], weight[:, ahead:]
            chosen = weights > 0
            weights = weights[chosen]
            logits = F.linear(output[chosen].to(head.dtype), scaled).float()
            divergence = F.cross_entropy(logits, target[chosen].float(), reduction="none")
            distance = F.smooth_l1_loss(
                output[chosen].float(), states[:, ahead:][chosen].float(), reduction="none"
            ).mean(-1)
            losses = divergence + arguments.feature_weight * distance
            total = total + 0.8**step * (losses * weights).sum() / weights.sum()
        return total

    @torch.no_grad()
    def accepted(self, network, documents: Documents, tokens: torch.Tensor, count=4, most=256):
        """How often a chain's first 1, 2 … tokens are all those of the document."""
        head = (self.head[tokens] * network.stream).to(self.head.dtype)
        matched, possible = torch.zeros(count), torch.zeros(count)
        some = torch.randperm(len(documents), generator=torch.Generator().manual_seed(0))[:most]
        for rows in some.to(head.device).split(32):
            batch = self.batch([(documents, rows)])
            with torch.autocast(head.device.type, torch.bfloat16, enabled=head.is_cuda):
                outputs = self.steps(network, batch, count)
            right = None
            for step, output in enumerate(outputs):
                ahead = 2 + step
                best = tokens[F.linear(output.to(head.dtype), head).argmax(-1)]
                equal = best[:, :-ahead] == batch["tokens"][:, ahead:]
                counts = (batch["own"][:, ahead - 1 : -1] > 0) & (
                    torch.arange(ahead, LENGTH, device=head.device) < batch["lengths"][:, None]
                )
                right = equal if right is None else right[:, : equal.shape[1]] & equal
                matched[step] += (right & counts).sum().cpu()
                possible[step] += counts.sum().cpu()
        return (matched / possible.clamp(min=1)).tolist()

    def train(self, network, sets: list[Documents], tokens, updates, rate, label, evaluate):
        """`updates` steps of AdamW; each batch has as many documents of each set."""
        arguments = self.arguments
        torch.manual_seed(arguments.seed)
        optimizer = torch.optim.AdamW(network.parameters(), rate, betas=(0.9, 0.95), weight_decay=0.01)
        places = torch.full((len(self.head),), -1, dtype=torch.int32, device=self.head.device)
        places[tokens] = torch.arange(len(tokens), dtype=torch.int32, device=places.device)
        head = self.head[tokens]
        device = self.head.device
        share = [arguments.documents // len(sets)] * len(sets)
        for index in range(arguments.documents % len(sets)):
            share[index] += 1
        for update in range(updates):
            warm = min(1, (update + 1) / max(1, 0.03 * updates))
            fall = 0.5 * (1 + np.cos(np.pi * update / updates))
            for group in optimizer.param_groups:
                group["lr"] = rate * warm * (0.05 + 0.95 * fall)
            batch = self.batch(
                [(part, torch.randint(len(part), (count,), device=device)) for part, count in zip(sets, share)]
            )
            with torch.autocast(device.type, torch.bfloat16, enabled=head.is_cuda):
                loss = self.loss(network, batch, places, head)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            if update % 250 == 249 or update + 1 == updates:
                say(label, "update", update + 1, f"loss {loss.item():.3f}", "accepted", evaluate(network))


def frequent(counts: torch.Tensor, coverage: float, most: int, always: list[int]) -> dict:
    """The tokens that a share of the text needs, most frequent first: `FrequentTokens`."""
    counts = counts.cpu().numpy().astype(np.int64)
    order = np.lexsort((np.arange(len(counts)), -counts))
    total = counts.sum()
    size = int(np.searchsorted(np.cumsum(counts[order]), coverage * total)) + 1
    size = min(-(-(size + len(always)) // 16) * 16, most)
    kept = always + [int(token) for token in order if int(token) not in always][: size - len(always)]
    kept.sort(key=lambda token: (-counts[token], token))
    return {
        "vocabularySize": len(counts),
        "total": int(total),
        "tokens": kept,
        "counts": [int(counts[token]) for token in kept],
    }


def described(path: pathlib.Path) -> dict:
    return {
        "name": path.name,
        "bytes": path.stat().st_size,
        "sha256": hashlib.file_digest(path.open("rb"), "sha256").hexdigest(),
    }


def table(head: list[str], rows: list[tuple]) -> str:
    lines = [head, ["---", "---"], *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def model_card(card: dict, cut: dict, parameters: int, licence: str) -> str:
    """The README of a drafter's folder, as `ModelCard` writes it."""
    provenance, name = card["provenance"], card["target"]["name"]
    covered, prompts = 100 * sum(cut["counts"]) / cut["total"], provenance["data"][0]
    figures = [(figure["name"], figure["value"]) for figure in provenance["figures"]]
    return f"""# EAGLE drafter for {name}

A drafter for speculative decoding with {name} as the target: it proposes tokens, the target verifies them, and the \
output stays the target's own. {parameters / 1e6:.2f} M parameters; it proposes from the {len(cut["tokens"])} most \
frequent tokens, which make up {covered:.1f} % of the training text. It is of no use with another model.

    nunchi generate {name} --trained FOLDER "…"

## Data

Answers that the target wrote on the GPU, as bf16 of its file's weights, to the prompts of {prompts["name"]} \
({prompts["bytes"] / 1e6:.1f} MB, of `Scripts/gpu/prepare_data.py`), and its states on them. How many tokens is among \
the figures.

## Training

    {" ".join(provenance["command"])}

{table(["setting", "value"], sorted(provenance["options"].items()))}
## Figures

{table(["figure", "value"], figures)}
## Files

`config.json` and `model.safetensors` (bf16) have the public layout of the method; `nunchi.json` holds the provenance \
with all checksums, seeds and versions, `frequent_tokens.json` the proposed tokens.

## Licence

{licence}, as the target.
"""


def write(folder: pathlib.Path, weights: dict, cut: dict, config: dict, card: dict, licence: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True))
    (folder / "frequent_tokens.json").write_text(json.dumps(cut, separators=(",", ":"), sort_keys=True))
    (folder / "nunchi.json").write_text(json.dumps(card, indent=2, sort_keys=True))
    parameters = sum(weight.numel() for weight in weights.values())
    (folder / "README.md").write_text(model_card(card, cut, parameters, licence))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", help="the target's GGUF file")
    parser.add_argument("--data", required=True, help="what prepare_data.py wrote")
    parser.add_argument("--out", required=True, help="the folder for the drafters")
    parser.add_argument("--updates", type=int, default=1500, help="of the mixed drafter")
    parser.add_argument("--own-updates", type=int, default=300, help="of each language after that")
    parser.add_argument("--documents", type=int, default=32, help="of an update")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--own-rate", type=float, default=8e-4)
    parser.add_argument("--steps", type=int, default=3, help="that are drafted from each row")
    parser.add_argument("--noise", type=float, default=0.05)
    parser.add_argument("--feature-weight", type=float, default=0.1)
    parser.add_argument("--prompt-weight", type=float, default=0.3)
    parser.add_argument("--answer", type=int, default=96, help="tokens of an answer")
    parser.add_argument("--repeats", type=int, default=1, help="answers to each prompt")
    parser.add_argument("--batch", type=int, default=1024, help="answers that are written together")
    parser.add_argument("--self-written", type=int, default=1024, help="questions of the target's own")
    parser.add_argument("--most", type=int, default=1024, help="prompts, pages and trials of a language")
    parser.add_argument("--start", help="a drafter to measure before anything is learned")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commit", help="of the checkout that this script is of, for the drafters' cards")
    arguments = parser.parse_args()

    import transformers

    path = pathlib.Path(arguments.target)
    for file in (path, pathlib.Path(arguments.data)):
        if not file.is_file():
            parser.error(f"{file}: expected a file, found none")
    data = np.load(arguments.data, allow_pickle=False)
    facts = json.loads(str(data["facts"]))
    found = described(path)["sha256"]
    if found != facts["target"]["sha256"]:
        wanted = f"{facts['target']['name']}, SHA-256 {facts['target']['sha256']}"
        parser.error(f"{path}: expected the model that {arguments.data} is for, {wanted}, found {found}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=dtype)
    model = model.to(device).eval().requires_grad_(False)
    say("target", torch.cuda.get_device_name() if device.type == "cuda" else "CPU")

    stops, languages = facts["stops"], facts["languages"]

    def texts(name: str) -> list[np.ndarray]:
        if name + ".tokens" not in data:
            return []
        return np.split(data[name + ".tokens"].astype(np.int32), data[name + ".starts"][1:])

    sets, held, counts = {}, {}, {}
    heats, vocabulary = facts["temperatures"], facts["vocabulary"]
    for language in languages:
        prompts = [text for text in texts(language + ".prompts") if len(text) <= LENGTH - 64]
        prompts = prompts[: arguments.most] * arguments.repeats
        documents = write_answers(model, prompts, heats, arguments.answer, stops, arguments.batch, arguments.seed)
        trials = texts(language + ".held")[: arguments.most]
        tried = write_answers(model, trials, [0], arguments.answer, stops, arguments.batch, arguments.seed)
        sets[language], held[language] = [Documents(model, documents)], Documents(model, tried)
        counts[language] = sets[language][0].counts(vocabulary)
        pages = [
            (text[first : first + LENGTH], np.zeros(LENGTH, np.uint8)[: len(text[first : first + LENGTH])])
            for text in texts(language + ".pages")[: arguments.most]
            for first in range(0, len(text), LENGTH)
        ]
        if pages:
            sets[language].append(Documents(model, pages))
        written = int(counts[language].sum())
        say(language, len(documents), "answers of", written, "tokens,", len(pages), "pieces of pages")
    if "question" in data and arguments.self_written:
        start = data["question"].astype(np.int32)
        questions = self_written(model, start, arguments.self_written, 96, facts["turn"], arguments.batch)
        answer = data["answer"].astype(np.int32)
        questions = [np.concatenate([text, answer]) for text in questions]
        documents = write_answers(model, questions, heats, 128, stops, arguments.batch, arguments.seed)
        sets["own"] = [Documents(model, documents)]
        counts["own"] = sets["own"][0].counts(vocabulary)
        say("own questions:", len(documents), "answers of", int(counts["own"].sum()), "tokens")

    course = Course(model, arguments)
    sample = [(part[0], torch.arange(0, len(part[0]), -(-len(part[0]) // 64))) for part in sets.values()]
    states = torch.cat([part.states[rows][part.own[rows] > 0] for part, rows in sample]).float()
    sizes = states.pow(2).mean(0).sqrt().clamp(min=1e-6)
    seen = torch.cat([part.tokens[rows][part.own[rows] > 0] for part, rows in sample])
    embedding_scale = 1 / course.embedding[seen.long()].float().pow(2).mean().sqrt().item()

    def network():
        torch.manual_seed(arguments.seed)
        return Eagle(facts["shape"], sizes, embedding_scale, facts["epsilon"], facts["theta"])

    def tokens_of(cut):
        return torch.tensor(sorted(cut["tokens"]), device=device)

    def rounded(figures):
        return [round(figure, 3) for figure in figures]

    def finish(name, net, cut, learned, accepted, updates):
        figures = {f"answer tokens, {key}": int(counts[key].sum()) for key in learned}
        for language, rates in accepted.items():
            figures |= {f"accepted at {step + 1}, {language}": rate for step, rate in enumerate(rates)}
        figures["seconds since the start"] = round(time.time() - STARTED)
        outside = ("target", "data", "out", "start", "commit", "seed")
        options = {key.replace("_", " "): str(value) for key, value in vars(arguments).items() if key not in outside}
        options |= {"method": "eagle", "updates of this one": str(updates)}
        device_name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
        provenance = {
            # Without folders: they are this machine's.
            "command": [pathlib.Path(word).name for word in sys.argv],
            "commit": arguments.commit,
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "data": [described(pathlib.Path(arguments.data)), described(pathlib.Path(__file__))],
            "seeds": {"training": arguments.seed},
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "device": device_name},
            "method": "eagle",
            "options": options,
            "figures": [{"name": figure, "value": value} for figure, value in figures.items()],
        }
        card = {
            "method": "eagle",
            "target": facts["target"],
            "frequentTokens": "frequent_tokens.json",
            "provenance": provenance,
        }
        write(pathlib.Path(arguments.out) / name, net.exported(), cut, facts["config"], card, facts["licence"])
        say(name, "is written")

    merged = sum(counts[name].double() / counts[name].sum() for name in counts)
    merged = (merged * 100_000).round().long()
    cut = frequent(merged, 0.97, facts["mixed_tokens"], stops)
    mixed_tokens = tokens_of(cut)
    if arguments.start:
        net = network()
        net.start(load_file(pathlib.Path(arguments.start) / "model.safetensors"))
        for language in languages:
            say("start", language, rounded(course.accepted(net, held[language], mixed_tokens)))

    net = network()
    course.fit(net, sets[languages[0]][0])
    everything = [part for parts in sets.values() for part in parts]

    def of_all(net):
        return {
            language: rounded(course.accepted(net, held[language], mixed_tokens, most=64))[:2]
            for language in languages
        }

    course.train(net, everything, mixed_tokens, arguments.updates, arguments.rate, "mixed", of_all)
    figures = {language: rounded(course.accepted(net, held[language], mixed_tokens)) for language in languages}
    finish("mixed", net, cut, counts, figures, arguments.updates)
    mixed = {name: value.clone() for name, value in net.state_dict().items()}

    def own(language, updates, rate, from_mixed=True):
        cut = frequent(counts[language], 0.98, facts["own_tokens"], stops)
        tokens = tokens_of(cut)
        net = network()
        if from_mixed:
            net.load_state_dict(mixed)
        else:
            course.fit(net, sets[language][0])

        def evaluate(net):
            return rounded(course.accepted(net, held[language], tokens))

        name = language if from_mixed else language + "-only"
        course.train(net, sets[language], tokens, updates, rate, name, evaluate)
        finish(name, net, cut, [language], {language: evaluate(net)}, updates)

    for language in languages:
        if language != "en":
            own(language, arguments.own_updates, arguments.own_rate)
    if "en" in languages:
        own("en", arguments.updates + arguments.own_updates, arguments.rate, from_mixed=False)


if __name__ == "__main__":
    main()
