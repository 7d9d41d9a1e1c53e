#!/usr/bin/env python3
"""Makes the data from which `train_eagle.py` trains drafters: prompts and pages as tokens.

    nunchi data corpus text/help/* --output corpus
    python3 Scripts/gpu/prepare_data.py Gemma-3-270M --corpus corpus --out gemma.npz
    nunchi data text-prompts corpus --per-language 1700 --output questions
    python3 Scripts/gpu/prepare_data.py Qwen2.5-Coder-1.5B --corpus corpus --questions questions --out qwen.npz

The base model goes on with pages from anywhere in them, the chat model answers questions about them and
translates passages, to and from English. Pages and questions are of the corpus's training part, what drafters are
tried on while they learn of its validation part; the held-out part is not read. `nunchi` has to be on the PATH.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Benchmarks"))
from language_prompts import is_in  # noqa: E402
from translation_prompts import request  # noqa: E402

LANGUAGES = ["ko", "ja", "zh", "de", "fr", "ru", "en"]
# The targets' special tokens and the drafters' sizes, which are those of `EagleConfiguration.standard`.
TARGETS = {
    "Gemma-3-270M": {
        "begin": [2],
        "stops": [1],
        "temperatures": [0, 0, 0.7, 1],
        "shape": {"hidden": 640, "intermediate": 2048, "heads": 4, "kv_heads": 1, "head_size": 256},
        "vocabulary": 262144,
        "mixed_tokens": 9216,
        "own_tokens": 4096,
        "licence": "Gemma terms",
        "fingerprint": "f7bb17ece73de9cc",
        "sha256": "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    },
    "Qwen2.5-Coder-1.5B": {
        "system": "<|im_start|>system\n"
        "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n",
        "user": "<|im_start|>user\n",
        "answer": "<|im_end|>\n<|im_start|>assistant\n",
        "stops": [151643, 151645],
        "turn": 151645,
        "temperatures": [0, 0.7, 0.7, 1],
        "shape": {"hidden": 1536, "intermediate": 1024, "heads": 6, "kv_heads": 2, "head_size": 128},
        "vocabulary": 151936,
        "mixed_tokens": 9216,
        "own_tokens": 6144,
        "licence": "Apache-2.0",
        "fingerprint": "7bb7e15a4349eb1a",
        "sha256": "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    },
}


def tokenize(model: str, text: str) -> np.ndarray:
    arguments = ["nunchi", "tokenize", model, "-", "--json"]
    output = subprocess.run(arguments, input=text.encode(), capture_output=True, check=True).stdout
    return np.array(json.loads(output)["ids"], dtype=np.int32)


def documents(path: pathlib.Path) -> dict:
    found = {language: [] for language in LANGUAGES}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            if document["language"] in found:
                found[document["language"]].append(document)
    return found


def continuations(model: str, facts: dict, pages: list[dict], count: int, chance: random.Random):
    """Pieces of pages that the target goes on with, and the pages themselves."""
    # The end token between pages, to find them again.
    tokens = tokenize(model, "<eos>".join(page["text"] for page in pages))
    ends = np.flatnonzero(tokens == facts["stops"][0])
    split = [part[part != facts["stops"][0]] for part in np.split(tokens, ends)]
    split = [part for part in split if len(part) > 48]
    begin = np.array(facts["begin"], dtype=np.int32)
    prompts = []
    while len(prompts) < count:
        page = split[chance.randrange(len(split))]
        length = chance.randrange(32, min(120, len(page) - 8))
        first = chance.choice([0, chance.randrange(len(page) - length)])
        prompts.append(np.concatenate([begin, page[first : first + length]]))
    return prompts, [np.concatenate([begin, page]) for page in split]


def asked(model: str, facts: dict, questions: list[str]) -> list[np.ndarray]:
    text = "".join(facts["system"] + facts["user"] + question + facts["answer"] for question in questions)
    tokens = tokenize(model, text)
    first = tokenize(model, facts["system"])[:2]
    starts = np.flatnonzero((tokens[:-1] == first[0]) & (tokens[1:] == first[1]))
    return np.split(tokens, starts[1:])


def translations(pages: dict, goal: str, count: int, chance: random.Random) -> list[str]:
    """Requests to translate into a language: from English, or to English from all others."""
    sources = ["en"] if goal != "en" else [language for language in LANGUAGES if language != "en"]
    result = []
    for source in sources:
        some = list(pages[source])
        chance.shuffle(some)
        requests = [request(source, goal, page["text"]) for page in some]
        result += [prompt for prompt in requests if prompt][: count // len(sources)]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--corpus", required=True, help="a folder of `nunchi data corpus`")
    parser.add_argument("--questions", help="a folder of `nunchi data text-prompts`, for a chat model")
    parser.add_argument("--out", required=True)
    parser.add_argument("--count", type=int, default=5000, help="continuations of each language")
    parser.add_argument("--translations", type=int, default=240, help="into each language")
    arguments = parser.parse_args()
    facts = dict(TARGETS[arguments.target])
    corpus = pathlib.Path(arguments.corpus)
    pages, others = documents(corpus / "train.jsonl"), documents(corpus / "validation.jsonl")
    arrays = {}

    def add(name: str, texts: list[np.ndarray]) -> None:
        lengths = np.array([0] + [len(text) for text in texts[:-1]])
        arrays[name + ".tokens"] = np.concatenate(texts).astype(np.int32)
        arrays[name + ".starts"] = np.cumsum(lengths).astype(np.int64)

    if "begin" in facts:
        for language in LANGUAGES:
            chance = random.Random(language)
            prompts, whole = continuations(arguments.target, facts, pages[language], arguments.count, chance)
            held, _ = continuations(arguments.target, facts, others[language], 256, chance)
            add(language + ".prompts", prompts)
            add(language + ".pages", whole)
            add(language + ".held", held)
    else:
        if not arguments.questions:
            parser.error("a chat model needs --questions")
        folder = pathlib.Path(arguments.questions)
        for part, source in [("prompts", "train"), ("held", "validation")]:
            questions = documents(folder / f"{source}.jsonl")
            for language in LANGUAGES:
                own = [
                    question["prompt"]
                    for question in questions[language]
                    if question["category"] != "translate" and is_in(language, question["prompt"])
                ]
                if part == "prompts":
                    own += translations(pages, language, arguments.translations, random.Random(language))
                random.Random(language).shuffle(own)
                add(f"{language}.{part}", asked(arguments.target, facts, own))
        arrays["question"] = tokenize(arguments.target, facts["system"] + facts["user"])
        # What the target has not written of it: the end of the turn is its own.
        arrays["answer"] = tokenize(arguments.target, facts["answer"])[1:]
    shape = facts["shape"]
    facts["languages"] = LANGUAGES
    facts["epsilon"], facts["theta"] = 1e-6, 1e6
    facts["target"] = {
        "name": arguments.target,
        "sha256": facts.pop("sha256"),
        "hiddenSize": shape["hidden"],
        "vocabularySize": facts["vocabulary"],
        "vocabularyFingerprint": facts.pop("fingerprint"),
    }
    facts["config"] = {
        "architectures": ["LlamaForCausalLMEagle", "EagleLlamaForCausalLM"],
        "bias": False,
        "head_dim": shape["head_size"],
        "hidden_act": "silu",
        "hidden_size": shape["hidden"],
        "intermediate_size": shape["intermediate"],
        "max_position_embeddings": 32768,
        "model_type": "llama",
        "num_attention_heads": shape["heads"],
        "num_hidden_layers": 1,
        "num_key_value_heads": shape["kv_heads"],
        "rms_norm_eps": facts["epsilon"],
        "rope_theta": facts["theta"],
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "vocab_size": facts["vocabulary"],
    }
    np.savez_compressed(arguments.out, facts=json.dumps(facts), **arrays)
    for name in sorted(arrays):
        print(name, arrays[name].shape)


if __name__ == "__main__":
    main()
