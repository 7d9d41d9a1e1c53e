#!/usr/bin/env python3
"""Makes prompts to continue of documents, the same number for each language.

    python3 Benchmarks/language_prompts.py corpus/heldout.jsonl --out held
    python3 Benchmarks/language_prompts.py corpus/train.jsonl --out training --count 600 --anywhere
    python3 Benchmarks/language_prompts.py questions/heldout.jsonl --out chat

The corpus is that of `nunchi data corpus`, whose parts have no page in common, also not in other
languages. Each language gets `LANGUAGE.jsonl`, a file for `nunchi bench run --suite … --plain-text` and
for `nunchi data self-distil`. A page of one language may quote much of another, or be code: a prompt is
taken where it is written in its language. Of questions that `nunchi data text-prompts` has made of the corpus
those are taken whole that want an answer in their language, the shorter first.
"""
import argparse
import json
import pathlib
import random
import re
import unicodedata

# Characters of a prompt: about as much text in each language.
LETTERS = {"ko": 160, "ja": 140, "zh": 120}
OTHERS = 360
# What most letters of a text are, or words of which there are many.
SCRIPTS = {"ko": ("HANGUL",), "ja": ("HIRAGANA", "KATAKANA", "CJK"), "zh": ("CJK",), "ru": ("CYRILLIC",)}
WORDS = {
    "de": "der die das und ist nicht zu ein eine mit den dem des für sie in im auf werden wird kann oder "
    "wenn von als sich",
    "fr": "le la les de des du et est une un dans pour pas vous ou si par sur que qui en au aux ce cette "
    "être",
    "en": "the a of and to in is you for or if that with on can be this as are an it by from not",
}


def is_in(language: str, text: str) -> bool:
    if language in SCRIPTS:
        letters = [letter for letter in text if letter.isalpha()]
        own = sum(unicodedata.name(letter, "").startswith(SCRIPTS[language]) for letter in letters)
        return own >= 0.5 * max(1, len(letters))
    words = re.findall(r"\w+", text.lower())
    frequent = set(WORDS[language].split())
    return sum(word in frequent for word in words) >= 0.15 * max(1, len(words))


def write(path: pathlib.Path, prompts: list[dict], count: int) -> None:
    if len(prompts) < count:
        print(f"{path.stem}: expected {count} documents, found {len(prompts)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(prompt, ensure_ascii=False) + "\n" for prompt in prompts)
    path.write_text(lines, encoding="utf-8")


def continuations(language: str, pages: list[dict], count: int, anywhere: bool) -> list[dict]:
    length = LETTERS.get(language, OTHERS)
    chance = random.Random(language)
    if anywhere:
        chance.shuffle(pages)
    prompts = []
    for page in pages:
        text = page["text"]
        # As much again is left for the answer to be about.
        room = len(text) - 2 * length
        if room < 0 or len(prompts) == count:
            continue
        start = chance.randrange(room + 1) if anywhere and len(prompts) % 2 else 0
        prompt = text[start : start + length]
        if is_in(language, prompt):
            prompts.append(
                {
                    "question_id": f"{language}-{page['id']}-{start}",
                    "category": "continuation",
                    "language": language,
                    "prompt": prompt,
                }
            )
    return prompts


def chats(language: str, questions: list[dict], count: int) -> list[dict]:
    own = [
        question
        for question in questions
        if question["category"] != "translate" and is_in(language, question["prompt"])
    ]
    own.sort(key=lambda question: len(question["prompt"]))
    return [
        {
            "question_id": question["id"],
            "category": question["category"],
            "language": language,
            "prompt": question["prompt"],
        }
        for question in own[:count]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="+", help="parts of a corpus, or of questions, JSON lines")
    parser.add_argument("--out", required=True, help="the folder for the prompts")
    parser.add_argument("--count", type=int, default=40, help="prompts of each language")
    parser.add_argument("--languages", nargs="+", default=["de", "fr", "ru", "ja", "zh", "ko", "en"])
    parser.add_argument(
        "--anywhere", action="store_true", help="from the midst of every second page, not all from the start"
    )
    arguments = parser.parse_args()
    documents = {language: [] for language in arguments.languages}
    for corpus in arguments.corpora:
        with open(corpus, encoding="utf-8") as lines:
            for line in lines:
                document = json.loads(line)
                if document["language"] in documents:
                    documents[document["language"]].append(document)
    for language, found in documents.items():
        if found and "prompt" in found[0]:
            prompts = chats(language, found, arguments.count)
        else:
            prompts = continuations(language, found, arguments.count, arguments.anywhere)
        write(pathlib.Path(arguments.out) / f"{language}.jsonl", prompts, arguments.count)


if __name__ == "__main__":
    main()
