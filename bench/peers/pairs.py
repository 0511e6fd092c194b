"""Rounds of two or more contenders by turns, the ratios of their rounds, and what these are held against."""

from math import comb
from statistics import median

# An interval covers the true median with at least this probability.
CONFIDENCE = 0.95

# Each goal: our rate over the peer's must be at least this, on these shapes. "sm" limits a goal to a
# compute capability's major number: on the others the ratio is told and held against nothing.
GOALS = [
    {"kernel": "gemm", "precision": "fp16/fp32", "engine": "cublaslt", "shapes": ["4096x4096x4096", "8192x8192x8192"], "least": 0.97},
    {"kernel": "gemm", "precision": "fp32/fp32", "engine": "ptx-simt", "shapes": ["4096x4096x4096", "8192x8192x8192"], "least": 0.90},
    {"kernel": "gemm", "precision": "fp16/fp32", "engine": "ptx-mma", "shapes": ["4096x4096x4096", "8192x8192x8192"], "least": 0.60, "sm": "9"},
    {"kernel": "relu", "engine": "ptx-simt", "least": 0.92},
    {"kernel": "copy", "engine": "ptx-simt", "least": 0.92},
]


def goal(row, architecture):
    """The least ratio that the row is held against, None for none."""
    for g in GOALS:
        same = all(g.get(field, row[field]) == row[field] for field in ("kernel", "precision", "engine"))
        if same and row["shape"] in g.get("shapes", [row["shape"]]) and architecture.split(".")[0] == g.get("sm", architecture.split(".")[0]):
            return g["least"]
    return None


def verdict(ratio, least):
    """met or missed, by the median; None where there is no goal."""
    if least is None:
        return None
    return "met" if ratio >= least else "missed"


def order_statistic(n):
    """The largest k for which the k-th smallest and the k-th largest of n samples cover the median with
    CONFIDENCE, 0 if there is none: 1 - 2 P(Bin(n, 1/2) < k) >= 0.95 (David and Nagaraja, Order Statistics,
    3rd ed., 7.1)."""
    below = 0
    for k in range(n // 2 + 1):
        below += comb(n, k)  # of 2^n, for fewer than k + 1
        if 1 - 2 * below / 2**n < CONFIDENCE:
            return k
    return n // 2


def interval(samples):
    """Median, and the ends of its interval: the smallest and the largest sample where there are fewer than 6."""
    s = sorted(samples)
    k = order_statistic(len(s))
    return median(s), s[max(k, 1) - 1], s[len(s) - max(k, 1)]


def take_turns(bursts, rounds):
    """Rates of each contender, a list a name. bursts is name -> a function that works for a moment and returns its
    rate. Who goes first changes every round. The first round warms up and does not count."""
    names = list(bursts)
    rates = {name: [] for name in names}
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            rate = bursts[name]()
            if turn > 0:
                rates[name].append(rate)
    return rates


def compare(ours, peer):
    """A row's figures out of the rates of the same rounds."""
    ratio, lo, hi = interval([a / b for a, b in zip(ours, peer, strict=True)])
    return {"ours": median(ours), "peer": median(peer), "ratio": ratio, "ratio_lo": lo, "ratio_hi": hi, "rounds": len(ours)}
