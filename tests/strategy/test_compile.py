"""Where compiled code is kept."""

import subprocess
import sys
import tempfile

from volbal.strategy import compile as compiling


def test_the_key_changes_with_any_source(tmp_path):
    (tmp_path / "one.py").write_text("a = 1\n")
    (tmp_path / "two.py").write_text("b = 1\n")
    before = compiling.source_hash(tmp_path)
    (tmp_path / "two.py").write_text("b = 2\n")
    assert compiling.source_hash(tmp_path) != before


def test_the_environments_folder_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "asked"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    folders = compiling.candidate_folders()
    assert folders[:2] == [tmp_path / "asked", tmp_path / "user" / "volbal"]
    assert str(folders[2]).startswith(tempfile.gettempdir())
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert len(compiling.candidate_folders()) == 2


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path):
    (tmp_path / "file").write_text("")
    blocked = tmp_path / "file" / "folder"
    assert compiling.first_writable([blocked, tmp_path / "free"]) == tmp_path / "free"
    assert compiling.first_writable([blocked]) is None


def test_nowhere_to_write_still_compiles(monkeypatch):
    monkeypatch.setattr(compiling, "cache_folder", lambda: None)
    assert compiling.compiled(lambda number: number + 1.0)(1.0) == 2.0


def test_the_core_imports_only_the_standard_library_numpy_and_numba():
    program = (
        "import sys, volbal.strategy\n"
        "wrong = {'django', 'pandas', 'celery'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(wrong)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
