"""Chromium without a window, driven by its own protocol over two pipes: open a page, press keys, read what it shows."""

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def opened(address, folder):
    """A Page at this address; `folder` keeps the browser's profile."""
    to_browser, from_us = os.pipe()
    from_browser, to_us = os.pipe()

    def connect():  # the browser reads from descriptor 3 and writes to 4
        kept = os.dup(to_browser), os.dup(to_us)
        os.dup2(kept[0], 3)
        os.dup2(kept[1], 4)

    words = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={folder}"]
    process = subprocess.Popen(
        [CHROMIUM, *words, "--remote-debugging-pipe"], preexec_fn=connect, close_fds=False, stderr=subprocess.DEVNULL
    )
    os.close(to_browser)
    os.close(to_us)
    try:
        with os.fdopen(from_us, "wb", buffering=0) as write, os.fdopen(from_browser, "rb") as read:
            yield Page(write, read, address)
    finally:
        process.terminate()
        process.wait(20)


class Page:
    """A tab of the browser."""

    def __init__(self, write, read, address):
        self._write, self._read, self._numbers, self._session = write, read, itertools.count(1), {}
        target = self._call("Target.createTarget", url=address)["targetId"]
        self._session = {"sessionId": self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}

    def evaluate(self, expression):
        """The value of an expression of JavaScript."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key):
        """A key goes down and up."""
        for kind in ("rawKeyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key)

    def printed(self):
        """The page on paper, a PDF, in the sizes of its style."""
        found = self._call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(found["data"])

    def wait_for(self, expression, value=True, seconds=20):
        """Until an expression has this value."""
        deadline = time.monotonic() + seconds
        while (found := self.evaluate(expression)) != value:
            assert time.monotonic() < deadline, f"{expression} is {found!r}, not {value!r}"
            time.sleep(0.02)

    def _call(self, method, **parameters):
        number = next(self._numbers)
        self._write.write(json.dumps({"id": number, "method": method, "params": parameters, **self._session}).encode() + b"\0")
        while True:
            answer = b""
            while not answer.endswith(b"\0"):
                character = self._read.read(1)
                assert character, "the browser has ended"
                answer += character
            answer = json.loads(answer[:-1])
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
