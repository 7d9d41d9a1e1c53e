"""Generation speed alone and beside a process that keeps two threads busy, ours and llama.cpp's.

    python3 Benchmarks/contention.py [MODEL] [--rounds 3]

On a shared machine threads that spin while they wait lose the core to the neighbour. Prints the
speed alone, beside the busy process, and the share kept; a fair share of two cores is a half.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys

import common

# The alarm ends the loops even if nobody is left to end them.
BUSY = "import os, signal\nos.fork()\nsignal.alarm(900)\nwhile True: pass"


@contextlib.contextmanager
def busy_process():
    """Two endless loops in a process group of their own, ended at the end."""
    process = subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main():
    # As a terminated run would leave the busy process behind: leave through `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", nargs="?", default="Qwen2.5-Coder-1.5B")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-n", "--generate", type=int, default=48)
    parser.add_argument("--python", help="a Python that already has llama-cpp-python")
    arguments = parser.parse_args()

    python = arguments.python or common.peers_python([common.LLAMA_CPP])
    file = common.model_file(arguments.model)
    options = ["-p", 1, "-n", arguments.generate, "--verify", "1", "--context", 0, "--rounds", 1]
    sides = {
        "nunchi": lambda: common.ours_speed(file, arguments.threads, options),
        "llama.cpp": lambda: common.llama_cpp_speed(python, file, arguments.threads, options),
    }
    common.warn_of_load()
    alone, beside = ({side: [] for side in sides} for _ in range(2))
    for number in range(arguments.rounds):
        for side, measure in sides.items():
            alone[side].append(measure()["generation_tokens_per_second"])
            with busy_process():
                beside[side].append(measure()["generation_tokens_per_second"])
            common.note(f"round {number + 1}: {side} {alone[side][-1]:.1f} tok/s alone, "
                        f"{beside[side][-1]:.1f} beside two busy threads")
    print(f"{arguments.model}, {arguments.threads} threads, {common.cpu()['name']}")
    print(f"{'':12}{'alone, tok/s':>22}{'beside, tok/s':>22}{'share kept':>22}")
    for side in sides:
        shares = [b / a for a, b in zip(alone[side], beside[side])]
        cells = [common.shown(alone[side], 1), common.shown(beside[side], 1), common.shown(shares)]
        print(f"{side:12}" + "".join(f"{cell:>22}" for cell in cells))


if __name__ == "__main__":
    main()
