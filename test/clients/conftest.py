import os
import pathlib

import pytest

import models
from gateway import ROOT, running

CACHE = pathlib.Path(os.environ.get("PENSTOCK_TEST_CACHE", ROOT / ".cache" / "test-models"))


@pytest.fixture(scope="session")
def type_repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("types") / "models"
    models.every_type(folder)
    models.two_inputs(folder)
    models.mlp(folder)
    return folder


@pytest.fixture(scope="session")
def gateway(type_repository):
    """Serves one model per data type, `addsub` and `mlp`, in explicit mode with all loaded."""
    with running(type_repository, "--model-control-mode", "explicit", "--load-model", "*") as g:
        g.wait_live("/v2/health/ready")
        yield g


@pytest.fixture(scope="session")
def real_repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real") / "models"
    models.real_models(folder, CACHE)
    return folder


@pytest.fixture(scope="session")
def real_gateway(real_repository):
    with running(real_repository) as g:
        g.wait_live("/v2/health/ready")
        yield g
