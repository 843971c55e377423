"""Trains the example models on the UCI handwritten digits that scikit-learn ships, and writes the example repository.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python train_digits.py

Version 1 is a linear softmax (scikit-learn), version 2 a small convolutional network trained by the numpy code below.
Both take `pixels` FP32 [batch, 64], the 8x8 image row by row in 0..16 as the data set has it, and give `probabilities`
FP32 [batch, 10] and `digit` INT64 [batch, 1]. The same seed gives the same files on the same versions of the packages.
"""

import argparse
import datetime
import hashlib
import json
import pathlib

import numpy as np
import onnx
import sklearn
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

SEED = 7
IR_VERSION, OPSET = 10, 17
HERE = pathlib.Path(__file__).resolve().parent


def patches(x):
    """[n, c, h, w] -> [n, h, w, c*9], the 3x3 neighbourhood of every pixel, zero padded."""
    n, c, h, w = x.shape
    p = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    s = np.lib.stride_tricks.sliding_window_view(p, (3, 3), axis=(2, 3))  # n c h w 3 3
    return s.transpose(0, 2, 3, 1, 4, 5).reshape(n, h, w, c * 9)


def unpatch(g, shape):
    """Gradient of `patches`: adds every patch back onto the pixels it came from."""
    n, c, h, w = shape
    g = g.reshape(n, h, w, c, 3, 3)
    out = np.zeros((n, c, h + 2, w + 2), g.dtype)
    for i in range(3):
        for j in range(3):
            out[:, :, i : i + h, j : j + w] += g[:, :, :, :, i, j].transpose(0, 3, 1, 2)
    return out[:, :, 1:-1, 1:-1]


def shifted(x, rng):
    """Every image moved by at most one pixel each way, and a little noise: what the training set lacks."""
    p = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.empty_like(x)
    for i, (r, c) in enumerate(rng.integers(0, 3, (len(x), 2))):
        out[i] = p[i, :, r : r + 8, c : c + 8]
    return out + rng.normal(0, 0.05, x.shape).astype(np.float32)


class Cnn:
    """conv 16, conv 32, max pool, dense 64, dense 10; every convolution 3x3, same size, ReLU."""

    def __init__(self, rng):
        he = lambda *s: rng.normal(0, np.sqrt(2 / s[0]), s).astype(np.float32)
        zero = lambda n: np.zeros(n, np.float32)
        self.p = {"k1": he(9, 16), "b1": zero(16), "k2": he(144, 32), "b2": zero(32), "w3": he(512, 64), "b3": zero(64), "w4": he(64, 10), "b4": zero(10)}

    def forward(self, x):
        p, n = self.p, len(x)
        c = {"x1": patches(x)}
        c["a1"] = np.maximum(c["x1"] @ p["k1"] + p["b1"], 0)
        c["x2"] = patches(c["a1"].transpose(0, 3, 1, 2))
        c["a2"] = np.maximum(c["x2"] @ p["k2"] + p["b2"], 0).transpose(0, 3, 1, 2)
        w = c["a2"].reshape(n, 32, 4, 2, 4, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, 32, 4, 4, 4)
        c["arg"], c["flat"] = w.argmax(-1), w.max(-1).reshape(n, 512)
        c["a3"] = np.maximum(c["flat"] @ p["w3"] + p["b3"], 0)
        z = c["a3"] @ p["w4"] + p["b4"]
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True), c

    def gradients(self, x, y):
        p, n, (q, c) = self.p, len(x), self.forward(x)
        g = {}
        d = q.copy()
        d[np.arange(n), y] -= 1
        d /= n
        g["w4"], g["b4"] = c["a3"].T @ d, d.sum(0)
        d = (d @ p["w4"].T) * (c["a3"] > 0)
        g["w3"], g["b3"] = c["flat"].T @ d, d.sum(0)
        d = (d @ p["w3"].T).reshape(n, 32, 4, 4)
        one = np.zeros((n, 32, 4, 4, 4), np.float32)
        np.put_along_axis(one, c["arg"][..., None], d[..., None], -1)
        d = one.reshape(n, 32, 4, 4, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, 32, 8, 8) * (c["a2"] > 0)
        d = d.transpose(0, 2, 3, 1)
        g["k2"], g["b2"] = np.tensordot(c["x2"], d, ((0, 1, 2), (0, 1, 2))), d.sum((0, 1, 2))
        d = unpatch(d @ p["k2"].T, (n, 16, 8, 8)).transpose(0, 2, 3, 1) * (c["a1"] > 0)
        g["k1"], g["b1"] = np.tensordot(c["x1"], d, ((0, 1, 2), (0, 1, 2))), d.sum((0, 1, 2))
        return g

    def train(self, x, y, rng, epochs):
        m = {k: np.zeros_like(v) for k, v in self.p.items()}
        v = {k: np.zeros_like(w) for k, w in self.p.items()}
        step = 0
        for epoch in range(epochs):
            rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
            for batch in np.array_split(rng.permutation(len(x)), len(x) // 32):
                step += 1
                for k, g in self.gradients(shifted(x[batch], rng), y[batch]).items():
                    g = g + 1e-4 * self.p[k]
                    m[k] = 0.9 * m[k] + 0.1 * g
                    v[k] = 0.999 * v[k] + 0.001 * g * g
                    self.p[k] = (self.p[k] - rate * (m[k] / (1 - 0.9**step)) / (np.sqrt(v[k] / (1 - 0.999**step)) + 1e-8)).astype(np.float32)


def model(nodes, initializers, doc):
    graph = helper.make_graph(
        nodes + [helper.make_node("ArgMax", ["probabilities"], ["digit"], axis=1, keepdims=1)],
        "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10]), helper.make_tensor_value_info("digit", TensorProto.INT64, ["batch", 1])],
        [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in initializers.items()],
        doc_string=doc,
    )
    m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="penstock-examples")
    onnx.checker.check_model(m, full_check=True)
    return m


def linear_model(lr):
    n = helper.make_node
    nodes = [n("Gemm", ["pixels", "w", "b"], ["z"], transB=1), n("Softmax", ["z"], ["probabilities"], axis=1)]
    return model(nodes, {"w": lr.coef_.astype(np.float32), "b": lr.intercept_.astype(np.float32)}, "Linear softmax on 8x8 digits.")


def cnn_model(net):
    n, p = helper.make_node, net.p
    kernel = lambda k, c: p[k].reshape(c, 3, 3, -1).transpose(3, 0, 1, 2)
    nodes = [
        n("Div", ["pixels", "sixteen"], ["scaled"]),
        n("Reshape", ["scaled", "image_shape"], ["image"]),
        n("Conv", ["image", "k1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        n("Relu", ["c1"], ["r1"]),
        n("Conv", ["r1", "k2", "b2"], ["c2"], pads=[1, 1, 1, 1]),
        n("Relu", ["c2"], ["r2"]),
        n("MaxPool", ["r2"], ["m2"], kernel_shape=[2, 2], strides=[2, 2]),
        n("Flatten", ["m2"], ["flat"]),
        n("Gemm", ["flat", "w3", "b3"], ["d3"]),
        n("Relu", ["d3"], ["r3"]),
        n("Gemm", ["r3", "w4", "b4"], ["z"]),
        n("Softmax", ["z"], ["probabilities"], axis=1),
    ]
    weights = {"sixteen": np.array(16, np.float32), "image_shape": np.array([-1, 1, 8, 8], np.int64), "k1": kernel("k1", 1), "b1": p["b1"], "k2": kernel("k2", 16), "b2": p["b2"]}
    weights |= {k: p[k] for k in ("w3", "b3", "w4", "b4")}
    return model(nodes, weights, "Small convolutional network on 8x8 digits.")


CONFIG = """# Both versions serve; a request without a version goes to the higher one.
name: "digits"
backend: "onnxruntime"
max_batch_size: 64
version_policy { all { } }
input [ { name: "pixels" data_type: TYPE_FP32 dims: [ 64 ] } ]
output [
  { name: "probabilities" data_type: TYPE_FP32 dims: [ 10 ] label_filename: "labels.txt" },
  { name: "digit" data_type: TYPE_INT64 dims: [ 1 ] }
]
dynamic_batching { }
model_warmup [ { name: "zeros" batch_size: 1 inputs { key: "pixels" value { data_type: TYPE_FP32 dims: [ 64 ] zero_data: true } } } ]
"""


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", type=pathlib.Path, default=HERE)
    ap.add_argument("--epochs", type=int, default=80)
    args = ap.parse_args()
    digits = load_digits()
    x, y = digits.data.astype(np.float32), digits.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=0.3, random_state=SEED, stratify=y)
    linear = LogisticRegression(max_iter=5000, C=0.05).fit(train_x, train_y)
    rng = np.random.default_rng(SEED)
    net = Cnn(rng)
    net.train(train_x.reshape(-1, 1, 8, 8) / 16, train_y, rng, args.epochs)

    repo = args.out / "models" / "digits"
    repo.mkdir(parents=True, exist_ok=True)
    (repo / "config.pbtxt").write_text(CONFIG)
    (repo / "labels.txt").write_text("".join(f"{d}\n" for d in "zero one two three four five six seven eight nine".split()))
    import onnxruntime

    versions = {}
    for number, (kind, m) in enumerate({"linear softmax": linear_model(linear), "convolutional network": cnn_model(net)}.items(), 1):
        (repo / str(number)).mkdir(exist_ok=True)
        path = repo / str(number) / "model.onnx"
        path.write_bytes(m.SerializeToString(deterministic=True))
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        accuracy = float((session.run(["digit"], {"pixels": test_x})[0][:, 0] == test_y).mean())
        versions[str(number)] = {"kind": kind, "testAccuracy": round(accuracy, 4), "bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    samples = args.out / "samples"
    samples.mkdir(exist_ok=True)
    picked = [int(np.flatnonzero(test_y == d)[0]) for d in range(10)]
    for d, i in enumerate(picked):
        image = np.rint(test_x[i].reshape(8, 8) / 16 * 255).astype(np.uint8)
        Image.fromarray(image).save(samples / f"digit-{d}.png")
    np.save(samples / "digits-10.npy", test_x[picked])
    np.save(samples / "held-out-pixels.npy", test_x.astype(np.uint8))
    np.save(samples / "held-out-labels.npy", test_y.astype(np.uint8))
    first = {"inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": [int(v) for v in test_x[picked[3]]]}]}
    (samples / "digit-3.json").write_text(json.dumps(first, separators=(",", ":")) + "\n")

    record = {
        "dataSet": "UCI optical recognition of handwritten digits, as scikit-learn's load_digits ships it",
        "dataSha256": hashlib.sha256(np.ascontiguousarray(digits.data).tobytes() + np.ascontiguousarray(digits.target).tobytes()).hexdigest(),
        "rows": len(x),
        "trainRows": len(train_x),
        "testRows": len(test_x),
        "seed": SEED,
        "epochs": args.epochs,
        "date": datetime.date.today().isoformat(),
        "packages": {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__},
        "irVersion": IR_VERSION,
        "opset": OPSET,
        "versions": versions,
    }
    (args.out / "training-record.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(versions, indent=2))


if __name__ == "__main__":
    main()
