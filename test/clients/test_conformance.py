"""ONNX's backend conformance cases that bare onnxruntime passes, through JSON, binary and gRPC: none may differ."""

import os
import random

import numpy as np
import onnx
import onnxruntime
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from onnx import numpy_helper

import models
from gateway import running

SAMPLE = int(os.environ.get("PENSTOCK_CONFORMANCE", "100000"))
WIRE = {np.dtype(v[1]): k for k, v in models.NUMPY_TYPES.items() if v[1] is not None}
WIRE[np.dtype(np.object_)] = "BYTES"


def typed(array):
    return np.array([x.encode() if isinstance(x, str) else x for x in array.reshape(-1)], np.object_).reshape(array.shape) if array.dtype.kind in "OSU" else array


def collect():
    """(name, model, inputs, expected by bare onnxruntime); PENSTOCK_CONFORMANCE=N takes N of them, spread over the data types."""
    from onnx.backend.test.case.node import collect_testcases

    cases = sorted(collect_testcases(None), key=lambda c: c.name)
    random.Random(3).shuffle(cases)
    kept, per_type = [], {}
    for case in cases:
        if len(kept) >= SAMPLE:
            break
        model = onnx.ModelProto.FromString(case.model.SerializeToString())
        model.ir_version = min(model.ir_version, 10)
        try:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.log_severity_level = 1, 4
            bare = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            inputs = [x if isinstance(x, np.ndarray) else numpy_helper.to_array(x) for x in case.data_sets[0][0]]
            feeds = dict(zip([i.name for i in bare.get_inputs()], inputs))
            if len(feeds) != len(inputs) or any(not isinstance(x, np.ndarray) for x in inputs):
                continue
            first = bare.run(None, feeds)
            if any(not isinstance(o, np.ndarray) for o in first):
                continue
            again = bare.run(None, feeds)
        except Exception:
            continue
        arrays = [*inputs, *first]
        if any(typed(a).dtype not in WIRE for a in arrays) or any(typed(a).tobytes() != typed(b).tobytes() for a, b in zip(first, again) if a.dtype.kind not in "OSU"):
            continue  # types the protocol has no name for, and random operators
        types = {WIRE[typed(a).dtype] for a in arrays}
        if len(kept) > SAMPLE // 2 and all(per_type.get(t, 0) > SAMPLE // 10 for t in types):
            continue
        for t in types:
            per_type[t] = per_type.get(t, 0) + 1
        kept.append((case.name, model, feeds, dict(zip([o.name for o in bare.get_outputs()], first))))
    return kept


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    cases = collect()
    folder = tmp_path_factory.mktemp("conformance") / "models"
    for name, model, _, _ in cases:
        models.save(folder, name, model, config="max_batch_size: 0\n")
    with running(folder, "--strict-readiness", "false") as gateway:
        gateway.wait_live("/v2/health/ready", 300)
        yield gateway, cases


def compare(case, got, form):
    for name, expected in case[3].items():
        value = got(name)
        assert value is not None, f"{case[0]} over {form}: no output {name}"
        a, b = typed(value.reshape(expected.shape)), typed(expected)
        if b.dtype == np.object_:
            assert [bytes(x) for x in a.reshape(-1)] == [bytes(x) for x in b.reshape(-1)], f"{case[0]} over {form}: {name}"
        else:
            nan = np.isnan(a) & np.isnan(b) if b.dtype.kind == "f" else np.zeros(b.shape, bool)
            assert a.dtype == b.dtype and ((a == b) | nan).all(), f"{case[0]} over {form}: {name}"


def inputs_of(module, feeds, **kw):
    made = []
    for name, x in feeds.items():
        x = typed(x)
        made.append(module.InferInput(name, list(x.shape), WIRE[x.dtype]).set_data_from_numpy(np.ascontiguousarray(x).reshape(x.shape), **kw))
    return made


def finite(case):
    return all(np.isfinite(a).all() for a in [*case[2].values(), *case[3].values()] if a.dtype.kind == "f")


def test_no_case_differs(served):
    gateway, cases = served
    assert len(cases) >= min(SAMPLE, 1000)
    counts = {"binary": 0, "json": 0, "grpc": 0}
    with httpclient.InferenceServerClient(gateway.http, network_timeout=120) as http, grpcclient.InferenceServerClient(gateway.grpc) as grpc:
        for case in cases:
            outputs = lambda binary: [httpclient.InferRequestedOutput(n, binary_data=binary) for n in case[3]]
            compare(case, http.infer(case[0], inputs_of(httpclient, case[2], binary_data=True), outputs=outputs(True)).as_numpy, "binary")
            compare(case, grpc.infer(case[0], inputs_of(grpcclient, case[2])).as_numpy, "grpc")
            counts["binary"] += 1
            counts["grpc"] += 1
            if finite(case) and all(a.dtype != np.float16 for a in [*case[2].values(), *case[3].values()]):
                compare(case, http.infer(case[0], inputs_of(httpclient, case[2], binary_data=False), outputs=outputs(False)).as_numpy, "json")
                counts["json"] += 1
    print("conformance cases equal:", counts)
