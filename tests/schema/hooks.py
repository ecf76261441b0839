"""What schemathesis leaves out."""

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")  # a chunk of tus


@schemathesis.hook
def filter_case(context, case):  # type: ignore[no-untyped-def]  # as schemathesis calls it
    """A header that nobody knows is none of a request's mistakes: HTTP has them passed over."""
    return "x-schemathesis-unknown-property" not in {name.lower() for name in case.headers or {}}


@schemathesis.hook
def before_call(context, case, kwargs):  # type: ignore[no-untyped-def]  # as schemathesis calls it
    """An empty value in a query is none, as in a form with a field left empty: no mistake that has to be refused."""
    if case.query:
        case.query = {name: value for name, value in case.query.items() if value != ""}
