"""The tools of the cases: openssl, and the cases that every kind of authentication has."""

import base64
import datetime
import json
import pathlib
import subprocess
from dataclasses import dataclass, field, replace

HERE = pathlib.Path(__file__).parent
PAYLOADS = HERE.parent.parent / "payloads"

NOW = 1764244800  # 2025-11-27T12:00:00Z
SENT = NOW - 30
HOST = "https://hooks.example.com/webhooks/"


def openssl(*arguments, data=b""):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def hmac(key, signed, algorithm="sha256"):
    if not key:  # openssl takes no empty key; a block of zeros is the same (RFC 2104)
        key = bytes(64)
    return openssl(
        "dgst", f"-{algorithm}", "-binary", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", data=signed
    )


def digest(signed, algorithm):
    return openssl("dgst", f"-{algorithm}", "-binary", data=signed)


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def changed(text):
    """The text with its last letter or digit changed."""
    at = max(i for i, c in enumerate(text) if c.isalnum())
    return text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :]


@dataclass
class Request:
    body: bytes
    headers: list = field(default_factory=list)
    stamp: str = ""
    method: str = "POST"
    url: str = ""
    public_url: str = None

    def with_header(self, name, value):
        """The request with a header that has another value, or none."""
        headers = [[other, value if other == name else old] for other, old in self.headers]
        return replace(self, headers=[header for header in headers if header[1] is not None])

    def header(self, name):
        return dict(self.headers)[name]


class Suite:
    """The cases of one preset."""

    def __init__(
        self, name, secrets, event, dedupe="body", authenticity="signature", origin="openssl", composed=True
    ):
        self.name, self.secrets, self.origin, self.composed = name, secrets, origin, composed
        empty = dict.fromkeys(["type", "id", "time", "subject", "actor"])
        self.event = empty | event | {"authenticity": authenticity, "dedupe": dedupe}
        self.cases = []

    def add(self, name, why, request, expect, secrets=None, now=NOW, **other):
        case = {"name": name, "why": why}
        if other.get("composed", self.composed):
            case["composed"] = True
        case |= {
            "secrets": secrets if secrets is not None else self.secrets[:1],
            "method": request.method,
            "url": request.url,
        }
        if request.public_url:
            case["public_url"] = request.public_url
        case["headers"] = request.headers
        try:
            case["body"] = request.body.decode()
        except UnicodeDecodeError:
            case["body_base64"] = b64(request.body)
        self.cases.append(case | {"now": now, "expect": expect, "origin": other.get("origin", self.origin)})

    def accepted(self, name, why, request, secret=0, event=None, **other):
        self.add(
            name, why, request, {"verified": True, "secret": secret} | self.event | (event or {}), **other
        )

    def rejected(self, name, why, request, **other):
        self.add(name, why, request, {"verified": False}, **other)

    def write(self):
        names = [case["name"] for case in self.cases]
        assert len(names) == len(set(names)), (self.name, sorted(n for n in names if names.count(n) > 1))
        write(HERE / f"{self.name}.json", self.cases)


def write(path, cases):
    lines = ",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in cases)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


class Signed(Suite):
    """The cases of a preset with signatures.

    `mac(secret, request)` gives the bytes of a signature, `carry(texts, request)` the headers that carry them.
    """

    def __init__(
        self,
        name,
        secrets,
        body,
        event,
        mac,
        *,
        header=None,
        prefix="",
        encode=bytes.hex,
        carry=None,
        headers=(),
        stamp="",
        method="POST",
        public_url=None,
        id_header=None,
        signed_headers=(),
        stamps=None,
        tolerance=300,
        event_at=lambda stamp: {},
        **other,
    ):
        super().__init__(name, secrets, event, **other)
        body = body if isinstance(body, bytes) else body.encode()
        url = public_url or HOST + name
        self.plain = Request(
            body, [["Content-Type", "application/json"], *map(list, headers)], stamp, method, url, public_url
        )
        self.mac, self.header, self.prefix, self.encode = mac, header, prefix, encode
        self.carry = carry or (lambda texts, request: [[header, prefix + text] for text in texts])
        self.id_header, self.signed_headers, self.stamps, self.tolerance = (
            id_header,
            signed_headers,
            stamps,
            tolerance,
        )
        self.event_at = event_at

    def sign(self, request=None, secret=None, text=None):
        request = request or self.plain
        text = (
            text
            if text is not None
            else self.encode(self.mac(self.secrets[0] if secret is None else secret, request))
        )
        texts = [text] if isinstance(text, str) else text
        return replace(request, headers=request.headers + self.carry(texts, request))

    def with_signatures_of(self, request, signed):
        """A request under the signature headers of another one."""
        return replace(request, headers=request.headers + signed.headers[len(self.plain.headers) :])

    def cases_of_all(self):
        first, second = self.secrets[:2]
        good, right = self.sign(), self.mac(first, self.plain)
        text = self.encode(right)
        self.accepted("authentic", "the documented scheme", good)
        self.accepted(
            "header names in lower case",
            "as API Gateway gives them",
            replace(good, headers=[[name.lower(), value] for name, value in good.headers]),
        )
        self.accepted(
            "rotation: the second secret",
            "the provider still signs with the previous one",
            good,
            1,
            secrets=[second, first],
        )
        self.accepted(
            "rotation: the first secret",
            "the provider signs with the current one",
            good,
            secrets=[first, second],
        )
        self.rejected("wrong secret", "only a secret of the source counts", self.sign(secret=second))
        self.rejected("a retired secret", "it is no longer configured", good, secrets=[second])
        self.rejected("no secret", "nothing could make a signature", good, secrets=[])
        self.without_signature(good)
        self.changed_bodies(good)
        self.rejected(
            "signature of an empty body",
            "the body is signed",
            self.with_signatures_of(self.plain, self.sign(replace(self.plain, body=b""))),
        )
        flipped = bytes([right[0] ^ 1]) + right[1:], right[:-1] + bytes([right[-1] ^ 1])
        self.rejected(
            "signature: first byte changed", "all of it is compared", self.sign(text=self.encode(flipped[0]))
        )
        self.rejected(
            "signature: last byte changed", "all of it is compared", self.sign(text=self.encode(flipped[1]))
        )
        self.rejected(
            "signature cut by a byte", "all of it is compared", self.sign(text=self.encode(right[:-1]))
        )
        self.rejected("signature cut to nothing", "an empty signature is none", self.sign(text=""))
        other = b64 if self.encode is bytes.hex else bytes.hex
        self.rejected(
            "signature in another encoding", "the provider does not write it so", self.sign(text=other(right))
        )
        if self.encode is bytes.hex:
            self.accepted("hexadecimal in upper case", "it has no case", self.sign(text=text.upper()))
        if self.prefix:
            for name, value in [
                ("no prefix", text),
                ("another prefix", "md5=" + text),
                ("the prefix twice", self.prefix * 2 + text),
            ]:
                bad = replace(
                    good, headers=[[n, v.replace(self.prefix + text, value)] for n, v in good.headers]
                )
                assert bad != good
                self.rejected(name, f"the prefix is exactly {self.prefix!r}", bad)
        for name in self.signed_headers:
            bad = self.plain.with_header(name, changed(self.plain.header(name)))
            self.rejected(f"{name} changed", "it is signed", self.with_signatures_of(bad, good))
            bad = self.plain.with_header(name, None)
            self.rejected(
                f"{name} missing",
                "it is signed",
                replace(bad, headers=bad.headers + good.headers[len(self.plain.headers) :]),
            )
        if self.public_url_is_signed():
            self.urls(good)
        if self.stamps:
            self.times()
        if self.id_header and self.id_header not in self.signed_headers:
            other = self.plain.with_header(self.id_header, changed(self.plain.header(self.id_header)))
            self.accepted(
                f"{self.id_header} changed",
                "the signature does not cover it: a copy is known by its body",
                self.with_signatures_of(other, good),
                event={"id": other.header(self.id_header)},
            )
            self.accepted(
                f"{self.id_header} missing",
                "a delivery needs no id",
                self.with_signatures_of(self.plain, good).with_header(self.id_header, None),
                event={"id": None},
            )

    def without_signature(self, good):
        names = [name for name, _ in good.headers[len(self.plain.headers) :]]
        for name in names:
            self.rejected(f"{name} missing", "nothing is verified without it", good.with_header(name, None))
            self.rejected(f"{name} empty", "an empty signature is none", good.with_header(name, ""))

    def changed_bodies(self, good):
        body = self.plain.body
        at = max(i for i, c in enumerate(body) if chr(c).isalnum())
        other = body[:at] + (b"7" if body[at : at + 1] != b"7" else b"8") + body[at + 1 :]
        for name, value in [
            ("one byte changed", other),
            ("a line feed more", body + b"\n"),
            ("one byte less", body[:-1]),
            ("left out", b""),
        ]:
            self.rejected(f"body: {name}", "the body is signed", replace(good, body=value))

    def public_url_is_signed(self):
        return self.plain.public_url is not None

    def urls(self, good):
        self.rejected(
            "the configured URL is another",
            "the URL is signed",
            replace(good, public_url=self.plain.public_url + "x"),
        )
        self.rejected(
            "the configured URL has another query",
            "the URL is signed",
            replace(good, public_url=self.plain.public_url + "?a=1"),
        )
        elsewhere = replace(
            good, url="https://abc123.execute-api.eu-central-1.amazonaws.com/webhooks/" + self.name
        )
        self.accepted(
            "behind another host", "the configured URL counts, not the one of the request", elsewhere
        )
        forged = replace(self.plain, public_url=elsewhere.url)
        forged = replace(self.sign(forged), url=elsewhere.url, public_url=self.plain.public_url)
        self.rejected(
            "signed for the host of the request",
            "the configured URL counts, not the one of the request",
            replace(
                forged, headers=forged.headers + [["Host", "abc123.execute-api.eu-central-1.amazonaws.com"]]
            ),
        )

    def times(self):
        """`stamps` has two functions: one writes a time as the provider does, one puts it into a request."""
        write_stamp, restamp = self.stamps
        for name, offset in [
            ("almost too old", 1 - self.tolerance),
            ("almost too far ahead", self.tolerance - 1),
        ]:
            self.accepted(
                f"timestamp {name}",
                "within the tolerance",
                self.sign(restamp(self.plain, write_stamp(NOW + offset))),
                event=self.event_at(write_stamp(NOW + offset)),
            )
        for name, offset in [
            ("too old", -1 - self.tolerance),
            ("too far ahead", self.tolerance + 1),
            ("of a year ago", -31536000),
        ]:
            self.rejected(
                f"timestamp {name}",
                "beyond the tolerance",
                self.sign(restamp(self.plain, write_stamp(NOW + offset))),
            )
        good = self.sign()
        moved = restamp(self.plain, write_stamp(SENT + 1))
        self.rejected(
            "timestamp changed", "it is signed", self.with_signatures_of(moved, self.sign_as(moved, good))
        )
        self.rejected(
            "timestamp is not a time",
            "an age is known only of a time",
            self.sign(restamp(self.plain, "soon")),
        )

    def sign_as(self, request, good):
        """The signature headers of `good`, with the timestamp of `request` where a header carries both."""
        texts = [self.encode(self.mac(self.secrets[0], self.plain))]
        return replace(request, headers=self.plain.headers + self.carry(texts, request))


def stamp_header(name):
    return lambda request, text: replace(request.with_header(name, text), stamp=text)


def in_signature(request, text):
    return replace(request, stamp=text)


def milliseconds(seconds):
    return str(seconds * 1000)


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Token(Suite):
    """The cases of a preset with a token in a header."""

    def __init__(self, name, secrets, body, event, header, headers=(), id_header=None, **other):
        super().__init__(name, secrets, event, authenticity="token", **other)
        self.header, self.id_header = header, id_header
        self.plain = Request(
            body.encode(), [["Content-Type", "application/json"], *map(list, headers)], url=HOST + name
        )

    def with_token(self, value, header=None):
        return replace(self.plain, headers=self.plain.headers + [[header or self.header, value]])

    def cases_of_all(self):
        first, second = self.secrets[:2]
        good = self.with_token(first)
        self.accepted("authentic", "the header equals the secret", good)
        self.accepted(
            "header names in lower case",
            "as API Gateway gives them",
            replace(good, headers=[[name.lower(), value] for name, value in good.headers]),
        )
        self.accepted(
            "rotation: the second secret",
            "the provider still sends the previous one",
            good,
            1,
            secrets=[second, first],
        )
        self.accepted(
            "rotation: the first secret", "the provider sends the current one", good, secrets=[first, second]
        )
        self.accepted(
            "another body",
            "a token does not cover the body: authenticity says so",
            replace(good, body=good.body.replace(b"}", b" }", 1)),
        )
        for name, why, value in [
            ("wrong token", "only a secret of the source counts", second),
            ("one character less", "all of it is compared", first[:-1]),
            ("first half", "all of it is compared", first[: len(first) // 2]),
            ("one character more", "all of it is compared", first + "x"),
            ("in upper case", "it has a case", first.swapcase()),
            ("after Bearer", "the preset has no prefix", "Bearer " + first),
            ("sent as two", "all of it is compared", f"{first}, {first}"),
            ("empty", "an empty token is none", ""),
        ]:
            self.rejected(f"token: {name}", why, self.with_token(value))
        self.rejected("token missing", "nothing is verified without it", self.plain)
        self.rejected(
            "token in another header", "the header has a name", self.with_token(first, "X-Other-Token")
        )
        self.rejected("a retired secret", "it is no longer configured", good, secrets=[second])
        self.rejected("no secret", "nothing could equal the token", good, secrets=[])
        self.rejected(
            "empty token and empty secret",
            "an empty secret verifies nothing",
            self.with_token(""),
            secrets=[""],
        )
        if self.id_header:
            other = good.with_header(self.id_header, changed(good.header(self.id_header)))
            self.accepted(
                f"{self.id_header} changed",
                "nothing covers it: a copy is known by its body",
                other,
                event={"id": other.header(self.id_header)},
            )


def raw_body(algorithm="sha256", key=str.encode):
    return lambda secret, request: hmac(key(secret), request.body, algorithm)


def stamped(template):
    """HMAC-SHA256 of a text with the timestamp `T` and the body `B`."""
    before, after = template.split("B")
    return lambda secret, r: hmac(
        secret.encode(),
        (before.replace("T", r.stamp)).encode() + r.body + after.replace("T", r.stamp).encode(),
    )


def whsec(secret):
    return base64.b64decode(secret.removeprefix("whsec_"))


def two_headers(suite, primary, secondary):
    """The provider signs with both of its secrets, each in its own header."""
    first, second = suite.secrets[:2]
    one, two = (suite.encode(suite.mac(secret, suite.plain)) for secret in (first, second))

    def both(a, b):
        return replace(suite.plain, headers=suite.plain.headers + [[primary, a], [secondary, b]])

    suite.accepted(
        "both headers, both secrets", "any of the headers may match", both(one, two), secrets=[first, second]
    )
    suite.accepted(
        "both headers, only the secret of the second",
        "any of the headers may match",
        both(one, two),
        secrets=[second],
    )
    suite.accepted(
        "the second header alone",
        "any of the headers may match",
        both(one, two).with_header(primary, None),
        secrets=[second],
    )
    suite.accepted(
        "the second header's secret in the first one",
        "any secret may match any header",
        both(two, "").with_header(secondary, None),
        secrets=[second],
    )
    suite.accepted(
        "a wrong one in the first header",
        "any of the headers may match",
        both(changed(one), two),
        secrets=[second],
    )
    suite.rejected(
        "wrong ones in both headers",
        "one of the headers must match",
        both(changed(one), changed(two)),
        secrets=[first, second],
    )


def plain_hmac(name, secrets, body, event, header, prefix="", algorithm="sha256", **other):
    """A preset whose signature covers the body and nothing else."""
    suite = Signed(
        name,
        secrets,
        body,
        event,
        raw_body(algorithm, other.pop("key", str.encode)),
        header=header,
        prefix=prefix,
        **other,
    )
    suite.cases_of_all()
    return suite


def published_body(suite, secret, body, text, origin, event=None):
    """A published signature of a body; the other headers are composed."""
    request = replace(suite.plain, body=body)
    assert suite.encode(suite.mac(secret, request)) == text
    suite.accepted(
        "published",
        "the provider's own example",
        suite.sign(request, text=text),
        secrets=[secret],
        event=event,
        composed=False,
        origin=f"published: {origin}",
    )


def lists(suite, key, delimiter, stamp_key=None):
    """The header is a list: `key` stands before each signature."""
    text = suite.encode(suite.mac(suite.secrets[0], suite.plain))
    wrong = suite.encode(bytes(32))
    suite.accepted("a wrong signature first", "any part may match", suite.sign(text=[wrong, text]))
    suite.accepted("a wrong signature last", "any part may match", suite.sign(text=[text, wrong]))
    suite.rejected("two wrong signatures", "one part must match", suite.sign(text=[wrong, changed(text)]))
    second = suite.encode(suite.mac(suite.secrets[1], suite.plain))
    suite.accepted(
        "signed with both secrets", "the provider rotates: either is enough", suite.sign(text=[second, text])
    )
    good = suite.sign()
    name = suite.header
    value = good.header(name)
    other = value.replace(key + text, key.replace("1", "9") + text)
    suite.rejected(
        "the right signature of another version",
        f"only parts with {key!r} are signatures",
        good.with_header(name, other),
    )
    suite.accepted(
        "a part of another version too",
        "it is skipped",
        good.with_header(name, other + delimiter + key + text),
    )
    if delimiter != " ":
        suite.accepted(
            "spaces after the delimiter",
            "the parts are trimmed",
            good.with_header(name, value.replace(delimiter, delimiter + " ")),
        )
    if stamp_key:
        suite.rejected("no timestamp in the header", "it is signed", good.with_header(name, key + text))
        suite.accepted(
            "the timestamp last",
            "the parts have no order",
            good.with_header(name, f"{key}{text}{delimiter}{stamp_key}{suite.plain.stamp}"),
        )


def in_a_list(header, stamp_key, key, delimiter):
    """A header with the timestamp and the signatures."""
    return lambda texts, r: [[header, delimiter.join([stamp_key + r.stamp] + [key + text for text in texts])]]
