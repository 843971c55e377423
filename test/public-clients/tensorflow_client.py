"""The stubs of tensorflow-serving-api: PredictionService and ModelService. TensorFlow itself is not imported: the messages are enough."""

import grpc
import numpy as np
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow_serving.apis import classification_pb2, get_model_metadata_pb2, get_model_status_pb2, model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc

from report import Report
from served import gateway, usual

report = Report()
X = np.arange(8, dtype=np.int32).reshape(2, 4)
DT = {np.dtype(np.int32): types_pb2.DT_INT32, np.dtype(np.float32): types_pb2.DT_FLOAT}


def tensor(array, packed=True):
    shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=n) for n in array.shape])
    told = tensor_pb2.TensorProto(dtype=DT[array.dtype], tensor_shape=shape)
    if packed:
        told.tensor_content = array.tobytes()
    else:
        (told.int_val if array.dtype == np.int32 else told.float_val).extend(array.reshape(-1).tolist())
    return told


def array(told):
    shape = [d.size for d in told.tensor_shape.dim]
    kind = {v: k for k, v in DT.items()}[told.dtype]
    if told.tensor_content:
        return np.frombuffer(told.tensor_content, kind).reshape(shape)
    return np.array(told.int_val if kind == np.int32 else told.float_val, kind).reshape(shape)


with gateway(usual) as served, grpc.insecure_channel(served.grpc) as channel:
    predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    status = model_service_pb2_grpc.ModelServiceStub(channel)

    def predict(packed=True, version=None):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "addsub"
        request.model_spec.signature_name = "serving_default"
        if version is not None:
            request.model_spec.version.value = version
        for name in ("a", "b"):
            request.inputs[name].CopyFrom(tensor(X, packed))
        told = predictions.Predict(request, timeout=30)
        assert (array(told.outputs["sum"]) == 2 * X).all() and told.model_spec.version.value == 1

    def filtered():
        request = predict_pb2.PredictRequest(output_filter=["difference"])
        request.model_spec.name = "addsub"
        for name in ("a", "b"):
            request.inputs[name].CopyFrom(tensor(X))
        assert list(predictions.Predict(request, timeout=30).outputs) == ["difference"]

    def model_status():
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "addsub"
        told = status.GetModelStatus(request, timeout=30).model_version_status
        assert [(s.version, s.state) for s in told] == [(1, get_model_status_pb2.ModelVersionStatus.AVAILABLE)]

    def metadata():
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = "addsub"
        told = get_model_metadata_pb2.SignatureDefMap()
        assert predictions.GetModelMetadata(request, timeout=30).metadata["signature_def"].Unpack(told)
        assert set(told.signature_def["serving_default"].inputs) == {"a", "b"}

    def code_of(call, request):
        try:
            call(request, timeout=30)
        except grpc.RpcError as error:
            return error.code()
        return None

    def unknown():
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "nobody"
        assert code_of(predictions.Predict, request) == grpc.StatusCode.NOT_FOUND

    def wrong_input():
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "addsub"
        request.inputs["q"].CopyFrom(tensor(X))
        assert code_of(predictions.Predict, request) == grpc.StatusCode.INVALID_ARGUMENT

    def not_a_classifier():
        request = classification_pb2.ClassificationRequest()
        request.model_spec.name = "addsub"
        assert code_of(predictions.Classify, request) == grpc.StatusCode.INVALID_ARGUMENT

    for group, case, what in (
        ("Predict", "tensor_content", predict), ("Predict", "typed values", lambda: predict(False)), ("Predict", "a version", lambda: predict(version=1)),
        ("Predict", "output_filter", filtered), ("Predict", "unknown model", unknown), ("Predict", "unknown input", wrong_input),
        ("Classify", "no examples", not_a_classifier), ("GetModelMetadata", "signature_def", metadata), ("GetModelStatus", "a model", model_status),
    ):
        report.attempt(group, case, what)
report.write()
