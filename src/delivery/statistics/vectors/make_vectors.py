"""Writes vectors.json: what the tests of this room expect, computed with numpy and scipy alone.

    pip install numpy scipy && python make_vectors.py > vectors.json
"""

import json

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaln, gammaln, logsumexp
from scipy.stats import hypergeom, mannwhitneyu, nchypergeom_fisher, norm, rankdata

RATIOS = np.array([1.25, 1.5, 2, 3, 5, 10, 20])


def event_share(events, ratios, null_ratio):
    """events: rows of (candidate events, baseline events, share of the candidate)."""
    candidate, baseline, share = np.array(events).T
    def theta(ratio):
        return share * ratio / (share * ratio + 1 - share)
    null = theta(null_ratio)
    logs = [
        np.sum(candidate * (np.log(theta(r)) - np.log(null)) + baseline * (np.log1p(-theta(r)) - np.log1p(-null)))
        for r in ratios
    ]
    return float(logsumexp(logs) - np.log(len(ratios)))


def failure_share(stretches, ratios, null_ratio):
    """stretches: pairs (candidate, baseline) of (requests, failed alone, executions by failures, largest execution)."""
    def clusters(alone, together):
        return np.repeat(np.arange(len(together) + 1), [0, *together]).tolist() + [1] * alone
    ratios = np.array(ratios)
    wealth = np.zeros(2 * len(ratios))
    for (n_c, alone_c, together_c, most_c), (n_b, alone_b, together_b, most_b) in stretches:
        w = n_c / (n_c + n_b)
        theta = lambda r: w * r / (w * r + 1 - w)
        null = theta(null_ratio)
        full = (theta(ratios) - null) / (null * (1 - null))
        ceiling, floor = np.max(full) / max(1, most_b), np.min(full) / max(1, most_c)
        stakes = np.concatenate([
            np.where(full > 0, np.minimum(full, ceiling), np.maximum(full, floor)),
            np.where(full > 0, full / max(1, most_b), full / max(1, most_c)),
        ])
        for y in clusters(alone_c, together_c):
            wealth += np.log1p(stakes * (1 - null) * y)
        for y in clusters(alone_b, together_b):
            wealth += np.log1p(-stakes * null * y)
    return float(logsumexp(wealth) - np.log(len(wealth)))


def conditional_odds(bins, odds, null_odds):
    """bins: rows of (candidate, baseline, bad of the candidate, bad of the baseline)."""
    logs = np.zeros(len(odds))
    for candidate, baseline, bad_candidate, bad_baseline in bins:
        total, bad = candidate + baseline, bad_candidate + bad_baseline
        def law(ratio):
            if ratio == 1:
                return hypergeom.logpmf(bad_candidate, total, bad, candidate)
            return nchypergeom_fisher.logpmf(bad_candidate, total, bad, candidate, ratio)
        logs += np.array([law(r) for r in odds]) - law(null_odds)
    return float(logsumexp(logs) - np.log(len(odds)))


def proportion_bounds(seen, of, alpha):
    unseen = of - seen
    def excess(p):
        with np.errstate(divide="ignore", invalid="ignore"):
            likelihood = (seen * np.log(p) if seen else 0) + (unseen * np.log1p(-p) if unseen else 0)
        return betaln(seen + 0.5, unseen + 0.5) - betaln(0.5, 0.5) - likelihood - np.log(1 / alpha)
    share = seen / of
    tight = {"xtol": 1e-18, "rtol": 8.9e-16, "maxiter": 1000}
    lower = 0.0 if seen == 0 else brentq(excess, 1e-300, share, **tight)
    upper = 1.0 if unseen == 0 else brentq(excess, share, 1 - 1e-16, **tight)
    return [float(lower), float(upper)]


STAKES = 0.9 / 1.7 ** np.arange(10)


def mean_evidence(stretches, at):
    """stretches: pairs (candidate, baseline) of values from 0 to 1. Value by value, with the guess from before the stretch."""
    seen = [[0.5], [0.5]]
    logs = np.zeros((len(STAKES), 2))
    excess = weight = 0.0
    for arms in stretches:
        n = min(map(len, arms))
        for sign, values, past in zip((1, -1), arms, seen):
            part = n / len(values)
            for x in values:
                # The cost of a part of a stake is bounded by the square of the part times the cost of the whole.
                logs -= ((-np.log1p(-STAKES) - STAKES) * (part * (x - np.mean(past))) ** 2)[:, None]
                excess += sign * part * x
            past.extend(values)
        weight += n
    above = STAKES * (excess - weight * at) + logs[:, 0]
    below = STAKES * (weight * at - excess) + logs[:, 1]
    def reach(d):
        return logsumexp(STAKES * d + logs[:, 0]) - np.log(len(STAKES)) - np.log(1 / 0.01)
    radius = brentq(reach, 0, 1e6, xtol=1e-16, rtol=8.9e-16, maxiter=1000) / weight
    middle = excess / weight
    return [float(logsumexp(side) - np.log(len(STAKES))) for side in (above, below)] + [middle - radius, middle + radius]


def total_variation(candidate, baseline, alpha, limit):
    def radius(counts, log):
        counts = np.array(counts)
        n, prior = counts.sum(), 1 / len(counts)
        if n == 0:
            return 1.0
        some = counts[counts > 0]
        # P(counts | Dirichlet mixture) / P(counts | shares seen), one order of the answers.
        mixture = betaln_many(counts + prior) - betaln_many(np.full(len(counts), prior))
        fit = np.sum(some * np.log(some / n))
        return float(min(1, np.sqrt(max(0, log + fit - mixture) / (2 * n))))
    def betaln_many(a):
        return np.sum(gammaln(a)) - gammaln(np.sum(a))
    c, b = np.array(candidate), np.array(baseline)
    seen = float(np.abs(c / c.sum() - b / b.sum()).sum() / 2)
    both = lambda log: radius(c, log) + radius(b, log)
    r = both(np.log(2 / alpha))
    above = 0.0
    if both(np.log(2)) < seen - limit:
        above = brentq(lambda log: both(log) - (seen - limit), np.log(2), 1e6, xtol=1e-14, rtol=8.9e-16, maxiter=1000) - np.log(2)
    return [max(0.0, seen - r), min(1.0, seen + r), float(above)]


def mann_whitney(control, experiment, confidence):
    """R's wilcox.test: p exact below 50 values without ties; interval by the corrected z; median of all differences."""
    x, y = np.array(experiment), np.array(control)
    n, m = len(x), len(y)
    tied = len(np.unique(np.concatenate([x, y]))) < n + m
    exact = n < 50 and m < 50 and not tied
    p = mannwhitneyu(x, y, method="exact" if exact else "asymptotic", use_continuity=True).pvalue
    differences = np.unique(np.subtract.outer(x, y))
    def z(shift):
        ranks = rankdata(np.concatenate([x - shift, y]))
        _, ties = np.unique(ranks, return_counts=True)
        excess = ranks[:n].sum() - n * (n + 1) / 2 - n * m / 2
        sigma = np.sqrt(n * m / 12 * (n + m + 1 - (ties**3 - ties).sum() / ((n + m) * (n + m - 1))))
        return (excess - np.sign(excess) / 2) / sigma
    def root(quantile):
        if z(differences[0]) <= quantile:
            return differences[0]
        if z(differences[-1]) >= quantile:
            return differences[-1]
        # z is constant between two differences; the root is the one at which it steps over the quantile.
        middles = (differences[1:] + differences[:-1]) / 2
        return differences[np.argmax([z(middle) <= quantile for middle in middles] + [True])]
    quantile = norm.isf((1 - confidence) / 2)
    return [float(v) for v in (p, np.median(np.subtract.outer(x, y)), root(quantile), root(-quantile))]


def main():
    random = np.random.default_rng(20)
    shares = [
        [[3, 40, 0.05]],
        [[0, 7, 0.5], [1, 0, 0.5], [9, 2, 0.25]],
        [[int(c), int(b), float(s)] for c, b, s in zip(random.poisson(2, 60), random.poisson(9, 60), random.uniform(0.01, 0.6, 60))],
    ]
    bins = [
        [[10, 100, 3, 4]],
        [[5, 5, 5, 1], [40, 800, 6, 50], [7, 3, 0, 2]],
    ]
    many = []
    for _ in range(40):
        candidate, baseline = int(random.integers(1, 20)), int(random.integers(1, 60))
        many.append([candidate, baseline, int(random.binomial(candidate, 0.2)), int(random.binomial(baseline, 0.12))])
    bins.append(many)
    failures = [
        [[[20, 1, [], 1], [380, 2, [], 1]]],
        [[[50, 0, [1], 4], [350, 3, [0, 2, 0, 0, 0, 0, 0, 1], 8]], [[400, 9, [3, 0, 2], 16], [100, 0, [], 2]]],
    ]
    several = []
    for _ in range(30):
        def arm(requests, most):
            return [int(requests), int(random.poisson(0.4)), random.poisson(0.15, random.integers(1, most + 1)).tolist(), int(most)]
        several.append([arm(random.integers(8, 60), random.integers(1, 6)), arm(random.integers(60, 900), random.integers(4, 33))])
    failures.append(several)
    values = [
        [[[0.25], [0.5, 1.0]], [[0.0, 0.0, 1.0], [0.125]]],
        [[random.beta(2, 5, random.integers(1, 12)).tolist(), random.beta(2, 6, random.integers(1, 30)).tolist()] for _ in range(25)],
        [[random.beta(8, 2, random.integers(5, 12)).tolist(), random.beta(2, 6, random.integers(1, 30)).tolist()] for _ in range(40)],
    ]
    def moments(rows):
        return [[[len(x), float(np.sum(x)), float(np.dot(x, x))] for x in arms] for arms in rows]
    cells = [
        ([3, 0, 1, 0], [0, 2, 2, 0]),
        (random.multinomial(5000, random.dirichlet(np.full(10, 1))).tolist() + [0] * 54, random.multinomial(90000, random.dirichlet(np.full(10, 1))).tolist() + [0] * 54),
        (random.multinomial(800, np.full(64, 1 / 64)).tolist(), random.multinomial(900, np.full(64, 1 / 64)).tolist()),
    ]
    samples = [
        ([1, 2, 3, 4], [10, 20, 30, 40]),
        (random.normal(10, 2, 30).tolist(), random.normal(11, 2, 25).tolist()),
        (random.normal(10, 2, 49).tolist(), random.normal(10, 3, 49).tolist()),
        (random.normal(10, 2, 60).tolist(), random.normal(10, 2, 49).tolist()),
        (random.poisson(3, 90).tolist(), random.poisson(4, 80).tolist()),
        (random.poisson(3, 12).tolist(), random.poisson(30, 9).tolist()),
        ([5.0], random.normal(0, 1, 59).tolist()),
    ]
    # A stretch that says nothing is left out by the process: the law is 1 on both sides there.
    counts = [[0, 1], [0, 500], [1, 1], [3, 1000], [50, 1000], [5, 8], [7, 7], [12345, 1000000], [999, 1000]]
    print(json.dumps({
        "logGamma": [[x, float(gammaln(x))] for x in (0.5, 1.5, 3, 9.75, 10.5, 123.25, 1e5 + 0.5, 2e8)],
        "eventShare": [
            {"events": rows, "ratios": ratios, "nullRatio": null, "logE": event_share(rows, ratios, null)}
            for rows in shares for ratios, null in ((RATIOS.tolist(), 1), ([1.5, 1, 0.5], 2))
        ],
        "failureShare": [
            {"stretches": rows, "ratios": ratios, "nullRatio": null, "logE": failure_share(rows, ratios, null)}
            for rows in failures for ratios, null in ((RATIOS.tolist(), 1), ([1.5, 1, 0.5], 2))
        ],
        "conditionalOdds": [
            {"bins": rows, "odds": odds, "nullOdds": null, "logE": conditional_odds(rows, odds, null)}
            for rows in bins for odds, null in ((RATIOS.tolist(), 1), ([1.5, 1, 0.5], 2))
        ],
        "normalTail": [[z, float(norm.sf(z))] for z in (-5, -0.5, 0, 0.1, 1, 2.3263478740408408, 4.2, 4.3, 6, 9, 20)],
        "mannWhitney": [
            {"control": c, "experiment": e, "confidence": confidence, "expected": mann_whitney(c, e, confidence)}
            for c, e in samples for confidence in (0.98, 0.95)
        ],
        "mean": [
            {"stretches": moments(rows), "at": at, "expected": mean_evidence(rows, at)} for rows in values for at in (0, 0.1, -0.3)
        ],
        "totalVariation": [
            {"candidate": c, "baseline": b, "alpha": alpha, "limit": limit, "expected": total_variation(c, b, alpha, limit)}
            for c, b in cells for alpha, limit in ((0.01, 0.05), (1e-4, 0.3))
        ],
        "proportion": [
            {"seen": seen, "of": of, "alpha": alpha, "bounds": proportion_bounds(seen, of, alpha)}
            for seen, of in counts for alpha in (0.05, 0.01, 1e-6)
        ],
    }, indent=1))


if __name__ == "__main__":
    main()
