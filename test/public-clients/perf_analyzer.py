"""NVIDIA's perf_analyzer (the binary of tritonclient 2.41.1), over HTTP and gRPC, by what it can be told to do."""

import json
import os
import re
import subprocess
import sys
import tempfile

from onnx import TensorProto as T
from onnx import helper

from report import LeftOut, Report
from served import SHARED_MEMORY, gateway, models, repeat, usual

PERF = os.environ["PERF_ANALYZER"]
report = Report()

# How fast it is is nobody's question here: any three windows count as stable.
SHORT = ["--measurement-mode", "count_windows", "--measurement-request-count", "20", "-s", "100000", "-r", "6"]


def run(served, model, protocol, *words):
    url = served.grpc if protocol == "grpc" else served.http
    command = [PERF, "-m", model, "-i", protocol, "-u", url, *SHORT, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    told = done.stdout + done.stderr
    lines = re.findall(r"throughput: ([\d.]+) infer/sec", told)
    if done.returncode == 0 and lines and all(float(rate) > 0 for rate in lines):
        return
    if re.search(r"not supported|UNIMPLEMENTED|unsupported", told):
        raise LeftOut("refused as unsupported: " + next(line for line in told.splitlines() if re.search(r"not supported|UNIMPLEMENTED|unsupported", line))[:200])
    raise AssertionError(f"ended with {done.returncode}: {told[-700:]}")


def sequences(folder):
    """A running sum: each request adds its value to what its sequence has so far, from START on."""
    nodes = [
        helper.make_node("Cast", ["START"], ["starts"], to=T.BOOL),
        helper.make_node("Where", ["starts", "INPUT", "sum"], ["OUTPUT"]),
        helper.make_node("Add", ["INPUT", "STATE"], ["sum"]),
        helper.make_node("Identity", ["OUTPUT"], ["STATE_OUT"]),
    ]
    nodes[1], nodes[2] = nodes[2], nodes[1]
    ins = [("INPUT", T.INT32, ["batch", 1]), ("START", T.INT32, ["batch", 1]), ("STATE", T.INT32, ["batch", 1])]
    outs = [("OUTPUT", T.INT32, ["batch", 1]), ("STATE_OUT", T.INT32, ["batch", 1])]
    config = """max_batch_size: 8
input [ { name: "INPUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "OUTPUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
sequence_batching {
  max_sequence_idle_microseconds: 5000000
  control_input [ { name: "START" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] } ]
  state [ { input_name: "STATE" output_name: "STATE_OUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
}
"""
    models.save(folder, "summed", models.graph(nodes, ins, outs), config=config)


def all_models(folder):
    usual(folder)
    sequences(folder)
    repeat(folder)


# Three responses a request, without a pause.
REPEAT = tempfile.NamedTemporaryFile("w", suffix=".json")
json.dump({"data": [{"IN": {"content": [4, 2, 7], "shape": [3]}, "DELAY": {"content": [0, 0, 0], "shape": [3]}, "WAIT": {"content": [0], "shape": [1]}}]}, REPEAT)
REPEAT.flush()


CASES = [
    ("concurrency", "mlp", ["http", "grpc"], ["--concurrency-range", "1:4:3"]),
    ("batches of 8", "mlp", ["http", "grpc"], ["-b", "8", "--concurrency-range", "2"]),
    ("asynchronous", "mlp", ["http", "grpc"], ["--async", "--concurrency-range", "4"]),
    ("request rate", "mlp", ["http", "grpc"], ["--request-rate-range", "200"]),
    ("request rate, Poisson", "mlp", ["http", "grpc"], ["--request-rate-range", "200", "--request-distribution", "poisson"]),
    ("zeros as data", "addsub", ["http", "grpc"], ["--input-data", "zero"]),
    ("shapes given", "same_fp32", ["http", "grpc"], ["--shape", "x:16"]),
    ("text", "same_bytes", ["http", "grpc"], ["--shape", "x:4", "--string-length", "32"]),
    ("streaming", "mlp", ["grpc"], ["--streaming", "--async", "--concurrency-range", "4"]),
    ("decoupled, streaming", "repeat_int32", ["grpc"], ["--streaming", "--async", "--concurrency-range", "4", "--input-data", REPEAT.name]),
    ("compression", "mlp", ["grpc"], ["--grpc-compression-algorithm", "gzip"]),
    ("JSON tensors", "mlp", ["http"], ["--input-tensor-format", "json", "--output-tensor-format", "json"]),
    ("sequences", "summed", ["http", "grpc"], ["--sequence-length", "5", "--concurrency-range", "4", "--async"]),
    ("sequences, streaming", "summed", ["grpc"], ["--sequence-length", "5", "--concurrency-range", "4", "--streaming", "--async"]),
    ("system shared memory", "mlp", ["http", "grpc"], ["--shared-memory", "system", "--concurrency-range", "2"]),
    ("metadata and statistics", "addsub", ["http", "grpc"], ["--verbose"]),
]

with gateway(all_models, "--strict-readiness", "false", *SHARED_MEMORY) as served:
    import urllib.error
    import urllib.request

    def ready(model):
        try:
            return urllib.request.urlopen(f"http://{served.http}/v2/models/{model}/ready").status == 200
        except urllib.error.HTTPError:
            return False

    for name, model, protocols, words in CASES:
        if not ready(model):
            report.leave_out(f"{name}: the gateway does not load the model", len(protocols))
            continue
        for protocol in protocols:
            report.attempt(protocol, name, lambda: run(served, model, protocol, *words))
print("tried with", PERF, file=sys.stderr)
report.write()
