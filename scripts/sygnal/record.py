"""Records what Sygnal 0.17 does with requests: JSON lines {name, body} on stdin, the same with its answer and what it would send on stdout.

Sygnal's own request handler and pushkins run as they are; only the last step, the request to the push service, is replaced, and says that it was accepted.
Needs a Python with matrix-sygnal 0.17.0: PYTHON scripts/sygnal/record.py < requests > recorded
"""

import io
import json
import logging
import os
import sys
from types import SimpleNamespace

os.environ["RUN_DESPITE_UNSUPPORTED"] = "Y"
logging.disable(logging.CRITICAL)

import opentracing  # noqa: E402
from sygnal import apnspushkin, gcmpushkin, http, webpushpushkin  # noqa: E402
from twisted.internet import defer  # noqa: E402

sent = []


class Apns(apnspushkin.ApnsPushkin):
    def __init__(self, name, sygnal):
        apnspushkin.ConcurrencyLimitedPushkin.__init__(self, name, sygnal, {})

    async def _dispatch_request(self, log, span, device, shaved_payload, prio, notif_id):
        # As aioapns writes it.
        body = json.dumps(shaved_payload, ensure_ascii=False).encode()
        headers = {"apns-id": notif_id, "apns-priority": str(prio), "apns-topic": "com.example.app"}
        sent.append({"service": "apns", "token": "token", "headers": headers, "json": json.loads(body)})
        return []


class Gcm(gcmpushkin.GcmPushkin):
    def __init__(self, name, sygnal):
        gcmpushkin.ConcurrencyLimitedPushkin.__init__(self, name, sygnal, {})
        self.api_version = gcmpushkin.APIVersion.V1
        self.base_request_body = {}

    async def _get_auth_header(self):
        return "Bearer none"

    async def _request_dispatch(self, n, log, body, headers, pushkeys, span):
        sent.append({"service": "fcm", "token": "token", "headers": {}, "json": json.loads(json.dumps(body))})
        return [], []


class WebPush(webpushpushkin.WebpushPushkin):
    def __init__(self, name, sygnal):
        webpushpushkin.ConcurrencyLimitedPushkin.__init__(self, name, sygnal, {})
        self.allowed_endpoints = None
        self.connection_semaphore = defer.DeferredSemaphore(1)
        self.vapid_contact_email = "ops@example.org"
        self.vapid_private_key = self.http_request_factory = self.http_agent = None
        self.ttl = 900


class Encrypted:
    def __init__(self, subscription_info, data, ttl, **more):
        self.json = json.loads(data)
        self.ttl = ttl

    def execute(self, http_agent, low_priority, topic):
        headers = {"ttl": str(self.ttl), "urgency": "low" if low_priority else "normal"}
        if topic:
            headers["topic"] = topic.decode()
        sent.append({"service": "webpush", "token": "token", "headers": headers, "json": self.json})
        return defer.succeed(SimpleNamespace(code=201, headers=SimpleNamespace(getRawHeaders=lambda name: None)))


webpushpushkin.webpush = Encrypted
webpushpushkin.readBody = lambda response: defer.succeed(b"")


class Request:
    _disconnected = False

    def __init__(self, body):
        self.content = io.BytesIO(body.encode())
        self.requestHeaders = SimpleNamespace(getAllRawHeaders=lambda: [])
        self.code = 200
        self.written = b""

    def setResponseCode(self, code):
        self.code = code

    def write(self, data):
        self.written += data

    def finish(self):
        pass


sygnal = SimpleNamespace(tracer=opentracing.Tracer(), pushkins={})
sygnal.pushkins["com.example.ios"] = Apns("com.example.ios", sygnal)
sygnal.pushkins["com.example.android"] = Gcm("com.example.android", sygnal)
sygnal.pushkins["com.example.web.any"] = WebPush("com.example.web.any", sygnal)
handler = http.V1NotifyHandler(sygnal)

for line in sys.stdin:
    case = json.loads(line)
    sent.clear()
    request = Request(case["body"])
    try:
        returned = handler.render_POST(request)
        status = request.code
        text = request.written.decode() if isinstance(returned, int) else returned.decode()
    except Exception:
        # Twisted's page about an error.
        status, text = 500, "<html>"
    response = {"status": status, "body": text}
    if status == 200:
        response["json"] = json.loads(text)
    print(json.dumps({**case, "response": response, "pushes": sent}))
