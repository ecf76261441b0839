"""`make demo` with a real PostgreSQL, Redis and nginx, and one-line stand-ins for the services: quick to start and to kill.

Environment: SMALL_DEMO_DIES names the service that ends soon after its start, SMALL_DEMO_STUCK one that is never ready,
SMALL_DEMO_RELEASE the fingerprint of its code.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from deploy.embedded import demo  # noqa: E402  needs the path above
from deploy.embedded.supervisor import Program  # noqa: E402  needs the path above
from deploy.embedded.system import System  # noqa: E402  needs the path above

SERVER = """
import http.server, os, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.environ.get("SMALL_DEMO_STUCK") == sys.argv[2] else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
if os.environ.get("SMALL_DEMO_DIES") == sys.argv[2]:
    print("a line that explains why", flush=True)
    threading.Timer(0.3, os._exit, [3]).start()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
ACCOUNTS = '{"base_url": "", "accounts": {"learner": {"username": "lena", "email": "lena@example.org", "password": "pw-of-lena"}}}'


class SmallSystem(System):
    def release(self) -> str:
        return os.environ.get("SMALL_DEMO_RELEASE", "first")

    def migrations(self) -> list[Program]:
        return [self._task("migrate-core", "core-api", "-c", "print('migrated')", owner=True)]

    def static_files(self) -> Program:
        return self._task("collectstatic", "core-api", "-c", "pass")

    def services(self) -> list[Program]:
        return [
            self._service(name, name, "-c", SERVER, str(self.ports[name]), name, ready=self._answers(name))
            for name in ("core-api", "stream-gateway", "chat-gateway")
        ]

    def load_demo(self) -> Program:
        write = f"import pathlib, sys; pathlib.Path(sys.argv[1]).write_text({ACCOUNTS!r})"
        return self._task("load-demo", "core-api", "-c", write, str(self.state.accounts))


if __name__ == "__main__":
    if os.environ.get("SMALL_DEMO_NO_REDIS"):
        import deploy.embedded.system

        deploy.embedded.system.find_program = lambda: None
    raise SystemExit(demo.main(sys.argv[1:], SmallSystem, (sys.executable, __file__)))
