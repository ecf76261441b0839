"""Both gateways verify tokens and keep answers with the same text (deploy/decisions/0005)."""

from pathlib import Path

import pytest

SERVICES = Path(__file__).resolve().parents[2] / "services"


@pytest.mark.parametrize("module", ["verifier.py", "freshness.py", "sweep.py", "gathering.py"])
def test_both_gateways_carry_the_same_text(module: str) -> None:
    in_stream = (SERVICES / "stream-gateway" / "stream_gateway" / module).read_text()
    in_chat = (SERVICES / "chat-gateway" / "realtime" / module).read_text()
    assert in_stream == in_chat, f"{module} differs: mend both copies in one commit"


def test_both_django_services_read_json_as_strictly() -> None:
    in_core = (SERVICES / "core-api" / "config" / "strict_json.py").read_text()
    in_chat = (SERVICES / "chat-gateway" / "config" / "strict_json.py").read_text()
    assert in_core == in_chat, "strict_json.py differs: mend both copies in one commit"
