"""Each planted fault is seen by the test that is there to see it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.faults import twins
from tests.faults.sabotage import TWINS, Twin
from tests.faults.twins import ROOT
from tests.faults.warm import Warm
from tests.infrastructure.postgres import Server

CONTROL = "tests/ledger/test_decide.py"


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """A process that has read the libraries, for all the runs here."""
    with Warm() as process:
        yield process


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_a_planted_fault_turns_its_test_red(
    warm: Warm, twin: Twin, postgres_server: Server
) -> None:
    ran = twins.seen(warm, twin, postgres_server.url("postgres"))
    assert ran.red(twin.test), f"{ran.code} {ran.failed}\n{ran.printed}"


def test_an_untouched_copy_stays_green(warm: Warm) -> None:
    with twins.copied() as folder:
        ran = twins.run(warm, folder, CONTROL)
    assert (ran.code, ran.failed) == (0, ()), ran.printed


def test_a_copy_runs_its_own_modules_and_not_the_installed_ones(warm: Warm) -> None:
    with twins.copied() as folder:
        marked = Twin("marked", "ledger/__init__.py", "__all__ = [", "MARK = 1\n__all__ = [", "")
        twins.plant(marked, folder)
        (folder / "tests" / "test_marked.py").write_text(
            "import ledger, timebank, web\n\n\n"
            "def test_marked():\n"
            f"    assert ledger.MARK == 1\n"
            f"    assert all(m.__file__.startswith({str(folder)!r}) for m in (timebank, web))\n"
        )
        ran = twins.run(warm, folder, "tests/test_marked.py")
    assert (ran.code, ran.failed) == (0, ()), ran.printed


def test_a_copy_that_reads_a_module_from_elsewhere_is_noticed(warm: Warm) -> None:
    with twins.copied() as folder:
        (folder / "tests" / "test_strayed.py").write_text(
            "import sys\n\n\n"
            "def test_strayed():\n"
            f"    sys.path.insert(0, {str(ROOT)!r})\n"
            "    for name in [n for n in sys.modules if n.partition('.')[0] == 'ledger']:\n"
            "        del sys.modules[name]\n"
            "    import ledger\n"
        )
        ran = twins.run(warm, folder, "tests/test_strayed.py")
    assert any("ledger comes from" in one for one in ran.failed)
    assert not ran.red("tests/test_strayed.py::test_strayed")


def test_a_test_that_cannot_even_start_does_not_count_as_red(warm: Warm) -> None:
    broken = Twin("broken", "ledger/minutes.py", "ZERO = Minutes(0)\n", "", CONTROL)
    ran = twins.seen(warm, broken)
    assert ran.code not in (0, 1) or ran.failed
    assert not ran.red(f"{CONTROL}::test_anything")
    assert not ran.red(CONTROL)


def test_every_twin_has_a_name_and_a_test_of_its_own() -> None:
    assert len({twin.name for twin in TWINS}) == len(TWINS) >= 25
    for twin in TWINS:
        file, _, name = twin.test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(), twin.test
        assert (ROOT / twin.file).read_text().count(twin.old) == 1, twin.name


def test_the_table_can_be_asked_for_some_of_them() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.twins", "no such twin"], cwd=ROOT, check=False
    )
    assert done.returncode == 0
