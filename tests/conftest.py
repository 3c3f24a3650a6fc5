"""What all tests share: a private data cache, quiet libraries, small federations."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests import processes
from tests.browser import Browser, available

os.environ.update(FLWR_TELEMETRY_ENABLED="0", RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
# Ray's workers stand back behind any other process unless told otherwise: beside a busy one a suite would stand still.
os.environ.update(RAY_worker_niceness="0")
# PyTorch's threads only get in each other's way with matrices as small as these.
os.environ["OMP_NUM_THREADS"] = "1"
# Every process that a test starts would compile all our modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A shell's background jobs begin deaf to Ctrl-C, and what they start stays so.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _signal in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(_signal, signal.SIG_DFL)

REPOSITORY = Path(__file__).parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks at pages in a browser belongs to that suite, and slow tests on Ray to theirs."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "browser" in fixtures:
            item.add_marker("browser")
        if "two_workers" in fixtures and item.get_closest_marker("slow"):
            item.add_marker("ray")


@pytest.fixture(scope="session", autouse=True)
def _marked() -> Iterator[None]:
    with processes.marked():
        yield


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    processes.end_started()


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["HOTHOUSE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def quickstart() -> Path:
    """The scenario that ships as the first one to run."""
    return REPOSITORY / "scenarios" / "quickstart.yaml"


@pytest.fixture(scope="session")
def two_workers() -> Iterator[None]:
    """A Ray that stays up for all tests of a session that want one in this process."""
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium."""
    if not available():
        pytest.fail("no chromium and chromedriver here")
    window = Browser(tmp_path_factory.mktemp("browser"))
    yield window
    window.close()


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    """An archive of 240 training and 40 test examples with 6 features and 3 classes."""
    rng = np.random.default_rng(3)
    y = np.arange(280) % 3
    x = rng.normal(size=(280, 6)).astype(np.float32) + y[:, None]
    path = tmp_path / "rows.npz"
    np.savez(path, x_train=x[:240], y_train=y[:240], x_test=x[240:], y_test=y[240:])
    return path


def shared_data(name: str) -> Path:
    """Real data beside the repository; the test is skipped where there is none."""
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"no {name} beside the repository")
    return path
