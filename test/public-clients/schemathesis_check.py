"""schemathesis on the OpenAPI document of a running gateway: no status of 500, and answers as the document has them."""

import pathlib
import re
import subprocess
import sys
import sysconfig
import tempfile

from report import Report
from served import gateway, usual

report = Report()
PROGRAM = pathlib.Path(sysconfig.get_path("scripts")) / "schemathesis"
CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance"
EXAMPLES = "10"

# What is not served says so with 501, as the document has it.
SETTINGS = """[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "501"]
"""

with tempfile.TemporaryDirectory() as scratch, tempfile.NamedTemporaryFile("w", suffix=".toml") as settings, gateway(usual) as served:
    url = f"http://{served.http}/v2/docs/openapi.json"
    settings.write(SETTINGS)
    settings.flush()
    command = [str(PROGRAM), "--config-file", settings.name, "run", url, "--url", f"http://{served.http}", "--checks", CHECKS, "-n", EXAMPLES, "--seed", "7", "--generation-deterministic", "--phases", "examples,coverage,fuzzing", "--request-timeout", "20", "--max-time", "240", "--max-failures", "100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, cwd=scratch)
    told = done.stdout + done.stderr
    print(told[-40000:], file=sys.stderr)
    assert served.process.poll() is None, "the gateway ended"
    sections = re.split(r"^_{3,} (.+?) _{3,}$", told.split("= SUMMARY =")[0], flags=re.M)
    failures = dict(zip(sections[1::2], sections[2::2]))
    operations = int(re.search(r"Tested: (\d+)", told).group(1))
    if done.returncode == 0:
        report.held("operations", operations)
    else:
        for name, text in (failures or {f"ended with {done.returncode}": told[-500:]}).items():
            report.differs("operations", name, " ".join(text.split())[:500])
        report.held("operations", max(0, operations - len(failures)))
report.write()
