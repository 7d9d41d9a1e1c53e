"""Nunchi and its peers on the same files, alternating in one run (A B A B …).

    python3 Benchmarks/compare_peers.py [--rounds 5] [--models MODEL …] [--openvino] [--quick]

Installs the peers by itself into an environment in the cache folder. Every measurement is a
process of its own, so memory and threads of one side never disturb the other. Measured:
  generation   128 tokens, one after another, from an empty context (llama-bench's tg128)
  prompt       512 random tokens in one batch, the last row's logits (llama-bench's pp512)
  V(k)         a pass over k rows at context 256, all rows' logits, against one row's
  context      generation after 1,024 tokens against generation from an empty context
  speculation  `nunchi generate` plainly and with a drafter on the same prompts, greedy
Prints every round and the medians, with smallest and largest; writes PREFIX.json after every round
and PREFIX.md at the end.
"""

import argparse

import common
from tasks import tasks

ROWS = [1, 2, 4, 8, 16, 32]
CONTEXT = 256
LONG_CONTEXT = 1024


def speed_round(side, quick):
    """One side's figures of one round."""
    verify = ",".join(map(str, ROWS))
    options = ["-p", 512, "-n", 128, "--verify", verify, "--context", CONTEXT, "--rounds", 1]
    figures = side(options)
    if not quick:
        options = ["-p", 1, "-n", 32, "--verify", "1", "--context", 0, "--rounds", 1]
        far = side([*options, "--depth", LONG_CONTEXT])
        figures["long_context"] = (
            far["generation_tokens_per_second"] / figures["generation_tokens_per_second"])
    return figures


def rows_cost(figures):
    return {entry["rows"]: entry for entry in figures["verify"]}


def speculation_round(model, draft_model, threads, max_tokens):
    """Plain and speculative decoding of every task; the outputs must be the same tokens."""
    drafters = {"prompt-lookup": ["--drafter", "prompt-lookup"]}
    if draft_model:
        drafters["draft-model"] = ["--drafter", "draft-model", "--draft-model", draft_model]
    results = []
    for task in tasks(model):
        def generate(options):
            command = [common.NUNCHI, "generate", model, "--json", "--temperature", 0]
            command += ["--threads", threads, "--max-tokens", max_tokens, *options]
            return common.run_json(command + task["options"], stdin=task["prompt"])

        plain = generate(["--drafter", "none"])
        for name, options in drafters.items():
            fast = generate(options)
            results.append({
                "task": task["name"],
                "drafter": name,
                "tokens": fast["tokens"],
                "plain_tokens_per_second": plain["tokens_per_second"],
                "tokens_per_second": fast["tokens_per_second"],
                "speedup": fast["tokens_per_second"] / plain["tokens_per_second"],
                "acceptance_length": fast["statistics"]["acceptance_length"],
                "identical": fast["token_ids"] == plain["token_ids"],
            })
    return results


def speed_table(rounds, quick):
    """Rows of (what, ours, llama.cpp, ratio) over the rounds of one model."""
    def column(side, pick):
        return [pick(entry[side]) for entry in rounds]

    def compared(what, pick, digits):
        ours, peer = column("nunchi", pick), column("llama.cpp", pick)
        ratios = [a / b for a, b in zip(ours, peer)]
        return [what, common.shown(ours, digits), common.shown(peer, digits), common.shown(ratios)]

    table = [
        compared("generation 128, tok/s", lambda f: f["generation_tokens_per_second"], 1),
        compared("prompt 512, tok/s", lambda f: f["prompt_tokens_per_second"], 0),
    ]
    share = column("nunchi", lambda f: f["memory_bandwidth_share"])
    table.append(["… share of the memory limit", common.shown(share), "", ""])
    for rows in ROWS[1:]:
        pick = lambda f: rows_cost(f)[rows]["ratio"]
        cells = [common.shown(column(side, pick)) for side in ("nunchi", "llama.cpp")]
        table.append([f"V({rows})", *cells, ""])
    if not quick:
        pick = lambda f: f["long_context"]
        cells = [common.shown(column(side, pick)) for side in ("nunchi", "llama.cpp")]
        table.append([f"speed kept at context {LONG_CONTEXT}", *cells, ""])
    return table


def speculation_table(rounds):
    """Rows of (task and drafter, plain, speculative, speedup, τ, identical) over the rounds."""
    table = []
    for i, first in enumerate(rounds[0]["speculation"]):
        entries = [entry["speculation"][i] for entry in rounds]
        table.append([
            f"{first['task']}, {first['drafter']}",
            common.shown([e["plain_tokens_per_second"] for e in entries], 1),
            common.shown([e["tokens_per_second"] for e in entries], 1),
            common.shown([e["speedup"] for e in entries]),
            f"{first['acceptance_length']:.2f}",
            "yes" if all(e["identical"] for e in entries) else "NO",
        ])
    return table


def openvino_table(rounds):
    table = []
    for i, first in enumerate(rounds[0]["openvino"]):
        entries = [entry["openvino"][i] for entry in rounds]
        table.append([
            first["task"],
            common.shown([e["plain_tokens_per_second"] for e in entries], 1),
            common.shown([e["prompt_lookup_tokens_per_second"] for e in entries], 1),
        ])
    return table


def markdown_table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def report(result, quick):
    text = "# Nunchi and its peers, alternating in one run\n\n"
    text += common.conditions_line(result["conditions"], result["versions"])
    text += f" · {result['rounds_wanted']} rounds; median (smallest–largest)\n"
    for model, rounds in result["models"].items():
        text += f"\n## {model}\n\n"
        head = ["", "nunchi", "llama.cpp", "nunchi / llama.cpp"]
        text += markdown_table(head, speed_table(rounds, quick))
        head = ["speculation, greedy", "plain, tok/s", "speculative, tok/s", "speedup", "τ",
                "output identical"]
        text += "\n" + markdown_table(head, speculation_table(rounds))
        if "openvino" in rounds[0]:
            head = ["OpenVINO GenAI", "plain, tok/s", "prompt lookup, tok/s"]
            text += "\n" + markdown_table(head, openvino_table(rounds))
    files = "\n".join(f"- {f['path']}: {f['sha256']}" for f in result["conditions"]["files"])
    return text + f"\nFiles:\n{files}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--models", nargs="+", default=common.MODELS, metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-tokens", type=int, default=256, help="of the speculation tasks")
    parser.add_argument("--quick", action="store_true", help="leave out the long context")
    parser.add_argument("--openvino", action="store_true", help="OpenVINO GenAI as second peer")
    parser.add_argument("--python", help="a Python that already has the peers")
    default = common.REPOSITORY / "Benchmarks" / "results" / "peers"
    parser.add_argument("--output", default=default, metavar="PREFIX")
    arguments = parser.parse_args()

    packages = [common.LLAMA_CPP] + ([common.OPENVINO] if arguments.openvino else [])
    python = arguments.python or common.peers_python(packages)
    files = {model: common.model_file(model) for model in arguments.models}
    drafts = {m: common.model_file(common.DRAFT_MODELS[m]) for m in files
              if m in common.DRAFT_MODELS}
    common.warn_of_load()
    everything = [*files.values(), *drafts.values()]
    result = {
        "conditions": common.conditions(arguments.threads, everything),
        "rounds_wanted": arguments.rounds,
        "versions": {},
        "models": {},
    }
    for model, file in files.items():
        rounds = result["models"][model] = []
        for number in range(arguments.rounds):
            ours = speed_round(
                lambda options: common.ours_speed(file, arguments.threads, options),
                arguments.quick)
            peer = speed_round(
                lambda options: common.llama_cpp_speed(python, file, arguments.threads, options),
                arguments.quick)
            result["versions"] |= peer.pop("versions")
            entry = {"nunchi": ours, "llama.cpp": peer}
            entry["speculation"] = speculation_round(
                file, drafts.get(model), arguments.threads, arguments.max_tokens)
            # It loads the GGUF files of Llama-type models only.
            if arguments.openvino and model.startswith("SmolLM2"):
                worker = common.BENCHMARKS / "peer_openvino.py"
                command = [python, worker, file, "-t", arguments.threads]
                measured = common.run_json([*command, "-n", arguments.max_tokens])
                result["versions"] |= measured["versions"]
                entry["openvino"] = measured["tasks"]
            rounds.append(entry)
            common.write(arguments.output, result, report(result, arguments.quick))
            generation, prompt = (
                ours[key] / peer[key]
                for key in ("generation_tokens_per_second", "prompt_tokens_per_second"))
            speedups = ", ".join(
                f"{s['task']} {s['drafter']} {s['speedup']:.2f}" for s in entry["speculation"])
            common.note(
                f"{model} round {number + 1}: generation {generation:.2f}×, "
                f"prompt {prompt:.2f}× llama.cpp; speculation: {speedups}")
    print(report(result, arguments.quick))
    common.note(f"written: {arguments.output}.json and .md")


if __name__ == "__main__":
    main()
