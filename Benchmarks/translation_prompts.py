#!/usr/bin/env python3
"""Makes prompts that ask for a translation, the same number for each direction.

    python3 Benchmarks/translation_prompts.py corpus/heldout.jsonl --out translations

Each direction gets `FROM-TO.jsonl`, a file for `nunchi bench run --suite`. The instruction is in the
language of the text, so that what is read is in one language and what is written in another.
"""
import argparse
import json
import pathlib

from language_prompts import is_in, write

NAMES = {
    "en": {
        "de": "German",
        "fr": "French",
        "ru": "Russian",
        "ko": "Korean",
        "ja": "Japanese",
        "zh": "Chinese",
    },
    "de": {"en": "Englische", "ko": "Koreanische", "ja": "Japanische", "zh": "Chinesische"},
    "fr": {"en": "anglais"},
    "ru": {"en": "английский"},
    "ko": {"en": "영어", "de": "독일어", "ja": "일본어", "zh": "중국어"},
    "ja": {"en": "英語", "de": "ドイツ語", "ko": "韓国語", "zh": "中国語"},
    "zh": {"en": "英语", "de": "德语", "ko": "韩语", "ja": "日语"},
}
WORDINGS = {
    "en": "Translate the following text into {language}.\n\n{text}",
    "de": "Übersetze den folgenden Text ins {language}.\n\n{text}",
    "fr": "Traduis le texte suivant en {language}.\n\n{text}",
    "ru": "Переведи следующий текст на {language} язык.\n\n{text}",
    "ko": "다음 글을 {language}로 번역해 주세요.\n\n{text}",
    "ja": "次の文章を{language}に翻訳してください。\n\n{text}",
    "zh": "请把下面的文字翻译成{language}。\n\n{text}",
}
LETTERS = {"ko": 140, "ja": 140, "zh": 100}
OTHERS = 300


def request(source: str, goal: str, text: str) -> str | None:
    """A request to translate a text's beginning; None for a text too short, or in another language."""
    length = LETTERS.get(source, OTHERS)
    text = text[:length]
    if len(text) < length or not is_in(source, text):
        return None
    # Up to the end of a sentence, where there is one.
    end = max(text.rfind(mark) for mark in ".。")
    text = text[: end + 1] if end > length // 2 else text
    return WORDINGS[source].format(language=NAMES[source][goal], text=text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", help="heldout.jsonl")
    parser.add_argument("--out", required=True, help="the folder for the prompts")
    parser.add_argument("--count", type=int, default=16, help="prompts of each direction")
    parser.add_argument(
        "--directions", nargs="+", default=["de-en", "en-de", "ko-en", "en-ko", "ko-ja", "ja-ko"]
    )
    arguments = parser.parse_args()
    with open(arguments.corpus, encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    for direction in arguments.directions:
        source, goal = direction.split("-")
        prompts = []
        for document in documents:
            prompt = request(source, goal, document["text"]) if document["language"] == source else None
            if prompt is None:
                continue
            prompts.append(
                {
                    "question_id": f"{direction}-{document['id']}",
                    "category": direction,
                    "language": source,
                    "prompt": prompt,
                }
            )
            if len(prompts) == arguments.count:
                break
        write(pathlib.Path(arguments.out) / f"{direction}.jsonl", prompts, arguments.count)


if __name__ == "__main__":
    main()
