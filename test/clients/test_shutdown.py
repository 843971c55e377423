"""SIGTERM under load: every accepted request is answered, the exit code is 0, nothing is killed."""

import http.client
import json
import threading
import time

import models
from gateway import Gateway


def test_sigterm_under_load_loses_nothing(tmp_path):
    models.mlp(tmp_path / "models")
    gateway = Gateway(tmp_path / "models").wait_live("/v2/health/ready")
    body = json.dumps({"inputs": [{"name": "x", "shape": [1, 64], "datatype": "FP32", "data": [0.5] * 64}]}).encode()
    outcomes, lock, stop = [], threading.Lock(), threading.Event()

    def client(keep_alive):
        connection = None
        while not stop.is_set():
            try:
                if connection is None or not keep_alive:
                    connection = http.client.HTTPConnection("127.0.0.1", gateway.http_port, timeout=20)
                    connection.connect()
            except ConnectionRefusedError:
                outcome = "not accepted"
            else:
                try:
                    connection.request("POST", "/v2/models/mlp/infer", body)
                    answer = connection.getresponse()
                    data = json.load(answer)
                    outcome = len(data["outputs"][0]["data"]) == 10 if answer.status == 200 else f"status {answer.status}"
                except (OSError, http.client.HTTPException) as e:
                    outcome = f"lost: {e!r}"
            with lock:
                outcomes.append(outcome)
            if outcome is not True:
                return

    threads = [threading.Thread(target=client, args=(i % 2 == 0,)) for i in range(16)]
    for t in threads:
        t.start()
    time.sleep(1.5)
    code = gateway.stop()
    stop.set()
    for t in threads:
        t.join(30)
    assert code == 0
    assert sum(o is True for o in outcomes) > 100
    refused = [o for o in outcomes if o in ("status 503", "not accepted")]
    assert len(refused) == 16 and len(refused) + sum(o is True for o in outcomes) == len(outcomes), [o for o in outcomes if o is not True]


def test_a_second_signal_changes_nothing_and_live_stays_until_the_end(tmp_path):
    models.mlp(tmp_path / "models")
    gateway = Gateway(tmp_path / "models").wait_live("/v2/health/ready")
    gateway.process.terminate()
    assert gateway.stop() == 0
