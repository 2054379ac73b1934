"""Who may see and who may change, as data: address, method, role, status."""

from __future__ import annotations

import pytest
from django.test import Client

from portfolios import services
from portfolios.models import Cell, LedgerEntry, TradingRestriction, User
from tests.pages.worlds import World, make_world
from tests.portfolios.builders import BY_TEST, make_member
from volbal.common.tenancy import tenant_scope

READS = (
    "/",
    "/palette/",
    "/halts/",
    "/portfolios/{portfolio}/",
    "/portfolios/{portfolio}/live/",
    "/portfolios/{portfolio}/limits/",
    "/cells/{cell}/limits/",
    "/portfolios/{portfolio}/export.csv",
    "/cells/{cell}/",
    "/cells/{cell}/?tab=orders",
    "/cells/{cell}/?tab=ledger",
    "/cells/{cell}/?tab=dividends",
    "/cells/{cell}/?tab=performance",
    "/cells/{cell}/?tab=parameters",
    "/cells/{cell}/chart/",
    "/cells/{cell}/growth/",
    "/cells/{cell}/prices/",
    "/cells/{cell}/performance/",
    *(f"/cells/{{cell}}/{what}.csv" for what in ("prices", "performance", "timeline", "orders", "ledger", "dividends")),
)
FORMS = (
    *(
        f"/cells/{{cell}}/{what}/"
        for what in ("deposit", "withdraw", "anchor", "halt", "resume", "parameters", "order", "slices/end")
    ),
    "/portfolios/{portfolio}/halt/",
    "/portfolios/{portfolio}/resume/",
    "/portfolios/{portfolio}/ticks/",
)
OF_THE_FIRM = ("/firm/halt/", "/firm/resume/", "/accounts/{account}/halt/", "/accounts/{account}/resume/")
WRITES = (
    *FORMS,
    "/cells/{cell}/start/",
    "/cells/{cell}/pause/",
    "/cells/{cell}/parameters/1/",
    "/portfolios/{portfolio}/limits/set/",
    "/cells/{cell}/limits/set/",
    "/portfolios/{portfolio}/tick/",
    "/portfolios/{portfolio}/cells/start/",
    "/portfolios/{portfolio}/cells/pause/",
    "/portfolios/{portfolio}/replay/start/",
    "/portfolios/{portfolio}/replay/pause/",
    "/portfolios/{portfolio}/replay/step/",
    "/portfolios/{portfolio}/replay/speed/",
    "/portfolios/{portfolio}/replay/again/",
)
READERS = ("auditor", "broker")
WRITERS = ("owner", "operator", "trader")
CONTROLS = (
    '<form method="post" action="/cells/',
    '<form method="post" action="/portfolios/',
    'data-dialog href="/cells/{cell}/deposit/',
)


def address(pattern: str, world: World) -> str:
    return pattern.format(cell=world.cell.pk, portfolio=world.portfolio.pk, account=world.firm.account.pk)


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def member(world: World, role: str) -> User:
    return world.firm.owner if role == "owner" else make_member(world.firm, role)


@pytest.mark.parametrize("role", READERS + WRITERS)
def test_every_role_reads_every_page(world: World, role: str) -> None:
    client = browser(member(world, role))
    assert {path: client.get(address(path, world)).status_code for path in READS} == dict.fromkeys(READS, 200)


@pytest.mark.parametrize("role", READERS)
def test_readers_are_refused_and_nothing_changes(world: World, role: str) -> None:
    client = browser(member(world, role))
    before = Cell.objects.values().get(pk=world.cell.pk)
    given = {"amount": "10", "other_side": "outside", "anchor": "90", "note": "x", "steps_per_second": "5"}
    statuses = {path: client.post(address(path, world), given).status_code for path in WRITES}
    assert statuses == dict.fromkeys(WRITES, 403)
    assert {path: client.get(address(path, world)).status_code for path in FORMS} == dict.fromkeys(FORMS, 403)
    assert Cell.objects.values().get(pk=world.cell.pk) == before


@pytest.mark.parametrize("role", [*READERS, "trader"])
def test_only_owners_and_operators_halt_and_resume_a_firm_and_its_accounts(world: World, role: str) -> None:
    client = browser(member(world, role))
    given = {"state": "halted", "note": "x"}
    statuses = {path: client.post(address(path, world), given).status_code for path in OF_THE_FIRM}
    assert statuses == dict.fromkeys(OF_THE_FIRM, 403)
    assert {client.get(address(path, world)).status_code for path in OF_THE_FIRM} == {403}
    assert not TradingRestriction.objects.exists()
    operator = browser(make_member(world.firm, "operator"))
    assert {operator.get(address(path, world)).status_code for path in OF_THE_FIRM} == {200}


@pytest.mark.parametrize("role", READERS)
def test_readers_see_no_control_that_writes(world: World, role: str) -> None:
    client = browser(member(world, role))
    for path in ("/", "/portfolios/{portfolio}/", "/cells/{cell}/", "/cells/{cell}/?tab=parameters"):
        page = client.get(address(path, world)).content.decode()
        assert not [one for one in CONTROLS if address(one, world) in page], path


@pytest.mark.parametrize("role", WRITERS)
def test_writers_see_the_controls(world: World, role: str) -> None:
    page = browser(member(world, role)).get(address("/cells/{cell}/", world)).content.decode()
    assert address('data-dialog href="/cells/{cell}/deposit/', world) in page


@pytest.mark.parametrize("path", [path for path in (*READS, *WRITES, *OF_THE_FIRM) if "{" in path])
def test_another_firms_ids_are_not_found(world: World, path: str) -> None:
    other = make_world("south")
    client = browser(world.firm.owner)
    assert client.get(address(path, other)).status_code in (404, 405)
    assert client.post(address(path, other), {"amount": "10"}).status_code in (404, 405)


def test_another_firms_cells_are_on_no_page(world: World) -> None:
    make_world("south", ["SECRET"])
    assert b"SECRET" not in browser(world.firm.owner).get("/").content


@pytest.mark.parametrize("path", READS)
def test_nobody_reads_unsigned(world: World, path: str) -> None:
    response = Client().get(address(path, world))
    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/?next=")


def test_someone_without_a_firm_is_told_so(db: None) -> None:
    user = services.user_create(email="lone@example.com", password="long enough 1", origin=BY_TEST)
    assert browser(user).get("/").status_code == 403


def test_a_member_of_two_firms_acts_in_the_one_chosen(world: World) -> None:
    other = make_world("south")
    with tenant_scope(other.firm.tenant.pk):
        services.member_add(tenant=other.firm.tenant, user=world.firm.owner, role="auditor", origin=BY_TEST)
    client = browser(world.firm.owner)
    session = client.session
    session["tenant_id"] = other.firm.tenant.pk
    session.save()
    assert client.get(f"/cells/{world.cell.pk}/").status_code == 404
    assert client.post(f"/cells/{other.cell.pk}/pause/").status_code == 403


def test_a_wrong_password_keeps_the_name_and_says_so(world: World) -> None:
    response = Client().post("/sign-in/", {"username": "owner@north.example", "password": "wrong"})
    page = response.content.decode()
    assert 'value="owner@north.example"' in page
    assert 'role="alert"' in page


def test_signing_out_takes_a_post(signed_in: Client) -> None:
    assert signed_in.get("/sign-out/").status_code == 405
    assert signed_in.post("/sign-out/").status_code == 302
    assert signed_in.get("/").status_code == 302


def test_a_next_address_elsewhere_is_not_followed(world: World) -> None:
    given = {"username": "owner@north.example", "password": "long enough 1", "next": "https://elsewhere.example/"}
    assert Client().post("/sign-in/", given)["Location"] == "/"


def test_pages_carry_the_strict_policy(signed_in: Client) -> None:
    policy = signed_in.get("/")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("path", [*READS, *FORMS])
def test_no_page_needs_inline_style_or_script(world: World, signed_in: Client, path: str) -> None:
    page = signed_in.get(address(path, world)).content.decode()
    assert " style=" not in page
    assert " onclick=" not in page
    assert "<style" not in page
    assert LedgerEntry.objects.filter(cell=world.cell).exists()


@pytest.mark.parametrize("role,offered", [("trader", True), ("auditor", False)])
def test_the_palette_offers_actions_to_those_who_may_act(world: World, role: str, offered: bool) -> None:
    page = browser(member(world, role)).get("/palette/").content.decode()
    assert "IBM" in page
    assert ("Deposit into IBM" in page) is offered
