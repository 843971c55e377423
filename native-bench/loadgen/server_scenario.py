"""MLPerf LoadGen's Server scenario against a V2 server (Penstock, Triton, ..): LoadGen decides when a query is due (Poisson), takes its
latency, and says whether the run is valid; this file only sends the queries by tritonclient. Prints LoadGen's figures as one
line of JSON. `loadgen.mjs` makes the environment that it needs."""

import argparse
import json
import pathlib
import queue
import re
import sys
import tempfile
import threading

import mlperf_loadgen as loadgen
import numpy as np

SAMPLES = 64
NUMPY = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64, "INT32": np.int32}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--protocol", choices=["grpc", "http"], required=True)
parser.add_argument("--url", required=True, help="host:port")
parser.add_argument("--model", required=True)
parser.add_argument("--shape", action="append", default=[], help="NAME=1,3,96,96, where the model leaves sizes open")
parser.add_argument("--rate", type=float, required=True, help="queries a second")
parser.add_argument("--latency-ms", type=float, required=True, help="what 99 %% of the queries must keep")
parser.add_argument("--seconds", type=float, required=True)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()

if options.protocol == "grpc":
    import tritonclient.grpc as client_module
else:
    import tritonclient.http as client_module


def inputs_of(specs, random):
    """One request's inputs; open axes are 1 unless --shape says more. Whole numbers are 0 or 1, valid as token ids and masks."""
    shapes = dict(word.split("=") for word in options.shape)
    made = []
    for name, datatype, shape in specs:
        sizes = [int(size) for size in shapes[name].split(",")] if name in shapes else [max(1, size) for size in shape]
        value = random.random(sizes) if datatype.startswith("FP") else random.integers(0, 2, sizes)
        tensor = client_module.InferInput(name, sizes, datatype)
        tensor.set_data_from_numpy(value.astype(NUMPY[datatype]))
        made.append(tensor)
    return made


failures = []


def completed(sample_id, error):
    if error is not None:
        failures.append(str(error))
    loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(sample_id, 0, 0)])


def grpc_sender():
    """Calls share one channel; answers come on its threads."""
    client = client_module.InferenceServerClient(options.url)
    metadata = client.get_model_metadata(options.model)
    specs = [(tensor.name, tensor.datatype, list(tensor.shape)) for tensor in metadata.inputs]

    def send(sample_id, inputs):
        client.async_infer(options.model, inputs, callback=lambda result, error: completed(sample_id, error))

    return specs, send


def http_sender(threads=16):
    """A thread and a connection for each query in flight."""
    client = client_module.InferenceServerClient(options.url)
    metadata = client.get_model_metadata(options.model)
    specs = [(tensor["name"], tensor["datatype"], tensor["shape"]) for tensor in metadata["inputs"]]
    waiting = queue.SimpleQueue()

    def work():
        own = client_module.InferenceServerClient(options.url)
        while True:
            sample_id, inputs = waiting.get()
            try:
                own.infer(options.model, inputs)
                completed(sample_id, None)
            except Exception as error:
                completed(sample_id, error)

    for _ in range(threads):
        threading.Thread(target=work, daemon=True).start()
    return specs, lambda sample_id, inputs: waiting.put((sample_id, inputs))


specs, send = grpc_sender() if options.protocol == "grpc" else http_sender()
random = np.random.default_rng(options.seed)
samples = [inputs_of(specs, random) for _ in range(SAMPLES)]


def issue(queries):
    for query in queries:
        send(query.id, samples[query.index])


settings = loadgen.TestSettings()
settings.scenario = loadgen.TestScenario.Server
settings.mode = loadgen.TestMode.PerformanceOnly
settings.server_target_qps = options.rate
settings.server_target_latency_ns = int(options.latency_ms * 1e6)
settings.server_target_latency_percentile = 0.99
settings.min_duration_ms = int(options.seconds * 1000)
settings.min_query_count = 1
settings.schedule_rng_seed = options.seed
settings.sample_index_rng_seed = options.seed + 1
settings.qsl_rng_seed = options.seed + 2

with tempfile.TemporaryDirectory() as folder:
    log = loadgen.LogSettings()
    log.enable_trace = False
    log.log_output.outdir = folder
    log.log_output.copy_summary_to_stdout = False
    sut = loadgen.ConstructSUT(issue, lambda: None)
    qsl = loadgen.ConstructQSL(SAMPLES, SAMPLES, lambda _: None, lambda _: None)
    loadgen.StartTestWithLogSettings(sut, qsl, settings, log, "")
    loadgen.DestroyQSL(qsl)
    loadgen.DestroySUT(sut)
    summary = (pathlib.Path(folder) / "mlperf_log_summary.txt").read_text()


def figure(name):
    found = re.search(r"^\s*" + re.escape(name) + r"\s*:\s*(\S+)", summary, re.M)
    if found is None:
        sys.exit(f"LoadGen's summary has no '{name}':\n{summary}")
    return found.group(1)


def microseconds(name):
    return float(figure(name)) / 1000


print(
    json.dumps(
        {
            "verdict": figure("Result is"),
            "earlyStopping": figure("Early stopping satisfied"),
            "perSecond": float(figure("Completed samples per second")),
            "p50Us": microseconds("50.00 percentile latency (ns)"),
            "p90Us": microseconds("90.00 percentile latency (ns)"),
            "p99Us": microseconds("99.00 percentile latency (ns)"),
            "maxUs": microseconds("Max latency (ns)"),
            "errors": len(failures),
            "firstError": failures[0] if failures else None,
        }
    )
)
