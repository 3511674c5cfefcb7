"""This work tree beside another commit: what is told, and what is said when it cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.compare import report
from bench.trees import CannotCompareError, Tree, check, checked_out, fill, make_key, worktree
from tests.bench.test_report import FIGURES, turns

ROUNDS = 8
ROOT = Path(__file__).parents[2]


def test_a_comparison_tells_ratios_and_verdicts() -> None:
    fast, slow = turns(*[120] * ROUNDS, server_cpu_ms=1, peak_bytes=1e8), turns(*[100] * ROUNDS, server_cpu_ms=2)
    sides = {"base": [one | {"peak_bytes": 2e8} for one in slow], "this": fast}
    even = {"base": turns(*[90, 110] * 4, peak_bytes=1), "this": turns(*[110, 90] * 4, peak_bytes=1)}
    told = {
        "machine": FIGURES["machine"], "trees": {"this": "abc", "base": "def"}, "events": 5, "rounds": ROUNDS,
        "seconds": 1, "rates": {"one": sides, "page": even}, "left_out": ["gone: def answers with 404"],
    }  # fmt: skip
    lines = list(report(told))
    assert "| one | 100 | 120 | 1.20 (1.20 to 1.20) | faster | 0.50 (0.50 to 0.50) | cheaper |  |  | 1.000 |" in lines
    assert any(line.startswith("| page |") and "no difference beyond the spread" in line for line in lines)
    assert "\nPeak of a server process: 100 MB, before 200 MB." in lines
    assert lines[-3:] == ["Faster: one.", "Slower: nothing for certain.", "Left out: gone: def answers with 404."]


def test_a_commit_is_checked_out_for_a_while() -> None:
    with worktree("HEAD") as folder:
        assert (folder / "service" / "__main__.py").is_file()
    assert not folder.exists()
    listed = subprocess.run(["git", "worktree", "list"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert str(folder) not in listed


def test_a_commit_that_is_not_there_is_said() -> None:
    with pytest.raises(CannotCompareError, match="no commit '--upload-pack=x'"), checked_out("--upload-pack=x"):
        pass


def test_a_tree_without_what_is_needed_is_said(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "__main__.py").touch()
    with pytest.raises(CannotCompareError, match=r"abc has no requirements/dev.txt and no .*bench/loading.py, without"):
        check(tmp_path, "abc")


def test_a_tree_runs_its_own_code_and_its_failure_is_told(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "loading.py").write_text("raise SystemExit('there is no such thing')")
    with pytest.raises(CannotCompareError, match="abc fails at loading made-up events:\nthere is no such thing"):
        fill(Tree("abc", tmp_path), "postgresql://", 1)


def test_a_key_is_read_from_what_the_command_says(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text("print('made dl_abc:', 'dl_abc_secret')")
    assert make_key(Tree("abc", tmp_path), "postgresql://") == "dl_abc_secret"


def test_the_command_fails_in_words() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.compare", "no-such-commit"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "cannot compare: there is no commit 'no-such-commit'\n"
