"""What the benchmarks share: the peers' environment, running both sides, conditions, statistics."""

import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent
REPOSITORY = BENCHMARKS.parent
NUNCHI = REPOSITORY / ".build" / "release" / "nunchi"
CACHE = Path(os.environ.get("NUNCHI_CACHE", "~/.cache/nunchi")).expanduser()

# The models in the order in which they are measured; the last one's natural draft model.
MODELS = ["SmolLM2-135M", "Gemma-3-270M", "Qwen2.5-Coder-1.5B"]
DRAFT_MODELS = {"Qwen2.5-Coder-1.5B": "Qwen2.5-Coder-0.5B"}
LLAMA_CPP = "llama-cpp-python==0.3.36"
OPENVINO = "openvino-genai==2026.4.1.0"


def note(text):
    print(text, file=sys.stderr, flush=True)


def peers_python(packages):
    """A Python that has the peers: an environment in the cache folder, made on first use."""
    environment = CACHE / "peers"
    python = environment / "bin" / "python"
    if not python.exists():
        note(f"making the environment {environment}")
        made = subprocess.run([sys.executable, "-m", "venv", environment], stdout=sys.stderr)
        if made.returncode:
            raise SystemExit("needs Debian's python3-venv, cmake and g++ (apt-get install)")
    for package in packages:
        name, wanted = package.split("==")
        check = f"from importlib.metadata import version as v; assert v({name!r}) == {wanted!r}"
        if subprocess.run([python, "-c", check], stderr=subprocess.DEVNULL).returncode:
            note(f"installing {package} (llama.cpp is built from source: about ten minutes)")
            command = [python, "-m", "pip", "install", "--quiet", package]
            subprocess.run(command, check=True, stdout=sys.stderr)
    return python


def run(command, stdin=None):
    """A command's standard output; its failure ends the benchmark with what it said."""
    done = subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def run_json(command, stdin=None):
    return json.loads(run(command, stdin))


def model_file(model):
    """A catalogue name's file, or a path as it is."""
    if model.endswith(".gguf"):
        return model
    return run([NUNCHI, "models", "path", model]).strip()


def ours_speed(model, threads, options):
    return run_json([NUNCHI, "bench", "speed", model, "-t", threads, *options, "--json"])


def llama_cpp_speed(python, model, threads, options):
    return run_json([python, BENCHMARKS / "peer_llama_cpp.py", model, "-t", threads, *options])


def spread(values):
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def shown(values, digits=2):
    """'2.10 (2.05–2.16)' of a list of numbers."""
    s = spread(values)
    return f"{s['median']:.{digits}f} ({s['min']:.{digits}f}–{s['max']:.{digits}f})"


def cpu():
    """The processor's name and those of its instruction sets that matter here."""
    name, flags = platform.processor(), []
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
        if line.startswith("flags"):
            flags = line.split(":", 1)[1].split()
    known = ["avx2", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16"]
    return {"name": name, "sets": [flag for flag in known if flag in flags]}


def conditions(threads, files):
    """All that another person needs to compare with their own run."""
    commit = ["git", "-C", REPOSITORY, "describe", "--always", "--dirty"]
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "threads": threads,
        "commit": run(commit).strip(),
        "files": [{"path": Path(f).name, "sha256": sha256(f)} for f in files],
        "load_average_before": os.getloadavg()[0],
    }


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def warn_of_load():
    """Another busy process spoils the figures: say so, after the compiler's load has decayed."""
    if os.getloadavg()[0] > 0.5:
        time.sleep(20)
    if (load := os.getloadavg()[0]) > 0.5:
        note(f"warning: load average {load:.2f}; other processes disturb these measurements")


def write(prefix, result, markdown):
    prefix = Path(prefix)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    prefix.with_suffix(".json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    prefix.with_suffix(".md").write_text(markdown)


def conditions_line(c, versions):
    parts = [c["date"], c["cpu"]["name"], " ".join(c["cpu"]["sets"]), f"{c['threads']} threads"]
    parts += [f"nunchi {c['commit']}"] + [f"{name} {v}" for name, v in versions.items()]
    return " · ".join(parts)
