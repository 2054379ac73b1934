"""What an account shows to its broker, encrypted wherever it rests.

Kept as one text: JSON, encrypted with the first of the installation's keys (`CREDENTIALS_KEYS`) and readable with any
of them, so that keys can be changed without a moment in which accounts are locked out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from volbal.common.errors import Refused

SHOWN_CHARACTERS = 4
# What is shorter would be told by its last characters.
SHORTEST_SHOWN = 12


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a broker asks for by name. The values appear in no text that this class makes of itself."""

    values: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self.values))})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Credentials are not copied into caches or messages.")

    @property
    def hint(self) -> str:
        """Return names and last four characters, for people who compare them with what their broker shows."""
        return ", ".join(f"{name} {_ending(value)}" for name, value in sorted(self.values.items()))


def _ending(value: str) -> str:
    return f"…{value[-SHOWN_CHARACTERS:]}" if len(value) >= SHORTEST_SHOWN else "…"


def new_key() -> str:
    """Return a new key for `CREDENTIALS_KEYS`."""
    return Fernet.generate_key().decode()


def credentials_seal(credentials: Credentials) -> str:
    """Return credentials as an encrypted text."""
    return _cipher().encrypt(orjson.dumps(dict(credentials.values))).decode()


def credentials_open(text: str) -> Credentials:
    """Return what an encrypted text holds. Raises Refused when no key of this installation opens it."""
    try:
        return Credentials(orjson.loads(_cipher().decrypt(text.encode())))
    except InvalidToken:
        # Without its cause: nothing of the text belongs into a log.
        raise Refused(
            "The stored keys of this account cannot be read with the keys of this installation.",
            code="credentials_unreadable",
            hint="Add the key they were stored with to CREDENTIALS_KEYS, or set the account's keys again.",
        ) from None


def credentials_reseal(text: str) -> str:
    """Return the same credentials encrypted with the first key. Raises Refused as `credentials_open` does."""
    credentials_open(text)
    return _cipher().rotate(text.encode()).decode()


def _cipher() -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in settings.CREDENTIALS_KEYS])
    except ValueError:
        raise ImproperlyConfigured(
            "CREDENTIALS_KEYS must name at least one key, separated by commas, each as `manage.py credentials key` "
            "prints it."
        ) from None


@register()
def keys_check(**_: object) -> list[CheckMessage]:
    """Report keys that cannot encrypt, before an account needs them."""
    try:
        _cipher()
    except ImproperlyConfigured as fault:
        return [Error(str(fault), id="portfolios.E001")]
    return []
