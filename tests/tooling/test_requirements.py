import subprocess
import sys
from pathlib import Path

import pytest

from requirements import check, install


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one small set of requirements, in which a test changes what it is about."""
    (tmp_path / "base.in").write_text("django==5.2.*  # the framework\norjson\n")
    (tmp_path / "base.txt").write_text(
        "asgiref==3.13.0 \\\n    --hash=sha256:aa\n    # via django\n"
        "django==5.2.19 \\\n    --hash=sha256:bb\n    # via -r requirements/base.in\n"
        "orjson==3.13.0 \\\n    --hash=sha256:cc\n    # via\n    #   -r requirements/base.in\n    #   other\n"
    )
    monkeypatch.setattr(check, "HERE", tmp_path)
    return tmp_path


def _faults() -> list[str]:
    return check.differences(check.Lock("base"))


def test_a_lock_that_answers_what_is_asked_for_has_no_fault(locks: Path) -> None:
    assert _faults() == []


def test_a_requirement_added_without_locking_is_named(locks: Path) -> None:
    (locks / "base.in").write_text("django==5.2.*\norjson\nnumpy<3\n")
    assert _faults() == ["base.txt lacks numpy<3, which base.in asks for"]


def test_a_requirement_changed_without_locking_is_named(locks: Path) -> None:
    (locks / "base.in").write_text("django==6.0.*\norjson\n")
    assert _faults() == ["base.txt pins django 5.2.19, but base.in asks for django==6.0.*"]


def test_a_requirement_removed_without_locking_is_named(locks: Path) -> None:
    (locks / "base.in").write_text("django==5.2.*\n")
    assert _faults() == ["base.txt holds orjson, which nothing asks for"]


def test_a_pin_without_a_hash_is_named(locks: Path) -> None:
    text = (locks / "base.txt").read_text()
    (locks / "base.txt").write_text(text.replace(" \\\n    --hash=sha256:bb", ""))
    assert _faults() == ["base.txt pins django without a hash"]


def test_a_lock_that_names_where_packages_come_from_is_refused(locks: Path) -> None:
    address = "--index" + "-url https://packages.example"
    (locks / "base.txt").write_text(f"{address}\n" + (locks / "base.txt").read_text())
    assert _faults() == [f"base.txt names where packages come from: {address}"]


def test_the_locks_of_the_project_are_current() -> None:
    assert [fault for name in check.LOCKS + check.OPTIONAL for fault in check.differences(check.Lock(name))] == []


def test_what_is_optional_is_installed_beside_the_rest() -> None:
    production = check.Lock("production")
    assert [fault for name in check.OPTIONAL for fault in check.quarrels(production, check.Lock(name))] == []


def test_an_optional_lock_that_pins_otherwise_is_named(locks: Path) -> None:
    (locks / "extra.txt").write_text("orjson==2.0.0 \\\n    --hash=sha256:cc\n")
    assert check.quarrels(check.Lock("base"), check.Lock("extra")) == ["base.txt and extra.txt pin orjson differently"]


def test_an_environment_filled_from_the_same_lock_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "installed-base.txt").write_bytes((install.HERE / "base.txt").read_bytes())
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("nothing should be run"))
    monkeypatch.setattr(sys, "argv", ["install.py", "base", "--environment", str(tmp_path)])
    install.main()
    assert capsys.readouterr().out == ""


def test_an_environment_filled_from_another_lock_is_not_current(tmp_path: Path) -> None:
    (tmp_path / "installed-base.txt").write_text("django==1.0\n")
    assert not install.is_current(tmp_path, "base")


def test_a_python_too_old_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match=r"needs Python 3.11 or newer.*is 3.9.2") as stopped:
        install.require_version()
    assert "make run PYTHON=" in str(stopped.value)
