#!/usr/bin/env bash
# Tests bench.sh on a Slurm of one machine, which it sets up from Debian's packages in a folder of its
# own: a suite in parts, a node that is lost in the middle, and a merge that equals one run.
# Needs root. NUNCHI names the program.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
nunchi=$(realpath "${NUNCHI:-.build/release/nunchi}")
folder=$(mktemp -d)
chmod 755 "$folder"
if ! command -v slurmctld >/dev/null || ! command -v slurmd >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    slurmctld slurmd slurm-client munge >/dev/null
fi
export SLURM_CONF=$folder/slurm.conf
host=$(hostname -s)
cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_res
SelectTypeParameters=CR_CPU
ReturnToService=2
MinJobAge=3600
SchedulerType=sched/backfill
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
mkdir -p "$folder/state" "$folder/spool"

stop() {
  local status=$?
  kill "$(cat "$folder/slurmctld.pid" 2>/dev/null)" "$(cat "$folder/slurmd.pid" 2>/dev/null)" 2>/dev/null || true
  if ((status)); then tail -n 20 "$folder"/*.log "$folder"/out/*.log >&2 2>/dev/null || true; fi
  rm -rf "$folder"
  exit "$status"
}
trap stop EXIT

if ! munge -n >/dev/null 2>&1; then
  [[ -s /etc/munge/munge.key ]] || mungekey --create --force
  chown munge /etc/munge/munge.key
  mkdir -p /run/munge && chown munge /run/munge
  runuser -u munge -- munged || munged --force
fi
slurmctld
slurmd -N "$host"
for _ in $(seq 60); do
  [[ $(sinfo -h -o %t 2>/dev/null) == idle ]] && break
  sleep 1
done
sinfo

cat >"$folder/suite.jsonl" <<'SUITE'
{"question_id": 1, "category": "qa", "turns": ["Count from one to thirty.", "And back."]}
{"question_id": 2, "category": "qa", "turns": ["What is the capital of France? Tell me more of it."]}
{"question_id": 3, "category": "code", "turns": ["Write a function that adds two numbers, with tests."]}
{"question_id": 4, "category": "code", "turns": ["Write a loop that prints the first ten squares."]}
{"question_id": 5, "category": "chat", "turns": ["Tell a story of a cat and a lighthouse."]}
SUITE
arguments=(SmolLM2-135M --suite "$folder/suite.jsonl" --max-tokens 192 --drafter suffix --threads 1)
NUNCHI=$nunchi "$here/bench.sh" "$folder/out" 2 --cpus-per-task=1 -- "${arguments[@]}"

# The node is lost while it works: its daemon and all that it started are killed.
for _ in $(seq 60); do
  [[ -s $folder/out/shard-1.db && $(squeue -h -t running -n nunchi-bench | wc -l) -gt 0 ]] && break
  sleep 0.5
done
sleep 3
echo "the node is lost"
# Who could still report the end of the job goes first.
kill -9 "$(cat "$folder/slurmd.pid")"
pkill -9 slurmstepd || true
pkill -9 -f "bench run SmolLM2-135M --suite $folder" || true
scontrol update nodename="$host" state=down reason=lost
squeue -o "%i %j %T"
slurmd -N "$host"
# It may be back by itself.
scontrol update nodename="$host" state=resume 2>/dev/null || true

# Slurm waits two minutes before it runs a requeued job.
for _ in $(seq 360); do
  [[ -s $folder/out/all.db && -z $(squeue -h -n nunchi-bench,nunchi-merge) ]] && break
  sleep 1
done
sacct -X 2>/dev/null || true
"$nunchi" bench run "${arguments[@]}" --output "$folder/whole.db" >/dev/null
for name in out/all whole; do
  "$nunchi" bench export "$folder/$name.db" --form csv --output "$folder/table.csv"
  # Which answers there are, and their tokens; no times.
  cut -d, -f1-9 "$folder/table.csv" >"$folder/$(basename "$name").txt"
done
diff "$folder/all.txt" "$folder/whole.txt"
echo "the merged parts are the whole run: $(($(wc -l <"$folder/all.txt") - 1)) answers"
