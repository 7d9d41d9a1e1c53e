#!/usr/bin/env python3
"""Writes Tests/TokenizationTests/Goldens: texts and the ids that transformers' tokenizers give.

Needs: pip install transformers tokenizers gguf jinja2 (llama-cpp-python for the cross-check), and the
models in the cache (NUNCHI_CACHE, or ~/.cache/nunchi). `--added` writes added.json alone, from the
small tokenizers that are there.

The tokenizers of the GGUF files are rebuilt with `tokenizers`, the library behind transformers, as
their published tokenizer.json files describe them: transformers' own conversion of GGUF files
leaves out Qwen's added tokens and turns Gemma's BPE into a Unigram model. llama.cpp is asked as
well, and where the two differ the script says so; transformers is right.
"""
import json
import os
import pathlib
import sys

import gguf
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from chat_templates import SNIPPETS, TEMPLATES, conversations
from tokenizer_texts import TEXTS, BROKEN

GOLDENS = pathlib.Path(__file__).parent.parent / "Tests/TokenizationTests/Goldens"
CACHE = pathlib.Path(os.environ.get("NUNCHI_CACHE", pathlib.Path.home() / ".cache/nunchi"))
MODELS = {
    "smollm2": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "gemma3": "gemma-3-270m-q4_k_m.gguf",
    "qwen2.5": "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
}
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)


def split(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])


def from_gguf(path):
    fields = gguf.GGUFReader(path).fields
    read = lambda key: fields[f"tokenizer.ggml.{key}"].contents()
    pieces, types = read("tokens"), read("token_type")
    added = [
        AddedToken(piece, normalized=False, special=kind == 3)
        for piece, kind in zip(pieces, types) if kind in (3, 4)
    ]
    if read("model") == "gpt2":
        vocab = {piece: id for id, piece in enumerate(pieces) if types[id] != 5}
        merges = [tuple(merge.split(" ")) for merge in read("merges")]
        tokenizer = Tokenizer(models.BPE(vocab, merges))
        if read("pre") == "qwen2":
            tokenizer.normalizer = normalizers.NFC()
            tokenizer.pre_tokenizer = split(QWEN2)
        else:
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ])
        tokenizer.decoder = decoders.ByteLevel()
    else:
        # The GGUF file writes Gemma's runs of spaces out; the vocabulary has them as ▁, first of
        # all merges (their score is 0 in the SentencePiece file).
        spaces = {id for id, p in enumerate(pieces) if types[id] == 4 and p.strip(" ") == ""}
        pieces = ["▁" * len(p) if id in spaces else p for id, p in enumerate(pieces)]
        vocab = {piece: id for id, piece in enumerate(pieces)}
        scores = read("scores")
        merges = []
        for id, piece in enumerate(pieces):
            if types[id] != 1 and id not in spaces:
                continue
            local = [
                (vocab[piece[:k]], vocab[piece[k:]], piece[:k], piece[k:])
                for k in range(1, len(piece)) if piece[:k] in vocab and piece[k:] in vocab
            ]
            score = float("inf") if id in spaces else scores[id]
            merges += [(score, left, right) for _, _, left, right in sorted(local)]
        merges.sort(key=lambda merge: merge[0], reverse=True)
        tokenizer = Tokenizer(models.BPE(
            vocab, [merge[1:] for merge in merges], unk_token="<unk>", byte_fallback=True,
            fuse_unk=True))
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        added = [
            AddedToken(pieces[id], normalized=False, special=types[id] == 3)
            for id in range(len(pieces)) if types[id] in (3, 4)
        ]
    tokenizer.add_tokens(added)
    return tokenizer


def tiny(kind):
    """A tokenizer of a few hundred pieces, of the kind a published tokenizer.json describes."""
    trainer = dict(vocab_size=500, show_progress=False)
    corpus = TEXTS * 3
    if kind in ("gpt2", "llama3"):
        tokenizer = Tokenizer(models.BPE(ignore_merges=kind == "llama3"))
        tokenizer.pre_tokenizer = (
            split(LLAMA3) if kind == "llama3" else pre_tokenizers.ByteLevel(add_prefix_space=False))
        tokenizer.decoder = decoders.ByteLevel()
        special = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokenizer.train_from_iterator(
            corpus, trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet, **trainer))
        if kind == "llama3":
            tokenizer.post_processor = processors.Sequence([
                processors.ByteLevel(trim_offsets=False),
                processors.TemplateProcessing(
                    single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 0)]),
            ])
        return tokenizer
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    english = [text for text in corpus if text.isascii()]
    tokenizer.train_from_iterator(
        english, trainers.BpeTrainer(special_tokens=special, **trainer))
    description = json.loads(tokenizer.to_str())
    description["pre_tokenizer"] = None
    description["added_tokens"] = description["added_tokens"][:3]
    unescape = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"}, {"type": "Fuse"}]
    if kind == "llama2":
        description["normalizer"] = {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
        unescape.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    elif kind == "metaspace":
        description["normalizer"] = None
        description["pre_tokenizer"] = {
            "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
        unescape.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    else:
        description["pre_tokenizer"] = {
            "type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
            "invert": False}
    description["decoder"] = {"type": "Sequence", "decoders": unescape}
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def llama_cpp(path):
    try:
        from llama_cpp import Llama
    except ImportError:
        return None
    model = Llama(str(path), vocab_only=True, verbose=False)
    return lambda data: model.tokenize(data, add_bos=False, special=True)


def chat_goldens():
    """What transformers' Jinja writes; an error is null."""
    from transformers.utils.chat_template_utils import _compile_jinja_template

    sources = dict(TEMPLATES)
    for name in ("smollm2", "qwen2.5"):
        fields = gguf.GGUFReader(CACHE / "models" / MODELS[name]).fields
        sources[name] = fields["tokenizer.chat_template"].contents()

    def render(source, variables):
        try:
            return _compile_jinja_template(source).render(**variables)
        except Exception as error:
            return None

    standard = {"bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True}
    cases = []
    for name, source in sources.items():
        for conversation in conversations():
            variables = standard | conversation
            cases.append({"template": name, "variables": variables, "output": render(source, variables)})
    snippets = [[source, render(source, {"messages": []})] for source in SNIPPETS]
    write("templates.json", {"sources": sources, "cases": cases, "snippets": snippets})


# What added tokens may be: the white space they take, and whether they are looked for before or
# after the text is normalised.
ADDED = [
    dict(content="<both>", lstrip=True, rstrip=True, special=True, normalized=False),
    dict(content="<left>", lstrip=True, rstrip=False, special=True, normalized=False),
    dict(content="<right>", lstrip=False, rstrip=True, special=False, normalized=False),
    dict(content="tin roof", lstrip=False, rstrip=False, special=False, normalized=True),
    dict(content="é~", lstrip=False, rstrip=True, special=False, normalized=True),
    dict(content="물결", lstrip=True, rstrip=False, special=True, normalized=True),
]
ADDED_TEXTS = [
    "rain tin roof rain", "tin roof", "a tin roof", "tin roofs<both>tin roof", "tin  roof",
    "물결 물결", "물결물결", "강 \u3000물결", "caf\u00e9~ cafe\u0301~ \u2003x", "e\u0301~\u00a0e\u0301~",
    "<left>\u3000물", "물\u3000<left>", "tin\u00a0<both>\u00a0tin", "a\u2028\u2029<both>\u1680b",
    "a\u200b<both>\u200bb", "\u0085<right>\u0085", "x\u001f<both>\u001fx", "\u00a0<both>",
    " \t\n<both>\n\t <right>\r\n z", "<both><both>\u3000<both>",
    "\u00c2\u00a0<left> \u202f\u205f",
]


def added_goldens():
    """Added tokens in the small tokenizers, and in one that brings text to form C."""
    cases = {}
    for kind in ("gpt2", "nfc", "llama2", "metaspace", "gemma"):
        file = GOLDENS / f"tiny-{'gpt2' if kind == 'nfc' else kind}.json"
        description = json.loads(file.read_text())
        if kind == "nfc":
            description["normalizer"] = {"type": "NFC"}
        first = max(description["model"]["vocab"].values()) + 1
        description["added_tokens"] += [
            dict(id=first + index, single_word=False, **token) for index, token in enumerate(ADDED)]
        tokenizer = Tokenizer.from_str(json.dumps(description))
        cases[kind] = dict(
            normalizer=description["normalizer"], added_tokens=description["added_tokens"],
            ids=[tokenizer.encode(text).ids for text in ADDED_TEXTS])
    write("added.json", {"texts": ADDED_TEXTS, "tokenizers": cases})


def write(name, value):
    path = GOLDENS / name
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def main():
    GOLDENS.mkdir(parents=True, exist_ok=True)
    if "--added" in sys.argv:
        return added_goldens()
    texts = [text.encode() for text in TEXTS] + BROKEN
    entries = [{"text": text} for text in TEXTS] + [{"hex": data.hex()} for data in BROKEN]
    write("texts.json", entries)
    chat_goldens()
    for name, file in MODELS.items():
        path = CACHE / "models" / file
        if not path.exists():
            print(f"{file} is not in the cache; its goldens stay as they are")
            continue
        tokenizer = from_gguf(path)
        ids = [
            tokenizer.encode(data.decode(errors="replace"), add_special_tokens=False).ids
            for data in texts]
        write(f"ids-{name}.json", ids)
        peer = llama_cpp(path)
        if peer:
            # Not the broken ones: llama.cpp ends the process on an invalid code point.
            for data, expected in list(zip(texts, ids))[:len(TEXTS)]:
                found = peer(data)
                if found != expected:
                    print(f"  {name}: {data[:60]!r}: llama.cpp {found[:12]}, transformers {expected[:12]}")
    for kind in ("gpt2", "llama3", "llama2", "metaspace", "gemma"):
        tokenizer = tiny(kind)
        write(f"tiny-{kind}.json", json.loads(tokenizer.to_str()))
        write(f"ids-tiny-{kind}.json", [
            tokenizer.encode(data.decode(errors="replace")).ids for data in texts[::3]])
    added_goldens()


if __name__ == "__main__":
    main()
