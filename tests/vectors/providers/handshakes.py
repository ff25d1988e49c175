"""The cases of the handshakes: requests, and the exact answers.

`answered` says that the handshake is answered, with the `status`, the `headers` (others may stand beside them)
and the `body`, or the `json` where only the value counts. Otherwise the request takes the way of every webhook; a
`status` says how that ends where it is certain. `keeps` is the secret that is kept for the operator, and
`shows` is the text that the operator sees. Nothing is recorded, unless `recorded` says so. A source that is
`waiting` has no secret yet.
"""

import json
from urllib.parse import quote

from kit import HERE, HOST, NOW, SENT, hmac, write


def handshakes():
    cases = []

    def add(handshake, name, why, method, query="", headers=(), body="", expect=None, **source):
        """`source` says what differs from an enabled source with the secret `SECRET`."""
        case = {
            "name": f"{handshake}: {name}",
            "why": why,
            "handshake": handshake,
            "secrets": source.pop("secrets", [SECRET]),
        } | source
        case |= {
            "method": method,
            "url": HOST + "source" + query,
            "headers": [list(header) for header in headers],
            "body": body,
            "now": NOW,
        }
        cases.append(
            case | {"expect": expect, "origin": "openssl" if handshake in ("slack", "zoom") else "composed"}
        )

    SECRET, OTHER = "a-secret-of-the-source-1", "a-secret-of-the-source-0"
    JSON = ["Content-Type", "application/json"]
    NONE = {"answered": False}
    UNAUTHENTIC = NONE | {"status": 401}

    def text(body, *headers):
        return {
            "answered": True,
            "status": 200,
            "headers": [["content-type", "text/plain"], *map(list, headers)],
            "body": body,
        }

    def json_answer(value):
        return {
            "answered": True,
            "status": 200,
            "headers": [["content-type", "application/json"]],
            "json": value,
        }

    def unwritable(add_one):
        """Values that no handshake repeats."""
        add_one("1,024 bytes", "the longest", "x" * 1024, True)
        add_one("1,025 bytes", "it is longer than 1 KB", "x" * 1025, False)
        add_one("a line feed", "it has a control character", "a\nb", False)
        add_one("CR LF", "it would end a header", "a\r\nSet-Cookie: b", False)
        add_one("a null", "it has a control character", "a\0b", False)
        add_one("a C1 control", "it has a control character", "a\u0085b", False)
        add_one("empty", "there is nothing to repeat", "", False)

    def queried(handshake, parameter, answer, before=""):
        add(
            handshake,
            "authentic",
            "the documented request",
            "GET",
            f"?{before}{parameter}=abc-123_XYZ",
            expect=answer("abc-123_XYZ"),
        )
        add(
            handshake,
            "paused source",
            "a handshake is answered also when the source is paused",
            "GET",
            f"?{before}{parameter}=abc",
            paused=True,
            expect=answer("abc"),
        )
        add(
            handshake,
            "encoded once",
            "it is decoded once",
            "GET",
            f"?{before}{parameter}=a%2Bb%252Fc%C3%A9",
            expect=answer("a+b%2Fcé"),
        )
        add(
            handshake,
            "HTML",
            "it is repeated as plain text",
            "GET",
            f"?{before}{parameter}=%3Cscript%3Ealert(1)%3C%2Fscript%3E",
            expect=answer("<script>alert(1)</script>"),
        )
        add(
            handshake,
            "another parameter too",
            "it is not looked at",
            "GET",
            f"?{before}x=1&{parameter}=abc&y=2",
            expect=answer("abc"),
        )
        unwritable(
            lambda name, why, value, good: add(
                handshake,
                name,
                why,
                "GET",
                f"?{before}{parameter}={quote(value, safe='')}",
                expect=answer(value) if good else NONE,
            )
        )
        add(handshake, "not UTF-8", "it is no text", "GET", f"?{before}{parameter}=%FF", expect=NONE)

    nosniff = ["x-content-type-options", "nosniff"]
    queried("challenge", "challenge", lambda value: text(value, nosniff))
    add("challenge", "no parameter", "it is no handshake", "GET", expect=NONE)
    add(
        "challenge",
        "in a POST",
        "it is a webhook, and unsigned",
        "POST",
        "?challenge=abc",
        [JSON],
        "{}",
        expect=UNAUTHENTIC,
    )
    add(
        "challenge",
        "of another handshake",
        "a source has one handshake",
        "GET",
        "?validationToken=abc",
        expect=NONE,
    )

    token = {"verify_token": "a-verify-token"}
    hub = "hub.mode=subscribe&hub.verify_token=a-verify-token&"
    denied = NONE | {"status": 403}
    add(
        "hub",
        "authentic",
        "the documented request",
        "GET",
        f"?{hub}hub.challenge=1158201444",
        **token,
        expect=text("1158201444"),
    )
    add(
        "hub",
        "paused source",
        "a handshake is answered also when the source is paused",
        "GET",
        f"?{hub}hub.challenge=1158201444",
        paused=True,
        **token,
        expect=text("1158201444"),
    )
    add(
        "hub",
        "encoded names",
        "a name may be encoded too",
        "GET",
        "?hub%2Emode=subscribe&hub%2Everify_token=a-verify-token&hub%2Echallenge=1",
        **token,
        expect=text("1"),
    )
    for name, why, value in [
        ("wrong token", "it must equal verify_token", "a-verify-tokem"),
        ("token cut", "all of it is compared", "a-verify-toke"),
        ("token with more", "all of it is compared", "a-verify-tokenx"),
        ("token in upper case", "it has a case", "A-VERIFY-TOKEN"),
        ("empty token", "it must equal verify_token", ""),
        ("the signing secret", "it is no verify token", SECRET),
    ]:
        add(
            "hub",
            name,
            why,
            "GET",
            f"?hub.mode=subscribe&hub.verify_token={value}&hub.challenge=1",
            **token,
            expect=denied,
        )
    add(
        "hub",
        "no token",
        "it must equal verify_token",
        "GET",
        "?hub.mode=subscribe&hub.challenge=1",
        **token,
        expect=denied,
    )
    add(
        "hub",
        "another mode",
        "only subscribe is documented",
        "GET",
        "?hub.mode=unsubscribe&hub.verify_token=a-verify-token&hub.challenge=1",
        **token,
        expect=NONE,
    )
    add(
        "hub",
        "no mode",
        "only subscribe is documented",
        "GET",
        "?hub.verify_token=a-verify-token&hub.challenge=1",
        **token,
        expect=NONE,
    )
    add(
        "hub",
        "no challenge",
        "there is nothing to repeat",
        "GET",
        "?hub.mode=subscribe&hub.verify_token=a-verify-token",
        **token,
        expect=NONE,
    )
    unwritable(
        lambda name, why, value, good: add(
            "hub",
            name,
            why,
            "GET",
            f"?{hub}hub.challenge={quote(value, safe='')}",
            **token,
            expect=text(value) if good else NONE,
        )
    )

    queried("validation-token", "validationToken", text)
    add(
        "validation-token",
        "POST",
        "Microsoft Graph sends a POST",
        "POST",
        "?validationToken=Validation%3A+Testing+client",
        [["Content-Type", "text/plain; charset=utf-8"]],
        expect=text("Validation: Testing client"),
    )
    add(
        "validation-token",
        "POST, paused source",
        "a handshake is answered also when the source is paused",
        "POST",
        "?validationToken=abc",
        paused=True,
        expect=text("abc"),
    )
    add(
        "validation-token",
        "no parameter",
        "it is a webhook, without a token",
        "POST",
        "",
        [JSON],
        '{"value":[]}',
        expect=UNAUTHENTIC,
    )

    def signed(secret, body, header, stamp_header_name, stamp=str(SENT)):
        mac = hmac(secret.encode(), f"v0:{stamp}:".encode() + body.encode()).hex()
        return [JSON, [stamp_header_name, stamp], [header, "v0=" + mac]]

    def slack(value, **other):
        return json.dumps(
            {"token": "Jhj5dZrVaK7ZwHHjRyZWjbDl", "challenge": value, "type": "url_verification"} | other
        )

    names = "X-Slack-Signature", "X-Slack-Request-Timestamp"
    body = slack("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P")
    answer = text("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P")
    add(
        "slack",
        "authentic",
        "the documented request",
        "POST",
        "",
        signed(SECRET, body, *names),
        body,
        expect=answer,
    )
    add(
        "slack",
        "paused source",
        "a handshake is answered also when the source is paused",
        "POST",
        "",
        signed(SECRET, body, *names),
        body,
        paused=True,
        expect=answer,
    )
    add(
        "slack",
        "rotation: the second secret",
        "any secret verifies it",
        "POST",
        "",
        signed(SECRET, body, *names),
        body,
        secrets=[OTHER, SECRET],
        expect=answer,
    )
    add("slack", "unsigned", "it is verified first", "POST", "", [JSON], body, expect=UNAUTHENTIC)
    add(
        "slack",
        "wrong secret",
        "it is verified first",
        "POST",
        "",
        signed(OTHER, body, *names),
        body,
        expect=UNAUTHENTIC,
    )
    add(
        "slack",
        "too old",
        "it is verified first",
        "POST",
        "",
        signed(SECRET, body, *names, str(NOW - 301)),
        body,
        expect=UNAUTHENTIC,
    )
    for name, why, other in [
        ("not a text", "a challenge is a text", slack(1)),
        ("no challenge", "there is nothing to repeat", '{"type":"url_verification"}'),
        ("another type", "it is an event", slack("abc", type="event_callback")),
    ]:
        add("slack", name, why, "POST", "", signed(SECRET, other, *names), other, expect=NONE)
    unwritable(
        lambda name, why, value, good: add(
            "slack",
            name,
            why,
            "POST",
            "",
            signed(SECRET, slack(value), *names),
            slack(value),
            expect=text(value) if good else NONE,
        )
    )

    def challenge(value):
        return json.dumps({"challenge": value})

    add(
        "echo-challenge",
        "authentic",
        "the documented request",
        "POST",
        "",
        [JSON],
        challenge("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmd"),
        expect=json_answer({"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmd"}),
    )
    add(
        "echo-challenge",
        "paused source",
        "a handshake is answered also when the source is paused",
        "POST",
        "",
        [JSON],
        challenge("abc"),
        paused=True,
        expect=json_answer({"challenge": "abc"}),
    )
    add(
        "echo-challenge",
        "white space",
        "it is the same JSON",
        "POST",
        "",
        [JSON],
        ' { "challenge" : "abc" } \n',
        expect=json_answer({"challenge": "abc"}),
    )
    for name, why, other in [
        ("a member more", "the body has the challenge and nothing else", '{"challenge":"abc","event":{}}'),
        ("twice", "the body has the challenge and nothing else", '{"challenge":"abc","challenge":"def"}'),
        ("an object", "a challenge is a text", '{"challenge":{"a":1}}'),
        ("a number", "a challenge is a text", '{"challenge":1}'),
        ("an array", "the body is an object", '["challenge"]'),
        ("no JSON", "the body is JSON", "challenge=abc"),
    ]:
        add("echo-challenge", name, why, "POST", "", [JSON], other, expect=UNAUTHENTIC)
    unwritable(
        lambda name, why, value, good: add(
            "echo-challenge",
            name,
            why,
            "POST",
            "",
            [JSON],
            challenge(value),
            expect=json_answer({"challenge": value}) if good else NONE,
        )
    )

    def zoom(plain_token, event="endpoint.url_validation"):
        return json.dumps(
            {"payload": {"plainToken": plain_token}, "event_ts": SENT * 1000, "event": event},
            separators=(",", ":"),
        )

    def encrypted(plain_token, secret=SECRET):
        return json_answer(
            {"plainToken": plain_token, "encryptedToken": hmac(secret.encode(), plain_token.encode()).hex()}
        )

    names = "x-zm-signature", "x-zm-request-timestamp"
    body = zoom("qgg8vlvZRS6UYooatFL8Aw")
    add(
        "zoom",
        "authentic",
        "the documented request",
        "POST",
        "",
        signed(SECRET, body, *names),
        body,
        expect=encrypted("qgg8vlvZRS6UYooatFL8Aw"),
    )
    add(
        "zoom",
        "paused source",
        "a handshake is answered also when the source is paused",
        "POST",
        "",
        signed(SECRET, body, *names),
        body,
        paused=True,
        expect=encrypted("qgg8vlvZRS6UYooatFL8Aw"),
    )
    add(
        "zoom",
        "rotation: the second secret",
        "the secret that verifies it answers it",
        "POST",
        "",
        signed(SECRET, body, *names),
        body,
        secrets=[OTHER, SECRET],
        expect=encrypted("qgg8vlvZRS6UYooatFL8Aw"),
    )
    add("zoom", "unsigned", "it is verified first", "POST", "", [JSON], body, expect=UNAUTHENTIC)
    add(
        "zoom",
        "wrong secret",
        "it is verified first",
        "POST",
        "",
        signed(OTHER, body, *names),
        body,
        expect=UNAUTHENTIC,
    )
    add(
        "zoom",
        "too old",
        "it is verified first",
        "POST",
        "",
        signed(SECRET, body, *names, str(NOW - 301)),
        body,
        expect=UNAUTHENTIC,
    )
    for name, why, other in [
        ("a token with a colon", "the answer would be the signature of a webhook", zoom("v0:1764244770:{}")),
        ("a colon alone", "the answer could be the signature of a webhook", zoom("a:b")),
        ("not a text", "a token is a text", zoom(1)),
        ("no token", "there is nothing to sign", '{"event":"endpoint.url_validation","payload":{}}'),
    ]:
        add("zoom", name, why, "POST", "", signed(SECRET, other, *names), other, expect=NONE)
    other = zoom("abc", "meeting.started")
    add(
        "zoom",
        "another event",
        "it is a webhook",
        "POST",
        "",
        signed(SECRET, other, *names),
        other,
        expect=NONE,
    )
    unwritable(
        lambda name, why, value, good: add(
            "zoom",
            name,
            why,
            "POST",
            "",
            signed(SECRET, zoom(value), *names),
            zoom(value),
            expect=encrypted(value) if good else NONE,
        )
    )

    challenged = "X-Okta-Verification-Challenge"
    add(
        "okta",
        "authentic",
        "the documented request",
        "GET",
        "",
        [[challenged, "Oa1bC2dE3fG4hI5jK6"]],
        expect=json_answer({"verification": "Oa1bC2dE3fG4hI5jK6"}),
    )
    add(
        "okta",
        "header in lower case",
        "as API Gateway gives it",
        "GET",
        "",
        [[challenged.lower(), "abc"]],
        expect=json_answer({"verification": "abc"}),
    )
    add(
        "okta",
        "paused source",
        "a handshake is answered also when the source is paused",
        "GET",
        "",
        [[challenged, "abc"]],
        paused=True,
        expect=json_answer({"verification": "abc"}),
    )
    add(
        "okta",
        "quotes",
        "the answer is JSON",
        "GET",
        "",
        [[challenged, 'a"b\\c']],
        expect=json_answer({"verification": 'a"b\\c'}),
    )
    add("okta", "1,025 bytes", "it is longer than 1 KB", "GET", "", [[challenged, "x" * 1025]], expect=NONE)
    add("okta", "a tab", "it has a control character", "GET", "", [[challenged, "a\tb"]], expect=NONE)
    add("okta", "empty", "there is nothing to repeat", "GET", "", [[challenged, ""]], expect=NONE)
    add("okta", "no header", "it is no handshake", "GET", expect=NONE)
    add(
        "okta",
        "in a POST",
        "it is a webhook, without a token",
        "POST",
        "",
        [JSON, [challenged, "abc"]],
        "{}",
        expect=UNAUTHENTIC,
    )

    given = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81"
    repeated = {"answered": True, "status": 200, "headers": [["x-hook-secret", given]]}
    taken = repeated | {"keeps": given}
    waiting = {"secrets": [], "waiting": True}
    add(
        "hook-secret",
        "authentic",
        "the source waits for its secret",
        "POST",
        "",
        [JSON, ["X-Hook-Secret", given]],
        **waiting,
        expect=taken,
    )
    add(
        "hook-secret",
        "header in lower case",
        "as API Gateway gives it",
        "POST",
        "",
        [JSON, ["x-hook-secret", given]],
        "{}",
        **waiting,
        expect=taken,
    )
    add(
        "hook-secret",
        "a source that has a secret",
        "any sender could give it another one",
        "POST",
        "",
        [JSON, ["X-Hook-Secret", given]],
        expect=UNAUTHENTIC,
    )
    add(
        "hook-secret",
        "a source that does not wait",
        "any sender could give it one",
        "POST",
        "",
        [JSON, ["X-Hook-Secret", given]],
        secrets=[],
        waiting=False,
        expect=NONE,
    )
    other = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
    add(
        "hook-secret",
        "the secret of the source again",
        "the provider did not get the first answer",
        "POST",
        "",
        [JSON, ["X-Hook-Secret", given]],
        secrets=[other, given],
        expect=repeated,
    )
    for name, why, value in [
        ("a secret that begins with that of the source", "it is another one", given + "0"),
        ("the beginning of the secret of the source", "it is another one", given[:-1]),
    ]:
        add(
            "hook-secret",
            name,
            why,
            "POST",
            "",
            [JSON, ["X-Hook-Secret", value]],
            secrets=[given],
            expect=UNAUTHENTIC,
        )
    add(
        "hook-secret",
        "256 bytes",
        "it is kept whole",
        "POST",
        "",
        [JSON, ["X-Hook-Secret", "x" * 256]],
        **waiting,
        expect={"answered": True, "status": 200, "headers": [["x-hook-secret", "x" * 256]], "keeps": "x" * 256},
    )
    for name, why, value in [
        ("empty", "an empty secret verifies nothing", ""),
        ("257 bytes", "it would not be kept whole", "x" * 257),
        ("1,025 bytes", "it is longer than 1 KB", "x" * 1025),
        ("a tab", "it has a control character", "a\tb"),
    ]:
        add("hook-secret", name, why, "POST", "", [JSON, ["X-Hook-Secret", value]], **waiting, expect=NONE)
    add(
        "hook-secret",
        "sent twice",
        "which of them counts is not for us to guess",
        "POST",
        "",
        [JSON, ["X-Hook-Secret", given], ["X-Hook-Secret", "0" * 64]],
        **waiting,
        expect=NONE,
    )
    add("hook-secret", "GET", "it is a POST", "GET", "", [["X-Hook-Secret", given]], **waiting, expect=NONE)

    value = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"
    shown = {"answered": True, "status": 200, "headers": [], "shows": value}
    add(
        "verification-token",
        "authentic",
        "the source has no secret yet",
        "POST",
        "",
        [JSON],
        json.dumps({"verification_token": value}),
        **waiting,
        expect=shown,
    )
    add(
        "verification-token",
        "a source that has a secret",
        "it is a webhook, and unsigned",
        "POST",
        "",
        [JSON],
        json.dumps({"verification_token": value}),
        expect=UNAUTHENTIC,
    )
    for name, why, other in [
        (
            "a member more",
            "the body has the token and nothing else",
            {"verification_token": value, "type": "page.created"},
        ),
        ("a number", "a token is a text", {"verification_token": 1}),
        ("empty", "there is nothing to show", {"verification_token": ""}),
        ("1,025 bytes", "it is longer than 1 KB", {"verification_token": "x" * 1025}),
        ("an escape sequence", "it has a control character", {"verification_token": "\x1b[2Jsecret"}),
    ]:
        add("verification-token", name, why, "POST", "", [JSON], json.dumps(other), **waiting, expect=NONE)

    client = "X-AdobeSign-ClientId"
    echoed = {"answered": True, "status": 200, "headers": [[client.lower(), SECRET]]}
    add("header-echo", "GET", "the documented request", "GET", "", [[client, SECRET]], expect=echoed)
    add(
        "header-echo",
        "header in lower case",
        "as API Gateway gives it",
        "GET",
        "",
        [[client.lower(), SECRET]],
        expect=echoed,
    )
    add(
        "header-echo",
        "paused source",
        "a handshake is answered also when the source is paused",
        "GET",
        "",
        [[client, SECRET]],
        paused=True,
        expect=echoed,
    )
    add(
        "header-echo",
        "rotation: the second secret",
        "any secret may equal it",
        "GET",
        "",
        [[client, SECRET]],
        secrets=[OTHER, SECRET],
        expect=echoed,
    )
    add(
        "header-echo",
        "POST",
        "a webhook is recorded, and its answer has the header too",
        "POST",
        "",
        [JSON, [client, SECRET]],
        '{"event":"AGREEMENT_CREATED"}',
        expect={"answered": False, "status": 200, "headers": [[client.lower(), SECRET]], "recorded": True},
    )
    for name, why, value in [
        ("wrong value", "it must equal a secret", OTHER),
        ("value cut", "all of it is compared", SECRET[:-1]),
        ("empty", "it must equal a secret", ""),
    ]:
        add("header-echo", name, why, "GET", "", [[client, value]], expect=NONE)
    add("header-echo", "no header", "it must equal a secret", "GET", expect=NONE)
    add(
        "header-echo",
        "an empty secret",
        "an empty secret equals nothing",
        "GET",
        "",
        [[client, ""]],
        secrets=[""],
        expect=NONE,
    )

    form = ["Content-Type", "application/x-www-form-urlencoded"]
    pinged = {"answered": True, "status": 200, "headers": []}
    add(
        "ping",
        "HiBob, a text",
        "the documented test",
        "POST",
        "",
        [["Content-Type", "text/plain"]],
        "Ping test",
        expect=pinged,
    )
    add(
        "ping",
        "HiBob, JSON",
        "the documented test",
        "POST",
        "",
        [JSON],
        '{"text":"Ping test"}',
        expect=pinged,
    )
    add(
        "ping", "WooCommerce", "the first request, a form", "POST", "", [form], "webhook_id=42", expect=pinged
    )
    add("ping", "GET", "a test of the URL", "GET", expect=pinged)
    add("ping", "HEAD", "a test of the URL", "HEAD", expect=pinged)
    add(
        "ping",
        "paused source",
        "a handshake is answered also when the source is paused",
        "POST",
        "",
        [form],
        "webhook_id=42",
        paused=True,
        expect=pinged,
    )
    for name, why, headers, other in [
        (
            "a member more",
            "it is a webhook, and unsigned",
            JSON,
            '{"text":"Ping test","type":"employee.created"}',
        ),
        ("another text", "it is a webhook, and unsigned", JSON, '{"text":"Hello"}'),
        ("a field more", "it is a webhook, and unsigned", form, "webhook_id=42&topic=order.created"),
        ("an id that is no number", "it is a webhook, and unsigned", form, "webhook_id=a"),
        ("no body", "it is a webhook, and unsigned", form, ""),
        (
            "a webhook without its signature",
            "it is a webhook, and unsigned",
            JSON,
            '{"id":727,"status":"processing"}',
        ),
    ]:
        add("ping", name, why, "POST", "", [headers], other, expect=UNAUTHENTIC)

    for name, method, query, headers, body in [
        ("GET with a challenge", "GET", "?challenge=abc", [], ""),
        ("hub", "GET", f"?{hub}hub.challenge=1", [], ""),
        ("validation token", "POST", "?validationToken=abc", [JSON], ""),
        ("challenge", "POST", "", [JSON], challenge("abc")),
    ]:
        add(
            "none",
            name,
            "a source without a handshake answers none",
            method,
            query,
            headers,
            body,
            expect=NONE,
        )
    names = [case["name"] for case in cases]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    write(HERE.parent / "handshakes.json", cases)
