#!/usr/bin/env python3
"""Writes signature/<provider>.json: valid signatures of a provider, and every kind of invalid one.

Python's hmac and openssl both make every digest; neither is the gateway's own code. To check one by hand, with
the body in a file:

    openssl dgst -sha256 -hmac "$SECRET" < body
"""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent
PAYLOADS = HERE.parent / "payloads"

# By provider: the header, the prefix of the digits, and a secret in the provider's form.
PROVIDERS = {
    "creative-force": ("X-CF-Signature", "", "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs="),
    "woodwing": ("X-Hook-Signature", "", "f65b957c-f3e3-988a-8be5-56ddba21c41f"),
    "creads": ("X-Partners-Signature", "", "your_secret_key"),
    "people-force": ("X-PeopleForce-Signature", "sha256=", "WEBHOOK_SECRET"),
}

# The same values can be written in other bytes.
BODY = '{"a": 1.50, "b":"x\\/y"}'


def digest(key, body, algorithm="sha256"):
    """The MAC in hexadecimal, by two programs."""
    ours = hmac.new(key, body, algorithm).hexdigest()
    command = ["openssl", "dgst", f"-{algorithm}", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}"]
    if key:  # openssl takes no empty key
        theirs = subprocess.run(command, input=body, capture_output=True, check=True).stdout
        assert theirs.split()[-1].decode() == ours
    return ours


def vectors(provider, header, prefix, secret):
    key, body, payload = secret.encode(), BODY, BODY.encode()
    good = digest(key, payload)
    found = []

    def add(name, why, headers, refusal=None, position=0, secrets=(secret,), text=body, **other):
        vector = {"name": name, "why": why, "secrets": list(secrets), "headers": headers}
        vector |= other.get("raw", {"body": text})
        vector |= {"refusal": refusal} if refusal else {"verdict": "accepted", "secret_position": position}
        found.append(vector | {"origin": other.get("origin", "python3 hmac and openssl dgst")})

    def sent(*values):
        return [[header, value] for value in values]

    def accepted(name, why, value=prefix + good, **other):
        add(name, why, sent(value), **other)

    def refused(name, why, refusal, *values, **other):
        add(name, why, sent(*values), refusal, **other)

    # What the provider sends.
    accepted("good", "the documented scheme")
    for path in sorted((PAYLOADS / provider).glob("*.json")):
        accepted(f"payload: {path.stem}", "a documented payload, as it is printed", prefix + digest(key, path.read_bytes()),
                 raw={"payload": path.name})
    add("header in lower case", "as API Gateway gives it", [[header.lower(), prefix + good]])
    accepted("upper-case hex", "hexadecimal has no case", prefix + good.upper())
    accepted("mixed-case hex", "hexadecimal has no case", prefix + good[:32].upper() + good[32:])
    add("among other headers", "no other header is asked",
        [["X-Hub-Signature-256", "sha256=" + "0" * 64], [header, prefix + good], ["X-CF-Event", "Task completed"]])
    for name, text in [("empty body", ""), ("empty object", "{}"), ("not JSON", "a=1&b=2"), ("line feed at the end", body + "\n"),
                       ("byte order mark", "\ufeff" + body), ("CR LF", "{\r\n}\r\n"), ("beyond ASCII", '{"a":"é ✓ 😀 \ufffe"}')]:
        accepted(f"body: {name}", "the MAC is over the bytes, whatever they are", prefix + digest(key, text.encode()), text=text)
    raw = b'{"a":"\xff\xfe\x00"}'
    accepted("body: not UTF-8", "the MAC is over the bytes, whatever they are", prefix + digest(key, raw),
             raw={"body_base64": base64.b64encode(raw).decode()})
    rule = {"text": "0123456789abcdef", "times": 65536}
    mebibyte = rule["text"].encode() * rule["times"]
    accepted("body: 1 MiB", "no length is special", prefix + digest(key, mebibyte), raw={"body_repeated": rule})

    # Secrets.
    new = "a-newer-secret"
    accepted("rotation: the second secret", "the provider still signs with the previous one", secrets=[new, secret], position=1)
    accepted("rotation: the first secret", "the provider signs with the current one", secrets=[secret, new])
    accepted("rotation: the last of five", "any number may be active", secrets=["a", "b", "c", "d", secret], position=4)
    accepted("white space around the secret", "an accident of copying", secrets=[f" \t{secret}\r\n"])
    accepted("blank secrets beside a good one", "they are no secrets and have no position", secrets=["", " \n", secret])
    for name, other in [("inner space", "two words"), ("beyond ASCII", "clé-密鑰"), ("one byte", "x"), ("as long as a block", "k" * 64),
                        ("longer than a block", "k" * 65)]:
        accepted(f"secret: {name}", "the key is the string's UTF-8", prefix + digest(other.encode(), payload), secrets=[other])
    refused("wrong secret", "only the MAC over the exact bytes counts", "Mismatch", prefix + digest(b"wrong", payload))
    refused("a retired secret", "it is no longer configured", "Mismatch", prefix + good, secrets=[new])
    refused("secret in upper case", "the key is the string as it is", "Mismatch", prefix + digest(secret.swapcase().encode(), payload))
    refused("secret with its line feed", "the configured one is trimmed, so this is another key", "Mismatch",
            prefix + digest(key + b"\n", payload), secrets=[secret + "\n"])
    refused("empty key", "an empty secret verifies nothing", "NoSecret", prefix + digest(b"", payload), secrets=[""])
    refused("blank key", "a blank secret verifies nothing", "NoSecret", prefix + digest(b" ", payload), secrets=[" ", "\t\r\n"])
    refused("no secret", "nothing could make a signature", "NoSecret", prefix + digest(b"", payload), secrets=[])
    refused("empty key beside a good secret", "the empty one is dropped", "Mismatch", prefix + digest(b"", payload), secrets=["", secret])
    decoded = {"creative-force": lambda: base64.b64decode(secret), "woodwing": lambda: bytes.fromhex(secret.replace("-", "")),
               "creads": lambda: base64.b64decode("c2VjcmV0LWtleQ=="), "people-force": lambda: base64.b64decode("c2VjcmV0LWtleQ==")}
    looks = secret if provider in ("creative-force", "woodwing") else "c2VjcmV0LWtleQ=="
    refused("secret decoded", "what looks like Base64 or a GUID is not decoded", "Mismatch",
            prefix + digest(decoded[provider](), payload), secrets=[looks])

    # The body.
    refused("one byte changed", "only the MAC over the exact bytes counts", "Mismatch", prefix + good, text=body.replace("1", "2"))
    refused("one byte more", "the exact bytes, a line feed included", "Mismatch", prefix + good, text=body + "\n")
    refused("one byte less", "the exact bytes", "Mismatch", prefix + good, text=body[:-1])
    refused("re-serialised", "the same values in other bytes", "Mismatch", prefix + good, text=json.dumps(json.loads(body)))
    refused("signature of the empty body", "only the MAC over the exact bytes counts", "Mismatch", prefix + digest(key, b""))
    refused("body left out", "only the MAC over the exact bytes counts", "Mismatch", prefix + good, text="")

    # The header.
    add("no header", "only the MAC over the exact bytes counts", [["Content-Type", "application/json"]], "Missing")
    for other in sorted({entry[0] for entry in PROVIDERS.values()} - {header}):
        add(f"under {other}", "another provider's header", [[other, prefix + good]], "Missing")
    refused("empty header", "it has no digits", "Malformed", "")
    refused("blank header", "it has no digits", "Malformed", " ")
    refused("sent twice", "which of them counts is not for us to guess", "Repeated", prefix + good, prefix + good)
    refused("sent twice, good first", "so that no order helps", "Repeated", prefix + good, prefix + "0" * 64)
    refused("sent twice, good last", "so that no order helps", "Repeated", prefix + "0" * 64, prefix + good)
    refused("sent twice, one empty", "so that no order helps", "Repeated", "", prefix + good)
    refused("joined by a comma", "as API Gateway joins what was sent twice", "Repeated", f"{prefix}{good},{prefix}{good}")
    refused("joined by a comma and a space", "as proxies do", "Repeated", f"{prefix}{'0' * 64}, {prefix}{good}")
    refused("comma at the end", "a second one that is empty", "Repeated", f"{prefix}{good},")
    for name, digits in [("truncated by a byte", good[:62]), ("truncated by a digit", good[:63]), ("half", good[:32]), ("too long by a digit", good + "0"),
                         ("too long by a byte", good + "00"), ("twice in a row", good + good), ("not hexadecimal", "g" + good[1:]),
                         ("space before", " " + good), ("space after", good + " "), ("with 0x", "0x" + good), ("0x in its place", "0x" + good[2:]),
                         ("quoted", f'"{good}"'), ("with colons", ":".join(good[i:i + 2] for i in range(0, 64, 2))),
                         ("full-width digits", good.translate({c: c + 0xFEE0 for c in range(0x30, 0x3A)})),
                         ("Base64", base64.b64encode(bytes.fromhex(good)).decode()),
                         ("HMAC-SHA1", digest(key, payload, "sha1")), ("HMAC-SHA512", digest(key, payload, "sha512")),
                         ("MD5", hashlib.md5(key + payload).hexdigest())]:
        refused(name, "not 64 hexadecimal digits", "Malformed", prefix + digits)
    refused("the secret itself", "a token is no signature; comparing with it would reveal it" if provider == "woodwing" else "a token is no signature",
            "Malformed", prefix + secret)
    refused("a secret of 64 digits itself", "not even one of the right form", "Mismatch", prefix + "5e" * 32, secrets=["5e" * 32])
    refused("all zeros", "only the MAC over the exact bytes counts", "Mismatch", prefix + "0" * 64)
    refused("last digit changed", "all of it is compared", "Mismatch", prefix + good[:-1] + ("0" if good[-1] != "0" else "1"))
    refused("first digit changed", "all of it is compared", "Mismatch", prefix + ("0" if good[0] != "0" else "1") + good[1:])
    for name, other in [("SHA-256 of body and secret", hashlib.sha256(payload + key)), ("SHA-256 of secret and body", hashlib.sha256(key + payload)),
                        ("SHA-256 of the body", hashlib.sha256(payload))]:
        refused(name, "a hash is no MAC, whatever prose says", "Mismatch", prefix + other.hexdigest(), origin="python3 hashlib")
    refused("body as key, secret as message", "the wrong way round", "Mismatch", prefix + digest(payload, key))
    refused("HMAC-SHA512 cut to 32 bytes", "another hash", "Mismatch", prefix + digest(key, payload, "sha512")[:64])

    # The prefix.
    if prefix:
        for name, value in [("no prefix", good), ("upper-case prefix", prefix.upper() + good), ("prefix of another hash", "sha1=" + good),
                            ("prefix alone", prefix), ("prefix twice", prefix * 2 + good), ("prefix with a colon", "sha256:" + good),
                            ("space after the prefix", prefix + " " + good), ("space before the prefix", " " + prefix + good),
                            ("prefix of Standard Webhooks", "v1=" + good)]:
            refused(name, "the prefix is exactly sha256=", "Malformed", value)
    else:
        for other in ["sha256=", "SHA256=", "sha1=", "v1=", "v1,"]:
            refusal = "Repeated" if "," in other else "Malformed"
            refused(f"prefix {other}", "this provider sends bare digits", refusal, other + good)

    # What providers publish themselves.
    if provider == "creads":
        published = digest(b"my_secret", b"{}")
        assert published.startswith("3c980c81")
        accepted("test input of the official SDK", "secret my_secret, body {}", published, secrets=["my_secret"], text="{}",
                 origin="creads/partners-sdk-php, test of src/Webhook.php")
    return found


for provider, scheme in PROVIDERS.items():
    found = vectors(provider, *scheme)
    names = [vector["name"] for vector in found]
    assert len(names) == len(set(names)), provider
    lines = ",\n".join("  " + json.dumps(vector) for vector in found)
    (HERE / "signature" / f"{provider}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
