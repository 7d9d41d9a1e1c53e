#!/usr/bin/env python3
"""Writes Tests/TokenizationTests/Goldens/template-features.json: what transformers' Jinja makes of
one line for each thing that Jinja knows; null where it refuses.

Needs: pip install transformers jinja2
"""
import datetime
import json
import pathlib

from transformers.utils.chat_template_utils import _compile_jinja_template

from template_snippets import DATES, SNIPPETS

PATH = pathlib.Path(__file__).parent.parent / (
    "Tests/TokenizationTests/Goldens/template-features.json")


def render(source):
    """With what transformers gives every template."""
    try:
        return _compile_jinja_template(source).render(messages=[], tools=None, documents=None)
    except Exception:
        return None


def main():
    now = datetime.datetime(2024, 7, 4, 9, 5, 3)
    value = {
        "snippets": [[source, render(source)] for source in SNIPPETS],
        "dates": [[format, now.strftime(format)] for format in DATES],
    }
    PATH.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(f"{PATH.name}: {PATH.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
