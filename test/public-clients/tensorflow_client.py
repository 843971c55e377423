"""The stubs of tensorflow-serving-api: PredictionService and ModelService. TensorFlow itself is not imported: the messages are enough."""

import json

import grpc
import numpy as np
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from onnx import TensorProto as T
from onnx import helper, numpy_helper
from report import Report
from served import gateway, models, usual

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


SIGNATURES = json.dumps(
    {
        "by_class": {"method": "classify", "inputs": {"features": "x"}, "outputs": {"scores": "twice"}},
        "by_value": {"method": "regress", "inputs": {"features": "x"}, "outputs": {"outputs": "sum"}},
        "renamed": {"inputs": {"features": "x"}, "outputs": {"total": "sum"}},
    }
)
CONFIG = f"""max_batch_size: 8
parameters {{ key: "penstock.signatures" value {{ string_value: '{SIGNATURES}' }} }}
"""


def fill(folder):
    usual(folder)
    nodes = [helper.make_node("Add", ["x", "x"], ["twice"]), helper.make_node("ReduceSum", ["x", "one"], ["sum"], keepdims=1)]
    axis = numpy_helper.from_array(np.array([1], np.int64), "one")
    io = [("x", T.FLOAT, ["batch", 2]), ("twice", T.FLOAT, ["batch", 2]), ("sum", T.FLOAT, ["batch", 1])]
    graph = models.graph(nodes, io[:1], io[1:], [axis])
    for version in (1, 2):
        models.save(folder, "signed", graph, version=version, config=CONFIG)


EXPLICIT = ("--model-control-mode=explicit", "--load-model=*")

with gateway(fill, *EXPLICIT) as served, grpc.insecure_channel(served.grpc) as channel:
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

    def examples(target):
        for row in ([1.0, 2.0], [0.5, 0.25]):
            target.example_list.examples.add().features.feature["features"].float_list.value.extend(row)

    def signed(call, message, name):
        message.model_spec.name = "signed"
        message.model_spec.signature_name = name
        return call(message, timeout=30)

    def multi_inference():
        request = inference_pb2.MultiInferenceRequest()
        for name, method in (("by_value", "regress"), ("by_class", "classify")):
            task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
            task.model_spec.name = "signed"
            task.model_spec.signature_name = name
        examples(request.input)
        told = predictions.MultiInference(request, timeout=30).results
        assert [one.value for one in told[0].regression_result.regressions] == [3.0, 0.75]
        assert [one.score for one in told[1].classification_result.classifications[0].classes] == [2.0, 4.0]
        assert [one.model_spec.signature_name for one in told] == ["by_value", "by_class"]

    def classify_signature():
        request = classification_pb2.ClassificationRequest()
        examples(request.input)
        told = signed(predictions.Classify, request, "by_class").result.classifications
        assert [one.score for one in told[1].classes] == [1.0, 0.5]

    def predict_signature():
        request = predict_pb2.PredictRequest()
        request.inputs["features"].CopyFrom(tensor(np.array([[1, 2]], np.float32)))
        told = signed(predictions.Predict, request, "renamed")
        assert array(told.outputs["total"]).tolist() == [[3.0]] and told.model_spec.signature_name == "renamed"

    def no_signature():
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "signed"
        request.model_spec.signature_name = "nobody"
        assert code_of(predictions.Predict, request) == grpc.StatusCode.FAILED_PRECONDITION

    def available(name="signed", label=""):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        if label:
            request.model_spec.version_label = label
        told = status.GetModelStatus(request, timeout=30).model_version_status
        return [s.version for s in told if s.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE]

    def reload(labels, **policy):
        request = model_management_pb2.ReloadConfigRequest()
        one = request.config.model_config_list.config.add(name="signed", base_path="/models/signed", model_platform="tensorflow")
        for kind, versions in policy.items():
            chosen = getattr(one.model_version_policy, kind)
            chosen.SetInParent()
            if kind == "specific":
                chosen.versions.extend(versions)
        for label, version in labels.items():
            one.version_labels[label] = version
        return status.HandleReloadConfigRequest(request, timeout=60)

    def versions():
        assert reload({}, all=()).status.error_code == 0 and available() == [2, 1] and available("addsub") == []
        reload({}, specific=[1])
        assert available() == [1]

    def labels():
        reload({"stable": 1, "canary": 2}, all=())
        assert available(label="stable") == [1] and available(label="canary") == [2]
        try:
            reload({"stable": 9})
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.FAILED_PRECONDITION and "not currently available for inference" in error.details()
        else:
            raise AssertionError("a label was put on a version that does not serve")

    def session_run():
        # The package has no stub of it.
        run = channel.unary_unary("/tensorflow.serving.SessionService/SessionRun")
        assert code_of(run, b"") == grpc.StatusCode.UNIMPLEMENTED

    for group, case, what in (
        ("Predict", "tensor_content", predict), ("Predict", "typed values", lambda: predict(False)), ("Predict", "a version", lambda: predict(version=1)),
        ("Predict", "output_filter", filtered), ("Predict", "unknown model", unknown), ("Predict", "unknown input", wrong_input),
        ("Classify", "no examples", not_a_classifier), ("GetModelMetadata", "signature_def", metadata), ("GetModelStatus", "a model", model_status),
        ("Predict", "a signature", predict_signature), ("Predict", "unknown signature", no_signature), ("Classify", "a signature", classify_signature),
        ("MultiInference", "two tasks", multi_inference), ("SessionService", "says that it is not offered", session_run),
        ("HandleReloadConfigRequest", "version policies", versions), ("HandleReloadConfigRequest", "labels", labels),
    ):
        report.attempt(group, case, what)
report.write()
