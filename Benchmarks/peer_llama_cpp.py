"""llama.cpp measured as `nunchi bench speed --json` measures ours, in a process of its own.

    python peer_llama_cpp.py FILE.gguf [-p 512] [-n 128] [-t 2] [--depth 0] [--verify 1,2,4]
        [--context 256] [--rounds 3]

Prints one JSON object: prompt_tokens_per_second, generation_tokens_per_second,
verify [{rows, milliseconds, ratio}], versions. Everything but the threads is llama.cpp's default:
mapped file, flash attention chosen by itself, logical batch 2,048, physical batch 512.
"""

import argparse
import json
import random
import statistics
import time
from importlib.metadata import version

import llama_cpp as api


class Engine:
    def __init__(self, path, threads, context):
        # A callback that is dropped would be called after its end.
        self.quiet = api.llama_log_callback(lambda level, text, data: None)
        api.llama_log_set(self.quiet, None)
        api.llama_backend_init()
        model = api.llama_model_load_from_file(path.encode(), api.llama_model_default_params())
        if not model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        params = api.llama_context_default_params()
        params.n_ctx = context
        params.n_threads = params.n_threads_batch = threads
        self.context = api.llama_init_from_model(model, params)
        self.memory = api.llama_get_memory(self.context)
        self.vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
        self.batch = api.llama_batch_init(2048, 0, 1)
        self.random = random.Random(1)

    def clear(self):
        api.llama_memory_clear(self.memory, True)

    def truncate(self, length):
        api.llama_memory_seq_rm(self.memory, 0, length, -1)

    def decode(self, rows, position, all_logits=False):
        """Runs `rows` random tokens from `position` on and waits; returns the seconds taken."""
        batch = self.batch
        batch.n_tokens = rows
        for i in range(rows):
            batch.token[i] = self.random.randrange(self.vocabulary)
            batch.pos[i] = position + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = all_logits or i == rows - 1
        start = time.perf_counter()
        if api.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama_decode failed")
        api.llama_synchronize(self.context)
        return time.perf_counter() - start

    def prompt_speed(self, count):
        """As llama-bench's pp: one batch into an empty cache, the last row's logits."""
        self.clear()
        return count / self.decode(count, 0)

    def generation_speed(self, count, depth):
        """As llama-bench's tg: one token after another, from an empty cache or after others."""
        self.fill(depth)
        return count / sum(self.decode(1, depth + i) for i in range(count))

    def fill(self, count):
        self.clear()
        if count:
            self.decode(count, 0)

    def verification_cost(self, rows, context, repetitions):
        """Milliseconds for a pass over each number of rows, all logits, then removed again."""
        self.fill(context)
        times = {count: [] for count in rows}
        for _ in range(repetitions):
            for count in rows:
                times[count].append(self.decode(count, context, all_logits=True) * 1000)
                self.truncate(context)
        return {count: statistics.median(values) for count, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("-p", "--prompt", type=int, default=512)
    parser.add_argument("-n", "--generate", type=int, default=128)
    parser.add_argument("-t", "--threads", type=int, default=2)
    parser.add_argument("--verify", default="1,2,4,8,16,32")
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--depth", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows = sorted({1} | {int(count) for count in arguments.verify.split(",")})
    room = max(
        arguments.prompt, arguments.depth + arguments.generate, arguments.context + rows[-1])
    engine = Engine(arguments.model, arguments.threads, context=room + 8)
    # The same order and the same medians as ours: what heats the machine heats it for both.
    engine.prompt_speed(arguments.prompt)  # warm-up, as llama-bench does
    engine.generation_speed(1, 0)
    prompts, generations = [], []
    for _ in range(arguments.rounds):
        prompts.append(engine.prompt_speed(arguments.prompt))
        generations.append(engine.generation_speed(arguments.generate, arguments.depth))
    result = {
        "prompt_tokens_per_second": statistics.median(prompts),
        "generation_tokens_per_second": statistics.median(generations),
    }
    cost = engine.verification_cost(rows, arguments.context, 5 * arguments.rounds)
    result["verify"] = [
        {"rows": count, "milliseconds": cost[count], "ratio": cost[count] / cost[1]}
        for count in rows
    ]
    result["versions"] = {"llama-cpp-python": version("llama-cpp-python")}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
