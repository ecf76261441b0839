"""A server that speaks as much of Stripe's API as Lectern uses: form-encoded requests, objects in the shapes that its
documentation gives, idempotency keys, its refusals. It can also fail, lose its answer, or be too late with it."""

from __future__ import annotations

import json
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import stripe

KEY = "sk_test_of_a_made_up_account"
SECRET = "whsec_of_a_made_up_endpoint"
SUCCEEDED = "succeeded"


class Refused(Exception):
    def __init__(self, status, message, code=None, kind="invalid_request_error"):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": message, "doc_url": "https://stripe.com/docs"}}


class StripeServer:
    """Stripe's side: what it knows, what it is asked, and the faults that the next requests meet."""

    def __init__(self):
        self.sessions, self.intents, self.refunds = {}, {}, {}
        self.answers = {}  # by idempotency key: (parameters, answer)
        self.requests = []  # (method, path, headers)
        self.faults = []  # for the next requests: a status, "lost" (done, but no answer) or "late" (answered too late)
        self.refund_status = SUCCEEDED
        self.lock = threading.Lock()
        self.released = threading.Event()

    # --- What buyers, banks and the dashboard do -----------------------------------------------------------------

    def pay(self, session_id, payment_status="paid"):
        session = self.sessions[session_id]
        intent = {
            "id": _id("pi"),
            "object": "payment_intent",
            "amount": session["amount_total"],
            "amount_received": session["amount_total"] if payment_status == "paid" else 0,
            "currency": session["currency"],
            "latest_charge": _id("ch"),
            "livemode": False,
            "metadata": session["_intent_metadata"],
            "status": SUCCEEDED if payment_status == "paid" else "processing",
        }
        self.intents[intent["id"]] = intent
        session |= {"status": "complete", "payment_status": payment_status, "payment_intent": intent["id"], "url": None}
        return session

    def expire(self, session_id):
        self.sessions[session_id] |= {"status": "expired", "url": None}
        return self.sessions[session_id]

    def refund(self, intent_id, amount=None, status=SUCCEEDED, metadata=None):
        intent = self.intents[intent_id]
        gone = [it["amount"] for it in self.refunds.values() if it["payment_intent"] == intent_id]
        left = intent["amount_received"] - sum(gone)
        if not left:
            raise Refused(
                400, f"Charge {intent['latest_charge']} has already been refunded.", "charge_already_refunded"
            )
        if (amount := left if amount is None else amount) > left:
            raise Refused(400, "Refund amount is greater than unrefunded amount on charge.")
        refund = {
            "id": _id("re"),
            "object": "refund",
            "amount": amount,
            "balance_transaction": _id("txn"),
            "charge": intent["latest_charge"],
            "created": int(time.time()),
            "currency": intent["currency"],
            "destination_details": {"card": {"type": "refund"}, "type": "card"},
            "metadata": metadata or {},
            "payment_intent": intent_id,
            "reason": None,
            "receipt_number": None,
            "status": status,
        }
        self.refunds[refund["id"]] = refund
        return refund

    def dispute(self, intent_id, status="needs_response", amount=None):
        intent = self.intents[intent_id]
        return {
            "id": _id("dp"),
            "object": "dispute",
            "amount": intent["amount"] if amount is None else amount,
            "balance_transactions": [],
            "charge": intent["latest_charge"],
            "created": int(time.time()),
            "currency": intent["currency"],
            "evidence_details": {"due_by": int(time.time()) + 86400, "has_evidence": False, "submission_count": 0},
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": intent_id,
            "reason": "fraudulent",
            "status": status,
        }

    def charge(self, intent_id):
        intent = self.intents[intent_id]
        gone = sum(it["amount"] for it in self.refunds.values() if it["payment_intent"] == intent_id)
        return {
            "id": intent["latest_charge"],
            "object": "charge",
            "amount": intent["amount"],
            "amount_refunded": gone,
            "currency": intent["currency"],
            "metadata": intent["metadata"],
            "payment_intent": intent_id,
            "refunded": gone == intent["amount"],
            "status": SUCCEEDED,
        }

    # --- What Lectern asks ---------------------------------------------------------------------------------------

    def answer(self, method, path, params, headers):
        if headers.get("Authorization") != f"Bearer {KEY}":
            raise Refused(401, "Invalid API Key provided: sk_test_****", kind="invalid_request_error")
        key = headers.get("Idempotency-Key")
        with self.lock:
            if key in self.answers:
                before, answer = self.answers[key]
                if before != params:
                    raise Refused(400, "Keys for idempotent requests ...", kind="idempotency_error")
                return answer
            answer = json.loads(json.dumps(self._act(method, path.split("/")[2:], params)))
            if method == "POST" and key:
                self.answers[key] = (params, answer)
            return answer

    def _act(self, method, path, params):
        match method, path:
            case "POST", ["checkout", "sessions"]:
                return _public(self._open(params))
            case "GET", ["checkout", "sessions", name]:
                session = dict(_public(self._known(self.sessions, name)))
                if params.get("expand[0]") == "payment_intent" and session["payment_intent"]:
                    session["payment_intent"] = self.intents[session["payment_intent"]]
                return session
            case "GET", ["payment_intents", name]:
                return self._known(self.intents, name)
            case "POST", ["refunds"]:
                intent = self._known(self.intents, params["payment_intent"])["id"]
                return self.refund(intent, int(params["amount"]), self.refund_status, _nested(params, "metadata"))
            case "GET", ["refunds"]:
                made = [it for it in self.refunds.values() if self._about(it, params)]
                return {"object": "list", "data": made, "has_more": False, "url": "/v1/refunds"}
            case "GET", ["refunds", name]:
                return self._known(self.refunds, name)
        raise Refused(404, "Unrecognized request URL")

    def _about(self, refund, params):
        return all(refund[name] == params[name] for name in ("payment_intent", "charge") if name in params)

    def _known(self, things, name):
        if name not in things:
            raise Refused(404, f"No such object: '{name}'", "resource_missing")
        return things[name]

    def _open(self, params):
        price = _nested(params, "line_items[0][price_data]")
        expires_at = int(params["expires_at"])
        if not time.time() + 1800 - 5 <= expires_at <= time.time() + 86400:
            raise Refused(400, "The `expires_at` timestamp must be 30 minutes to 24 hours from now.")
        session_id = f"cs_test_{uuid.uuid4().hex}"
        session = {
            "id": session_id,
            "object": "checkout.session",
            "amount_subtotal": int(price["unit_amount"]),
            "amount_total": int(price["unit_amount"]) * int(params["line_items[0][quantity]"]),
            "automatic_tax": {"enabled": False, "liability": None, "status": None},
            "cancel_url": params["cancel_url"],
            "client_reference_id": params["client_reference_id"],
            "created": int(time.time()),
            "currency": price["currency"],
            "customer": None,
            "customer_details": {"email": "alice@example.org", "name": "Alice"},
            "expires_at": expires_at,
            "livemode": False,
            "metadata": _nested(params, "metadata"),
            "mode": params["mode"],
            "payment_intent": None,
            "payment_method_types": ["card"],
            "payment_status": "unpaid",
            "status": "open",
            "success_url": params["success_url"],
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "url": f"https://checkout.stripe.com/c/pay/{session_id}",
            "_intent_metadata": _nested(params, "payment_intent_data[metadata]"),
        }
        self.sessions[session_id] = session
        return session


def event(kind, what, **changes):
    """Stripe's event about an object, as its webhook brings it."""
    return {
        "id": _id("evt"),
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "data": {"object": _public(what)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    } | changes


def signed(body, secret=SECRET, age=0):
    """The `Stripe-Signature` of a body, made by Stripe's own SDK."""
    return stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time()) - age)


def _id(prefix):
    return f"{prefix}_{uuid.uuid4().hex[:24]}"


def _public(what):
    return {name: value for name, value in what.items() if not name.startswith("_")}


def _nested(params, name):
    """`{"lectern_topup": …}` out of `metadata[lectern_topup]=…`."""
    start = f"{name}["
    return {key[len(start) : -1]: value for key, value in params.items() if key.startswith(start)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self):
        parts = urlsplit(self.path)
        self.serve(parts.path, parts.query)

    def do_POST(self):
        assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
        self.serve(self.path, self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def serve(self, path, form):
        stripe_side = self.server.stripe_side
        stripe_side.requests.append((self.command, path, dict(self.headers)))
        fault = stripe_side.faults.pop(0) if stripe_side.faults else None
        if isinstance(fault, int):
            return self.send(fault, {"error": {"type": "api_error", "message": "An error occurred."}})
        try:
            status, answer = 200, stripe_side.answer(self.command, path, _flat(form), self.headers)
        except Refused as refused:
            status, answer = refused.status, refused.body
        if fault == "lost":
            self.close_connection = True
            return None
        if fault == "late":
            stripe_side.released.wait(10)
        return self.send(status, answer)

    def send(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", _id("req"))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.stripe_side = StripeServer()

    def handle_error(self, request, client_address):
        pass  # whom we answered had gone


@contextmanager
def running():
    """Serves on a free port of 127.0.0.1; gives the server, whose `stripe_side` may be replaced, and its address."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server, f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _flat(form):
    return {
        name: values[0] for name, values in parse_qs(form, keep_blank_values=True, strict_parsing=bool(form)).items()
    }
