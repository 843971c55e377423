"""Writes vectors.json: what the tests of this room expect, computed with numpy and scipy alone.

    pip install numpy scipy && python make_vectors.py > vectors.json

Tensors are given as bytes in hexadecimal, so that both sides begin with the same bits.
"""

import json

import numpy as np
from scipy.stats import spearmanr

TYPES = {
    "FP32": np.float32,
    "FP64": np.float64,
    "FP16": np.float16,
    "INT8": np.int8,
    "UINT16": np.uint16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT64": np.uint64,
}
ABSOLUTE, RELATIVE = 1e-5, 1e-3


def bfloat_bits(values):
    return (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def bfloat_values(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def is_distribution(rows):
    return rows.shape[1] > 1 and bool(np.all(rows >= 0)) and bool(np.all(np.abs(rows.sum(axis=1) - 1) <= 1e-3))


def vector(name, data_type, expected, came):
    """expected, came: [rows, columns]."""
    expected, came = np.asarray(expected), np.asarray(came)
    if data_type == "BF16":
        bits = bfloat_bits(expected), bfloat_bits(came)
        stored = bits
        a, b = (bfloat_values(x).astype(np.float64) for x in bits)
    else:
        stored = expected.astype(TYPES[data_type]), came.astype(TYPES[data_type])
        a, b = (x.astype(np.float64) for x in stored)
    error = np.abs(b - a)
    size = np.maximum(np.abs(a), np.abs(b))
    relative = np.divide(error, size, out=np.zeros_like(error), where=size > 0)
    floats = data_type in ("FP16", "BF16", "FP32", "FP64")
    agrees = np.all(error <= ABSOLUTE + RELATIVE * np.abs(a)) if floats else np.all(error == 0)
    variation = None
    if floats and is_distribution(a) and is_distribution(b):
        variation = float(np.mean(np.abs(a - b).sum(axis=1) / 2))
    ranked = a.shape[1] >= 3
    return {
        "name": name,
        "dataType": data_type,
        "shape": list(a.shape),
        "expected": stored[0].tobytes().hex(),
        "came": stored[1].tobytes().hex(),
        "agrees": bool(agrees),
        "topAgrees": bool(np.all(a.argmax(axis=1) == b.argmax(axis=1))),
        "maxAbsoluteError": float(error.max()),
        "maxRelativeError": float(relative.max()),
        "rankCorrelation": float(np.mean([spearmanr(x, y).statistic for x, y in zip(a, b)])) if ranked else None,
        "totalVariation": variation,
    }


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def main():
    random = np.random.default_rng(6)
    logits = random.normal(size=(4, 37))
    vectors = [
        vector("equal", "FP32", logits, logits),
        vector("within the tolerances", "FP32", logits, logits * (1 + 1e-4)),
        vector("beyond the tolerances", "FP64", logits, logits + random.normal(scale=0.2, size=logits.shape)),
        vector("many ties", "FP32", np.round(logits), np.round(logits + random.normal(scale=0.4, size=logits.shape))),
        vector("zeros in the reference", "FP64", np.where(logits > 0.5, logits, 0), logits),
        vector("reversed", "FP64", logits, -logits),
        vector("distributions", "FP32", softmax(logits), softmax(logits + random.normal(scale=0.3, size=logits.shape))),
        vector("distributions, halves", "FP16", softmax(logits), softmax(logits * 1.3)),
        vector("distributions, bfloats", "BF16", softmax(logits[:, :5]), softmax(logits[:, :5] * 0.7)),
        vector("a column that is no distribution", "FP64", [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], [[0.4, 0.6, 0.0], [1.0, -0.1, 0.1]]),
        vector("halves, small ones among them", "FP16", logits * 1e-6, logits * 1.01e-6),
        vector("bfloats", "BF16", logits * 1e9, logits * 1.1e9),
        vector("two columns", "FP32", logits[:, :2], logits[:, 1:3]),
        vector("one column", "FP32", logits[:, :1], logits[:, 1:2]),
    ]
    for data_type in ("INT8", "UINT16", "INT32", "INT64", "UINT64"):
        whole = random.integers(0, 100, size=(3, 20))
        vectors.append(vector("integers", data_type, whole, np.maximum(whole + random.integers(-2, 3, size=whole.shape), 0)))
    json.dump({"absolute": ABSOLUTE, "relative": RELATIVE, "vectors": vectors}, indent=1, fp=__import__("sys").stdout)
    print()


if __name__ == "__main__":
    main()
