"""Every public method of tritonclient's four clients (HTTP, gRPC, and both for asyncio), called once or more against a gateway."""

import asyncio
import inspect
import queue

import numpy as np
import tritonclient.grpc as grpcclient
import tritonclient.grpc.aio as grpcaio
import tritonclient.http as httpclient
import tritonclient.http.aio as httpaio
from tritonclient.utils import InferenceServerException

from report import LeftOut, Report
from served import SHARED_MEMORY, gateway, usual

X = np.arange(8, dtype=np.int32).reshape(2, 4)
report = Report()


def refusal(call):
    """What an UNIMPLEMENTED call says; a call that is served, or fails otherwise, is as it is."""
    try:
        return call()
    except InferenceServerException as error:
        if "UNIMPLEMENTED" in str(error.status()) or str(error.status()) == "501":
            raise LeftOut(f"refused as unsupported: {error.message()}") from error
        raise


class Sync:
    """The calls of the clients without asyncio."""

    def __init__(self, module, client, served):
        self.m, self.c, self.served = module, client, served
        self.grpc = module is grpcclient

    def inputs(self):
        return [self.m.InferInput(n, [2, 4], "INT32").set_data_from_numpy(X) for n in ("a", "b")]

    def check(self, result):
        assert (result.as_numpy("sum") == 2 * X).all()

    def run(self, answer):
        return answer

    # one method of the client each, by its name
    def is_server_live(self):
        assert self.run(self.c.is_server_live())

    def is_server_ready(self):
        assert self.run(self.c.is_server_ready())

    def is_model_ready(self):
        assert self.run(self.c.is_model_ready("addsub", "1")) and not self.run(self.c.is_model_ready("nobody"))

    def get_server_metadata(self):
        told = self.run(self.c.get_server_metadata())
        assert (told.name if self.grpc else told["name"]) == "penstock"

    def get_model_metadata(self):
        told = self.run(self.c.get_model_metadata("addsub"))
        assert [i.name if self.grpc else i["name"] for i in (told.inputs if self.grpc else told["inputs"])] == ["a", "b"]

    def get_model_config(self):
        told = self.run(self.c.get_model_config("addsub", "1"))
        assert (told.config.name if self.grpc else told["name"]) == "addsub"

    def get_model_repository_index(self):
        told = self.run(self.c.get_model_repository_index())
        assert len(told.models if self.grpc else told) > 20

    def get_inference_statistics(self):
        self.infer()
        told = self.run(self.c.get_inference_statistics("addsub"))
        stats = (told.model_stats if self.grpc else told["model_stats"])[0]
        assert (stats.inference_count if self.grpc else stats["inference_count"]) >= 2

    def unload_model(self):
        self.run(self.c.unload_model("same_int8"))
        assert not self.run(self.c.is_model_ready("same_int8"))
        self.run(self.c.load_model("same_int8"))

    def load_model(self):
        self.run(self.c.load_model("mlp", config='{"backend": "onnxruntime", "max_batch_size": 2}'))
        self.run(self.c.load_model("mlp"))
        assert self.run(self.c.is_model_ready("mlp"))

    def infer(self):
        self.check(self.run(self.c.infer("addsub", self.inputs(), request_id="r", priority=1, timeout=5_000_000)))

    def get_trace_settings(self):
        assert refusal(lambda: self.run(self.c.get_trace_settings()))

    def update_trace_settings(self):
        refusal(lambda: self.run(self.c.update_trace_settings(settings={"trace_rate": "500"})))
        refusal(lambda: self.run(self.c.update_trace_settings(settings={"trace_rate": None})))

    def get_log_settings(self):
        assert refusal(lambda: self.run(self.c.get_log_settings()))

    def update_log_settings(self):
        refusal(lambda: self.run(self.c.update_log_settings(settings={"log_verbose_level": 0})))

    def get_system_shared_memory_status(self):
        refusal(lambda: self.run(self.c.get_system_shared_memory_status()))

    def register_system_shared_memory(self):
        import tritonclient.utils.shared_memory as shm

        region = shm.create_shared_memory_region("region", "/penstock_clients", X.nbytes)
        try:
            shm.set_shared_memory_region(region, [X])
            refusal(lambda: self.run(self.c.register_system_shared_memory("region", "/penstock_clients", X.nbytes)))
            a = self.m.InferInput("a", [2, 4], "INT32")
            a.set_shared_memory("region", X.nbytes)
            self.check(self.run(self.c.infer("addsub", [a, self.inputs()[1]])))
            self.run(self.c.unregister_system_shared_memory("region"))
        finally:
            shm.destroy_shared_memory_region(region)

    def unregister_system_shared_memory(self):
        refusal(lambda: self.run(self.c.unregister_system_shared_memory()))

    def get_cuda_shared_memory_status(self):
        refusal(lambda: self.run(self.c.get_cuda_shared_memory_status()))

    def register_cuda_shared_memory(self):
        refusal(lambda: self.run(self.c.register_cuda_shared_memory("cuda", b"0" * 64, 0, 64)))

    def unregister_cuda_shared_memory(self):
        refusal(lambda: self.run(self.c.unregister_cuda_shared_memory()))

    def register_plugin(self):
        from tritonclient.http.auth import BasicAuth as OverHttp
        from tritonclient.grpc.auth import BasicAuth as OverGrpc

        self.c.register_plugin((OverGrpc if self.grpc else OverHttp)("user", "secret"))
        assert self.c.plugin() is not None
        self.infer()
        self.c.unregister_plugin()

    plugin = unregister_plugin = register_plugin


class SyncHttp(Sync):
    def async_infer(self):
        asked = [self.c.async_infer("addsub", self.inputs()) for _ in range(20)]
        for each in asked:
            self.check(each.get_result())

    def generate_request_body(self):
        body, header = self.m.InferenceServerClient.generate_request_body(self.inputs())
        headers = {} if header is None else {"Inference-Header-Content-Length": str(header)}
        import urllib.request

        request = urllib.request.Request(f"http://{self.served.http}/v2/models/addsub/infer", data=body, headers=headers)
        with urllib.request.urlopen(request) as reply:
            length = reply.headers.get("Inference-Header-Content-Length")
            result = self.m.InferenceServerClient.parse_response_body(reply.read(), header_length=None if length is None else int(length))
        self.check(result)

    parse_response_body = generate_request_body

    def infer(self):
        super().infer()
        for compression in ("gzip", "deflate"):
            self.check(self.c.infer("addsub", self.inputs(), request_compression_algorithm=compression, response_compression_algorithm=compression))


class SyncGrpc(Sync):
    def async_infer(self):
        answers = queue.Queue()
        for _ in range(20):
            self.c.async_infer("addsub", self.inputs(), lambda result, error: answers.put((result, error)))
        for _ in range(20):
            result, error = answers.get(timeout=30)
            assert error is None, error
            self.check(result)

    def async_stream_infer(self):
        answers = queue.Queue()
        self.c.start_stream(lambda result, error: answers.put((result, error)))
        for n in range(20):
            self.c.async_stream_infer("addsub", self.inputs(), request_id=str(n), enable_empty_final_response=True)
        for _ in range(20):
            result, error = answers.get(timeout=30)
            assert error is None, error
            self.check(result)
        self.c.stop_stream()

    start_stream = stop_stream = async_stream_infer

    def infer(self):
        super().infer()
        for compression in ("gzip", "deflate"):
            self.check(self.c.infer("addsub", self.inputs(), compression_algorithm=compression, client_timeout=10))


class Awaited:
    """The same calls by a client of asyncio, on one loop."""

    loop = asyncio.new_event_loop()

    def run(self, answer):
        return self.loop.run_until_complete(answer) if inspect.isawaitable(answer) else answer


class AioHttp(Awaited, SyncHttp):
    def infer(self):
        Sync.infer(self)

    def async_infer(self):
        raise AssertionError("the asyncio client has no such method")


class AioGrpc(Awaited, SyncGrpc):
    def infer(self):
        Sync.infer(self)

    def stream_infer(self):
        async def requests():
            for n in range(20):
                yield {"model_name": "addsub", "inputs": self.inputs(), "request_id": str(n)}

        async def read():
            count = 0
            async for result, error in self.c.stream_infer(requests()):
                assert error is None, error
                self.check(result)
                count += 1
            assert count == 20

        self.run(read())


def try_all(group, calls):
    methods = [n for n, _ in inspect.getmembers(type(calls.c), callable) if not n.startswith("_") and n != "close"]
    for name in methods:
        what = getattr(calls, name, None)
        if what is None:
            report.differs(group, name, "this part does not try the method")
        else:
            report.attempt(group, name, what)


with gateway(usual, "--model-control-mode", "explicit", "--load-model", "*", *SHARED_MEMORY) as served:
    with httpclient.InferenceServerClient(served.http, concurrency=4) as client:
        try_all("http", SyncHttp(httpclient, client, served))
    with grpcclient.InferenceServerClient(served.grpc) as client:
        try_all("grpc", SyncGrpc(grpcclient, client, served))

    async def made(module, url):
        return module.InferenceServerClient(url)

    for group, module, base, url, calls in (
        ("http.aio", httpaio, httpclient, served.http, AioHttp),
        ("grpc.aio", grpcaio, grpcclient, served.grpc, AioGrpc),
    ):
        client = Awaited.loop.run_until_complete(made(module, url))
        try_all(group, calls(base, client, served))
        Awaited.loop.run_until_complete(client.close())
report.write()
