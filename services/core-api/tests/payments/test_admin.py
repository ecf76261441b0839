"""What admins see of money in the admin site."""

import psycopg
import pytest
from django.db import IntegrityError, transaction

from audit.models import Event
from payments.models import CreditPack, ProviderEvent, SandboxPayment, SandboxReversal, TopUp
from tests import books, environment
from tests.admin_pages import act, ask, permit
from tests.payments.conftest import event_of, reversal_of, send, status_of, wallet_of
from wallet.models import Order, Posting, Wallet


@pytest.fixture
def site(client, root):
    client.force_login(root)
    return client


@pytest.fixture
def history(api, alice, topup):
    books.course("knots", price=40)
    send(api, event_of(topup, id="evt_wrong", amount=1))
    send(api, event_of(topup))
    books.buy(api.as_(alice))


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("wallet/wallet/?q=alice", "alice"),
        ("wallet/order/?q=alice", "Knots"),
        ("wallet/posting/?kind__exact=purchase", "revenue"),
        ("payments/topup/?status__exact=paid", "alice"),
        ("payments/providerevent/?outcome__exact=quarantined", "evt_wrong"),
        ("payments/creditpack/", "300 credits"),
    ],
)
def test_admins_find_it_in_a_list(site, history, page, text, django_assert_max_num_queries):
    with django_assert_max_num_queries(14):
        answer = site.get(f"/admin/{page}")
    assert answer.status_code == 200
    assert text in answer.content.decode()


@pytest.mark.parametrize(
    ("model", "text"), [(Wallet, "alice"), (Order, "Knots"), (Posting, "previous hash"), (TopUp, "alice")]
)
def test_admins_read_it_and_change_nothing(site, history, model, text):
    row = model.objects.first()
    page = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/change/"
    answer = site.get(page)
    assert answer.status_code == 200
    assert text.lower() in answer.content.decode().lower()
    assert 'name="_save"' not in answer.content.decode()
    assert site.post(page, {}).status_code == 403
    assert site.post(page.replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_a_wallets_page_shows_its_movements(site, history):
    wallet = Wallet.objects.get()
    answer = site.get(f"/admin/wallet/wallet/{wallet.pk}/change/").content.decode()
    assert "clearing:sandbox" in answer
    assert "Knots" in answer


def test_finance_asks_the_provider_about_a_top_up(client, make_person, alice, topup):
    fiona = make_person("fiona", "finance", "admin", is_staff=True)
    client.force_login(fiona)
    SandboxPayment.objects.update(outcome="paid")
    form = {"action": "ask_provider", "_selected_action": [topup["id"]]}
    answer = client.post("/admin/payments/topup/", form, follow=True)
    assert f"{topup['id']} is paid." in answer.content.decode()
    assert Wallet.objects.get(user=alice).balance == 100
    assert ProviderEvent.objects.count() == 1


@pytest.mark.postgres
def test_a_wallet_that_somebody_else_moves_right_then_is_told_to_whoever_asks(
    committed_db, client, root, api, alice, topup
):
    api.post(topup["checkout_url"], {"outcome": "paid", "delay_s": 60})
    books.give(alice, 1)
    client.force_login(root)
    with psycopg.connect(environment.database_address(None, committed_db)) as other:
        other.execute("SELECT FROM core.wallet_wallet FOR UPDATE")
        form = {"action": "ask_provider", "_selected_action": [topup["id"]]}
        answer = client.post("/admin/payments/topup/", form, follow=True)
    assert "Another request is moving the same credit right now" in answer.content.decode()
    assert status_of(topup) == "pending"


def test_a_pack_can_be_changed_but_not_its_code(site, db):
    page = site.get("/admin/payments/creditpack/small/change/").content.decode()
    assert 'name="credits"' in page
    assert 'name="code"' not in page


@pytest.mark.parametrize("currency", ["€", "eur", "EU"])
def test_a_packs_currency_is_written_as_providers_tell_it(site, currency):
    form = {"name": "Small", "credits": 100, "amount": 1000, "position": 0, "is_active": "on"}
    page = site.post("/admin/payments/creditpack/small/change/", form | {"currency": currency})
    assert "the three capital letters of ISO 4217" in str(page.context["errors"])
    with pytest.raises(IntegrityError), transaction.atomic():
        CreditPack.objects.update(currency=currency)
    assert site.post("/admin/payments/creditpack/small/change/", form | {"currency": "CHF"}).status_code == 302
    assert CreditPack.objects.get(pk="small").currency == "CHF"


def test_finance_refunds_a_top_up_there_and_only_once(client, alice, fiona, paid):
    permit(fiona, "payments.view_topup")
    client.force_login(fiona)
    told = act(client, "/admin/payments/topup/", "refund", paid["id"], reason="Asked for")
    assert told == ["The top-up of 100 credits for alice is refunded."]
    again = ask(client, "/admin/payments/topup/", "refund", paid["id"])
    assert "once somebody else has approved it" in again.context["consequence"]
    assert again.context["allowed"] == []
    assert (status_of(paid), wallet_of(alice)[0], SandboxReversal.objects.count()) == ("refunded", 0, 1)


def test_what_is_not_paid_cannot_be_refunded_there(client, fiona, topup):
    permit(fiona, "payments.view_topup")
    client.force_login(fiona)
    page = ask(client, "/admin/payments/topup/", "refund", topup["id"])
    assert page.context["allowed"] == []


def test_a_refusal_is_told_there(client, alice, fiona, paid):
    books.give(alice, -1)
    permit(fiona, "payments.view_topup")
    client.force_login(fiona)
    (told,) = act(client, "/admin/payments/topup/", "refund", paid["id"], reason="Asked for")
    assert "99 of the 100" in told


def test_an_event_in_quarantine_says_what_to_do_and_is_dealt_with(site, api, root, topup):
    send(api, event_of(topup, id="evt_wrong", amount=1))
    event = ProviderEvent.objects.get()
    page = f"/admin/payments/providerevent/{event.pk}/change/"
    assert "Either refund the payment there" in site.get(page).content.decode()
    waiting = "/admin/payments/providerevent/?waiting=yes"
    assert "evt_wrong" in site.get(waiting).content.decode()
    act(site, "/admin/payments/providerevent/", "deal_with", event, times=2)
    assert "evt_wrong" not in site.get(waiting).content.decode()
    assert Event.objects.get(kind="payment_handled").actor_id == root.pk
    assert "somebody dealt with it" in site.get(page).content.decode()


def test_admins_see_who_owes(site, api, alice, paid):
    assert "alice" not in site.get("/admin/payments/reversal/?owing=yes").content.decode()
    books.give(alice, -70)
    send(api, reversal_of(paid))
    page = site.get("/admin/payments/reversal/?owing=yes").content.decode()
    assert "alice" in page
    assert ">70<" in page
