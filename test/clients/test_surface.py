"""What tritonclient can ask besides inference: health, metadata, config, statistics, repository."""

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from tritonclient.utils import InferenceServerException


@pytest.fixture(params=["http", "grpc"])
def stock(request, gateway):
    module, url = (httpclient, gateway.http) if request.param == "http" else (grpcclient, gateway.grpc)
    with module.InferenceServerClient(url) as client:
        client.module = module
        client.json = {} if request.param == "http" else {"as_json": True}
        yield client


def test_health(stock):
    assert stock.is_server_live() and stock.is_server_ready()
    assert stock.is_model_ready("mlp") and stock.is_model_ready("mlp", "1")
    assert not stock.is_model_ready("no_such_model")


def test_server_metadata(stock):
    meta = stock.get_server_metadata(**stock.json)
    assert meta["name"] == "penstock" and "binary_tensor_data" in meta["extensions"]


def test_model_metadata(stock):
    meta = stock.get_model_metadata("mlp", **stock.json)
    assert meta["platform"] == "onnxruntime_onnx" and meta["versions"] == ["1"]
    assert [int(d) for d in meta["inputs"][0]["shape"]] == [-1, 64] and meta["inputs"][0]["datatype"] == "FP32"


def test_config_is_completed(stock):
    config = stock.get_model_config("addsub", **stock.json)
    config = config.get("config", config)
    assert config["max_batch_size"] == 4 and "dynamic_batching" in config
    assert [i["name"] for i in config["input"]] == ["a", "b"]
    assert config["input"][0]["data_type"] == "TYPE_INT32" and [int(d) for d in config["input"][0]["dims"]] == [4]


def infer_addsub(stock, rows=1, **kw):
    a = np.arange(rows * 4, dtype=np.int32).reshape(rows, 4)
    inputs = [stock.module.InferInput(n, [rows, 4], "INT32").set_data_from_numpy(a) for n in ("a", "b")]
    return a, stock.infer("addsub", inputs, **kw)


def test_requested_outputs_only(stock):
    a, result = infer_addsub(stock, outputs=[stock.module.InferRequestedOutput("sum")])
    assert (result.as_numpy("sum") == 2 * a).all() and result.as_numpy("difference") is None


def test_request_id_and_version(stock):
    _, result = infer_addsub(stock, request_id="abc", model_version="1")
    response = result.get_response()
    assert (response["id"] if isinstance(response, dict) else response.id) == "abc"


def test_classification(stock):
    _, result = infer_addsub(stock, rows=2, outputs=[stock.module.InferRequestedOutput("sum", class_count=2)])
    rows = result.as_numpy("sum")
    assert rows.shape == (2, 2) and [b.decode() for b in rows[0]] == ["6:3", "4:2"]


def figure(stats, *path):
    for p in path:
        stats = stats.get(p, {}) if isinstance(stats, dict) else stats
    return int(stats or 0)


def test_statistics_grow_as_they_should(stock):
    read = lambda: stock.get_inference_statistics("addsub", "1", **stock.json)["model_stats"][0]
    before = read()
    for rows in (1, 2, 3):
        infer_addsub(stock, rows)
    with pytest.raises(InferenceServerException):
        stock.infer("addsub", [])
    after = read()
    grown = lambda *path: figure(after, *path) - figure(before, *path)
    assert grown("inference_count") == 6 and grown("execution_count") == 3
    for name in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        assert grown("inference_stats", name, "count") == 3 and grown("inference_stats", name, "ns") > 0, name
    assert grown("inference_stats", "fail", "count") == 1
    assert sorted(int(b["batch_size"]) for b in after["batch_stats"])[:3] == [1, 2, 3]


def test_unload_and_load(stock):
    rows = lambda: {m["name"]: m.get("state") for m in (lambda i: i if isinstance(i, list) else i["models"])(stock.get_model_repository_index(**stock.json))}
    assert rows()["same_int8"] == "READY"
    stock.unload_model("same_int8")
    assert not stock.is_model_ready("same_int8") and rows()["same_int8"] == "UNAVAILABLE"
    with pytest.raises(InferenceServerException):
        stock.infer("same_int8", [stock.module.InferInput("x", [1, 1], "INT8").set_data_from_numpy(np.zeros((1, 1), np.int8))])
    stock.load_model("same_int8")
    assert stock.is_model_ready("same_int8") and rows()["same_int8"] == "READY"
    with pytest.raises(InferenceServerException):
        stock.load_model("no_such_model")


def test_load_with_inline_config(stock):
    stock.load_model("mlp", config='{"backend": "onnxruntime", "max_batch_size": 2}')
    assert stock.get_model_config("mlp", **stock.json).get("config", stock.get_model_config("mlp", **stock.json))["max_batch_size"] == 2
    stock.load_model("mlp")
    config = stock.get_model_config("mlp", **stock.json)
    assert config.get("config", config)["max_batch_size"] == 32


ERRORS = [
    ("no_such_model", "x", [1, 64], "FP32", "no_such_model"),
    ("mlp", "q", [1, 64], "FP32", "'q'"),
    ("mlp", "x", [1, 63], "FP32", "[1,63]"),
    ("mlp", "x", [33, 64], "FP32", "33"),
    ("mlp", "x", [1, 64], "FP64", "FP64"),
]


@pytest.mark.parametrize("model,name,shape,datatype,named", ERRORS)
def test_errors_name_what_came(stock, model, name, shape, datatype, named):
    x = np.zeros(shape, {"FP32": np.float32, "FP64": np.float64}[datatype])
    with pytest.raises(InferenceServerException) as error:
        stock.infer(model, [stock.module.InferInput(name, shape, datatype).set_data_from_numpy(x)])
    assert named in error.value.message()
    infer_addsub(stock)


def test_timeout_becomes_a_deadline(stock):
    kw = {"client_timeout": 5} if stock.module is grpcclient else {}
    _, result = infer_addsub(stock, timeout=5_000_000, **kw)
    assert result is not None


def test_metrics_name_models_and_versions(gateway, stock):
    infer_addsub(stock)
    text = gateway.metrics()
    assert 'nv_inference_request_success{model="addsub",version="1"}' in text
    assert "penstock_" in text
