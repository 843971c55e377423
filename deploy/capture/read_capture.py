"""Reads capture files with pyarrow: read_capture.py REQUESTS FILE..."""

import json
import sys

import numpy as np
import pyarrow.parquet as pq

requests, files = int(sys.argv[1]), sys.argv[2:]
TYPES = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64, "INT32": np.int32}
seen = set()
for file in files:
    table = pq.read_table(file)
    types = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert types["time"] == "timestamp[ms, tz=UTC]" and types["version"] == "int64", types
    assert types["input_data"] == "binary" and types["latency_us"] == "double", types
    for row in table.to_pylist():
        number = int(row["id"])
        assert number not in seen and row["model"] == "digits" and row["error"] is None and row["latency_us"] > 0, row
        seen.add(number)
        for described, data in (("inputs", "input_data"), ("outputs", "output_data")):
            at = 0
            for tensor in json.loads(row[described]):
                part = row[data][at : at + tensor["bytes"]]
                at += tensor["bytes"]
                if tensor["datatype"] not in TYPES:
                    continue
                array = np.frombuffer(part, TYPES[tensor["datatype"]]).reshape(tensor["shape"])
                if described == "inputs":
                    assert (array == (number * 64 + np.arange(64)).reshape(1, 64) % 17).all(), number
            assert at == len(row[data]), (number, described)
assert len(seen) == requests, f"{len(seen)} of {requests} requests"
print(f"pyarrow {__import__('pyarrow').__version__} reads {requests} requests of {len(files)} files as they were sent")
