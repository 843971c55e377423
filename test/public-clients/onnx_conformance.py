"""ONNX's backend conformance cases that bare ONNX Runtime passes, served: JSON, binary tensors and gRPC have to give its bits."""

import sys

from report import Report
from served import ROOT, running  # first: puts test/clients on the path

import pathlib
import tempfile

import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient

import conformance
import models

assert ROOT

report = Report()
cases, left_out = conformance.collect()
for why, count in left_out.items():
    report.leave_out(why, count)

with tempfile.TemporaryDirectory(prefix="penstock-conformance-") as scratch:
    folder = pathlib.Path(scratch) / "models"
    for name, model, _, _ in cases:
        models.save(folder, name, model, config="max_batch_size: 0\n")
    with running(folder, "--strict-readiness", "false", "--state-dir", "off") as served:
        served.wait_live("/v2/health/ready", 600)
        with httpclient.InferenceServerClient(served.http, network_timeout=120) as http, grpcclient.InferenceServerClient(served.grpc) as grpc:
            for case in cases:
                for form, ask in conformance.FORMS.items():
                    why = conformance.not_over(form, case)
                    if why is not None:
                        report.leave_out(why)
                        continue
                    report.attempt(form, case[0], lambda: ask(case, http, grpc))

print(f"{len(cases)} of {len(cases) + sum(left_out.values())} cases are served", file=sys.stderr)
report.write()
