"""Writes the bench models, full compute cost in small files, and a copy of the first two in
`src/cli/gpu-check/embedded-models.ts`:

- `mlp`: 64-128-10
- `cnn`: five convolutions on 96x96, about 4 ms on one core
- `embedder`: a transformer (2 layers, hidden 256, 4 heads, vocabulary 1000) over token ids and a mask of any length, mean pooled
- `trees`: a TreeEnsembleRegressor, 30 trees of depth 5 over 32 features
- `vision`: four convolutions on 224x224, a quarter of a millisecond: a model whose input is large for its work
- `noop`: takes 600 KB and computes nothing: what a large input costs on its way

    python make_models.py    (needs numpy and onnx)

Weights of cnn and embedder are computed from their indices by nodes that ONNX Runtime folds into plain tensors at load: the
cost is that of any weights, the files are a few kilobytes.
"""

import base64
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent


def save(name, nodes, inputs, outputs, init, batch, domains=()):
    graph = helper.make_graph(nodes, name, inputs, outputs, init)
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(*domain) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="penstock-bench")
    onnx.checker.check_model(model, full_check=True)
    folder = HERE / name / "1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (HERE / name / "config.pbtxt").write_text(f"max_batch_size: {batch}\ndynamic_batching {{ }}\nparameters {{ key: \"intra_op_thread_count\" value {{ string_value: \"1\" }} }}\n")


def value(name, *dims):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *dims])


def mlp():
    rng = np.random.default_rng(1)
    shapes = {"w1": (64, 128), "b1": (128,), "w2": (128, 10), "b2": (10,)}
    init = [numpy_helper.from_array(rng.normal(0, 0.1, s).astype(np.float32), n) for n, s in shapes.items()]
    nodes = [helper.make_node("Gemm", ["x", "w1", "b1"], ["h"]), helper.make_node("Relu", ["h"], ["r"]), helper.make_node("Gemm", ["r", "w2", "b2"], ["y"])]
    save("mlp", nodes, [value("x", 64)], [value("y", 10)], init, 32)


def cnn(name="cnn", size=96, layers=((32, 1), (64, 2), (64, 1), (128, 2), (128, 1)), batch=32):
    """Convolutions of (channels, stride). Weights w[i] = sin(i * step) * scale, which ONNX Runtime folds into plain tensors at load."""
    nodes, init, last, channels = [], [], "x", 3
    const = lambda name, v: init.append(numpy_helper.from_array(v, name)) or name
    const("zero", np.array(0, np.int64))
    const("one", np.array(1, np.int64))
    for i, (out, stride) in enumerate(layers):
        count = out * channels * 9
        const(f"n{i}", np.array(count, np.int64))
        const(f"k{i}", np.array(0.37 + 0.11 * i, np.float32))
        const(f"a{i}", np.array(np.sqrt(4 / (9 * channels)), np.float32))
        const(f"s{i}", np.array([out, channels, 3, 3], np.int64))
        nodes += [
            helper.make_node("Range", ["zero", f"n{i}", "one"], [f"i{i}"]),
            helper.make_node("Cast", [f"i{i}"], [f"f{i}"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"f{i}", f"k{i}"], [f"m{i}"]),
            helper.make_node("Sin", [f"m{i}"], [f"sin{i}"]),
            helper.make_node("Mul", [f"sin{i}", f"a{i}"], [f"flat{i}"]),
            helper.make_node("Reshape", [f"flat{i}", f"s{i}"], [f"w{i}"]),
            helper.make_node("Conv", [last, f"w{i}"], [f"c{i}"], pads=[1, 1, 1, 1], strides=[stride, stride]),
            helper.make_node("Relu", [f"c{i}"], [f"r{i}"]),
        ]
        last, channels = f"r{i}", out
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["p"]))
    nodes.append(helper.make_node("Flatten", ["p"], ["y"]))
    save(name, nodes, [value("x", 3, size, size)], [value("y", channels)], init, batch)


def embedder(layers=2, hidden=256, heads=4, vocabulary=1000):
    """Token ids and mask [batch, seq] to one normalised vector [batch, hidden]."""
    nodes, init, names = [], [], {}
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "seq"])
    mask = helper.make_tensor_value_info("mask", TensorProto.INT64, ["batch", "seq"])

    def const(value, dtype):
        key = (np.asarray(value, dtype).tobytes(), str(np.dtype(dtype)), np.asarray(value).shape)
        if key not in names:
            names[key] = f"c{len(names)}"
            init.append(numpy_helper.from_array(np.asarray(value, dtype), names[key]))
        return names[key]

    def op(kind, *inputs, **attributes):
        out = f"t{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def weights(*shape, scale, step):
        count = int(np.prod(shape))
        index = op("Range", const(0, np.int64), const(count, np.int64), const(1, np.int64))
        wave = op("Sin", op("Mul", op("Cast", index, to=TensorProto.FLOAT), const(step, np.float32)))
        return op("Reshape", op("Mul", wave, const(scale, np.float32)), const(shape, np.int64))

    def dense(x, rows, columns, step):
        return op("MatMul", x, weights(rows, columns, scale=np.sqrt(2 / rows), step=step))

    def normed(x):
        return op("LayerNormalization", x, const(np.ones(hidden), np.float32), const(np.zeros(hidden), np.float32), axis=-1)

    size = hidden // heads
    step = iter(0.37 + 0.11 * i for i in range(100))
    kept = op("Cast", "mask", to=TensorProto.FLOAT)
    hide = op("Mul", op("Sub", kept, const(1.0, np.float32)), const(1e4, np.float32))
    hide = op("Unsqueeze", hide, const([1, 2], np.int64))
    x = normed(op("Gather", weights(vocabulary, hidden, scale=1.0, step=next(step)), "ids"))
    for _ in range(layers):
        split = lambda y: op("Transpose", op("Reshape", y, const([0, 0, heads, size], np.int64)), perm=[0, 2, 1, 3])
        query, key, given = (split(dense(x, hidden, hidden, next(step))) for _ in range(3))
        scores = op("Mul", op("MatMul", query, op("Transpose", key, perm=[0, 1, 3, 2])), const(1 / np.sqrt(size), np.float32))
        seen = op("MatMul", op("Softmax", op("Add", scores, hide), axis=-1), given)
        joined = op("Reshape", op("Transpose", seen, perm=[0, 2, 1, 3]), const([0, 0, hidden], np.int64))
        x = normed(op("Add", x, dense(joined, hidden, hidden, next(step))))
        x = normed(op("Add", x, dense(op("Relu", dense(x, hidden, 4 * hidden, next(step))), 4 * hidden, hidden, next(step))))
    weight = op("Unsqueeze", kept, const([2], np.int64))
    total = op("ReduceSum", op("Mul", x, weight), const([1], np.int64), keepdims=0)
    count = op("ReduceSum", kept, const([1], np.int64), keepdims=1)
    nodes.append(helper.make_node("LpNormalization", [op("Div", total, count)], ["y"], axis=-1, p=2))
    save("embedder", nodes, [ids, mask], [value("y", hidden)], init, 16)


def trees(count=30, depth=5, features=32):
    """Complete trees in breadth-first order: node i has the children 2i+1 and 2i+2."""
    rng = np.random.default_rng(3)
    inner, every = 2**depth - 1, 2 ** (depth + 1) - 1
    node = {key: [] for key in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")}
    leaf = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(count):
        for i in range(every):
            branch = i < inner
            row = (tree, i, int(rng.integers(features)) if branch else 0, float(np.float32(rng.uniform(0, 1))) if branch else 0.0)
            row += ("BRANCH_LEQ", 2 * i + 1, 2 * i + 2) if branch else ("LEAF", 0, 0)
            for key, one in zip(node, row):
                node[key].append(one)
            if not branch:
                for key, one in zip(leaf, (tree, i, 0, float(np.float32(rng.normal())))):
                    leaf[key].append(one)
    attributes = {f"nodes_{key}": column for key, column in node.items()} | {f"target_{key}": column for key, column in leaf.items()}
    nodes = [helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, aggregate_function="SUM", **attributes)]
    save("trees", nodes, [value("x", features)], [value("y", 1)], [], 64, domains=[("ai.onnx.ml", 3)])


def noop():
    const = lambda name, v: numpy_helper.from_array(np.array(v, np.int64), name)
    init = [const("starts", [0, 0, 0]), const("ends", [1, 1, 4]), const("axes", [1, 2, 3])]
    nodes = [helper.make_node("Slice", ["x", "starts", "ends", "axes"], ["s"]), helper.make_node("Flatten", ["s"], ["y"])]
    save("noop", nodes, [value("x", 3, 224, 224)], [value("y", 4)], init, 4)


def embed():
    """The same models as text in the program, for `penstock gpu-check`: it runs where nothing but the program is."""
    lines = ["// Written by native-bench/models/make_models.py: its models, base64.", ""]
    for name in ("mlp", "cnn"):
        data = base64.b64encode((HERE / name / "1" / "model.onnx").read_bytes()).decode()
        lines += [f"export const {name.upper()}_MODEL =", f"  '{data}';", ""]
    target = HERE.parents[1] / "src" / "cli" / "gpu-check" / "embedded-models.ts"
    target.write_text("\n".join(lines))


mlp()
cnn()
cnn("vision", 224, ((16, 4), (32, 2), (64, 2), (64, 1)), 8)
embedder()
trees()
noop()
embed()
