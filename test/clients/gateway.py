"""Starts a gateway on free ports over a repository, for tests with the stock clients."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


PR_SET_PDEATHSIG = 1
# Before the fork: nothing may be loaded in between it and exec.
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent():
    """In the child: a run of the tests that is killed leaves no gateway behind."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Gateway:
    def __init__(self, repository, *flags):
        self.http_port, self.grpc_port, self.metrics_port = free_ports(3)
        node = os.environ.get("PENSTOCK_NODE", "node")
        always = os.environ.get("PENSTOCK_TEST_FLAGS", "").split()
        command = [node, str(ROOT / "dist/cli/penstock.cjs"), "serve", str(repository), *always, *flags]
        command += ["--http-port", str(self.http_port), "--grpc-port", str(self.grpc_port), "--metrics-port", str(self.metrics_port)]
        self.log_path = pathlib.Path(repository).parent / f"gateway-{self.http_port}.log"
        self.log = open(self.log_path, "w")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, preexec_fn=end_with_parent)

    @property
    def http(self):
        return f"127.0.0.1:{self.http_port}"

    @property
    def grpc(self):
        return f"127.0.0.1:{self.grpc_port}"

    def wait_live(self, path="/v2/health/live", seconds=120):
        end = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"the gateway ended with {self.process.returncode}:\n{self.log_path.read_text()[-4000:]}")
            try:
                with urllib.request.urlopen(f"http://{self.http}{path}", timeout=2) as r:
                    if r.status == 200:
                        return self
            except OSError:
                pass
            if time.monotonic() > end:
                raise RuntimeError(f"the gateway does not answer:\n{self.log_path.read_text()[-4000:]}")
            time.sleep(0.05)

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as r:
            return r.read().decode()

    def stop(self, seconds=60):
        """SIGTERM; the exit code. Killing is a failure of its own."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"the gateway did not stop in {seconds} s:\n{self.log_path.read_text()[-4000:]}") from None
        finally:
            self.log.close()
        return code


@contextlib.contextmanager
def running(repository, *flags):
    gateway = Gateway(repository, *flags)
    try:
        yield gateway.wait_live()
    finally:
        code = gateway.stop()
        assert code == 0, f"the gateway ended with {code}:\n{gateway.log_path.read_text()[-4000:]}"
