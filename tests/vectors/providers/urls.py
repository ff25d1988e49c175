"""Providers that sign the URL and the fields of a form."""

from dataclasses import replace
from urllib.parse import parse_qsl, quote

from kit import SENT, Signed, b64, changed, digest, hmac, milliseconds, stamp_header


def hubspot():
    def mac(secret, r):
        return hmac(secret.encode(), (r.method + r.public_url).encode() + r.body + r.stamp.encode())

    header = "X-HubSpot-Request-Timestamp"
    suite = Signed(
        "hubspot",
        ["232bbb54-7c47-4c2f-8c0f-5f6a3b1d9e7a", "9e7a3b1d-8c0f-4c2f-7c47-232bbb545f6a"],
        '[{"objectId":1246965,"propertyName":"lifecyclestage","propertyValue":"subscriber","changeSource":"ACADEMY","eventId":3816279340,"subscriptionId":25,'
        '"portalId":33,"appId":1160452,"occurredAt":1764244769123,"subscriptionType":"contact.propertyChange","attemptNumber":0}]',
        {"type": "com.hubspot.events"},
        mac,
        header="X-HubSpot-Signature-v3",
        encode=b64,
        stamp=milliseconds(SENT),
        headers=[[header, milliseconds(SENT)]],
        public_url="https://hooks.example.com/webhooks/hubspot",
        signed_headers=[header],
        stamps=(milliseconds, stamp_header(header)),
    )
    suite.cases_of_all()
    suite.rejected("another method", "the method is signed", replace(suite.sign(), method="PUT"))
    suite.rejected(
        "timestamp in seconds",
        "the header has milliseconds: this time is in 1970",
        suite.sign(stamp_header(header)(suite.plain, str(SENT))),
    )
    v1 = digest(suite.secrets[0].encode() + suite.plain.body, "sha256").hex()
    suite.rejected(
        "only the signature of version 1",
        "a hash with the secret first can be lengthened",
        replace(
            suite.plain,
            headers=suite.plain.headers
            + [["X-HubSpot-Signature", v1], ["X-HubSpot-Signature-Version", "v1"]],
        ),
    )
    url, published = "https://www.example.com/webhook_uri", "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw="
    request = replace(
        stamp_header(header)(suite.plain, "15000000"),
        body=b"{'example_field':'example_value'}",
        url=url,
        public_url=url,
    )
    secret = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
    assert b64(mac(secret, request)) == published
    suite.accepted(
        "published: the SDK's test",
        "the provider's own test input: authentic, and quarantined as it is no JSON",
        suite.sign(request, text=published),
        secrets=[secret],
        now=15000,
        event={"type": None},
        composed=False,
        origin="published: https://github.com/HubSpot/hubspot-api-python (test_signature.py)",
    )
    suite.write()


def twilio():
    def mac(secret, r):
        fields = {}
        for name, value in parse_qsl(r.body.decode(), keep_blank_values=True):
            fields.setdefault(name, set()).add(value)
        form = "".join(name + value for name in sorted(fields) for value in sorted(fields[name]))
        return hmac(secret.encode(), (r.public_url + form).encode(), "sha1")

    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    body = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    suite = Signed(
        "twilio",
        ["12345", "8f3a1c9d5e7b2046a1b2c3d4e5f60718"],
        body,
        {"type": "com.twilio.webhook"},
        mac,
        header="X-Twilio-Signature",
        encode=b64,
        public_url=url,
        composed=False,
    )
    suite.plain.headers[0][1] = "application/x-www-form-urlencoded"
    published = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert b64(mac("12345", suite.plain)) == published
    suite.accepted(
        "published",
        "the provider's own example",
        suite.sign(text=published),
        origin="published: https://github.com/twilio/twilio-python (test_request_validator.py)",
    )
    suite.cases_of_all()
    order = "&".join(reversed(body.split("&")))
    suite.accepted(
        "fields in another order",
        "they are signed in the order of their names",
        replace(suite.sign(), body=order.encode()),
    )
    for name, why, text in [
        (
            "spaces, signs and letters beyond ASCII",
            "the decoded values are signed",
            "Body=Hello+World%21+%C3%A9%F0%9F%98%80&From=%2B1&Body2=",
        ),
        (
            "a repeated field",
            "its values are signed in order, and each once",
            "MediaUrl=b&MediaUrl=a&MediaUrl=a&From=%2B1",
        ),
        ("capitals first", "names are sorted by their bytes", "a=1&B=2&A=3"),
        ("no field", "the URL alone is signed", ""),
    ]:
        suite.accepted(name, why, suite.sign(replace(suite.plain, body=text.encode())), composed=True)
    for name, value in fields.items():
        other = body.replace(f"{name}={quote(value, safe='')}", f"{name}={quote(changed(value), safe='')}")
        suite.rejected(f"field {name} changed", "it is signed", replace(suite.sign(), body=other.encode()))
    suite.rejected(
        "a field more", "all fields are signed", replace(suite.sign(), body=(body + "&X=1").encode())
    )
    suite.rejected(
        "a field less", "all fields are signed", replace(suite.sign(), body=body.rsplit("&", 1)[0].encode())
    )
    with_port = url.replace(".com/", ".com:443/")
    for name, signed, configured in [
        ("signed with the port", with_port, url),
        ("signed without the port", url, with_port),
    ]:
        request = suite.sign(replace(suite.plain, public_url=signed))
        suite.accepted(name, "Twilio signs either", replace(request, public_url=configured))
    other = suite.sign(replace(suite.plain, public_url=url.replace(".com/", ".com:8443/")))
    suite.rejected(
        "signed with another port", "it is another URL", replace(other, public_url=suite.plain.public_url)
    )
    suite.rejected(
        "the raw body signed",
        "the fields are signed, not the bytes",
        suite.sign(text=b64(hmac(b"12345", (url + body).encode(), "sha1"))),
    )
    suite.write()
