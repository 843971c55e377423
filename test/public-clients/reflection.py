"""What grpcurl does: services, methods and messages by server reflection (v1alpha), and calls with what it told."""

import grpc
import numpy as np
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from report import Report
from served import gateway, usual

report = Report()

with gateway(usual) as served, grpc.insecure_channel(served.grpc) as channel:
    reflected = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(reflected)
    services = reflected.get_services()

    def message(name):
        return GetMessageClass(pool.FindMessageTypeByName(name))

    def call(service, method, request):
        found = pool.FindServiceByName(service).FindMethodByName(method)
        answer = GetMessageClass(found.output_type)
        ask = channel.unary_unary(f"/{service}/{method}", request_serializer=lambda m: m.SerializeToString(), response_deserializer=answer.FromString)
        return ask(request, timeout=30)

    def listed():
        assert "inference.GRPCInferenceService" in services and "grpc.health.v1.Health" in services, services

    def described(service):
        def every():
            for method in pool.FindServiceByName(service).methods:
                assert GetMessageClass(method.input_type)() is not None and GetMessageClass(method.output_type)() is not None

        return every

    report.attempt("list", "services", listed)
    for service in services:
        report.attempt("describe", service, described(service))

    triton = "inference.GRPCInferenceService"

    def metadata():
        told = call(triton, "ModelMetadata", message("inference.ModelMetadataRequest")(name="addsub"))
        assert [t.name for t in told.inputs] == ["a", "b"]

    def infer():
        row = np.arange(4, dtype=np.int32)
        request = message("inference.ModelInferRequest")(model_name="addsub")
        for name in ("a", "b"):
            request.inputs.add(name=name, datatype="INT32", shape=[1, 4]).contents.int_contents.extend(row.tolist())
        told = call(triton, "ModelInfer", request)
        assert np.frombuffer(told.raw_output_contents[0], np.int32).tolist() == (2 * row).tolist()

    def health():
        told = call("grpc.health.v1.Health", "Check", message("grpc.health.v1.HealthCheckRequest")())
        assert told.status == 1

    for name, what in (("ModelMetadata", metadata), ("ModelInfer", infer), ("Health/Check", health)):
        report.attempt("call", name, what)
report.write()
