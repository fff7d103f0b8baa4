"""The demo, for whoever wants a town with a year behind it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.timebank.demo_data import Demo, made_once


@pytest.fixture(scope="session")
def demo_original(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo as the command makes it; nobody changes this one."""
    own = tmp_path_factory.getbasetemp()
    return made_once(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture
def demo_data(demo_original: Demo, tmp_path: Path) -> Demo:
    """A copy of the demo that the test may change."""
    copy = tmp_path / "demo"
    shutil.copytree(demo_original.data, copy)
    copy.chmod(0o700)
    return Demo(copy, demo_original.printed)
