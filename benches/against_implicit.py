#!/usr/bin/env python3
"""Two kernels of the trainer beside `implicit` (C++), on the same matrix, threads and size of answer.

- count: item-item cosine with the best 20 per item (`CosineRecommender.fit`). Checked: the scores of
  every item's list agree to 1e-5.
- factors: implicit ALS, 3 conjugate gradient steps, as implicit does by default. Checked: the loss that
  both lower, computed here from both answers, is no higher than implicit's.

Both run alternately, each time in a process of its own; medians are compared. `added` is what the kernel
added to the process at its peak, the matrix apart; `whole` is the process at its peak.

    pip install implicit==0.7.3 numpy scipy
    python benches/against_implicit.py                        # both kernels and shapes: minutes
    python benches/against_implicit.py --baskets 100000 --items 5000 --rounds 1

The matrix: Zipf popularity (rank + 10)^-0.9, geometric basket sizes of mean 7, seeded.

What the count gained, on 2 shared cores, in times implicit's pace (50,000 items; 500,000 items): a row of
counts per item 1.4; 1.4. Ranks by popularity, each pair once, offered to both lists: 1.7; 1.3, for handing a
pair over costs more than counting it where lists are not yet full. Each pair once only beside frequent items:
2.7; 2.9. What the factors gained: sums in registers, with the row's vectors multiplied from either side in one
pass, and AVX-512 or AVX2 with FMA where there is: from 1.5 to 3.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as implicit asks for

import numpy as np
from scipy.sparse import csr_matrix

SHAPES = [(1_000_000, 50_000), (1_260_000, 500_000)]


def matrix(baskets, items, seed=42):
    """Baskets of distinct items, as rows of a sparse matrix of ones."""
    random = np.random.default_rng(seed)
    sizes = random.geometric(1 / 7, baskets)
    cumulative = np.cumsum((np.arange(1, items + 1) + 10.0) ** -0.9)
    picks = np.searchsorted(cumulative, random.random(sizes.sum()) * cumulative[-1], side="right")
    picks = random.permutation(items)[np.minimum(picks, items - 1)]
    rows = np.repeat(np.arange(baskets), sizes)
    made = csr_matrix((np.ones(len(picks)), (rows, picks)), shape=(baskets, items))
    made.sum_duplicates()
    made.data[:] = 1.0
    return made


def write(path, made):
    bounds, indices = made.indptr, made.indices
    with open(path, "w") as out:
        for start, end in zip(bounds[:-1], bounds[1:]):
            out.write(" ".join(map(str, indices[start:end].tolist())) + "\n")


def resident():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) * 1024


def start():
    return resident(), time.perf_counter(), time.process_time()


def report(start):
    resident, wall, cpu = start
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "added": max(0, peak - resident)}))


def implicit_count(path, options):
    from implicit.nearest_neighbours import CosineRecommender

    made = load(path)
    started = start()
    model = CosineRecommender(K=options.most, num_threads=options.threads)
    model.fit(made, show_progress=False)
    report(started)
    np.savez(path + ".implicit.npz", data=model.similarity.data, indptr=model.similarity.indptr)


def implicit_factors(path, options):
    from implicit.cpu.als import AlternatingLeastSquares

    made = load(path).astype(np.float32)
    started = start()
    model = AlternatingLeastSquares(
        factors=options.dim,
        regularization=options.regularization,
        alpha=options.alpha,
        iterations=options.epochs,
        num_threads=options.threads,
        random_state=1,
    )
    model.fit(made, show_progress=False)
    report(started)
    np.savez(path + ".implicit.npz", rows=model.user_factors, items=model.item_factors)


def load(path):
    held = np.load(path + ".npz")
    return csr_matrix((np.ones(len(held["indices"])), held["indices"], held["indptr"]), shape=held["shape"])


def run(command, threads):
    environment = dict(os.environ, RAYON_NUM_THREADS=str(threads))
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.strip().splitlines()[-1])


def alternately(rounds, ours, theirs, threads):
    runs = [(run(ours, threads), run(theirs, threads)) for _ in range(rounds)]
    return [runs[0][side] | {
        "seconds": statistics.median(r[side]["seconds"] for r in runs),
        "cpu": statistics.median(r[side]["cpu"] for r in runs),
        "all": [round(r[side]["seconds"], 2) for r in runs],
    } for side in (0, 1)]


def say(name, ours, theirs, per=1):
    mb = 1 / (1 << 20)
    for who, side in (("cartwright", ours), ("implicit", theirs)):
        print(f"{name:8} {who:10} {side['seconds'] / per:7.3f} s  cpu {side['cpu'] / per:7.3f} s  added {side['added'] * mb:6.0f} MB"
              f"  whole {side['peak'] * mb:6.0f} MB  runs {side['all']}")
    print(f"{name:8} {theirs['seconds'] / ours['seconds']:.2f} times as fast"
          f" ({theirs['cpu'] / ours['cpu']:.2f} by processor time),"
          f" in {ours['added'] / max(1, theirs['added']):.2f} of the memory added,"
          f" {ours['peak'] / theirs['peak']:.2f} of the whole", flush=True)


def same_scores(path, most):
    """The largest difference between scores at the same place of the same item's list."""
    held = np.load(path + ".implicit.npz")
    scores, bounds = held["data"], held["indptr"]  # read here: each look into `held` reads the file
    worst = 0.0
    with open(path + ".cosines") as lists:
        for item, line in enumerate(lists):
            # implicit lists the item itself, with a cosine of 1.
            expected = np.sort(scores[bounds[item]:bounds[item + 1]])[::-1]
            found = np.array(line.split(), dtype=float)
            found = np.sort(np.append(found, 1.0) if len(expected) else found)[::-1][:most]
            assert len(found) == len(expected), f"item {item}: {len(found)} for {len(expected)}"
            worst = max(worst, np.abs(found - expected).max(initial=0.0))
    return worst


def loss(made, rows, items, options, power=1.0):
    """implicit's: sum of confidence (preference - product)^2 over all cells, and the penalty."""
    rows, items = rows.astype(np.float64) * power, items.astype(np.float64) * power
    everywhere = np.sum((rows.T @ rows) * (items.T @ items))
    seen = 0.0
    of_row = np.repeat(np.arange(made.shape[0]), np.diff(made.indptr))
    for part in np.array_split(np.arange(made.nnz), max(1, made.nnz // 1_000_000)):
        product = np.einsum("ij,ij->i", rows[of_row[part]], items[made.indices[part]])
        seen += np.sum(options.alpha * (1 - product) ** 2 - product**2)
    penalty = options.regularization * (np.sum(rows**2) + np.sum(items**2))
    return everywhere + seen + penalty


def compare_count(path, ours, options):
    ours = ours + ["--matrix", path, "--kernel", "count", "--most", str(options.most)]
    theirs = itself("implicit_count", path, options)
    ours, theirs = alternately(options.rounds, ours, theirs, options.threads)
    worst = same_scores(path, options.most)
    assert worst < 1e-5, f"scores differ by {worst}"
    say("count", ours, theirs)


def compare_factors(path, made, ours, options):
    # implicit's confidence alpha on what was seen and 1 elsewhere is our weight alpha - 1 with a
    # preference of alpha / (alpha - 1): the same problem, scaled.
    target = options.alpha / (options.alpha - 1)
    ours = ours + ["--matrix", path, "--kernel", "factors", "--dim", str(options.dim)]
    ours += ["--epochs", str(options.epochs), "--weight", str(options.alpha - 1)]
    ours += ["--regularization", str(options.regularization / target)]
    theirs = itself("implicit_factors", path, options)
    ours, theirs = alternately(options.rounds, ours, theirs, options.threads)
    say("factors", ours, theirs, options.epochs)
    read = lambda side: np.fromfile(f"{path}.{side}", dtype=np.float32).reshape(-1, options.dim)
    mine = loss(made, read("rows"), read("items"), options, target**0.5)
    held = np.load(path + ".implicit.npz")
    other = loss(made, held["rows"], held["items"], options)
    print(f"factors  loss {mine:.6g}, implicit's {other:.6g}: {mine / other:.5f} of it", flush=True)
    assert mine <= other * 1.0005, "a higher loss than implicit's"


def itself(kernel, path, options):
    words = [f"--{name}={getattr(options, name)}" for name in NUMBERS]
    return [sys.executable, __file__, "--run", kernel, "--path", path, *words]


def build():
    command = ["cargo", "bench", "--bench", "against_implicit", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    made = [json.loads(line) for line in lines]
    return [[m["executable"]] for m in made if m.get("executable") and m["target"]["name"] == "against_implicit"][0]


NUMBERS = {"most": 20, "threads": 2, "dim": 64, "epochs": 5, "alpha": 20.0, "regularization": 0.01}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in NUMBERS.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--baskets", type=int)
    parser.add_argument("--items", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kernel", choices=["count", "factors", "both"], default="both")
    parser.add_argument("--binary", help="the built bench, if cargo is not to build it")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        globals()[options.run](options.path, options)
        sys.exit()
    ours = [options.binary] if options.binary else build()
    shapes = [(options.baskets, options.items)] if options.baskets and options.items else SHAPES
    for baskets, items in shapes:
        made = matrix(baskets, items)
        pairs = int((np.diff(made.indptr).astype(np.int64) ** 2).sum())
        print(f"\n{baskets} baskets, {items} items, {made.nnz} cells, {pairs / 1e6:.0f} M pairs,"
              f" {options.threads} threads", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "matrix")
            write(path, made)
            np.savez(path + ".npz", indices=made.indices, indptr=made.indptr, shape=made.shape)
            if options.kernel != "factors":
                compare_count(path, ours, options)
            if options.kernel != "count":
                compare_factors(path, made, ours, options)
