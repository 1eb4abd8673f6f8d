"""The middleware in front of a stand-in for Gradio's page."""

import asyncio

from srn_tf.serving.privacy import POLICY, OnlyThisHost

PAGE = b"""<head>
<link rel="preconnect" href="https://fonts.googleapis.com" />
<link
  rel="preconnect"
  href="https://fonts.gstatic.com"
  crossorigin="anonymous"
/>
<script
  src="https://cdnjs.cloudflare.com/iframeResizer.min.js"
  async
></script>
<script>window.own = "kept";</script>
<script type="module" src="./assets/index.js"></script>
<link rel="stylesheet" href="./assets/index.css">
</head>"""


def answer(body, content_type):
    """Headers and body as a browser would get them."""

    async def app(scope, receive, send):
        headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    messages = []

    async def send(message):
        messages.append(message)

    asyncio.run(OnlyThisHost(app)({"type": "http"}, None, send))
    start, body = messages
    assert start["status"] == 200
    assert len(dict(start["headers"])) == len(start["headers"])
    return dict(start["headers"]), body["body"]


def test_a_page_names_no_other_host():
    headers, body = answer(PAGE, b"text/html; charset=utf-8")
    assert b"https:" not in body
    assert b"preconnect" not in body
    for own in (b'window.own = "kept";', b"./assets/index.js", b"./assets/index.css", b"</head>"):
        assert own in body
    assert body.count(b"<script") == body.count(b"</script>") == 2
    assert headers[b"content-length"] == b"%d" % len(body)
    assert headers[b"content-security-policy"] == POLICY.encode()


def test_everything_else_passes_unchanged_with_the_policy():
    headers, body = answer(PAGE, b"image/png")
    assert body == PAGE
    assert headers[b"content-security-policy"] == POLICY.encode()
