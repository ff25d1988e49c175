"""The cases of custom recipes, for what no preset uses, and of recipes that are refused by the name of a field.

The cases have the form of a preset's, and the `recipe` beside it. RSA keys are new each time: the file
../recipes.json is written only if it is missing.
"""

import tempfile
from dataclasses import replace

from kit import (
    HERE,
    SENT,
    Request,
    Signed,
    Suite,
    Token,
    b64,
    digest,
    hmac,
    milliseconds,
    openssl,
    stamp_header,
    stamped,
    write,
)

# RFC 8032, section 7.1, test 1 and test 2: the private keys, and what stands before one in PKCS #8.
ED25519 = [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
]
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")

BODY = '{"type":"order.paid","id":"o-1","at":1764244769,"items":[{"sku":"a-1"},{"sku":"a-2"}],"ok":true,"none":null}'
EVENT = {"type": "com.example.{$.type}", "id": "{$.id}", "time": "{$.at}", "subject": "order/{$.id}"}
READ = {"type": "com.example.order.paid", "id": "o-1", "time": "2025-11-27T11:59:29Z", "subject": "order/o-1"}
SECRETS = ["a-secret-of-the-sender-1", "a-secret-of-the-sender-0"]


def named(suite, recipe):
    """The suite's cases, under the name of the recipe and with it."""
    for case in suite.cases:
        yield {"name": f"{suite.name}: {case.pop('name')}", "recipe": recipe} | case


def macs():
    """Templates, algorithms and encodings that no preset has."""
    header = {"signature_header": "X-Signature", "event": EVENT}
    key = bytes.fromhex
    plain = dict(header="X-Signature", dedupe="id")

    suite = Signed(
        "sha512-hex-key",
        ["00112233445566778899aabbccddeeff0011", "ffeeddccbbaa99887766554433221100ffee"],
        BODY,
        READ,
        lambda secret, r: hmac(key(secret), r.body, "sha512"),
        **plain,
    )
    suite.cases_of_all()
    suite.rejected("a secret that is not hexadecimal", "it is no key", suite.sign(), secrets=["a secret"])
    yield suite, header | {"algorithm": "sha512", "secret_encoding": "hex"}

    suite = Signed(
        "literal", SECRETS, BODY, READ, lambda secret, r: hmac(secret.encode(), b"POST" + r.body), **plain
    )
    suite.cases_of_all()
    yield suite, header | {"signed": "POST{body}"}

    suite = Signed(
        "body-then-url",
        SECRETS,
        BODY,
        READ,
        lambda secret, r: hmac(secret.encode(), r.body + r.public_url.encode(), "sha1"),
        public_url="https://hooks.example.com/webhooks/trello?board=1",
        encode=b64,
        **plain,
    )
    suite.cases_of_all()
    yield suite, header | {"algorithm": "sha1", "encoding": "base64", "signed": "{body}{url}"}

    def nonce(secret, r):
        text = f".{r.header('X-Nonce')}.{r.stamp}".encode()
        return hmac(secret.encode(), r.body + text)

    suite = Signed(
        "body-nonce-time",
        SECRETS,
        BODY,
        READ,
        nonce,
        headers=[["X-Nonce", "01FJA8B4A7BM43YGWSG9GBV067"], ["X-Time", milliseconds(SENT)]],
        stamp=milliseconds(SENT),
        signed_headers=["X-Nonce", "X-Time"],
        stamps=(milliseconds, stamp_header("X-Time")),
        tolerance=60,
        **plain,
    )
    suite.cases_of_all()
    dotted = suite.plain.with_header("X-Nonce", f"01FJ.{SENT}")
    suite.rejected("a nonce with the literal", "it would make the signed text ambiguous", suite.sign(dotted))
    yield suite, header | {
        "timestamp_header": "X-Time",
        "timestamp_format": "milliseconds",
        "timestamp_tolerance": "1m",
        "signed": "{body}.{header:X-Nonce}.{timestamp}",
    }

    suite = Signed(
        "hash", SECRETS, BODY, READ, lambda secret, r: digest(r.body + secret.encode(), "sha256"), **plain
    )
    suite.cases_of_all()
    suite.rejected(
        "an empty secret", "a hash without a secret is no proof", suite.sign(secret=""), secrets=[""]
    )
    yield suite, header | {"auth": "hash", "signed": "{body}{secret}"}

    def without_body(secret, r):
        return hmac(secret.encode(), r.header("X-Id").encode())

    suite = Suite("body-not-signed", SECRETS, READ, authenticity="token")
    request = Request(BODY.encode(), [["X-Id", "1234"]], url="https://hooks.example.com/webhooks/source")
    sent = [["X-Signature", without_body(SECRETS[0], request).hex()]]
    signed = replace(request, headers=request.headers + sent)
    suite.accepted("authentic", "authenticity is token: any body may stand under it", signed)
    suite.accepted(
        "another body",
        "authenticity is token: any body may stand under it",
        replace(signed, body=BODY.encode() + b" "),
    )
    suite.rejected("X-Id changed", "it is signed", signed.with_header("X-Id", "1235"))
    yield suite, header | {"signed": "{header:X-Id}"}


def mappings():
    """Event fields, bodies and copies."""
    mac = stamped("B")

    def mapped(
        name, recipe, event, body=BODY, read=None, headers=(), dedupe="id", why="the mapping of the recipe"
    ):
        suite = Signed(
            name.replace(" ", "-").replace(",", ""),
            SECRETS,
            body,
            READ | (read or {}),
            mac,
            header="X-Signature",
            dedupe=dedupe,
            headers=headers,
        )
        suite.accepted("authentic", why, suite.sign())
        return suite, {"signature_header": "X-Signature", "event": event} | recipe

    yield mapped("an index", {}, EVENT | {"subject": "{$.items[1].sku}"}, read={"subject": "a-2"})
    yield mapped(
        "an index beyond the end", {}, EVENT | {"subject": "{$.items[2].sku}"}, read={"subject": None}
    )
    yield mapped(
        "no subject in the recipe",
        {},
        {k: v for k, v in EVENT.items() if k != "subject"},
        read={"subject": None},
    )
    yield mapped("null", {}, EVENT | {"subject": "{$.none}"}, read={"subject": None}, why="null says none")
    yield mapped(
        "an object",
        {},
        EVENT | {"subject": "{$.items[0]}"},
        read={"subject": None},
        why="only a text or a number has a name",
    )
    yield mapped(
        "a missing part of a subject", {}, EVENT | {"subject": "{$.id}/{$.no}"}, read={"subject": None}
    )
    yield mapped(
        "a missing part of the type",
        {},
        EVENT | {"type": "{$.type}.{$.action}"},
        read={"type": None},
        why="the event is quarantined",
    )
    yield mapped(
        "a fixed type", {}, EVENT | {"type": "com.example.thing"}, read={"type": "com.example.thing"}
    )
    yield mapped(
        "an id of a header",
        {},
        EVENT | {"id": "{header:X-Id}"},
        headers=[["X-Id", "d-1"]],
        read={"id": "d-1"},
        dedupe="body",
        why="the signature does not cover it: a copy is known by its body",
    )
    yield mapped(
        "an id of a header, with dedupe",
        {"dedupe": "id"},
        EVENT | {"id": "{header:X-Id}"},
        headers=[["X-Id", "d-1"]],
        read={"id": "d-1"},
        why="the operator decides",
    )
    yield mapped(
        "an id of the body, with dedupe", {"dedupe": "body"}, EVENT, dedupe="body", why="the operator decides"
    )
    yield mapped(
        "no JSON",
        {},
        EVENT,
        body="<order/>",
        read=dict.fromkeys(READ),
        dedupe="body",
        why="the event is quarantined",
    )
    yield mapped(
        "any body",
        {"body": "any"},
        {"type": "com.example.thing"},
        body="<order/>",
        read=dict.fromkeys(READ) | {"type": "com.example.thing"},
        dedupe="body",
        why="it need not be JSON",
    )
    form = {"type": "com.example.{form:kind}", "id": "{form:id}"}
    yield mapped(
        "a form",
        {"body": "form"},
        form,
        body="kind=paid&id=o+1%2F2&empty=",
        read={"type": "com.example.paid", "id": "o 1/2", "time": None, "subject": None},
    )
    yield mapped(
        "JSON in a field",
        {"body": "form:payload"},
        EVENT,
        body="payload=%7B%22type%22%3A%22order.paid%22%2C%22id%22%3A%22o-1%22%2C%22at%22%3A1764244769%7D",
    )
    yield mapped(
        "JSON in a field that is missing",
        {"body": "form:payload"},
        EVENT,
        body="other=1",
        read=dict.fromkeys(READ),
        dedupe="body",
        why="the event is quarantined",
    )
    yield mapped(
        "milliseconds",
        {},
        EVENT,
        body=BODY.replace("1764244769", "1764244769123"),
        read={"time": "2025-11-27T11:59:29.123Z"},
        why="detected",
    )
    yield mapped(
        "a text that is no time",
        {},
        EVENT | {"time": "{$.type}"},
        read={"time": None},
        why="the time of the acceptance stands in its place",
    )


def credentials():
    basic = Suite("basic", ["gateway:pa:ss wörd", "gateway:of-before"], READ, authenticity="token")
    url = "https://hooks.example.com/webhooks/source"

    def sent(credential, scheme="Basic "):
        return Request(BODY.encode(), [["Authorization", scheme + credential]], url=url)

    def encoded(secret):
        return b64(secret.encode())

    first, second = basic.secrets
    basic.accepted("authentic", "user, colon, password", sent(encoded(first)))
    basic.accepted(
        "rotation: the second secret",
        "the sender still has the previous one",
        sent(encoded(first)),
        1,
        secrets=[second, first],
    )
    basic.accepted("scheme in lower case", "it has no case (RFC 7617)", sent(encoded(first), "basic "))
    for name, why, credential in [
        ("wrong password", "only a secret of the source counts", encoded("gateway:wrong")),
        ("another user", "only a secret of the source counts", encoded("gatewax:pa:ss wörd")),
        ("password cut", "all of it is compared", encoded(first[:-1])),
        ("password with more", "all of it is compared", encoded(first + "x")),
        ("no password", "all of it is compared", encoded("gateway:")),
        ("no colon", "all of it is compared", encoded("gateway")),
        ("not encoded", "it is Base64", first.replace(" ", "")),
        ("encoded twice", "it is Base64 once", encoded(encoded(first))),
        ("empty", "there is no credential", ""),
    ]:
        basic.rejected(name, why, sent(credential))
    basic.rejected("Bearer", "it is another scheme", sent(encoded(first), "Bearer "))
    basic.rejected("no header", "nothing is verified without it", replace(sent(""), headers=[]))
    basic.rejected("no secret", "nothing could equal it", sent(encoded(first)), secrets=[])
    basic.rejected(
        "an empty secret", "an empty secret verifies nothing", sent(encoded(":")), secrets=["", ":"]
    )
    yield basic, {"auth": "basic", "event": EVENT}

    bearer = Token("bearer", SECRETS, BODY, READ, "Authorization")
    good = bearer.with_token("Bearer " + SECRETS[0])
    bearer.accepted("authentic", "the documented header", good)
    bearer.accepted(
        "rotation: the second secret", "the sender still has the previous one", good, 1, secrets=SECRETS[::-1]
    )
    for name, value in [
        ("no prefix", SECRETS[0]),
        ("another prefix", "Basic " + SECRETS[0]),
        ("two spaces", "Bearer  " + SECRETS[0]),
        ("the prefix alone", "Bearer "),
        ("token cut", "Bearer " + SECRETS[0][:-1]),
        ("wrong token", "Bearer " + SECRETS[1]),
    ]:
        bearer.rejected(name, "the whole value is compared", bearer.with_token(value))
    yield bearer, {
        "auth": "token",
        "token_header": "Authorization",
        "signature_prefix": "Bearer ",
        "event": EVENT,
    }

    nothing = Suite("none", SECRETS, READ, authenticity="none")
    nothing.accepted(
        "authentic",
        "the source asks for nothing, and authenticity says so",
        Request(BODY.encode(), url=url),
        None,
        secrets=[],
    )
    yield nothing, {"auth": "none", "event": EVENT}


def public_keys():
    with tempfile.TemporaryDirectory() as folder:

        def suite(name, options, digest_option, recipe, private=None):
            keys = {}
            for number in range(2):
                path = f"{folder}/{name}-{number}.pem"
                if private:
                    openssl(
                        "pkey", "-inform", "DER", "-out", path, data=PKCS8 + bytes.fromhex(private[number])
                    )
                else:
                    openssl("genpkey", *options, "-out", path)
                keys[b64(openssl("pkey", "-in", path, "-pubout", "-outform", "DER"))] = path

            def mac(public, r):
                signed = r.stamp.encode() + r.body
                if digest_option:
                    return openssl("dgst", digest_option, "-sign", keys[public], data=signed)
                with tempfile.NamedTemporaryFile() as file:  # Ed25519 takes no standard input
                    file.write(signed)
                    file.flush()
                    return openssl("pkeyutl", "-sign", "-rawin", "-inkey", keys[public], "-in", file.name)

            made = Signed(
                name,
                list(keys),
                BODY,
                READ,
                mac,
                header="X-Signature",
                encode=b64,
                stamp=str(SENT),
                headers=[["X-Time", str(SENT)]],
                signed_headers=["X-Time"],
                stamps=(str, stamp_header("X-Time")),
                dedupe="id",
            )
            made.cases_of_all()
            keyed = b64(hmac(made.secrets[0].encode(), made.plain.stamp.encode() + made.plain.body))
            made.rejected("an HMAC with the public key", "a public key is no secret", made.sign(text=keyed))
            made.rejected("a key that is none", "it verifies nothing", made.sign(), secrets=["AAAA"])
            return (
                made,
                {
                    "auth": "public-key",
                    "encoding": "base64",
                    "signature_header": "X-Signature",
                    "timestamp_header": "X-Time",
                    "signed": "{timestamp}{body}",
                    "event": EVENT,
                }
                | recipe,
            )

        yield suite("ed25519", [], None, {"algorithm": "ed25519"}, ED25519)
        rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        yield suite("rsa-sha256", rsa, "-sha256", {"algorithm": "rsa-sha256"})


def refused():
    """Recipes that are no recipes, and the field that the error names."""
    good = {"signature_header": "X-Signature", "event": {"type": "com.example.thing"}}
    token = {"auth": "token", "token_header": "X-Token", "event": {"type": "com.example.thing"}}
    key = good | {"auth": "public-key", "algorithm": "ed25519"}

    def without(recipe, field):
        return {name: value for name, value in recipe.items() if name != field}

    cases = [
        ("an unknown field", good | {"signature": "X-Signature"}, "signature"),
        ("a field in camel case", good | {"signatureHeader": "X-Signature"}, "signatureHeader"),
        ("an unknown field of the event", good | {"event": {"type": "a", "kind": "b"}}, "event.kind"),
        ("an unknown auth", good | {"auth": "jwt"}, "auth"),
        ("an unknown algorithm", good | {"algorithm": "md5"}, "algorithm"),
        ("an algorithm of a public key", good | {"algorithm": "ed25519"}, "algorithm"),
        ("an algorithm of an HMAC", key | {"algorithm": "sha256"}, "algorithm"),
        ("a public key without an algorithm", without(key, "algorithm"), "algorithm"),
        ("an unknown encoding", good | {"encoding": "base32"}, "encoding"),
        ("an unknown secret encoding", good | {"secret_encoding": "base64url"}, "secret_encoding"),
        ("no signature header", without(good, "signature_header"), "signature_header"),
        ("an empty list of signature headers", good | {"signature_header": []}, "signature_header"),
        ("a name that is no header", good | {"signature_header": "X Signature"}, "signature_header"),
        ("an empty delimiter", good | {"delimiter": ""}, "delimiter"),
        ("an empty template", good | {"signed": ""}, "signed"),
        ("an unknown placeholder", good | {"signed": "{host}{body}"}, "signed"),
        ("a brace that is not closed", good | {"signed": "{body"}, "signed"),
        ("a header without a name", good | {"signed": "{header:}{body}"}, "signed"),
        ("a secret in an HMAC", good | {"signed": "{body}{secret}"}, "signed"),
        ("a hash without a secret", good | {"auth": "hash"}, "signed"),
        ("a timestamp without a header", good | {"signed": "{timestamp}.{body}"}, "timestamp_header"),
        ("a timestamp that is not signed", good | {"timestamp_header": "X-Time"}, "timestamp_header"),
        (
            "a prefix in another header without a delimiter",
            good | {"signed": "{timestamp}{body}", "timestamp_header": "X-Signature"},
            "delimiter",
        ),
        ("an unknown format of the timestamp", good | {"timestamp_format": "iso"}, "timestamp_format"),
        ("a tolerance that is no time", good | {"timestamp_tolerance": "soon"}, "timestamp_tolerance"),
        ("a negative tolerance", good | {"timestamp_tolerance": "-5m"}, "timestamp_tolerance"),
        ("a token without a place", without(token, "token_header"), "token_header"),
        ("a token in two places", token | {"token_path": "$.token"}, "token_path"),
        ("a token header for signatures", good | {"token_header": "X-Token"}, "token_header"),
        ("a template for a token", token | {"signed": "{body}"}, "signed"),
        (
            "a token path that is none",
            {"auth": "token", "token_path": "token", "event": {"type": "a"}},
            "token_path",
        ),
        ("an unknown handshake", good | {"handshake": "crc"}, "handshake"),
        ("hub without a verify token", good | {"handshake": "hub"}, "verify_token"),
        ("a verify token without hub", good | {"verify_token": "a-verify-token"}, "verify_token"),
        ("no event", without(good, "event"), "event"),
        ("no event type", good | {"event": {"id": "{$.id}"}}, "event.type"),
        ("an empty event type", good | {"event": {"type": ""}}, "event.type"),
        ("a path without a dollar", good | {"event": {"type": "{type}"}}, "event.type"),
        ("a path with a wildcard", good | {"event": {"type": "{$.items[*].type}"}}, "event.type"),
        ("a path that is not closed", good | {"event": {"type": "{$.items[0}"}}, "event.type"),
        ("a form field of a JSON body", good | {"event": {"type": "{form:kind}"}}, "event.type"),
        ("an unknown body", good | {"body": "xml"}, "body"),
        ("a form field without a name", good | {"body": "form:"}, "body"),
        ("a form in the template of a JSON body", good | {"signed": "{form}"}, "signed"),
        ("eleven headers", good | {"forward_headers": [f"X-{n}" for n in range(11)]}, "forward_headers"),
        (
            "a response that is no success",
            good | {"response": {"status": 500, "content_type": "text/plain", "body": ""}},
            "response",
        ),
        ("a response without a status", good | {"response": {"body": "ok"}}, "response"),
        ("an unknown dedupe", good | {"dedupe": "header"}, "dedupe"),
        ("dedupe by an id that is not mapped", good | {"dedupe": "id"}, "dedupe"),
        (
            "a public URL that is none",
            good | {"signed": "{url}{body}", "public_url": "hooks.example.com"},
            "public_url",
        ),
    ]
    write(
        HERE.parent / "recipes-refused.json",
        [{"name": name, "recipe": recipe, "field": field} for name, recipe, field in cases],
    )


def recipes():
    refused()
    path = HERE.parent / "recipes.json"
    if path.exists():
        return
    cases = [
        case
        for make in (macs, credentials, mappings, public_keys)
        for suite, recipe in make()
        for case in named(suite, recipe)
    ]
    names = [case["name"] for case in cases]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    write(path, cases)
