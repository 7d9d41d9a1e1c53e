"""OpenVINO GenAI on the tasks of tasks.py, greedy, plainly and with prompt lookup.

    python peer_openvino.py FILE.gguf [-t 2] [-n 256]

Prints one JSON object: tasks [{task, plain_tokens_per_second, prompt_lookup_tokens_per_second,
identical}], versions. Tokens per second of generation, without the prompt, as ours counts them.
"""

import argparse
import json
from importlib.metadata import version

import openvino_genai as genai
from tasks import tasks


def pipeline(path, threads, lookup):
    # A cached prefix would make the second run's prompt free.
    scheduler = genai.SchedulerConfig()
    scheduler.enable_prefix_caching = False
    return genai.LLMPipeline(
        path, "CPU", scheduler_config=scheduler, prompt_lookup=lookup,
        INFERENCE_NUM_THREADS=threads)


def measure(pipe, task, count, lookup):
    options = genai.GenerationConfig()
    options.max_new_tokens = count
    options.do_sample = False
    options.apply_chat_template = "--chat" in task["options"]
    if lookup:
        options.num_assistant_tokens = 10
        options.max_ngram_size = 3
    pipe.generate([task["prompt"]], options)  # warm-up
    result = pipe.generate([task["prompt"]], options)
    figures = result.perf_metrics
    tokens = figures.get_num_generated_tokens()
    seconds = (figures.get_generate_duration().mean - figures.get_ttft().mean) / 1000
    return result.texts[0], (tokens - 1) / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("-t", "--threads", type=int, default=2)
    parser.add_argument("-n", "--generate", type=int, default=256)
    arguments = parser.parse_args()
    plain, fast = (
        [measure(pipe, task, arguments.generate, lookup) for task in tasks(arguments.model)]
        for lookup in (False, True)
        for pipe in [pipeline(arguments.model, arguments.threads, lookup)]
    )
    figures = [
        {
            "task": task["name"],
            "plain_tokens_per_second": a[1],
            "prompt_lookup_tokens_per_second": b[1],
            "identical": a[0] == b[0],
        }
        for task, a, b in zip(tasks(arguments.model), plain, fast)
    ]
    print(json.dumps({"tasks": figures, "versions": {"openvino-genai": version("openvino-genai")}}))


if __name__ == "__main__":
    main()
