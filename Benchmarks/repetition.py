#!/usr/bin/env python3
"""How much of the answers in run databases is said a second time, which is what suffix drafting lives on.

    python3 Benchmarks/repetition.py ko.db de.db …

A token counts where it ends a run of tokens that the answer had before, or else the prompt. All
drafters' answers are the same, so only one configuration's are read.
"""
import argparse
import json
import sqlite3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("databases", nargs="+", help="from nunchi bench run --output")
    parser.add_argument("--length", type=int, default=8, help="tokens of a run")
    arguments = parser.parse_args()
    print("| | tokens | again in the answer | from the prompt |\n|---|---:|---:|---:|")
    for path in arguments.databases:
        again = quoted = tokens = 0
        try:
            found = list(answers(path))
        except sqlite3.Error as problem:
            parser.error(f"{path}: {problem}")
        for prompt, answer in found:
            earlier, asked = set(), set(runs(prompt, arguments.length))
            tokens += len(answer)
            for run in runs(answer, arguments.length):
                again += run in earlier
                quoted += run not in earlier and run in asked
                earlier.add(run)
        if not tokens:
            parser.error(f"{path} has no answers")
        print(f"| {path} | {tokens} | {again / tokens:.2f} | {quoted / tokens:.2f} |")


def answers(path: str):
    """Token ids of every prompt and its answer."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    query = """SELECT prompt, tokens FROM answer
               WHERE configuration = (SELECT configuration FROM answer LIMIT 1)"""
    for prompt, tokens in database.execute(query):
        yield json.loads(prompt), json.loads(tokens)


def runs(tokens: list, length: int):
    return (tuple(tokens[i : i + length]) for i in range(len(tokens) - length + 1))


if __name__ == "__main__":
    main()
