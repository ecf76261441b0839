"""What /metrics shows beyond Python's own numbers."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SOCKETS = Gauge("lectern_chat_sockets", "Open WebSockets")
DELIVERED = Counter("lectern_chat_messages_delivered", "Messages sent to sockets")
APPENDING = Histogram("lectern_chat_append_seconds", "From a message's arrival on a socket to its commit")
HINTS_CONNECTED = Gauge("lectern_chat_hints_connected", "1 while Redis brings hints from other processes")
