"""Reads the Parquet files of a payload log with pyarrow: read_payload_log.py ANSWERED FAILED FOLDER"""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

answered, failed, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
dataset = ds.dataset(folder, format="parquet")
types = {field.name: field.type for field in dataset.schema}
expected = {
    "time": pa.timestamp("ms", tz="UTC"),
    "version": pa.int64(),
    "id": pa.string(),
    "latency_us": pa.float64(),
    "route": pa.string(),
    "sample_rate": pa.float64(),
    "trace_id": pa.string(),
    "batch_rows": pa.int64(),
    "compute_us": pa.float64(),
    "cost": pa.float64(),
    "input_data": pa.binary(),
    "output_data": pa.binary(),
}
for name, kind in expected.items():
    assert types[name] == kind, (name, types[name])
rows = dataset.to_table().to_pylist()
good = [row for row in rows if row["error"] is None]
assert len({row["id"] for row in rows}) == len(rows) == answered + failed, len(rows)
assert len(good) == answered, len(good)
for row in good:
    number = int(row["id"])
    assert row["model"] == "digits" and row["version"] >= 1 and row["route"] == "default", row
    assert row["sample_rate"] == 1 and row["latency_us"] > 0 and row["compute_us"] > 0 and row["batch_rows"] >= 1, row
    assert row["device_us"] > 0 and abs(row["cost"] / row["device_us"] - 0.4 / 3600e6) < 1e-16, row
    assert row["trace_id"] == f"{number + 1:032x}", row
    assert json.loads(row["headers"]) == {"authorization": "***", "user-agent": "check"}, row
    assert json.loads(row["parameters"]) == {"user": "***"}, row
    assert row["tenant"].startswith("hmac-sha256:"), row
    (tensor,) = json.loads(row["inputs"])
    array = np.frombuffer(row["input_data"], np.float32).reshape(tensor["shape"])
    assert (array == (number * 64 + np.arange(64)).reshape(1, 64) % 17).all(), number
    assert sum(tensor["bytes"] for tensor in json.loads(row["outputs"])) == len(row["output_data"]) > 0, row
for row in rows:
    if row["error"] is not None:
        assert row["error"] == "MISSING_INPUT" and row["output_data"] == b"", row
print(
    f"pyarrow {pa.__version__} reads {len(rows)} rows of {len(dataset.files)} files as they were sent"
    f" ({answered} answered with their cost, {failed} failed)"
)
