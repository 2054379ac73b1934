"""A request that fails tells what happened: away for a moment, or broken."""

from unittest import mock

import pytest
from django.db import OperationalError
from django.test import Client


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.django_db
def test_a_database_that_is_away_is_told_with_the_time_to_come_back(client: Client) -> None:
    with mock.patch("django.db.backends.utils.CursorWrapper.execute", side_effect=OperationalError("gone")):
        client.cookies["sessionid"] = "some session"
        answer = client.get("/")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert b"Back in a moment" in answer.content


@pytest.mark.django_db
def test_a_fault_of_ours_is_told_as_such(client: Client) -> None:
    with mock.patch("django.contrib.auth.views.LoginView.get", side_effect=ArithmeticError("wrong")):
        answer = client.get("/sign-in/")
    assert answer.status_code == 500
    assert b"Something failed" in answer.content
    assert b"ArithmeticError" not in answer.content
