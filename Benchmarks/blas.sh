#!/bin/sh
# The BLAS libraries on training's matrix products, as a Markdown table in GFLOP/s.
#
#   apt-get install libopenblas-dev libblis-dev
#   Benchmarks/blas.sh [THREADS]
#
# With PYTHON set to a python that has torch, torch's products (MKL) are measured as well.
set -eu
threads=${1:-2}
here=$(dirname "$0")
build=$(mktemp -d)
trap 'rm -r "$build"' EXIT
multiarch=$(cc -print-multiarch)

measure() { # NAME, thread-setting function, compiler flags
  name=$1 set=$2
  shift 2
  if cc -O2 -DSET_THREADS="$set" "$here/blas.c" "$@" -fopenmp -o "$build/blas" 2>"$build/log"; then
    echo "$name own|$name pool" >"$build/head.$name"
    "$build/blas" "$threads" >"$build/rows.$name"
  else
    echo "$name: not there" >&2
  fi
}

measure OpenBLAS openblas_set_num_threads \
  -I"/usr/include/$multiarch/openblas-pthread" -lopenblas
measure BLIS bli_thread_set_num_threads -I"/usr/include/$multiarch/blis-openmp" \
  -L"/usr/lib/$multiarch/blis-openmp" -lblis
if [ -n "${PYTHON:-}" ]; then
  echo "torch (MKL)" >"$build/head.torch"
  "$PYTHON" "$here/blas_torch.py" "$threads" "$build/rows.OpenBLAS" >"$build/rows.torch"
fi

{
  printf 'product|M x N x K'
  for name in OpenBLAS BLIS torch; do
    [ -f "$build/head.$name" ] && printf '|%s' "$(cat "$build/head.$name")"
  done
  echo
  cut -d'|' -f1,2 "$build/rows.OpenBLAS" >"$build/table"
  for name in OpenBLAS BLIS torch; do
    [ -f "$build/rows.$name" ] || continue
    cut -d'|' -f3- "$build/rows.$name" | paste -d'|' "$build/table" - >"$build/next"
    mv "$build/next" "$build/table"
  done
  head -1 "$build/table" | sed 's/[^|]//g; s/|/|---:/g; s/^|---:/---|---/'
  cat "$build/table"
} | sed 's/^/| /; s/$/ |/; s/|/ | /g; s/  */ /g; s/^ //; s/ $//'
