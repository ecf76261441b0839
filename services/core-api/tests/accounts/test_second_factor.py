"""Staff's authenticator apps: setting one up, logging in with its codes, losing it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import attempts, second_factor
from accounts.attempts import Purpose, Rule
from accounts.models import LoginSession, RecoveryCode, TotpDevice, User
from accounts.second_factor import code_at, current_step
from audit.kinds import Kind
from audit.models import Event
from config.sealing import unseal
from tests.accounts.test_logging_in import bearer
from tests.conftest import PASSWORD, Api

TOKEN, ADMIN, PAGE = "/api/v1/auth/token/", "/admin/login/", "/admin/second-factor/"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`clock(30)`: half a minute passes for the codes."""
    now = [1_800_000_000.0]
    monkeypatch.setattr("accounts.second_factor.time.time", lambda: now[0])

    def pass_seconds(seconds: float) -> None:
        now[0] += seconds

    return pass_seconds


@dataclass
class AuthenticatorApp:
    """Called, it gives the code that it shows. `spare`: the recovery codes that came with it."""

    user: User
    spare: list[str]

    def __call__(self) -> str:
        return code_at(TotpDevice.objects.get(user=self.user), current_step())


@pytest.fixture
def app(fiona: User, clock) -> AuthenticatorApp:
    """Fiona's, set up a while ago."""
    device = second_factor.do_begin(fiona)
    spare = second_factor.do_confirm(fiona, code_at(device, current_step()))
    clock(3600)
    return AuthenticatorApp(fiona, spare)


def log_in(otp: str | None = None, password: str = PASSWORD, name: str = "fiona") -> Any:
    return Api().post(TOKEN, {"username": name, "password": password} | ({} if otp is None else {"otp": otp}))


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def admin_of(user: User, otp: str = "") -> Client:
    client = Client()
    client.post(ADMIN, {"username": user.username, "password": PASSWORD, "otp": otp})
    return client


def wrong(right: str) -> str:
    return f"{(int(right) + 500_000) % 1_000_000:06}"


def test_fiona_needs_her_password_and_a_code(fiona: User, app) -> None:
    assert code(log_in()) == (401, "otp_required")
    assert code(log_in("")) == (401, "otp_required")
    assert code(log_in(wrong(app()))) == (401, "otp_invalid")
    answer = log_in(app())
    assert answer.status_code == 200
    assert bearer(answer.json()["access"]).get("/api/v1/me/").json()["username"] == "fiona"
    assert LoginSession.objects.get(user=fiona).second_factor


def test_who_does_not_know_the_password_learns_nothing_of_the_app(app) -> None:
    for otp in (None, "", app(), wrong(app())):
        assert code(log_in(otp, "a wrong but long password")) == (401, "invalid_credentials")
    assert log_in(app()).status_code == 200  # and spends no code


def test_people_without_an_app_need_no_code(alice: User) -> None:
    assert log_in(name="alice").status_code == 200
    assert log_in("123456", name="alice").status_code == 200


def test_a_code_works_once(app) -> None:
    shown = app()
    assert log_in(f" {shown[:3]} {shown[3:]} ").status_code == 200
    assert code(log_in(shown)) == (401, "otp_invalid")


def test_an_older_code_does_not_work_after_a_newer_one(app, clock) -> None:
    older = app()
    clock(30)
    assert log_in(app()).status_code == 200
    assert code(log_in(older)) == (401, "otp_invalid")


@pytest.mark.parametrize(("late", "status"), [(-60, 401), (-30, 200), (0, 200), (30, 200), (60, 401)])
def test_a_telephone_may_be_half_a_minute_off(app, clock, late: int, status: int) -> None:
    clock(late)
    shown = app()
    clock(-late)
    assert log_in(shown).status_code == status


@pytest.mark.parametrize("otp", ["12345", "1234567", "\uff11\uff12\uff13\uff14\uff15\uff16", "abcdef", "-", "x" * 40])
def test_what_is_no_code_is_refused(app, otp: str) -> None:
    assert code(log_in(otp)) == (401, "otp_invalid")


def test_of_two_uses_of_one_code_at_once_one_logs_in(at_once, fiona: User, app) -> None:
    shown = app()
    assert sorted(at_once(4, lambda _: log_in(shown).status_code)) == [200, 401, 401, 401]
    assert LoginSession.objects.filter(user=fiona).count() == 1


def test_a_recovery_code_stands_in_once(at_once, app) -> None:
    spare = app.spare[0]
    assert sorted(at_once(4, lambda _: log_in(spare.upper()).status_code)) == [200, 401, 401, 401]
    assert log_in(app.spare[1].replace("-", " ")).status_code == 200
    assert RecoveryCode.objects.filter(used_at=None).count() == 8


def test_recovery_codes_are_ones_own(app, make_person) -> None:
    greg = make_person("greg", is_staff=True)
    device = second_factor.do_begin(greg)
    second_factor.do_confirm(greg, code_at(device, current_step()))
    assert code(log_in(app.spare[0], name="greg")) == (401, "otp_invalid")


def test_wrong_codes_are_counted_like_wrong_passwords(fiona: User, app, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(attempts.PER_ACCOUNT, Purpose.LOGIN, Rule(5, 60, 900, 3600))
    answers = []
    for _ in range(5):
        answers.append(code(log_in(wrong(app()))))
        log_in()  # a right password between them gives no guesses back
    assert answers == [(401, "otp_invalid")] * 5
    assert code(log_in(app())) == (429, "too_many_requests")
    failed = Event.objects.filter(kind=Kind.LOGIN_FAILED, subject_id=str(fiona.pk))
    assert [event.detail for event in failed] == [{"by": "code"}] * 5


def test_neither_secret_nor_recovery_codes_can_be_read_in_the_database(fiona: User, app) -> None:
    device = TotpDevice.objects.get(user=fiona)
    secret = unseal("second factors", bytes(device.secret_sealed))
    assert len(secret) == 20
    assert secret not in bytes(device.secret_sealed)
    assert {len(bytes(row.code_hash)) for row in RecoveryCode.objects.all()} == {32}


# --- In the admin site -------------------------------------------------------------------------------------------


def test_the_admin_form_asks_for_the_code(fiona: User, app) -> None:
    page = Client().post(ADMIN, {"username": "fiona", "password": PASSWORD})
    assert "Send a code of your authenticator app" in page.content.decode()
    page = Client().post(ADMIN, {"username": "fiona", "password": PASSWORD, "otp": wrong(app())})
    assert "That code is wrong" in page.content.decode()
    assert admin_of(fiona, app()).get(PAGE).status_code == 200


def test_fiona_sets_up_an_app_and_removes_it(fiona: User, clock) -> None:
    client = admin_of(fiona)
    assert "Set up an authenticator app" in client.get(PAGE).content.decode()
    page = client.post(PAGE, {"act": "begin"})
    html = page.content.decode()
    assert 'src="data:image/svg+xml' in html
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)
    device = TotpDevice.objects.get(user=fiona)
    assert second_factor.secret_text(device) in html
    assert log_in().status_code == 200  # it does not count before its first code

    shown = code_at(device, current_step())
    page = client.post(PAGE, {"act": "confirm", "code": wrong(shown), "password": PASSWORD})
    assert "That code is wrong" in page.content.decode()
    page = client.post(PAGE, {"act": "confirm", "code": shown, "password": "a wrong but long password"})
    assert "That is not your present password." in page.content.decode()
    page = client.post(PAGE, {"act": "confirm", "code": shown, "password": PASSWORD})
    codes = re.findall(r"<code>([a-z2-7-]{19})</code>", page.content.decode())
    assert len(codes) == 10
    assert code(log_in()) == (401, "otp_required")
    assert log_in(codes[0]).status_code == 200

    page = client.post(PAGE, {"act": "codes", "password": PASSWORD})
    fresh = re.findall(r"<code>([a-z2-7-]{19})</code>", page.content.decode())
    assert code(log_in(codes[1])) == (401, "otp_invalid")
    assert log_in(fresh[0]).status_code == 200
    assert "9 unused recovery codes" in client.get(PAGE).content.decode()

    client.post(PAGE, {"act": "remove", "password": "a wrong but long password"})
    assert code(log_in()) == (401, "otp_required")
    client.post(PAGE, {"act": "remove", "password": PASSWORD})
    assert log_in().status_code == 200
    kinds = Event.objects.filter(actor_id=fiona.pk, kind__in=[Kind.TOTP_ADDED, Kind.TOTP_REMOVED]).order_by("pk")
    assert [event.kind for event in kinds] == [Kind.TOTP_ADDED, Kind.TOTP_REMOVED]


def test_whoever_saw_a_secret_before_does_not_know_the_one_that_counts(fiona: User, clock) -> None:
    first = second_factor.secret_text(second_factor.do_begin(fiona))
    assert second_factor.secret_text(second_factor.do_begin(fiona)) != first


def test_an_app_is_not_replaced_without_the_password(fiona: User, app) -> None:
    client = admin_of(fiona, app())
    before = TotpDevice.objects.get(user=fiona)
    page = client.post(PAGE, {"act": "begin"}, follow=True)
    assert "There is no authenticator app that waits" in page.content.decode()
    client.post(PAGE, {"act": "confirm", "code": "123456", "password": PASSWORD})
    after = TotpDevice.objects.get(user=fiona)
    assert (after.created_at, after.confirmed_at) == (before.created_at, before.confirmed_at)


def test_the_page_is_for_staff(alice: User, fiona: User, settings) -> None:
    client = Client()
    assert client.get(PAGE)["Location"] == f"{ADMIN}?next={PAGE}"
    client.force_login(alice)
    assert client.get(PAGE)["Location"] == f"{ADMIN}?next={PAGE}"
    assert client.post(PAGE, {"act": "begin"}).status_code == 302
    assert not TotpDevice.objects.exists()
    settings.STAFF_TOTP = "off"
    client.force_login(fiona)
    assert client.get(PAGE).status_code == 404


def test_switched_off_nobody_is_asked(fiona: User, app, settings) -> None:
    settings.STAFF_TOTP = "off"
    assert log_in().status_code == 200


# --- Where staff must have one -----------------------------------------------------------------------------------


def test_staff_without_an_app_can_do_nothing_but_set_it_up(fiona: User, clock, settings) -> None:
    settings.STAFF_TOTP = "required"
    assert code(log_in()) == (403, "otp_enrolment_required")
    client = admin_of(fiona)
    page = client.get("/admin/wallet/wallet/", follow=True)
    assert page.redirect_chain[-1] == (PAGE, 302)
    assert "log in with one-time codes here." in page.content.decode()
    assert "Wallets" not in page.content.decode()
    assert client.post("/api/v1/auth/token/session/").status_code == 403

    client.post(PAGE, {"act": "begin"})
    device = TotpDevice.objects.get(user=fiona)
    client.post(PAGE, {"act": "confirm", "code": code_at(device, current_step()), "password": PASSWORD})
    assert client.get("/admin/wallet/wallet/").status_code == 200
    assert client.post("/api/v1/auth/token/session/").status_code == 200
    clock(30)
    assert log_in(code_at(device, current_step())).status_code == 200


def test_staff_with_an_app_go_on_where_they_gave_a_code_and_nowhere_else(fiona: User, app, clock, settings) -> None:
    without, given = Client(), admin_of(fiona, app())
    without.force_login(fiona)
    settings.STAFF_TOTP = "required"
    assert given.get("/admin/wallet/wallet/").status_code == 200
    assert without.get("/admin/wallet/wallet/").status_code == 302
    assert without.get(PAGE)["Location"] == f"{ADMIN}?next={PAGE}"
    assert "not without a one-time code" in without.get(ADMIN).content.decode()
    clock(30)
    without.post(ADMIN, {"username": "fiona", "password": PASSWORD, "otp": app()})
    assert without.get("/admin/wallet/wallet/").status_code == 200


def test_logins_from_before_are_not_refreshed_without_a_code(api: Api, fiona: User, alice: User, settings) -> None:
    before, hers = log_in().json(), log_in(name="alice").json()
    settings.STAFF_TOTP = "required"
    refused = api.post("/api/v1/auth/token/refresh/", {"refresh": before["refresh"]})
    assert code(refused) == (401, "token_invalid")
    assert api.post("/api/v1/auth/token/refresh/", {"refresh": hers["refresh"]}).status_code == 200


def test_logins_with_a_code_are_refreshed(api: Api, fiona: User, app, settings) -> None:
    settings.STAFF_TOTP = "required"
    pair = log_in(app()).json()
    assert api.post("/api/v1/auth/token/refresh/", {"refresh": pair["refresh"]}).status_code == 200


def test_an_agent_who_is_not_staff_sets_up_an_app_and_logs_in_with_it(
    agnes: User, alice: User, clock, settings
) -> None:
    before = log_in(name="agnes").json()
    settings.STAFF_TOTP = "required"
    refused = log_in(name="agnes")
    assert code(refused) == (403, "otp_enrolment_required")
    assert f"{settings.PUBLIC_URL}{PAGE}" in refused.json()["detail"]
    assert code(Api().post("/api/v1/auth/token/refresh/", {"refresh": before["refresh"]})) == (401, "token_invalid")
    assert log_in(name="alice").status_code == 200

    client = Client()
    page = client.post(ADMIN, {"username": "agnes", "password": PASSWORD, "next": "/admin/"}, follow=True)
    assert page.redirect_chain[-1] == (PAGE, 302)
    assert "/admin/support/" not in page.content.decode()
    client.post(PAGE, {"act": "begin"})
    device = TotpDevice.objects.get(user=agnes)
    codes = client.post(PAGE, {"act": "confirm", "code": code_at(device, current_step()), "password": PASSWORD})
    assert "Recovery codes" in codes.content.decode()
    clock(30)
    assert code(log_in(name="agnes")) == (401, "otp_required")
    assert log_in(code_at(device, current_step()), name="agnes").status_code == 200


def test_the_page_of_the_app_is_all_that_an_agent_finds_in_the_admin_site(agnes: User, alice: User) -> None:
    client = admin_of(agnes)
    assert client.get(PAGE).status_code == 200
    for path in ("/admin/", "/admin/password_change/", "/admin/accounts/user/"):
        assert client.get(path, follow=True).redirect_chain[-1] == (PAGE, 302)
    assert client.post("/api/v1/auth/token/session/").status_code == 403
    assert "_auth_user_id" not in admin_of(alice).session


def test_an_agent_with_an_app_gives_its_code_in_the_admin_site_too(agnes: User, clock, settings) -> None:
    device = second_factor.do_begin(agnes)
    second_factor.do_confirm(agnes, code_at(device, current_step()))
    clock(30)
    settings.STAFF_TOTP = "required"
    without = Client()
    without.force_login(agnes)
    assert without.get(PAGE, follow=True).redirect_chain[-1] == (f"{ADMIN}?next={PAGE}", 302)
    assert admin_of(agnes, code_at(device, current_step())).get(PAGE).status_code == 200


# --- A lost device -----------------------------------------------------------------------------------------------


def remove(by: User, whose: User) -> None:
    client = Client()
    client.force_login(by)
    sent = {"action": "remove_second_factor", "_selected_action": str(whose.pk), "confirmed": "yes"}
    client.post("/admin/accounts/user/", sent | {"reason": "lost it", "once": "6f9c1c62-6f3c-4c0e-9a35-0d6a4a3f8b11"})


def test_an_admin_removes_a_lost_device_and_its_logins_end(fiona: User, root: User, app) -> None:
    pair = log_in(app()).json()
    remove(root, fiona)
    assert not TotpDevice.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert bearer(pair["access"]).get("/api/v1/me/").status_code == 401
    assert log_in().status_code == 200
    event = Event.objects.get(kind=Kind.TOTP_REMOVED)
    assert (event.actor_id, event.subject_id, event.detail) == (root.pk, str(fiona.pk), {"reason": "lost it"})


def test_only_who_may_change_people_removes_a_device_and_only_a_superuser_a_superusers(
    fiona: User, root: User, app, make_person, clock
) -> None:
    from django.contrib.auth.models import Permission

    greg = make_person("greg", "finance", is_staff=True)  # else fiona could do more than he
    remove(greg, fiona)
    assert TotpDevice.objects.filter(user=fiona).exists()
    greg.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    second_factor.do_confirm(root, code_at(second_factor.do_begin(root), current_step()))
    remove(greg, root)
    assert TotpDevice.objects.filter(user=root).exists()
    remove(greg, fiona)
    assert not TotpDevice.objects.filter(user=fiona).exists()


def test_a_command_removes_the_device_of_the_last_superuser(
    fiona: User, app, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("remove_second_factor", "fiona")
    assert capsys.readouterr().out == "fiona logs in by the password alone; all their logins have ended.\n"
    assert log_in().status_code == 200
    for name, why in (("fiona", "fiona has no authenticator app"), ("nobody", "nobody called nobody")):
        with pytest.raises(CommandError, match=why):
            call_command("remove_second_factor", name)


def test_recovery_codes_outlive_a_rotation_of_djangos_secret(app, settings) -> None:
    settings.SECRET_KEY = "another made-up secret that only the tests have " * 2
    assert log_in(app.spare[0]).status_code == 200


def test_a_secret_that_cannot_be_opened_refuses_codes_but_not_recovery_codes(app, settings) -> None:
    shown, settings.LECTERN_SIGNING_KEY_SECRET = app(), "a secret that sealed nothing of what is there"
    assert code(log_in(shown)) == (401, "otp_invalid")
    assert second_factor.do_spend(TotpDevice.objects.get(), app.spare[0])
