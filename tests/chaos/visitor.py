"""A trader's browser, as far as chaos needs one: signs in and looks at the dashboard."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

from tests.chaos.load import EMAIL, PASSWORD

TIMEOUT_SECONDS = 10


class Visitor:
    """Keeps its session over restarts of everything."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.signed_in = False
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)

    def look(self) -> str:
        """Return the status of the dashboard, or `no answer`."""
        try:
            if not self.signed_in:
                self._sign_in()
            with self.opener.open(f"{self.address}/", timeout=TIMEOUT_SECONDS) as answer:
                return str(answer.status)
        except urllib.error.HTTPError as error:
            return str(error.code)
        except OSError:
            return "no answer"

    def _sign_in(self) -> None:
        page = self.opener.open(f"{self.address}/sign-in/", timeout=TIMEOUT_SECONDS).read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        if token is None:
            raise OSError("no form to sign in by")
        values = {"username": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
        request = urllib.request.Request(  # noqa: S310  # an address of the loopback that we made
            f"{self.address}/sign-in/",
            urllib.parse.urlencode(values).encode(),
            {"Referer": f"{self.address}/sign-in/"},
        )
        with self.opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            self.signed_in = answer.url.rstrip("/") == self.address
