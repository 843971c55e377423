"""KServe's Python client: V1 and V2 over REST, V2 over gRPC."""

import asyncio
import os

os.environ.setdefault("KSERVE_LOGLEVEL", "ERROR")
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

from report import Report
from served import gateway, usual

report = Report()
X = np.arange(8, dtype=np.int32).reshape(2, 4)


def request(raw):
    inputs = []
    for name in ("a", "b"):
        tensor = InferInput(name=name, shape=[2, 4], datatype="INT32")
        tensor.set_data_from_numpy(X, binary_data=raw)
        inputs.append(tensor)
    return InferRequest(model_name="addsub", infer_inputs=inputs, request_id="r")


def check(answer):
    assert (answer.outputs[0].as_numpy().reshape(2, 4) == 2 * X).all()
    assert answer.model_name == "addsub" and answer.id == "r"


async def main(served):
    url = f"http://{served.http}"

    def attempt(group, case, what):
        async def held():
            await what()

        async def run():
            try:
                await held()
            except Exception as thrown:
                report.differs(group, case, f"{type(thrown).__name__}: {thrown}")
            else:
                report.held(group)

        return run()

    v1 = InferenceRESTClient(RESTConfig(protocol="v1", retries=1))
    v2 = InferenceRESTClient(RESTConfig(protocol="v2", retries=1))
    grpc = InferenceGRPCClient(url=served.grpc)

    async def live(client, **words):
        assert await client.is_server_live(**words)

    async def v1_instances():
        told = await v1.infer(url, {"instances": [{"a": r.tolist(), "b": r.tolist()} for r in X]}, model_name="addsub")
        assert [p["sum"] for p in told["predictions"]] == (2 * X).tolist(), told

    async def v1_one_input():
        told = await v1.infer(url, {"instances": np.zeros((2, 64)).tolist()}, model_name="mlp")
        assert np.array(told["predictions"]).shape == (2, 10)

    async def v1_ready():
        assert await v1.is_model_ready(url, "addsub")
        try:
            await v1.is_model_ready(url, "nobody")
        except Exception as refused:  # as the client takes the 404 of KServe's own server
            assert "404" in str(refused), refused
        else:
            raise AssertionError("a model that nobody has is ready")

    async def v2_health():
        assert await v2.is_server_live(url) and await v2.is_server_ready(url)

    async def v2_ready():
        assert await v2.is_model_ready(url, "addsub") and not await v2.is_model_ready(url, "nobody")

    async def v2_json():
        check(await v2.infer(url, request(False), model_name="addsub"))

    async def v2_binary():
        check(await v2.infer(url, request(True), model_name="addsub"))

    async def v2_object():
        body, _ = request(False).to_rest()
        told = await v2.infer(url, body, model_name="addsub")
        check(told)

    async def grpc_health():
        assert await grpc.is_server_live() and await grpc.is_server_ready()

    async def grpc_ready():
        assert await grpc.is_model_ready("addsub") and not await grpc.is_model_ready("nobody")

    async def grpc_contents():
        check(await grpc.infer(request(False)))

    async def grpc_raw():
        check(await grpc.infer(request(True)))

    for group, case, what in (
        ("V1", "is_model_ready", v1_ready), ("V1", "instances of several inputs", v1_instances), ("V1", "instances of one input", v1_one_input),
        ("V2 REST", "health", v2_health), ("V2 REST", "is_model_ready", v2_ready), ("V2 REST", "infer, JSON", v2_json),
        ("V2 REST", "infer, binary", v2_binary), ("V2 REST", "infer, a plain object", v2_object),
        ("V2 gRPC", "health", grpc_health), ("V2 gRPC", "is_model_ready", grpc_ready),
        ("V2 gRPC", "infer, typed contents", grpc_contents), ("V2 gRPC", "infer, raw contents", grpc_raw),
    ):
        await attempt(group, case, what)
    await v1.close(), await v2.close(), await grpc.close()


with gateway(usual) as served:
    asyncio.run(main(served))
report.write()
