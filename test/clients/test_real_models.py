"""Real models that packages ship, each answer equal to bare onnxruntime's on the same rows."""

import concurrent.futures

import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient

RNG = np.random.default_rng(11)


def rows(model, n, i):
    """Inputs of `n` rows; `i` varies the content and, where the model allows, the length."""
    if model == "minilm":
        length = 6 + 5 * (i % 3)
        ids = RNG.integers(1000, 29000, (n, length))
        return {"input_ids": ids, "attention_mask": np.ones((n, length), np.int64)}
    if model == "magika":
        return {"bytes": RNG.integers(0, 257, (n, 2048)).astype(np.int32)}
    if model == "forest":
        return {"X": RNG.integers(0, 17, (n, 64)).astype(np.float32)}
    if model == "boosting":
        return {"X": RNG.normal(10, 30, (n, 30)).astype(np.float32)}
    size = {"ppocr_cls": (3, 48, 192), "ppocr_rec": (3, 48, 160 + 32 * (i % 2)), "ppocr_det": (3, 96 + 32 * (i % 2), 128)}[model]
    return {"x": RNG.normal(0, 1, (n, *size)).astype(np.float32)}


TYPES = {np.dtype(np.int64): "INT64", np.dtype(np.int32): "INT32", np.dtype(np.float32): "FP32"}


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("model", ["minilm", "magika", "forest", "boosting", "ppocr_cls", "ppocr_rec", "ppocr_det"])
def test_equal_to_bare_onnxruntime(real_gateway, real_repository, model, protocol):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    bare = onnxruntime.InferenceSession(str(real_repository / model / "1" / "model.onnx"), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in bare.get_outputs()]
    module, url = (httpclient, real_gateway.http) if protocol == "http" else (grpcclient, real_gateway.grpc)
    requests = [rows(model, 1 + i % 2, i) for i in range(6)]

    def ask(feeds):
        with module.InferenceServerClient(url) as client:
            inputs = [module.InferInput(k, list(v.shape), TYPES[v.dtype]).set_data_from_numpy(v) for k, v in feeds.items()]
            result = client.infer(model, inputs)
            return {n: result.as_numpy(n) for n in names}

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, requests))
    for feeds, answer in zip(requests, answers):
        for name, expected in zip(names, bare.run(None, feeds)):
            got = answer[name].reshape(expected.shape)
            if np.issubdtype(expected.dtype, np.floating):
                # batch-mates change the order of sums inside a matrix product, nothing else
                np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-5)
            else:
                assert (got == expected).all()


@pytest.mark.parametrize("model", ["minilm", "magika", "forest", "boosting", "ppocr_cls"])
def test_alone_in_a_batch_bit_for_bit(real_gateway, real_repository, model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    bare = onnxruntime.InferenceSession(str(real_repository / model / "1" / "model.onnx"), options, providers=["CPUExecutionProvider"])
    with httpclient.InferenceServerClient(real_gateway.http) as client:
        for i in range(3):
            feeds = rows(model, 1 + i, i)
            inputs = [httpclient.InferInput(k, list(v.shape), TYPES[v.dtype]).set_data_from_numpy(v) for k, v in feeds.items()]
            result = client.infer(model, inputs)
            for o, expected in zip(bare.get_outputs(), bare.run(None, feeds)):
                assert result.as_numpy(o.name).reshape(expected.shape).tobytes() == expected.tobytes(), o.name
