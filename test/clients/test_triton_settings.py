"""What Triton's clients set and register at run time: shared memory, log, traces; restricted APIs and Triton's words of errors."""

import json
import os

import numpy as np
import pytest
import tritonclient.grpc as grpc
import tritonclient.http as http
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException

from gateway import running

CLIENTS = [http, grpc]
X = np.arange(256, dtype=np.float32).reshape(4, 64)


@pytest.fixture(scope="module")
def served(type_repository, tmp_path_factory):
    traces = tmp_path_factory.mktemp("traces") / "trace.json"
    flags = ["--allow-client-shm=true", "--triton-compatible-errors", "--trace-config", f"triton,file={traces}"]
    flags += ["--http-restricted-api=statistics:key=sesame", "--grpc-restricted-protocol=statistics:key=sesame"]
    with running(type_repository, *flags) as g:
        g.wait_live("/v2/health/ready")
        g.traces = traces
        yield g


def client_of(module, served):
    return module.InferenceServerClient(served.http if module is http else served.grpc)


def names_of(client):
    metadata = client.get_model_metadata("mlp")
    metadata = metadata if isinstance(metadata, dict) else {"inputs": [{"name": t.name} for t in metadata.inputs], "outputs": [{"name": t.name} for t in metadata.outputs]}
    return metadata["inputs"][0]["name"], metadata["outputs"][0]["name"]


def sent(module, name):
    tensor = module.InferInput(name, list(X.shape), "FP32")
    tensor.set_data_from_numpy(X)
    return tensor


@pytest.mark.parametrize("module", CLIENTS)
def test_tensors_in_shared_memory_are_those_of_the_message(module, served):
    client = client_of(module, served)
    client.unregister_system_shared_memory()
    client.unregister_cuda_shared_memory()
    key = f"/penstock-{os.getpid()}-{module.__name__}"
    inputs = shm.create_shared_memory_region("in", key + "-in", X.nbytes + 64)
    outputs = shm.create_shared_memory_region("out", key + "-out", 65536)
    try:
        shm.set_shared_memory_region(inputs, [X], offset=64)
        client.register_system_shared_memory("in", key + "-in", X.nbytes + 64)
        client.register_system_shared_memory("out", key + "-out", 65536)
        x, y = names_of(client)
        expected = client.infer("mlp", [sent(module, x)]).as_numpy(y)
        tensor = module.InferInput(x, list(X.shape), "FP32")
        tensor.set_shared_memory("in", X.nbytes, offset=64)
        asked = module.InferRequestedOutput(y)
        asked.set_shared_memory("out", 65000, offset=128)
        client.infer("mlp", [tensor], outputs=[asked])
        got = shm.get_contents_as_numpy(outputs, np.float32, list(expected.shape), offset=128)
        assert np.array_equal(got, expected)
        with pytest.raises(InferenceServerException, match="already in manager"):
            client.register_system_shared_memory("in", key + "-in", X.nbytes)
        with pytest.raises(InferenceServerException, match="CUDA"):
            client.register_cuda_shared_memory("gpu", b"AAAA", 0, 64)
        client.unregister_system_shared_memory("in")
        with pytest.raises(InferenceServerException, match="Unable to find shared memory region: 'in'"):
            client.infer("mlp", [tensor])
    finally:
        client.unregister_system_shared_memory()
        shm.destroy_shared_memory_region(inputs)
        shm.destroy_shared_memory_region(outputs)


def plain(settings, module):
    if module is http:
        return settings
    return {name: next(iter(value.values())) for name, value in settings["settings"].items()}


@pytest.mark.parametrize("module", CLIENTS)
def test_the_log_is_set(module, served):
    client = client_of(module, served)
    as_json = {} if module is http else {"as_json": True}
    set_to = client.update_log_settings({"log_verbose_level": 1, "log_info": True}, **as_json)
    assert plain(set_to, module)["log_verbose_level"] == 1
    client.update_log_settings({"log_verbose_level": 0})
    assert plain(client.get_log_settings(**as_json), module)["log_verbose_level"] == 0
    with pytest.raises(InferenceServerException, match="log file location can not be updated"):
        client.update_log_settings({"log_file": "/tmp/x"})


@pytest.mark.parametrize("module", CLIENTS)
def test_traces_are_written(module, served):
    client = client_of(module, served)
    as_json = {} if module is http else {"as_json": True}
    client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"], "trace_rate": "1", "trace_count": "3", "log_frequency": "3"})
    before = set(served.traces.parent.iterdir())
    x, _ = names_of(client)
    written = set()
    for _ in range(200):
        client.infer("mlp", [sent(module, x)], request_id="traced")
        # What is not whole yet has a dot before its name.
        written = {path for path in served.traces.parent.iterdir() if not path.name.startswith(".")} - before
        if written:
            break
    [path] = written
    traces = json.loads(path.read_text())
    assert {t["request_id"] for t in traces if "model_name" in t} == {"traced"}
    names = {s["name"] for t in traces for s in t.get("timestamps", [])}
    assert {"REQUEST_START", "QUEUE_START", "COMPUTE_START", "COMPUTE_END", "REQUEST_END"} <= names
    cleared = client.update_trace_settings(settings=dict.fromkeys(["trace_level", "trace_rate", "trace_count", "log_frequency"]), **as_json)
    assert plain(cleared, module)["trace_level"] == ["OFF"]
    with pytest.raises(InferenceServerException, match="Unable to parse 'trace_rate'"):
        client.update_trace_settings(settings={"trace_rate": "often"})


def test_restricted_apis_need_their_key(served):
    for client, headers in ((client_of(http, served), {"key": "sesame"}), (client_of(grpc, served), {"triton-grpc-protocol-key": "sesame"})):
        with pytest.raises(InferenceServerException, match="restricted"):
            client.get_inference_statistics()
        assert client.get_inference_statistics(headers=headers)


@pytest.mark.parametrize("module", CLIENTS)
def test_errors_have_tritons_words(module, served):
    client = client_of(module, served)
    with pytest.raises(InferenceServerException, match="Request for unknown model: 'nope' is not found"):
        client.infer("nope", [sent(module, "x")])
    with pytest.raises(InferenceServerException, match="unexpected inference input 'nope' for model 'mlp'"):
        client.infer("mlp", [sent(module, "nope")])
    x, _ = names_of(client)
    wrong = module.InferInput(x, [1, 3], "FP32")
    wrong.set_data_from_numpy(np.zeros((1, 3), np.float32))
    with pytest.raises(InferenceServerException, match=r"\[request id: seven\] unexpected shape for input"):
        client.infer("mlp", [wrong], request_id="seven")
