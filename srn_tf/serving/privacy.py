"""The page asks no other host for anything: what is dropped on it stays between two machines.

Gradio's page names servers of fonts and scripts in its head. A page that was loaded without a
network would wait for them, and one with a network tells them that it was opened.
"""

from __future__ import annotations

import re

# The browser refuses what comes from elsewhere, whichever script asks for it.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"

# A browser connects to the host of a preconnect link whatever the policy says.
_FOREIGN = re.compile(rb"<(link|script)\b[^>]*[\"']https?://[^>]*>(\s*</script>)?")


class OnlyThisHost:
    """ASGI middleware that keeps a page to the host it came from.

    Args:
      app: answers an HTML page in one message, as template responses do.
    """

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send) -> None:
        start = None  # of an HTML page, held back until its length is known

        async def send_own(message):
            nonlocal start
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
                ]
                if _is_html(message):
                    start = message
                    return
            elif start is not None:
                message["body"] = _FOREIGN.sub(b"", message["body"])
                headers = [pair for pair in start["headers"] if pair[0] != b"content-length"]
                length = str(len(message["body"])).encode()
                await send({**start, "headers": [*headers, (b"content-length", length)]})
                start = None
            await send(message)

        await self._app(scope, receive, send_own)


def _is_html(start: dict) -> bool:
    return dict(start["headers"]).get(b"content-type", b"").startswith(b"text/html")
