"""Refusals about payments."""

from config.problems import Conflict, Problem, Unavailable


class SignatureInvalid(Problem):
    status, code, title = 400, "signature_invalid", "Signature not valid"
    detail = "The signature of this event is missing, wrong or too old."


class ProviderUnavailable(Unavailable):
    code, title = "provider_unavailable", "Payment provider not available"
    detail = "The payment provider does not answer. Repeat the request with the same Idempotency-Key."


class ProviderRefused(Problem):
    status, code, title = 502, "provider_refused", "Refused by the payment provider"
    detail = "The payment provider does not accept this payment. Nothing was charged."


class PaymentSettled(Conflict):
    code, title = "payment_settled", "Payment is settled"
    detail = "This payment was made already: it cannot fail any more."
