"""ONNX's backend conformance cases: which bare ONNX Runtime passes, and how they are asked of a gateway."""

import os
import random
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from onnx import numpy_helper

import models

SAMPLE = int(os.environ.get("PENSTOCK_CONFORMANCE", "100000"))
WIRE = {np.dtype(v[1]): k for k, v in models.NUMPY_TYPES.items() if v[1] is not None}
WIRE[np.dtype(np.object_)] = "BYTES"


def typed(array):
    return np.array([x.encode() if isinstance(x, str) else x for x in array.reshape(-1)], np.object_).reshape(array.shape) if array.dtype.kind in "OSU" else array


def bare(case):
    """(model, feeds, answers of bare ONNX Runtime), or a sentence: why the case cannot be asked of a gateway."""
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    model.ir_version = min(model.ir_version, 10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:
        return "bare ONNX Runtime does not load the model"
    given, wanted = case.data_sets[0]
    inputs = [numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else x for x in given]
    feeds = dict(zip([i.name for i in session.get_inputs()], inputs))
    if any(not isinstance(x, np.ndarray) for x in inputs):
        return "an input is no tensor (sequence, optional, sparse)"
    if len(feeds) != len(inputs):
        return "inputs and data of the case do not agree"
    try:
        first = session.run(None, feeds)
        again = session.run(None, feeds)
    except Exception:
        return "bare ONNX Runtime fails on the inputs"
    if any(not isinstance(o, np.ndarray) for o in first):
        return "an output is no tensor (sequence, optional, map)"
    arrays = [*inputs, *first]
    if any(typed(a).dtype not in WIRE for a in arrays):
        return "a data type that the protocol has no name for (bfloat16 of NumPy, complex, float8, int4 ...)"
    if any(a.dtype.kind not in "OSU" and typed(a).tobytes() != typed(b).tobytes() for a, b in zip(first, again)):
        return "random: two runs of bare ONNX Runtime differ"
    wanted = [numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else x for x in wanted]
    if not all(close(a, b, case) for a, b in zip(first, wanted)):
        return "bare ONNX Runtime answers otherwise than the case expects"
    return model, feeds, dict(zip([o.name for o in session.get_outputs()], first))


def close(got, wanted, case):
    if not isinstance(wanted, np.ndarray) or got.shape != wanted.shape:
        return False
    if got.dtype.kind in "OSU":
        return [str(x) for x in got.reshape(-1)] == [str(x) for x in wanted.reshape(-1)]
    return np.allclose(got, wanted, rtol=case.rtol, atol=case.atol, equal_nan=True)


def collect():
    """Cases (name, model, inputs, expected), and how many were left out by why. PENSTOCK_CONFORMANCE=N takes N, spread over the data types."""
    from onnx.backend.test.case.node import collect_testcases

    cases = sorted(collect_testcases(None), key=lambda c: c.name)
    random.Random(3).shuffle(cases)
    kept, per_type, left_out = [], {}, Counter()
    for case in cases:
        if len(kept) >= SAMPLE:
            break
        found = bare(case)
        if isinstance(found, str):
            left_out[found] += 1
            continue
        model, feeds, answers = found
        types = {WIRE[typed(a).dtype] for a in [*feeds.values(), *answers.values()]}
        if len(kept) > SAMPLE // 2 and all(per_type.get(t, 0) > SAMPLE // 10 for t in types):
            continue
        for t in types:
            per_type[t] = per_type.get(t, 0) + 1
        kept.append((case.name, model, feeds, answers))
    return kept, left_out


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


def _http(binary):
    def ask(case, http, _grpc):
        outputs = [httpclient.InferRequestedOutput(n, binary_data=binary) for n in case[3]]
        compare(case, http.infer(case[0], inputs_of(httpclient, case[2], binary_data=binary), outputs=outputs).as_numpy, "binary" if binary else "json")

    return ask


def _grpc(case, _http_client, grpc):
    compare(case, grpc.infer(case[0], inputs_of(grpcclient, case[2])).as_numpy, "grpc")


FORMS = {"binary": _http(True), "grpc": _grpc, "json": _http(False)}


def not_over(form, case):
    """Why a case cannot go over a form, or None."""
    if form != "json":
        return None
    arrays = [*case[2].values(), *case[3].values()]
    if any(a.dtype.kind == "f" and not np.isfinite(a).all() for a in arrays):
        return "JSON only: NaN or infinity, which JSON has not"
    if any(a.dtype == np.float16 for a in arrays):
        return "JSON only: FP16, which has no JSON form"
    return None
