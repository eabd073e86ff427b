"""Requests by HTTP: faults that may pass, and others. Proxies and certificates are the environment's."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from urllib.parse import urlparse

import requests
import urllib3
from requests.adapters import HTTPAdapter

from protloc.errors import InputError
from protloc.stage.patience import Again, Patience

PASSING = {408, 425, 429, 500, 502, 503, 504}
BEYOND = 416
NO_HEAD = {403, 405, 501}
CHUNK = 1 << 20


class Web:
    """One way to all servers, for several threads at once."""

    def __init__(self, patience: Patience, parallel: int) -> None:
        self.patience = patience
        self._session = requests.Session()
        self._session.auth = lambda request: request  # or it would look for credentials in ~/.netrc
        self._session.verify = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or True
        self._session.headers.update({"User-Agent": "protloc", "Accept-Encoding": "identity"})
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=16, pool_maxsize=parallel))
        self._not_before: dict[str, float] = {}
        self._lock = threading.Lock()

    def read(self, url: str, what: str, parameters: Mapping[str, str] | None = None) -> bytes:
        """A document of moderate length; raises InputError where it cannot be had."""

        def step() -> bytes:
            with self.open(url, what, parameters=parameters) as response:
                return b"".join(self.pieces(response))

        return self.patience.until_done(step, what)

    def head(self, url: str, what: str) -> Mapping[str, str]:
        """The headers of what is at an address, none from a server that only gives the whole."""

        def step() -> Mapping[str, str]:
            with self.open(url, what, method="HEAD") as response:
                return {} if response.status_code in NO_HEAD else response.headers

        return self.patience.until_done(step, what)

    @contextmanager
    def open(
        self,
        url: str,
        what: str,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> Iterator[requests.Response]:
        """Yield an answer whose body is still to come.

        Raises Again for a fault that may pass, InputError for other refusals; only 416 is let through.
        """
        self._wait_for(url)
        times = (self.patience.connect_s, self.patience.silent_s)
        try:
            response = self._session.request(
                method, url, headers=headers, params=parameters, stream=True, timeout=times
            )
        except requests.RequestException as error:
            raise _explained(error, what) from error
        with response:
            self._judge(response, what)
            yield response

    def pieces(self, response: requests.Response) -> Iterator[bytes]:
        """The body as it arrives, not decoded; raises Again where it ends early, stalls or hardly moves.

        That it ends early is told by urllib3, which counts the bytes.
        """
        since, count, arrived = time.monotonic(), 0, 0
        while True:
            self.patience.check()
            try:
                piece = response.raw.read1(CHUNK, decode_content=False)
            except urllib3.exceptions.ReadTimeoutError as error:
                raise Again("timed out", gained=arrived > 0) from error
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise Again("connection dropped", gained=arrived > 0) from error
            if not piece:
                break
            yield piece
            count, arrived = count + len(piece), arrived + len(piece)
            now = time.monotonic()
            if now - since >= self.patience.slow_s:
                if count < self.patience.least * (now - since):
                    raise Again("too slow")
                since, count = now, 0

    def _judge(self, response: requests.Response, what: str) -> None:
        status = response.status_code
        if status in PASSING:
            wait_s = _seconds(response.headers.get("Retry-After"))
            if wait_s is not None:
                with self._lock:  # what one thread is told holds for all
                    host = urlparse(response.url).netloc
                    self._not_before[host] = max(
                        self._not_before.get(host, 0.0),
                        time.monotonic() + min(wait_s, self.patience.asked_s),
                    )
            raise Again(f"status {status}", wait_s)
        refused = status in NO_HEAD and response.request.method == "HEAD"
        if status not in (200, 206, BEYOND) and not refused:
            raise InputError(
                f"{what}: the server answers {status} {response.reason} to {response.url}; is it still there?"
            )

    def _wait_for(self, url: str) -> None:
        """Wait as long as this server has asked for."""
        with self._lock:
            left = self._not_before.get(urlparse(url).netloc, 0.0) - time.monotonic()
        if left > 0:
            self.patience.wait(left)


def _explained(error: requests.RequestException, what: str) -> Exception:
    """What a request's failure means: something that may pass, or one line."""
    said = " ".join(str(error).split())
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in said:
        return InputError(
            f"{what}: the server's certificate is not trusted; give SSL_CERT_FILE the file of your site"
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return Again("proxy not reached")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return Again("not reached")
    if isinstance(error, requests.exceptions.Timeout):
        return Again("timed out")
    if isinstance(error, requests.exceptions.ConnectionError):
        inner = error.args[0] if error.args else None
        made = not isinstance(inner, urllib3.exceptions.MaxRetryError)
        return Again("connection dropped" if made else "not reached")
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return Again("connection dropped")
    return InputError(f"{what}: {said}; correct the address")


def _seconds(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header, which has a number or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
