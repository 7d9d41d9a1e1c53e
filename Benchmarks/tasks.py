"""The prompts on which speculation is measured: copying, editing code, free chat."""

import json
from pathlib import Path

TEXTS = Path(__file__).resolve().parent.parent / "Scripts" / "reference_texts.json"


def tasks(model):
    """Name, prompt and `nunchi generate` options of each task, for a model's file or name."""
    texts = {t["name"]: t["text"] for t in json.loads(TEXTS.read_text(encoding="utf-8"))["texts"]}
    story = "\n\n".join(texts["english"].split("\n\n")[:2])
    code = texts["code"].split("\nclass PairingHeap")[0].strip()
    if "gemma" in str(model).lower():  # a base model: it continues a document
        return [
            task("copy", f"Original:\n{story}\n\nCopy of the original:\n"),
            task("code", f"# heap.py\n{code}\n\n# heap_renamed.py, with Entry for Node\n"),
            task("prose", story),
        ]
    chat = ["--chat"]
    return [
        task("copy", f"Repeat the following text word for word.\n\n{story}", chat),
        task("code", f"Rename the class Node to Entry. Print the whole file.\n\n{code}", chat),
        task("prose", "Write a short story about a lighthouse keeper and a ship.", chat),
    ]


def task(name, prompt, options=()):
    return {"name": name, "prompt": prompt, "options": list(options)}
