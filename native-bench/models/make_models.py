"""Writes the bench models: `mlp` (64-128-10) and `cnn` (about 4 ms on one core), full compute cost in tiny files; and their copy
in `src/cli/gpu-check/embedded-models.ts`.

    python make_models.py    (needs numpy and onnx)

The CNN's weights are computed from their indices by nodes that ONNX Runtime folds into plain tensors at load: the cost is
that of any weights, the file is a few kilobytes.
"""

import base64
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent


def save(name, nodes, inputs, outputs, init, batch):
    graph = helper.make_graph(nodes, name, inputs, outputs, init)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10, producer_name="penstock-bench")
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


def cnn():
    """Weights w[i] = sin(i * step) * scale, which ONNX Runtime folds into plain tensors at load."""
    nodes, init, last, channels = [], [], "x", 3
    const = lambda name, v: init.append(numpy_helper.from_array(v, name)) or name
    const("zero", np.array(0, np.int64))
    const("one", np.array(1, np.int64))
    for i, (out, stride) in enumerate([(32, 1), (64, 2), (64, 1), (128, 2), (128, 1)]):
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
    save("cnn", nodes, [value("x", 3, 96, 96)], [value("y", channels)], init, 32)


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
embed()
