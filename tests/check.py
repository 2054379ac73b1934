"""`make check`: every check that runs no test. Each runs whatever came of the others; the end says which failed."""

import base64
import os
import secrets
import subprocess
import sys
import tempfile
import time

PYTHON = sys.executable
SHOWN_LINES = 80

# What a server's environment would hold; made up anew for each run and good for nothing else.
DEPLOYMENT = {
    "DJANGO_SETTINGS_MODULE": "volbal.settings.production",
    "SECRET_KEY": secrets.token_urlsafe(64),
    "CREDENTIALS_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "DATABASE_URL": f"postgresql://volbal:{secrets.token_hex(8)}@127.0.0.1:5432/volbal",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "ALLOWED_HOSTS": "volbal.example",
    "CSRF_TRUSTED_ORIGINS": "https://volbal.example",
}


def checks(scratch: str) -> list[tuple[str, list[str], dict[str, str]]]:
    """Return every check: its name, its command and what it adds to the environment."""
    return [
        ("lint", [PYTHON, "-m", "ruff", "check", "."], {}),
        ("format", [PYTHON, "-m", "ruff", "format", "--check", "--quiet", "."], {}),
        ("locks", [PYTHON, "requirements/check.py"], {}),
        ("layers", [PYTHON, "-c", "from importlinter.cli import lint_imports_command as run; run()"], {}),
        ("migrations", [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"], {}),
        ("static files", [PYTHON, "manage.py", "collectstatic", "--noinput"], {**DEPLOYMENT, "STATIC_ROOT": scratch}),
        ("deployment", [PYTHON, "manage.py", "check", "--deploy", "--fail-level", "WARNING"], DEPLOYMENT),
        ("types", [PYTHON, "-m", "mypy"], {}),
    ]


def passes(name: str, command: list[str], extra: dict[str, str]) -> bool:
    """Run one check, show what it says when it fails, and tell whether it passed."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "volbal.settings.test", **extra}
    started = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    passed = done.returncode == 0
    print(f"{name:<13} {'ok' if passed else 'FAILED':<7} {time.monotonic() - started:5.1f} s", flush=True)
    if not passed:
        print("\n".join((done.stdout + done.stderr).splitlines()[-SHOWN_LINES:]), flush=True)
    return passed


def main() -> None:
    """Run every check and end with 1 when one failed."""
    with tempfile.TemporaryDirectory() as scratch:
        failed = [name for name, command, extra in checks(scratch) if not passes(name, command, extra)]
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")
    print("Every check passed.")


if __name__ == "__main__":
    main()
