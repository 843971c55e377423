"""Serves the model.onnx beside it by onnxruntime in Triton's Python backend (the PyPI wheel has no ONNX Runtime backend)."""

import os

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton

TYPES = {"tensor(float)": "TYPE_FP32", "tensor(int64)": "TYPE_INT64"}
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model.onnx")


def session():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(FILE, options, providers=["CPUExecutionProvider"])


def tensor_config(tensor):
    dims = [size if isinstance(size, int) else -1 for size in tensor.shape]
    return {"name": tensor.name, "data_type": TYPES[tensor.type], "dims": dims[1:]}


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        loaded = session()
        for tensor in loaded.get_inputs():
            config.add_input(tensor_config(tensor))
        for tensor in loaded.get_outputs():
            config.add_output(tensor_config(tensor))
        return config

    def initialize(self, _):
        self.session = session()
        self.inputs = [tensor.name for tensor in self.session.get_inputs()]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        feeds = {name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
        names = list(request.requested_output_names())
        values = self.session.run(names, feeds)
        return triton.InferenceResponse(
            [triton.Tensor(name, np.ascontiguousarray(value)) for name, value in zip(names, values)]
        )
