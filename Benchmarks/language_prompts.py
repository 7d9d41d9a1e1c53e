#!/usr/bin/env python3
"""Makes prompts to continue of held-out documents, the same number for each language.

    python3 Benchmarks/language_prompts.py corpus/heldout.jsonl --out prompts

The corpus is that of `nunchi data corpus`, whose parts have no page in common, also not in other
languages. Each language gets `LANGUAGE.jsonl`, a file for `nunchi bench run --suite … --plain-text`.
"""
import argparse
import json
import pathlib

# Characters of a prompt: about as much text in each language.
LETTERS = {"ko": 160, "ja": 140, "zh": 120}
OTHERS = 360


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", help="heldout.jsonl")
    parser.add_argument("--out", required=True, help="the folder for the prompts")
    parser.add_argument("--count", type=int, default=40, help="prompts of each language")
    parser.add_argument("--languages", nargs="+", default=["de", "fr", "ru", "ja", "zh", "ko", "en"])
    arguments = parser.parse_args()
    prompts = {language: [] for language in arguments.languages}
    with open(arguments.corpus, encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            found = prompts.get(document["language"])
            length = LETTERS.get(document["language"], OTHERS)
            # As much again is left for the answer to be about.
            if found is None or len(found) == arguments.count or len(document["text"]) < 2 * length:
                continue
            found.append(
                {
                    "question_id": f"{document['language']}-{document['id']}",
                    "category": "continuation",
                    "language": document["language"],
                    "prompt": document["text"][:length],
                }
            )
    folder = pathlib.Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    for language, found in prompts.items():
        if len(found) < arguments.count:
            print(f"{language}: expected {arguments.count} documents, found {len(found)}")
        text = "".join(json.dumps(prompt, ensure_ascii=False) + "\n" for prompt in found)
        (folder / f"{language}.jsonl").write_text(text, encoding="utf-8")


main()
