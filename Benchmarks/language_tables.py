#!/usr/bin/env python3
"""Tables and plots of Docs/languages.md, from runs by language.

    nunchi bench export ko.db --run 1 --form json --output ko.json
    python3 Benchmarks/language_tables.py ko=ko.json de=de.json … --plots Docs/plots
    python3 Benchmarks/language_tables.py ko=ko.json de=de.json --ratio eagle=LANG eagle=en
    python3 Benchmarks/language_tables.py ko=curve.json --curve 12500 50000 200000 687000 --plots Docs/plots

In a drafter's name the language stands for `LANG`, so that each language's own drafters are one row.
--ratio prints how much quicker the first drafter was than the second, by the same questions.
--curve takes the run's drafters for the same one trained on so many tokens.
"""
import argparse
import json
import math
import pathlib
import random
import re
import subprocess
import sys


def load(argument: str) -> tuple[str, dict]:
    language, path = argument.split("=", 1)
    return language, json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def overall(run: dict) -> dict[str, dict]:
    group = next(group for group in run["groups"] if group["kind"] == "overall")
    return {method["drafter"]: method for method in group["methods"]} | {"plain": group["plain"]}


def row_name(drafter: str, language: str) -> str:
    return re.sub(rf"(?<![a-z]){language}(?![a-z])", "LANG", drafter)


def table(head: list[str], rows: list[list[str]]) -> None:
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def share(counts: dict) -> str:
    drafted, tokens, accepted = counts["drafted"], counts["tokens"], counts["accepted"]
    return f"{accepted / max(1, drafted):.2f} / {accepted / max(1, tokens):.2f}"


def gnuplot(folder: str, name: str, commands: str) -> None:
    script = f'set terminal pngcairo size 800,560\nset output "{folder}/{name}.png"\n{commands}\n'
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def line(points: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Least squares: intercept, slope, correlation."""
    n = len(points)
    mean_x, mean_y = (sum(point[i] for point in points) / n for i in (0, 1))
    xx = sum((x - mean_x) ** 2 for x, _ in points)
    yy = sum((y - mean_y) ** 2 for _, y in points)
    xy = sum((x - mean_x) * (y - mean_y) for x, y in points)
    slope = xy / xx
    return mean_y - slope * mean_x, slope, xy / math.sqrt(xx * yy) if yy else 0


def languages(runs: dict[str, dict], plots: str | None, plotted: list[str]) -> None:
    figures = {language: overall(run) for language, run in runs.items()}
    names = []
    for language, methods in figures.items():
        for drafter in methods:
            name = row_name(drafter, language)
            if name != "plain" and name not in names:
                names.append(name)

    def cells(name: str, text) -> list[str]:
        found = []
        for language, methods in figures.items():
            own = {row_name(drafter, language): method for drafter, method in methods.items()}
            found.append(text(own[name]) if name in own else "–")
        return found

    def speedup(method: dict) -> str:
        interval = method["speedup_interval"]
        return (
            f"{method['speedup']:.2f} ({interval['low']:.2f}–{interval['high']:.2f})"
            f" / {method['acceptance_length']:.2f}"
        )

    head = [""] + list(runs)
    table(head, [[name] + cells(name, speedup) for name in names])
    table(head, [[name] + cells(name, lambda m: f"{m['characters_per_second']:.0f}") for name in ["plain"] + names])
    table(head, [[name] + cells(name, lambda m: f"{100 * m['draft_acceptance_rate']:.0f} %") for name in names])
    table(
        ["accepted of drafted / of all tokens", "", "word-initial", "word-internal"],
        [
            [row_name(drafter, language), language]
            + [share(analysis["positions"][kind]) for kind in ("word-initial", "word-internal")]
            for language, run in runs.items()
            for drafter, analysis in run["analyses"].items()
        ],
    )
    for language, run in runs.items():
        if language == "ko":
            kinds = ["stem", "particle", "ending"]
            table(
                ["Korean: accepted of drafted / of all tokens"] + kinds,
                [
                    [row_name(drafter, language)]
                    + [share(analysis["korean"][kind]) if kind in analysis["korean"] else "–" for kind in kinds]
                    for drafter, analysis in run["analyses"].items()
                ],
            )
    mismatches = sum(m["mismatches"] for methods in figures.values() for m in methods.values())
    print(f"\nanswers that differ from plain decoding's: {mismatches}")
    if len(runs) < 3:
        return
    print("\nspeedup against tokens a character: intercept, slope, correlation")
    blocks, keys = [], []
    for index, name in enumerate(names):
        points = []
        for language, methods in figures.items():
            own = {row_name(drafter, language): method for drafter, method in methods.items()}
            if name in own:
                points.append((own[name]["fertility"], own[name]["speedup"], language))
        a, b, r = line([point[:2] for point in points])
        print(f"  {name}: {a:.2f} {b:+.2f} {r:+.2f}")
        if plotted and name not in plotted:
            continue
        blocks.append(f"$data{index} << E\n" + "".join(f"{x} {y} {l}\n" for x, y, l in points) + "E\n")
        keys.append(
            f'$data{index} using 1:2 with points pt 7 lc {index + 1} title "{name}" noenhanced, '
            f'$data{index} using 1:2:3 with labels offset 0,0.7 notitle, '
            f"{a}+{b}*x lc {index + 1} notitle"
        )
    if plots:
        commands = "".join(blocks) + (
            'set xlabel "tokens a character"\nset ylabel "speedup"\nset key below maxcols 2\nset grid\n'
            "set offsets graph 0.05, graph 0.05, graph 0.08, graph 0.05\nplot " + ", ".join(keys)
        )
        gnuplot(plots, "speedup-by-fertility", commands)


def seconds(run: dict, drafter: str) -> dict[str, float]:
    """Seconds of generation a question, the prompt's reading left out, as in a speedup."""
    parts = ("draft_seconds", "verify_seconds", "accept_seconds", "commit_seconds")
    times: dict[str, float] = {}
    for record in run["records"]:
        if record["configuration"] == drafter:
            time = sum(turn["statistics"][part] for turn in record["turns"] for part in parts)
            times[record["question"]] = times.get(record["question"], 0) + time
    if not times:
        found = sorted({record["configuration"] for record in run["records"]})
        sys.exit(f"no drafter {drafter}: there are {', '.join(found)}")
    return times


def ratio(run: dict, quicker: str, slower: str) -> str:
    """Their times' ratio with a 95 % bootstrap interval over questions."""
    a, b = seconds(run, quicker), seconds(run, slower)
    pairs = [(b[question], a[question]) for question in a if question in b]
    draws = random.Random(1)

    def of(some: list[tuple[float, float]]) -> float:
        return sum(x for x, _ in some) / sum(y for _, y in some)

    drawn = sorted(of(draws.choices(pairs, k=len(pairs))) for _ in range(4000))
    return f"{of(pairs):.2f} ({drawn[100]:.2f}–{drawn[-101]:.2f})"


def ratios(runs: dict[str, dict], names: list[str]) -> None:
    def cell(language: str, run: dict) -> str:
        return ratio(run, *(re.sub(r"\bLANG\b", language, name) for name in names))

    table([""] + list(runs), [[" by ".join(names)] + [cell(*item) for item in runs.items()]])


def curve(run: dict, tokens: list[int], plots: str | None) -> None:
    methods = [method for drafter, method in overall(run).items() if drafter != "plain"]
    points = [(math.log2(count), method["speedup"]) for count, method in zip(tokens, methods)]
    a, b, r = line(points)
    table(
        ["tokens", "speedup (95 %)", "τ", "accepted"],
        [
            [
                f"{count:,}",
                f"{m['speedup']:.2f} ({m['speedup_interval']['low']:.2f}–{m['speedup_interval']['high']:.2f})",
                f"{m['acceptance_length']:.2f}",
                f"{100 * m['draft_acceptance_rate']:.0f} %",
            ]
            for count, m in zip(tokens, methods)
        ],
    )
    print(f"\nspeedup = {a:.3f} + {b:.4f} · log2 tokens; correlation {r:.2f}")
    if plots:
        data = "$data << E\n" + "".join(
            f"{count} {m['speedup']} {m['speedup_interval']['low']} {m['speedup_interval']['high']}\n"
            for count, m in zip(tokens, methods)
        )
        commands = data + (
            'E\nset logscale x 2\nset format x "%.0s%c"\nset rmargin 4\n'
            'set xlabel "training tokens"\nset ylabel "speedup"\nset grid\n'
            "set key left top\nset offsets 0, 0, graph 0.05, graph 0.05\n"
            'plot $data using 1:2:3:4 with yerrorbars pt 7 title "measured (95 %)", '
            f'{a}+{b}*log(x)/log(2) title "{b:+.3f} for twice the tokens"'
        )
        gnuplot(plots, "speedup-by-training-tokens", commands)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="LANGUAGE=EXPORT.json")
    parser.add_argument("--curve", nargs="+", type=int, help="training tokens of the run's drafters, in order")
    parser.add_argument("--ratio", nargs=2, metavar="DRAFTER", help="two drafters, LANG for the language")
    parser.add_argument("--plots", help="a folder for the plots")
    parser.add_argument("--plotted", nargs="+", default=[], help="the rows that are plotted, all if not given")
    arguments = parser.parse_args()
    runs = dict(load(argument) for argument in arguments.runs)
    if arguments.ratio:
        ratios(runs, arguments.ratio)
    elif arguments.curve:
        for run in runs.values():
            curve(run, arguments.curve, arguments.plots)
    else:
        languages(runs, arguments.plots, arguments.plotted)


main()
