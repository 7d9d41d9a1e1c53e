"""Measures every figure of the README in one run, and writes its table.

    python3 Benchmarks/figures.py [--rounds 3] [--quick] [--results FOLDER]
    python3 Benchmarks/figures.py --from Docs/results/FOLDER

Speed alternates with llama.cpp round by round (see compare_peers.py); drafting is `nunchi bench
run`, where plain decoding and `auto` take turns at each question. The raw results go to
Docs/results/DATE-MACHINE/, the table to README.md and README.ko.md, between the marks
`<!-- figures -->` and `<!-- /figures -->`. The working tree must be a commit: a figure names the
one that it was measured on. `--from` writes the tables again from results that are there.
"""

import argparse
import json
import re
from datetime import datetime, timezone

import common
from compare_peers import markdown_table, rows_cost, speed_round

RESULTS = common.REPOSITORY / "Docs" / "results"
PROMPTS = common.BENCHMARKS / "prompts"

# What drafting is measured on: prompts that come with Nunchi, in a language, for a model.
DRAFTING = [
    ("SmolLM2-135M", "en", ["--suite", "multilingual/en", "--per-category", 2]),
    ("Qwen2.5-Coder-1.5B", "en", ["--suite", "multilingual/en", "--per-category", 2]),
    ("Qwen2.5-Coder-1.5B", "ko", ["--suite", "multilingual/ko", "--per-category", 2]),
    ("Gemma-3-270M", "en",
     ["--suite", PROMPTS / "continuation-en.jsonl", "--limit", 16]),
    ("Gemma-3-270M", "ko",
     ["--suite", PROMPTS / "continuation-ko.jsonl", "--limit", 16]),
]
MAX_TOKENS = 128

WORDS = {
    "README.md": {
        "generation": "generation, tokens/s (times llama.cpp)",
        "prompt": "prompt of 512, tokens/s (times llama.cpp)",
        "share": "share of the memory's speed",
        "verify": "V(4), V(8) (llama.cpp's)",
        "en": "`auto`, English: speedup (95 %), τ",
        "ko": "`auto`, Korean: speedup (95 %), τ",
        "caption": (
            "Commit {commit}, {date}, {cpu} ({sets}), {threads} threads, memory {memory} GB/s,\n"
            "{llama}. Medians of {rounds} rounds in turns; every output is the plain one.\n"
            "SmolLM2 and Qwen answer {english} English and {korean} Korean questions, drafters\n"
            "learning from one to the next; Gemma, a base model that likes to repeat itself,\n"
            "continues {texts} texts; {tokens} tokens each at the most, greedy. `make figures`\n"
            "measures it again; raw results:\n"
            "[{folder}](Docs/results/{folder}/)."),
    },
    "README.ko.md": {
        "generation": "생성, 토큰/초 (llama.cpp의 배수)",
        "prompt": "프롬프트 512토큰, 토큰/초 (llama.cpp의 배수)",
        "share": "메모리 속도 대비",
        "verify": "V(4), V(8) (llama.cpp의 값)",
        "en": "`auto`, 영어: 배속 (95 %), τ",
        "ko": "`auto`, 한국어: 배속 (95 %), τ",
        "caption": (
            "커밋 {commit}, {date}, {cpu} ({sets}), 스레드 {threads}개, 메모리 {memory} GB/s,\n"
            "{llama}. 번갈아 잰 {rounds}회의 중앙값이며, 모든 출력은 일반 디코딩과 같습니다.\n"
            "SmolLM2와 Qwen은 영어 질문 {english}개와 한국어 질문 {korean}개에 답하며 초안 작성기는 앞의 질문에서\n"
            "배웁니다. 되풀이가 잦은 기반 모델 Gemma는 글 {texts}개를 이어 씁니다. 답은 최대 {tokens}토큰, 탐욕\n"
            "디코딩입니다. `make figures`로 다시 잴 수 있으며 원자료는\n"
            "[{folder}](Docs/results/{folder}/)에 있습니다."),
    },
}


def measure(arguments):
    """All results of one run, written after every step: a stopped run shows how far it came."""
    files = {model: common.model_file(model) for model in common.MODELS}
    python = common.peers_python([common.LLAMA_CPP])
    common.warn_of_load()
    conditions = common.conditions(arguments.threads, files.values())
    if conditions["commit"].endswith("-dirty"):
        raise SystemExit("figures: the working tree has changes; commit them first")
    machine = "-".join([conditions["cpu"]["name"], *conditions["cpu"]["sets"][-1:]])
    slug = re.sub(r"[^a-z0-9]+", "-", machine.lower()).strip("-")
    day = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    folder = arguments.results or RESULTS / f"{day}-{slug}"
    result = {"conditions": conditions, "versions": {}, "speed": {}, "drafting": []}
    for number in range(arguments.rounds):
        for model, file in files.items():
            ours = speed_round(
                lambda options: common.ours_speed(file, arguments.threads, options), True)
            peer = speed_round(
                lambda options: common.llama_cpp_speed(python, file, arguments.threads, options),
                True)
            result["versions"] |= peer.pop("versions")
            ours["model"] = model  # a path says nothing to others
            result["speed"].setdefault(model, []).append({"nunchi": ours, "llama.cpp": peer})
            ratio = ours["generation_tokens_per_second"] / peer["generation_tokens_per_second"]
            common.note(f"round {number + 1}, {model}: generation {ratio:.2f}× llama.cpp's")
            write(folder, "figures.json", result)
    for model, language, options in DRAFTING:
        command = [common.NUNCHI, "bench", "run", model, "--drafter", "auto", "--json"]
        command += ["--threads", arguments.threads, "--max-tokens", MAX_TOKENS, *options]
        if arguments.quick:
            command += ["--limit", 2]
        report = common.run_json(command)
        write(folder, f"{model}-{language}.json", report)
        overall = next(g for g in report["groups"] if g["kind"] == "overall")["methods"][0]
        if overall["mismatches"]:
            found = overall["mismatches"]
            raise SystemExit(f"figures: {model}, {language}: {found} outputs differ")
        result["drafting"].append({"model": model, "language": language, **overall})
        length = overall["acceptance_length"]
        common.note(f"{model}, {language}: {overall['speedup']:.2f}, τ {length:.2f}")
        write(folder, "figures.json", result)
    return folder


def write(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    (folder / name).write_text(text + "\n")


def table(result, words):
    """The rows of the table, a column for each model."""
    def cells(of):
        return [of(result["speed"][model]) for model in common.MODELS]

    def median(rounds, side, pick):
        return common.spread([pick(entry[side]) for entry in rounds])["median"]

    def compared(key, digits):
        def cell(rounds):
            ratios = [e["nunchi"][key] / e["llama.cpp"][key] for e in rounds]
            ours = median(rounds, "nunchi", lambda f: f[key])
            return f"{ours:,.{digits}f} (**{common.spread(ratios)['median']:.2f}×**)"
        return cells(cell)

    def costs(rounds):
        def side(name):
            ratios = [median(rounds, name, lambda f: rows_cost(f)[k]["ratio"]) for k in (4, 8)]
            return ", ".join(f"{ratio:.2f}" for ratio in ratios)

        return f"{side('nunchi')} ({side('llama.cpp')})"

    def share(rounds):
        found = median(rounds, "nunchi", lambda f: f["memory_bandwidth_share"])
        return f"{found * 100:.0f} %"

    def drafting(language):
        row = []
        for model in common.MODELS:
            found = [d for d in result["drafting"]
                     if (d["model"], d["language"]) == (model, language)]
            if not found:
                row.append("–")
                continue
            low, high = (found[0]["speedup_interval"][end] for end in ("low", "high"))
            row.append(
                f"**{found[0]['speedup']:.2f}** ({low:.2f}–{high:.2f}), "
                f"{found[0]['acceptance_length']:.2f}")
        return row

    return markdown_table(["", *common.MODELS], [
        [words["generation"], *compared("generation_tokens_per_second", 1)],
        [words["share"], *cells(share)],
        [words["prompt"], *compared("prompt_tokens_per_second", 0)],
        [words["verify"], *cells(costs)],
        [words["en"], *drafting("en")],
        [words["ko"], *drafting("ko")],
    ])


def caption(result, words, folder):
    c = result["conditions"]
    memory = [e["nunchi"]["memory_bandwidth"] / 1e9 for r in result["speed"].values() for e in r]
    asked = {(d["model"], d["language"]): d["questions"] for d in result["drafting"]}
    return words["caption"].format(
        commit=c["commit"], date=c["date"][:10], cpu=c["cpu"]["name"],
        sets=next(iter(result["speed"].values()))[0]["nunchi"]["instruction_set"],
        threads=c["threads"],
        memory=f"{common.spread(memory)['median']:.0f}",
        llama=", ".join(f"{name} {version}" for name, version in result["versions"].items()),
        rounds=min(len(rounds) for rounds in result["speed"].values()),
        english=asked["Qwen2.5-Coder-1.5B", "en"], korean=asked["Qwen2.5-Coder-1.5B", "ko"],
        texts=asked["Gemma-3-270M", "ko"],
        tokens=MAX_TOKENS, folder=folder.name)


def publish(folder):
    """Writes the tables of both READMEs from a folder of results."""
    result = json.loads((folder / "figures.json").read_text())
    for name, words in WORDS.items():
        path = common.REPOSITORY / name
        text = table(result, words) + "\n" + caption(result, words, folder)
        old = path.read_text()
        new, count = re.subn(
            r"(<!-- figures -->\n).*?(\n<!-- /figures -->)",
            lambda match: match[1] + text + match[2], old, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"{name}: expected one pair of marks <!-- figures -->, found {count}")
        path.write_text(new)
        common.note(f"written: {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="two questions of each suite")
    parser.add_argument("--results", type=common.Path, metavar="FOLDER")
    parser.add_argument("--from", dest="source", type=common.Path, metavar="FOLDER",
                        help="write the tables from these results")
    arguments = parser.parse_args()
    folder = (arguments.source or measure(arguments)).resolve()
    if folder.parent == RESULTS or arguments.source:
        publish(folder)


if __name__ == "__main__":
    main()
