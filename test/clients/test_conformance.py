"""ONNX's backend conformance cases that bare onnxruntime passes, through JSON, binary and gRPC: none may differ."""

import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient

import conformance
import models
from gateway import running


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    cases, _ = conformance.collect()
    folder = tmp_path_factory.mktemp("conformance") / "models"
    for name, model, _, _ in cases:
        models.save(folder, name, model, config="max_batch_size: 0\n")
    with running(folder, "--strict-readiness", "false") as gateway:
        gateway.wait_live("/v2/health/ready", 300)
        yield gateway, cases


def test_no_case_differs(served):
    gateway, cases = served
    assert len(cases) >= min(conformance.SAMPLE, 1000)
    counts = dict.fromkeys(conformance.FORMS, 0)
    with httpclient.InferenceServerClient(gateway.http, network_timeout=120) as http, grpcclient.InferenceServerClient(gateway.grpc) as grpc:
        for case in cases:
            for form, ask in conformance.FORMS.items():
                if conformance.not_over(form, case) is None:
                    ask(case, http, grpc)
                    counts[form] += 1
    print("conformance cases equal:", counts)
