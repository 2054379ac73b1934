import sys
from pathlib import Path

import pytest

from tests import run, services
from tests.run import Outcome, Part


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "ROOT", tmp_path)
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert False\n"
        "@pytest.mark.skip(reason='no')\ndef test_left_out(): pass\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")


PLAIN = ("-p", "no:django", "-p", "no:cacheprovider")


@pytest.mark.usefixtures("_here")
def test_a_part_is_counted() -> None:
    outcome = run.run(Part("some", PLAIN), [])
    assert (outcome.passed, outcome.failed, outcome.skipped) == (1, 1, 1)


@pytest.mark.usefixtures("_here")
def test_a_run_that_breaks_down_is_a_failure() -> None:
    outcome = run.run(Part("some", (*PLAIN, "--no-such-option")), [])
    assert (outcome.passed, outcome.failed) == (0, 1)


@pytest.mark.usefixtures("_here")
def test_a_part_without_tests_did_not_run() -> None:
    assert run.run(Part("some", (*PLAIN, "-k", "nothing_is_called_so")), []).why_not == "no test is marked for it"


def _outcomes(monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome) -> None:
    waiting = iter(outcomes)
    monkeypatch.setattr(run, "parts", lambda: [Part(one.name, ()) for one in outcomes])
    monkeypatch.setattr(run, "run", lambda *_: next(waiting))


def _ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["run", *arguments])
    with pytest.raises(SystemExit) as stopped:
        run.main()
    return stopped.value.code


def test_the_last_lines_say_what_ran_and_what_did_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    _outcomes(monkeypatch, Outcome("one", 5, 0, 1, 2.0), Outcome("two", why_not="it is not here"))
    assert _ended(monkeypatch) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "  ran          one: 5 passed, 0 failed, 1 skipped, 2 s",
        "  did not run  two: it is not here",
        "5 passed, 0 failed, 1 skipped",
    ]


def test_in_ci_a_part_that_did_not_run_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    _outcomes(monkeypatch, Outcome("one", 5, 0, 0, 2.0), Outcome("two", why_not="it is not here"))
    assert _ended(monkeypatch) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "5 passed, 1 failed, 0 skipped"


def test_a_failed_test_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    _outcomes(monkeypatch, Outcome("one", 5, 2, 0, 2.0))
    assert _ended(monkeypatch) == 1


def test_each_run_has_a_test_database_of_its_own() -> None:
    address = run._own_database("postgresql://postgres@/postgres?host=/var/run/postgresql")
    assert address.startswith("postgresql://postgres@/volbal_")
    assert address.endswith("?host=/var/run/postgresql")


def test_services_that_do_not_answer_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("TEST_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(services, "BROWSERS", ("no-such-browser",))
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert services.postgresql().why_not.startswith("PostgreSQL does not answer (")
    assert services.redis_server().why_not.startswith("Redis does not answer (")
    assert services.chromium().why_not == "Chromium is not installed (on Debian: apt-get install chromium)"
