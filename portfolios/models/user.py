"""People. History names them by id only; what identifies them stands here and can be erased."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class UserManager(BaseUserManager["User"]):
    """Make people; an e-mail address is their sign-in name."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a person who can sign in. Raises ValueError without an address."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a platform operator, who serves all tenants."""
        return self.create_user(email, password, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. `is_superuser` marks a platform operator; every other right comes from memberships."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ["email"]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        """Whether the console opens at all; what it shows follows from memberships."""
        return self.is_active and (self.is_superuser or self.memberships_for_console().exists())

    def memberships_for_console(self) -> models.QuerySet[Any]:
        """Return this person's memberships whose role works in the console."""
        return self.memberships.filter(is_active=True, role__in=("owner", "operator", "auditor"))
