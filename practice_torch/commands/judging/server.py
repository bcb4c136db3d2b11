"""The page of a session, for this machine alone: bound to the loopback, and every request needs the token of the address."""

import hmac
import json
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from practice_torch.commands.judging.session import CHOICES, TYPES, Verdict
from practice_torch.reports.report import pages, style

LONGEST = 1000  # bytes of a verdict
HERE = Path(__file__).parent


class Server(ThreadingHTTPServer):
    """Serves a session to one judge. `address` is what the browser opens."""

    daemon_threads = True

    def __init__(self, session, judge, port=0):
        self.session, self.judge, self.token = session, judge, secrets.token_urlsafe(24)
        super().__init__(("127.0.0.1", port), _Handler)
        self.hosts = {f"{host}:{self.server_port}" for host in ("127.0.0.1", "localhost")}
        self.address = f"http://127.0.0.1:{self.server_port}/?token={self.token}"

    def choices(self):
        """The choice of every pair that this judge has judged."""
        return {verdict.pair: verdict.choice for verdict in self.session.verdicts() if verdict.judge == self.judge}


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "Diptych", ""

    def do_GET(self):
        address = self._allowed()
        if address is None:
            return
        session, parts = self.server.session, address.path.strip("/").split("/")
        if address.path == "/":
            kind = {".png": "image", ".wav": "sound", ".txt": "text"}[session.suffix]
            facts = {"kind": kind, "judge": self.server.judge, "pairs": len(session.pairs), "token": self.server.token}
            page = pages(HERE).get_template("page.html.jinja").render(style=style(), **facts)
            self._send(200, page.encode(), "text/html; charset=utf-8")
        elif address.path == "/choices":
            self._send(200, json.dumps(self.server.choices()).encode(), "application/json")
        elif len(parts) == 3 and parts[0] == "item" and parts[2] in ("left", "right") and self._pair(parts[1]) is not None:
            place = getattr(session.pairs[self._pair(parts[1])], parts[2])
            self._send(200, session.item(place).read_bytes(), TYPES[session.suffix])
        else:
            self._send(404, b"no such page", "text/plain")

    def do_POST(self):
        address = self._allowed()
        if address is None:
            return
        length = self.headers.get("Content-Length", "")
        if address.path != "/verdict" or not length.isdigit() or int(length) > LONGEST:
            return self._send(400, b"not a verdict", "text/plain")
        try:
            facts = json.loads(self.rfile.read(int(length)))
            pair, choice = self._pair(str(facts["pair"])), facts["choice"]
        except (ValueError, KeyError, TypeError):
            pair, choice = None, None
        if pair is None or choice not in CHOICES:
            return self._send(400, b"not a verdict", "text/plain")
        try:
            self.server.session.add(Verdict(pair, self.server.judge, choice))
        except OSError as error:
            return self._send(500, f"the verdict is not saved: {error.strerror}".encode(), "text/plain")
        self._send(200, b"saved", "text/plain")

    def _allowed(self):
        """The parts of the address; None, and the answer is sent, without the token or for another host (DNS rebinding)."""
        address = urlsplit(self.path)
        token = parse_qs(address.query).get("token", [""])[0]
        if self.headers.get("Host") in self.server.hosts and hmac.compare_digest(token.encode(), self.server.token.encode()):
            return address
        self._send(403, b"open the address that `judge` printed", "text/plain")
        return None

    def _pair(self, text):
        return int(text) if text.isascii() and text.isdigit() and int(text) < len(self.server.session.pairs) else None

    def _send(self, status, content, kind):
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        return  # the addresses of requests have the token
