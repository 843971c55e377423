"""The gateway and the models of these parts: those of test/clients, and the ones that NVIDIA's examples ask for."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from onnx import TensorProto as T
from onnx import helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/clients"))

import models  # noqa: E402
from gateway import running  # noqa: E402


def _takes(*flags):
    """Whether this build takes flags."""
    told = subprocess.run([os.environ.get("PENSTOCK_NODE", "node"), str(ROOT / "dist/cli/penstock.cjs"), "validate", "/nowhere", *flags], capture_output=True, text=True)
    return "is not supported" not in told.stderr


# Closed by default, as on any server that clients share.
SHARED_MEMORY = ["--allow-client-shm", "true"] if _takes("--allow-client-shm", "true") else []


@contextlib.contextmanager
def gateway(fill, *flags):
    """A gateway over the repository that `fill(folder)` makes, ready."""
    with tempfile.TemporaryDirectory(prefix="penstock-clients-") as scratch:
        folder = pathlib.Path(scratch) / "models"
        folder.mkdir()
        fill(folder)
        with running(folder, "--state-dir", "off", *flags) as served:
            served.wait_live("/v2/health/ready", 300)
            yield served


def usual(folder):
    """One model a data type, two inputs, a small network."""
    models.every_type(folder)
    models.two_inputs(folder)
    models.mlp(folder)


def _numbers(folder, name, element):
    """Sum and difference of two inputs of 16, as NVIDIA's `simple` has them; text where `element` is STRING."""
    io = [(n, element, ["batch", 16]) for n in ("INPUT0", "INPUT1", "OUTPUT0", "OUTPUT1")]
    if element == T.STRING:
        cast = lambda i, o, to: helper.make_node("Cast", [i], [o], to=to)
        nodes = [cast("INPUT0", "a", T.INT32), cast("INPUT1", "b", T.INT32), helper.make_node("Add", ["a", "b"], ["s"])]
        nodes += [helper.make_node("Sub", ["a", "b"], ["d"]), cast("s", "OUTPUT0", T.STRING), cast("d", "OUTPUT1", T.STRING)]
    else:
        nodes = [helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]), helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"])]
    models.save(folder, name, models.graph(nodes, io[:2], io[2:]), config="max_batch_size: 8\n")


def _same(folder, name, element, names):
    i, o = names
    graph = models.graph([helper.make_node("Identity", [i], [o])], [(i, element, ["batch", "n"])], [(o, element, ["batch", "n"])])
    models.save(folder, name, graph, config="max_batch_size: 8\n")


def _image_classifier(folder):
    """[3, 224, 224] to 1000 classes with labels, the shapes of NVIDIA's `densenet_onnx`; the weights are ours."""
    rng = np.random.default_rng(0)
    weights = numpy_helper.from_array(rng.normal(0, 0.05, (3, 1000)).astype(np.float32), "w")
    axes = numpy_helper.from_array(np.array([2, 3], np.int64), "axes")
    flat = numpy_helper.from_array(np.array([1, 1000, 1, 1], np.int64), "flat")
    row = numpy_helper.from_array(np.array([1, 3], np.int64), "row")
    whole = numpy_helper.from_array(np.array([1, 3, 224, 224], np.int64), "whole")
    nodes = [
        helper.make_node("Reshape", ["data_0", "whole"], ["image"]),
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "row"], ["pixels"]),
        helper.make_node("MatMul", ["pixels", "w"], ["score"]),
        helper.make_node("Reshape", ["score", "flat"], ["fc6_1"]),
    ]
    graph = models.graph(nodes, [("data_0", T.FLOAT, [1, 3, 224, 224])], [("fc6_1", T.FLOAT, [1, 1000, 1, 1])], [weights, flat, row, whole])
    config = """max_batch_size: 0
input [ { name: "data_0" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 3, 224, 224 ] reshape { shape: [ 1, 3, 224, 224 ] } } ]
output [ { name: "fc6_1" data_type: TYPE_FP32 dims: [ 1000 ] reshape { shape: [ 1, 1000, 1, 1 ] } label_filename: "densenet_labels.txt" } ]
"""
    models.save(folder, "densenet_onnx", graph, config=config)
    (folder / "densenet_onnx" / "densenet_labels.txt").write_text("".join(f"class {i}\n" for i in range(1000)))


def _sequence(folder, name):
    """Each value, and 1 more where its sequence starts."""
    nodes = [helper.make_node("Add", ["INPUT", "START"], ["OUTPUT"])]
    io = [(n, T.INT32, ["batch", 1]) for n in ("INPUT", "START", "OUTPUT")]
    config = """max_batch_size: 8
input [ { name: "INPUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "OUTPUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
sequence_batching {
  max_sequence_idle_microseconds: 5000000
  control_input [ { name: "START" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] } ]
}
"""
    models.save(folder, name, models.graph(nodes, io[:2], io[2:]), config=config)


# Files of JPEG to [3, 224, 224], each decoded and sized by the gateway's own code for images.
_PREPROCESS = """import { picturesToRows } from 'DIST/images/picture-rows.js';
const recipe = {
  orientation: 'exif', background: undefined, sizing: 'stretch', width: 224, height: 224, shorterSide: 0, filter: 'bilinear', antialias: true, color: 'rgb', layout: 'chw',
  scale: 1 / 127.5, mean: [1, 1, 1], std: [1, 1, 1], fill: 0, maxPixels: 2 ** 24, shape: undefined,
};
export async function infer({ rows, inputs }) {
  const files = inputs.INPUT.data;
  let end = 0;
  const places = files.map(({ length: bytes }) => ({ start: (end += bytes) - bytes, bytes }));
  const { data } = await picturesToRows({ input: 'INPUT', dataType: 'FP32', recipe, body: Buffer.concat(files), places });
  return { OUTPUT: { data: new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4), shape: [rows, 3, 224, 224] } };
}
"""


def _image_ensemble(folder):
    """Files of JPEG in, classes out: the ensemble that NVIDIA's client asks for. Its class is the colour that a picture has most of."""
    dist = (ROOT / "dist").as_uri()
    step = folder / "preprocess"
    (step / "1").mkdir(parents=True)
    (step / "1" / "model.mjs").write_text(_PREPROCESS.replace("DIST", dist))
    (step / "config.pbtxt").write_text("""backend: "script"
max_batch_size: 8
input [ { name: "INPUT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "OUTPUT" data_type: TYPE_FP32 dims: [ 3, 224, 224 ] } ]
instance_group [ { count: 1, kind: KIND_CPU } ]
""")
    graph = models.graph(
        [helper.make_node("ReduceMean", ["image"], ["colour"], axes=[2, 3], keepdims=0), helper.make_node("Softmax", ["colour"], ["scores"], axis=1)],
        [("image", T.FLOAT, ["batch", 3, 224, 224])],
        [("scores", T.FLOAT, ["batch", 3])],
    )
    models.save(folder, "colour", graph, config="max_batch_size: 8\n")
    whole = folder / "preprocess_inception_ensemble"
    (whole / "1").mkdir(parents=True)
    (whole / "colours.txt").write_text("red\ngreen\nblue\n")
    (whole / "config.pbtxt").write_text("""platform: "ensemble"
max_batch_size: 8
input [ { name: "INPUT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "OUTPUT" data_type: TYPE_FP32 dims: [ 3 ] label_filename: "colours.txt" } ]
ensemble_scheduling {
  step [
    { model_name: "preprocess" model_version: -1 input_map { key: "INPUT" value: "INPUT" } output_map { key: "OUTPUT" value: "image" } },
    { model_name: "colour" model_version: -1 input_map { key: "image" value: "image" } output_map { key: "scores" value: "OUTPUT" } }
  ]
}
""")


def repeat(folder):
    """What NVIDIA's decoupled backend `repeat` is: a response for each element of IN, after the DELAY of its own."""
    shutil.copytree(ROOT / "deploy/examples/streaming/repeat_int32", folder / "repeat_int32")


def examples(folder):
    """The models of the repository that NVIDIA's examples run against, by their names, shapes and what they answer."""
    repeat(folder)
    _image_ensemble(folder)
    _numbers(folder, "simple", T.INT32)
    _numbers(folder, "simple_int8", T.INT8)
    _numbers(folder, "simple_string", T.STRING)
    _same(folder, "simple_identity", T.STRING, ("INPUT0", "OUTPUT0"))
    _same(folder, "custom_identity_int32", T.INT32, ("INPUT0", "OUTPUT0"))
    _image_classifier(folder)
    _sequence(folder, "simple_sequence")


def numbered(folder, count):
    """So many models, the first of which is NVIDIA's `simple`."""
    for i in range(count):
        _numbers(folder, "simple" if i == 0 else f"simple_{i}", T.INT32)
