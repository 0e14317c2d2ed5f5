import pytest

import reference
import tokens
from attacks import Reviving
from server import BINARY, MODEL, Server


def pytest_configure(config):
    for path, target in ((BINARY, "build"), (MODEL / "config.json", "model")):
        if not path.exists():
            pytest.exit(f"there is no {path}: call make {target}", returncode=2)


def pytest_make_parametrize_id(config, val, argname):
    """The same in all processes that share the tests, though gzip's bytes have the time in them."""
    if isinstance(val, bytes) and not val.isascii():
        return f"{len(val)}-bytes"
    return None


@pytest.fixture(scope="session")
def log(tmp_path_factory):
    with open(tmp_path_factory.mktemp("logs") / "server.log", "w") as file:
        yield file


@pytest.fixture(scope="session")
def server(log):
    with Server(log=log) as running:
        yield running


@pytest.fixture(scope="module")
def reviving(log):
    with Reviving(log=log) as servers:
        yield servers


@pytest.fixture
def victim(reviving):
    """A server for attacks: another one if the test before has ended it."""
    return reviving.running


@pytest.fixture(scope="session")
def exact():
    """The model in float64."""
    return reference.Reference(MODEL)


@pytest.fixture(scope="session")
def tokenizer(exact):
    """Hugging Face's, with as many tokens as the model has positions."""
    return tokens.tokenizer(MODEL, exact.positions)
