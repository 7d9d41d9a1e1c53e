#!/usr/bin/env bash
# Divides a benchmark among the machines of a Slurm cluster, and merges what they measured.
#
#   Scripts/slurm/bench.sh OUT SHARDS [SBATCH OPTIONS --] ARGUMENTS OF 'nunchi bench run'
#   Scripts/slurm/bench.sh results 8 --time=2:00:00 --exclusive -- SmolLM2-135M --suite question.jsonl
#
# Each task of the array writes OUT/shard-N.db, which only its machine uses. The task of a lost node is
# queued again and goes on with its file; the same command, too, goes on with what is missing. When
# all are there, OUT/all.db has everything. NUNCHI names the program if it is not on the path.
set -euo pipefail

if (($# < 3)) || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
  sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "$0" >&2
  exit 64
fi
out=$(realpath -m "$1")
shards=$2
shift 2
options=()
for argument in "$@"; do
  if [[ $argument == -- ]]; then
    while [[ $1 != -- ]]; do
      options+=("$1")
      shift
    done
    shift
    break
  fi
done

mkdir -p "$out"
nunchi=$(command -v "${NUNCHI:-nunchi}") || {
  echo "bench.sh: ${NUNCHI:-nunchi}: expected a program, found none" >&2
  exit 1
}
run=$(printf ' %q' "$nunchi" bench run "$@")
array=$(sbatch --parsable --array="1-$shards" --requeue --open-mode=append --job-name=nunchi-bench \
  --output="$out/slurm-%a.log" "${options[@]}" \
  --wrap="exec$run --shard \$SLURM_ARRAY_TASK_ID/$shards --output $(printf '%q' "$out")/shard-\$SLURM_ARRAY_TASK_ID.db")
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes \
  --job-name=nunchi-merge --output="$out/slurm-merge.log" "${options[@]}" \
  --wrap="exec $(printf '%q' "$nunchi") bench merge $(printf '%q' "$out")/shard-*.db --output $(printf '%q' "$out")/all.db")
echo "array job $array, merge job $merge; results in $out/all.db"
