"""The soak goes on where it stopped, forgets nothing, and is not content with a blind control."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.faults import soak
from tests.faults.plan import Fault, Outcome


def fine(seed: int, folder: Path) -> Outcome:
    (folder / "left").write_text("thrown away")
    return Outcome({"kills": 3, "acknowledged": 10})


def lossy(seed: int, folder: Path) -> Outcome:
    return Outcome({"kills": 3}, ("one of ten is lost",))


def broken(seed: int, folder: Path) -> Outcome:
    raise RuntimeError("it never started")


def named(*faults: Fault) -> dict[str, Fault]:
    return {fault.name: fault for fault in faults}


def kept(file: Path, name: str = "a") -> dict[str, object]:
    found: dict[str, dict[str, object]] = json.loads(file.read_text())
    return found[name]


def test_it_runs_until_there_is_enough_and_no_longer(tmp_path: Path) -> None:
    file = tmp_path / "soak.json"
    faults = named(Fault("a", "kills", 3, 10, fine), Fault("b", "kills", 3, 6, fine))
    soak.run(faults, file)
    soak.run(faults, file)
    assert kept(file)["counts"] == {"kills": 12, "acknowledged": 40}
    assert kept(file, "b")["trials"] == 2


def test_another_run_goes_on_where_one_was_stopped(tmp_path: Path) -> None:
    file = tmp_path / "soak.json"
    soak.run(named(Fault("a", "kills", 3, 6, fine)), file)
    soak.run(named(Fault("b", "kills", 3, 3, fine)), file)
    soak.run(named(Fault("a", "kills", 3, 9, fine)), file)
    assert kept(file)["trials"] == 3
    assert kept(file, "b")["trials"] == 1


def test_what_went_wrong_is_kept_with_the_command_that_shows_it_again(tmp_path: Path) -> None:
    file = tmp_path / "soak.json"
    fault = Fault("a", "kills", 3, 3, lossy)
    soak.run(named(fault), file)
    (failed,) = soak.load(file, named(fault))["a"].failed
    assert failed["wrong"] == ["one of ten is lost"]
    assert failed["replay"] == f"./dev soak --replay a:{failed['seed']}"
    assert soak.load(file, named(fault))["a"].is_bad(fault)


def test_a_trial_that_breaks_down_went_wrong_and_is_not_tried_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "soak.json"
    fault = Fault("a", "kills", 3, 3, broken)
    soak.run(named(fault), file)
    record = soak.load(file, named(fault))["a"]
    assert record.is_bad(fault)
    assert "it never started" in record.failed[0]["wrong"][0]


def test_a_trial_in_which_nothing_happened_went_wrong(tmp_path: Path) -> None:
    idle = Fault("a", "kills", 3, 3, lambda seed, folder: Outcome({"acknowledged": 5}))
    assert soak.once(idle, 1).wrong == ("the trial had no kills",)


def test_a_control_has_to_go_wrong(tmp_path: Path) -> None:
    file = tmp_path / "soak.json"
    blind = Fault("blind", "kills", 3, 3, fine, control=True)
    seen = Fault("seen", "kills", 3, 3, lossy, control=True)
    soak.run(named(blind, seen), file)
    records = soak.load(file, named(blind, seen))
    assert records["blind"].is_bad(blind)
    assert not records["seen"].is_bad(seen)
    assert "the harness is blind" in soak.table(named(blind), records)


def test_every_registered_fault_is_in_the_table_and_nothing_runs_without_time(
    tmp_path: Path,
) -> None:
    file = str(tmp_path / "soak.json")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.soak", "--minutes", "0", "--report", file],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in soak.all_faults():
        assert f"| `{name}` | 0 " in done.stdout


def test_every_fault_is_explained_in_the_docs_and_none_is_made_up() -> None:
    text = (Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
    explained = re.findall(r"(?m)^\| (`[^|]+) \|", text.partition("## Figures")[0])
    named = re.findall(r"`([a-z-]+)`", " ".join(explained))
    assert sorted(named) == sorted(soak.all_faults())
