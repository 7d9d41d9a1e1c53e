#!/bin/sh
# The kernels of the working tree against those of another revision, in alternating rounds: the best
# time of the one by the best of the other, as a Markdown table.
#   Benchmarks/kernels.sh [REVISION [ROUNDS [THREADS [WEIGHTS]]]]
# 200000 weights stay in the cache, the 64 million taken otherwise do not.
set -eu
revision=${1:-HEAD} rounds=${2:-4} threads=${3:-2} weights=${4:-67108864}
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(mktemp -d)
trap 'rm -r "$build"' EXIT

compile() { # NAME, folder with Sources
  kernels=$2/Sources/NunchiKernels
  clang -O2 -I"$kernels/include" -I"$kernels" "$root/Benchmarks/kernels.c" "$kernels"/*.c \
    -lpthread -lm -o "$build/$1"
}

mkdir "$build/before.tree"
git -C "$root" archive "$revision" Sources/NunchiKernels | tar -x -C "$build/before.tree"
compile before "$build/before.tree"
compile after "$root"
for round in $(seq "$rounds"); do
  for side in before after; do
    "$build/$side" "$threads" "$weights" >"$build/round"
    sed "s/^/$side|/" "$build/round" >>"$build/times"
  done
done
awk -F'|' '
  { key = $1 "|" $2 "|" $3; if (!(key in best) || $4 < best[key]) best[key] = $4 }
  !($2 in seen) { seen[$2] = 1; names[++n] = $2 }
  !($3 in rows) { rows[$3] = 1; counts[++m] = $3 }
  END {
    printf "| time / before |"; for (j = 1; j <= m; j++) printf " %s |", counts[j]
    printf "\n|---|"; for (j = 1; j <= m; j++) printf "---:|"
    for (i = 1; i <= n; i++) {
      printf "\n| %s |", names[i]
      for (j = 1; j <= m; j++) {
        key = "|" names[i] "|" counts[j]
        printf " %.2f |", best["after" key] / best["before" key]
      }
    }
    print ""
  }' "$build/times"
