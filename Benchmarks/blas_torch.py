"""torch's matrix products on the shapes of blas.c: python blas_torch.py THREADS ROWS_OF_BLAS"""
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]))
for line in open(sys.argv[2]):
    what, shape = line.split("|")[:2]
    m, n, k = map(int, shape.split(" x "))
    a = torch.randn(k, m).T if "weight" in what else torch.randn(m, k)
    b = torch.randn(k, n) if "gradient" in what else torch.randn(n, k).T
    c = torch.empty(m, n)
    best = float("inf")
    for _ in range(9):
        start = time.perf_counter()
        torch.mm(a, b, out=c)
        best = min(best, time.perf_counter() - start)
    print(f"{what}|{shape}|{2e-9 * m * n * k / best:.0f}")
