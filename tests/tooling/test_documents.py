import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)")
READ = re.compile(r"""env(?:\.\w+)?\(\s*"([A-Z_]+)\"""")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    links = [link for link in LINK.findall(document.read_text()) if "://" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_variable_that_settings_read_is_explained() -> None:
    read = {name for path in (ROOT / "volbal" / "settings").glob("*.py") for name in READ.findall(path.read_text())}
    explained = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    # Only the test settings read it, and make test has no use for it.
    assert read - explained == {"CELERY_TASK_ALWAYS_EAGER"}


def test_every_make_target_that_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for path in DOCUMENTS for name in re.findall(r"`make ([a-z]+)", path.read_text())}
    assert named - targets == set()


def test_every_command_that_documents_name_exists() -> None:
    commands = {path.stem for path in ROOT.glob("*/**/management/commands/*.py")}
    django = {"migrate", "collectstatic", "check", "createsuperuser"}
    named = {name for path in DOCUMENTS for name in re.findall(r"manage\.py ([a-z_]+)", path.read_text())}
    assert named - commands - django == set()
