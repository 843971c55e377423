"""Every data type through every stock client; each answer equal, bit for bit, to what went in."""

import asyncio
import queue

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.grpc.aio as grpcaio
import tritonclient.http as httpclient
import tritonclient.http.aio as httpaio

from models import NUMPY_TYPES

RNG = np.random.default_rng(5)
TYPES = [t for t in NUMPY_TYPES if t != "BF16"]
JSON_TYPES = [t for t in TYPES if t != "FP16"]


def values(name, shape):
    """Values that a careless server gets wrong: the extremes, integers beyond 2^53, NaN, infinities, -0, odd strings."""
    count = int(np.prod(shape))
    dtype = NUMPY_TYPES[name][1]
    if name == "BOOL":
        flat = RNG.integers(0, 2, count).astype(np.bool_)
    elif name == "BYTES":
        odd = [b"", b"plain", "zażółć 漢字 🙂".encode(), b"quote\" \\ \n\t\x01", b"x" * 300]
        flat = np.array([odd[i % len(odd)] for i in range(count)], dtype=np.object_)
    elif np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        flat = RNG.integers(info.min, info.max, count, dtype=dtype, endpoint=True)
        flat[: min(3, count)] = [info.min, info.max, info.max // 2 + 1][: min(3, count)]
    else:
        flat = RNG.normal(0, 1e3, count).astype(dtype)
        flat[: min(4, count)] = [-0.0, np.finfo(dtype).tiny, np.finfo(dtype).max, 0.1][: min(4, count)]
    return flat.reshape(shape)


def with_specials(array):
    flat = array.reshape(-1).copy()
    if np.issubdtype(array.dtype, np.floating) and flat.size > 3:
        flat[:3] = [np.nan, np.inf, -np.inf]
    return flat.reshape(array.shape)


def same(a, b):
    if a.dtype == np.object_ or b.dtype == np.object_:
        return a.shape == b.shape and all(bytes(x) == bytes(y) for x, y in zip(a.reshape(-1), b.reshape(-1)))
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


SHAPES = [(1, 7), (3, 5), (4, 0)]
CASES = [(f"same_{t.lower()}", t, s) for t in TYPES for s in SHAPES] + [(f"scalar_{t.lower()}", t, ()) for t in TYPES]


@pytest.mark.parametrize("model,name,shape", CASES)
def test_http_binary(gateway, model, name, shape):
    x = with_specials(values(name, shape))
    with httpclient.InferenceServerClient(gateway.http) as client:
        tensor = httpclient.InferInput("x", list(shape), name).set_data_from_numpy(x, binary_data=True)
        out = client.infer(model, [tensor], outputs=[httpclient.InferRequestedOutput("y", binary_data=True)]).as_numpy("y")
    assert same(out.reshape(shape), x)


@pytest.mark.parametrize("model,name,shape", [c for c in CASES if c[1] in JSON_TYPES])
def test_http_json(gateway, model, name, shape):
    x = values(name, shape)
    with httpclient.InferenceServerClient(gateway.http) as client:
        tensor = httpclient.InferInput("x", list(shape), name).set_data_from_numpy(x, binary_data=False)
        out = client.infer(model, [tensor], outputs=[httpclient.InferRequestedOutput("y", binary_data=False)]).as_numpy("y")
    if name == "BYTES":
        out = np.array([v.encode() if isinstance(v, str) else v for v in out.reshape(-1)], dtype=np.object_)
    assert same(out.reshape(shape), x)


@pytest.mark.parametrize("model,name,shape", CASES)
def test_grpc(gateway, model, name, shape):
    x = with_specials(values(name, shape))
    with grpcclient.InferenceServerClient(gateway.grpc) as client:
        out = client.infer(model, [grpcclient.InferInput("x", list(shape), name).set_data_from_numpy(x)]).as_numpy("y")
    assert same(out.reshape(shape), x)


def test_bf16_bits(gateway):
    bits = np.array([[0, 1, 0x3F80, 0x7F80, 0xFF80, 0x7FC1, 0x8000]], dtype=np.uint16)
    tensor = httpclient.InferInput("x", [1, 7], "BF16")
    tensor._raw_data = bits.tobytes()
    tensor._parameters["binary_data_size"] = bits.nbytes
    with httpclient.InferenceServerClient(gateway.http) as client:
        result = client.infer("same_bf16", [tensor], outputs=[httpclient.InferRequestedOutput("y", binary_data=True)])
    start = result._output_name_to_buffer_map["y"]
    assert bytes(result._buffer[start : start + bits.nbytes]) == bits.tobytes()


def test_grpc_stream_answers_every_request(gateway):
    answers = queue.Queue()
    xs = [values("INT64", (1 + i % 4, 3)) for i in range(64)]
    with grpcclient.InferenceServerClient(gateway.grpc) as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        for i, x in enumerate(xs):
            client.async_stream_infer("same_int64", [grpcclient.InferInput("x", list(x.shape), "INT64").set_data_from_numpy(x)], request_id=str(i))
        seen = {}
        for _ in xs:
            result, error = answers.get(timeout=20)
            assert error is None
            seen[int(result.get_response().id)] = result.as_numpy("y")
        client.stop_stream()
    assert sorted(seen) == list(range(64))
    assert all(same(seen[i], x) for i, x in enumerate(xs))


def test_grpc_stream_reports_an_error_and_goes_on(gateway):
    answers = queue.Queue()
    good = np.zeros((1, 3), np.int64)
    with grpcclient.InferenceServerClient(gateway.grpc) as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        client.async_stream_infer("no_such_model", [grpcclient.InferInput("x", [1, 3], "INT64").set_data_from_numpy(good)])
        assert "no_such_model" in str(answers.get(timeout=20)[1])
        client.async_stream_infer("same_int64", [grpcclient.InferInput("x", [1, 3], "INT64").set_data_from_numpy(good)])
        result, error = answers.get(timeout=20)
        assert error is None and same(result.as_numpy("y"), good)
        client.stop_stream()


@pytest.mark.asyncio
async def test_http_aio(gateway):
    async with httpaio.InferenceServerClient(gateway.http) as client:
        async def one(i):
            x = values("FP32", (1 + i % 4, 3))
            out = await client.infer("same_fp32", [httpaio.InferInput("x", list(x.shape), "FP32").set_data_from_numpy(x)])
            return same(out.as_numpy("y"), x)
        assert all(await asyncio.gather(*(one(i) for i in range(100))))


@pytest.mark.asyncio
async def test_grpc_aio(gateway):
    async with grpcaio.InferenceServerClient(gateway.grpc) as client:
        async def one(i):
            x = values("UINT64", (1 + i % 4, 3))
            out = await client.infer("same_uint64", [grpcaio.InferInput("x", list(x.shape), "UINT64").set_data_from_numpy(x)])
            return same(out.as_numpy("y"), x)
        assert all(await asyncio.gather(*(one(i) for i in range(100))))


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_http_compression_both_ways(gateway, algorithm):
    x = np.zeros((4, 5000), np.float32)
    with httpclient.InferenceServerClient(gateway.http) as client:
        tensor = httpclient.InferInput("x", list(x.shape), "FP32").set_data_from_numpy(x, binary_data=True)
        out = client.infer("same_fp32", [tensor], request_compression_algorithm=algorithm, response_compression_algorithm=algorithm)
    assert same(out.as_numpy("y"), x)
