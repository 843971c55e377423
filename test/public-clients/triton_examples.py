"""NVIDIA's own Python example clients, as they are, each in a process of its own. They exit with 0 where they got what they expect."""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

from report import Report
from served import SHARED_MEMORY, examples, gateway, numbered

FOLDER = pathlib.Path(os.environ["TRITON_CLIENT_EXAMPLES"])
report = Report()

HTTP, GRPC = "http", "grpc"
# Script -> (protocol, words) for each way it is run. IMAGE stands for a picture, which is mostly green.
IMAGES = [[], ["-a"], ["-c", "3"], ["-b", "1", "-s", "VGG"]]
WAYS = {
    "ensemble_image_client.py": [(HTTP, ["IMAGE"]), (GRPC, ["-i", GRPC, "IMAGE"]), (GRPC, ["-i", GRPC, "-c", "3", "IMAGES"])],
    "grpc_client.py": [(GRPC, [])],
    "grpc_explicit_byte_content_client.py": [(GRPC, [])],
    "grpc_explicit_int8_content_client.py": [(GRPC, [])],
    "grpc_explicit_int_content_client.py": [(GRPC, [])],
    "grpc_image_client.py": [(GRPC, ["-m", "densenet_onnx", *w, "IMAGE"]) for w in [*IMAGES, ["--streaming"]]],
    "image_client.py": [(p, ["-m", "densenet_onnx", "-i", p, *w, "IMAGE"]) for p in (HTTP, GRPC) for w in IMAGES] + [(GRPC, ["-m", "densenet_onnx", "-i", GRPC, "-a", "--streaming", "IMAGE"])],
    "reuse_infer_objects_client.py": [(HTTP, ["-i", HTTP]), (GRPC, ["-i", GRPC])],
    "simple_grpc_aio_infer_client.py": [(GRPC, [])],
    "simple_grpc_aio_sequence_stream_infer_client.py": [(GRPC, [])],
    "simple_grpc_async_infer_client.py": [(GRPC, [])],
    "simple_grpc_custom_args_client.py": [(GRPC, [])],
    "simple_grpc_custom_repeat.py": [(GRPC, [])],
    "simple_grpc_health_metadata.py": [(GRPC, [])],
    "simple_grpc_infer_client.py": [(GRPC, []), (GRPC, ["-C", "gzip"]), (GRPC, ["-t", "5"])],
    "simple_grpc_keepalive_client.py": [(GRPC, [])],
    "simple_grpc_sequence_stream_infer_client.py": [(GRPC, [])],
    "simple_grpc_sequence_sync_infer_client.py": [(GRPC, [])],
    "simple_grpc_shm_client.py": [(GRPC, [])],
    "simple_grpc_shm_string_client.py": [(GRPC, [])],
    "simple_grpc_string_infer_client.py": [(GRPC, [])],
    "simple_http_aio_infer_client.py": [(HTTP, [])],
    "simple_http_async_infer_client.py": [(HTTP, [])],
    "simple_http_health_metadata.py": [(HTTP, [])],
    "simple_http_infer_client.py": [(HTTP, []), (HTTP, ["--request-compression-algorithm", "gzip", "--response-compression-algorithm", "deflate"])],
    "simple_http_sequence_sync_infer_client.py": [(HTTP, [])],
    "simple_http_shm_client.py": [(HTTP, [])],
    "simple_http_shm_string_client.py": [(HTTP, [])],
    "simple_http_string_infer_client.py": [(HTTP, [])],
}
# Load and unload models, and count them: each has a gateway of its own, which has loaded none, with as many models as it wants.
CONTROL = {"simple_http_model_control.py": (HTTP, 7), "simple_grpc_model_control.py": (GRPC, 8)}
NEEDS_CUDA = "needs a CUDA device, whose memory the gateway does not take"
# What a script has to have printed beside that it passed, where its own check does not look at the answer.
PRINTED = {"ensemble_image_client.py": "(1) = green"}
LEFT_OUT = {
    "simple_grpc_cudashm_client.py": NEEDS_CUDA,
    "simple_http_cudashm_client.py": NEEDS_CUDA,
    "memory_growth_test.py": "asks port 8000 of this machine and cannot be told another",
}


def run(script, served, protocol, words, pictures):
    words = [{"IMAGE": str(pictures / "green.jpg"), "IMAGES": str(pictures)}.get(w, w) for w in words]
    url = served.http if protocol == HTTP else served.grpc
    done = subprocess.run([sys.executable, script, "-u", url, *words], cwd=FOLDER, capture_output=True, text=True, timeout=60)
    told = done.stdout + done.stderr
    assert done.returncode == 0, f"ended with {done.returncode}: {told[-500:]}"
    assert PRINTED.get(script, "") in told, told[-500:]
    assert not any(line.startswith("FAIL") or line.startswith("error:") for line in told.splitlines()), told[-500:]


common = ["--strict-readiness", "false", "--id", "triton", "--triton-compatible-errors", "--model-control-mode", "explicit"]
flags = [*common, "--load-model", "*", *SHARED_MEMORY]
with tempfile.TemporaryDirectory() as scratch, gateway(examples, *flags) as served:
    pictures = pathlib.Path(scratch)
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    for name, channel in (("red", 0), ("green", 1)):
        coloured = noise // 2
        coloured[:, :, channel] += 100
        Image.fromarray(coloured).save(pictures / f"{name}.jpg", quality=90)
    for path in sorted(FOLDER.glob("*.py")):
        name = path.name
        if name in CONTROL:
            continue
        if name in LEFT_OUT:
            report.leave_out(f"{name}: {LEFT_OUT[name]}")
            continue
        if name not in WAYS:
            report.differs("scripts", name, "this part does not know how to run it")
            continue
        for protocol, words in WAYS[name]:
            report.attempt(protocol, f"{name} {' '.join(words)}".strip(), lambda: run(name, served, protocol, words, pictures))
for name, (protocol, count) in CONTROL.items():
    with gateway(lambda folder: numbered(folder, count), *common) as served:
        report.attempt(protocol, name, lambda: run(name, served, protocol, [], pathlib.Path()))
report.write()
