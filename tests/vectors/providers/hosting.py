"""Code hosting and issues, and the specification of Standard Webhooks."""

from dataclasses import replace

from kit import (
    SENT,
    Signed,
    Token,
    b64,
    hmac,
    lists,
    plain_hmac,
    published_body,
    rfc3339,
    stamp_header,
    whsec,
)


def code_hosts():
    github = plain_hmac(
        "github",
        ["gh-3f8a1c9d5e7b2046", "gh-9b7d5f3a1c8e6420"],
        '{"action":"opened","issue":{"number":1347,"title":"Found a'
        ' bug"},"repository":{"id":1296269,"full_name":"octocat/Hello-World"},"sender":{"login":"octocat"}}',
        {
            "type": "com.github.issues.opened",
            "id": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "subject": "octocat/Hello-World",
            "actor": "octocat",
        },
        "X-Hub-Signature-256",
        "sha256=",
        id_header="X-GitHub-Delivery",
        headers=[["X-GitHub-Event", "issues"], ["X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"]],
    )
    github.rejected(
        "the SHA-1 signature in its place",
        "it is another header and another algorithm",
        github.with_signatures_of(github.plain, github.sign()).with_header(
            "X-Hub-Signature-256", "sha1=" + hmac(github.secrets[0].encode(), github.plain.body, "sha1").hex()
        ),
    )
    push = replace(
        github.plain.with_header("X-GitHub-Event", "push"),
        body=b'{"ref":"refs/heads/main","repository":{"full_name":"octocat/Hello-World"},"sender":{"login":"octocat"}}',
    )
    github.accepted(
        "an event without an action",
        "its type is the event alone",
        github.sign(push),
        event={"type": "com.github.push"},
    )
    github.accepted(
        "X-GitHub-Event missing",
        "without a type the event is quarantined",
        github.sign(github.plain.with_header("X-GitHub-Event", None)),
        event={"type": None},
    )
    published_body(
        github,
        "It's a Secret to Everybody",
        b"Hello, World!",
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        {"type": None, "id": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "subject": None, "actor": None},
    )
    github.write()

    gitlab = Token(
        "gitlab",
        ["glwt-5k2mVb8Qx1Tz7Rn4", "glwt-0c9d8e7f6a5b4c3d"],
        '{"object_kind":"push","event_name":"push","ref":"refs/heads/main","user_username":"jsmith","project":{"id":15,"path_with_namespace":"mike/diaspora"}}',
        {
            "type": "com.gitlab.Push Hook",
            "id": "e5eaa373-7358-400b-847f-cca1e9869287",
            "subject": "mike/diaspora",
            "actor": "jsmith",
        },
        "X-Gitlab-Token",
        headers=[
            ["X-Gitlab-Event", "Push Hook"],
            ["X-Gitlab-Event-UUID", "0d518e32-befb-4d5e-a039-6ad029b96b11"],
            ["Idempotency-Key", "e5eaa373-7358-400b-847f-cca1e9869287"],
        ],
        id_header="Idempotency-Key",
    )
    gitlab.cases_of_all()
    older = gitlab.with_token(gitlab.secrets[0]).with_header("Idempotency-Key", None)
    gitlab.accepted(
        "an older version, without Idempotency-Key", "a delivery needs no id", older, event={"id": None}
    )
    gitlab.write()

    bitbucket = plain_hmac(
        "bitbucket",
        ["bb-7c1e9f3a5d2b8046", "bb-1a2b3c4d5e6f7089"],
        '{"actor":{"display_name":"Emma","uuid":"{a54f16da-24e9-4d7f-a3a7-b1ba2cd98aa3}"},"repository":{"full_name":"emmap1/bitbucket"},"push":{"changes":[]}}',
        {
            "type": "org.bitbucket.repo:push",
            "id": "5c1e7a4b-9d2f-4f3e-8b6a-0c1d2e3f4a5b",
            "subject": "emmap1/bitbucket",
            "actor": "{a54f16da-24e9-4d7f-a3a7-b1ba2cd98aa3}",
        },
        "X-Hub-Signature",
        "sha256=",
        id_header="X-Request-UUID",
        headers=[["X-Event-Key", "repo:push"], ["X-Request-UUID", "5c1e7a4b-9d2f-4f3e-8b6a-0c1d2e3f4a5b"]],
    )
    atlassian = (
        "It's a Secret to Everybody",
        b"Hello World!",
        "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
    )
    published_body(
        bitbucket,
        *atlassian,
        "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/#Secure-webhooks",
        {"type": None, "id": "5c1e7a4b-9d2f-4f3e-8b6a-0c1d2e3f4a5b", "subject": None, "actor": None},
    )
    bitbucket.write()

    jira = plain_hmac(
        "jira",
        ["jira-4e8b2c6f0a9d1357", "jira-0a1b2c3d4e5f6789"],
        '{"timestamp":1764244769123,"webhookEvent":"jira:issue_updated","issue_event_type_name":"issue_generic",'
        '"user":{"accountId":"557058:f58131cb-b67d-43c7-b30d-6b58d40bd077"},"issue":{"id":"10002","key":"ED-24"}}',
        {
            "type": "com.atlassian.jira:issue_updated",
            "id": "d4c3b2a1-0f9e-48d7-96b5-a4938271605f",
            "time": "2025-11-27T11:59:29.123Z",
            "subject": "issue/ED-24",
            "actor": "557058:f58131cb-b67d-43c7-b30d-6b58d40bd077",
        },
        "X-Hub-Signature",
        "sha256=",
        headers=[["X-Atlassian-Webhook-Identifier", "d4c3b2a1-0f9e-48d7-96b5-a4938271605f"]],
        id_header="X-Atlassian-Webhook-Identifier",
    )
    published_body(
        jira,
        *atlassian,
        "https://developer.atlassian.com/cloud/jira/platform/webhooks/",
        {
            "type": None,
            "id": "d4c3b2a1-0f9e-48d7-96b5-a4938271605f",
            "time": None,
            "subject": None,
            "actor": None,
        },
    )
    jira.write()


def standard_webhooks(name, prefix, origin, published_secrets):
    stamp = str(SENT)
    secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"]
    key_id, key_time, key_signature = (f"{prefix}-{part}" for part in ("id", "timestamp", "signature"))

    def mac(secret, r):
        return hmac(whsec(secret), f"{r.header(key_id)}.{r.stamp}.".encode() + r.body)

    suite = Signed(
        name,
        secrets,
        '{"type":"contact.created","timestamp":"2025-11-27T11:59:30Z","data":{"id":"1f81eb52-5198-4599-803e-771906343485"}}',
        {"type": "contact.created", "id": "msg_2Lh9KRb0pzN4LePd3XiA4v12Axj", "time": "2025-11-27T11:59:30Z"},
        mac,
        header=key_signature,
        prefix="v1,",
        encode=b64,
        carry=lambda texts, r: [[key_signature, " ".join("v1," + text for text in texts)]],
        stamp=stamp,
        dedupe="id",
        headers=[[key_id, "msg_2Lh9KRb0pzN4LePd3XiA4v12Axj"], [key_time, stamp]],
        id_header=key_id,
        signed_headers=[key_id, key_time],
        stamps=(str, stamp_header(key_time)),
        event_at=lambda text: {"time": rfc3339(int(text))},
    )
    suite.cases_of_all()
    lists(suite, "v1,", " ")
    text = b64(mac(secrets[0], suite.plain))
    suite.accepted(
        "an Ed25519 signature first",
        "it is skipped",
        suite.sign().with_header(key_signature, f"v1a,{b64(bytes(64))} v1,{text}"),
    )
    suite.accepted(
        "the secret without whsec_",
        "the prefix is dropped where there is one",
        suite.sign(),
        secrets=[secrets[0].removeprefix("whsec_")],
    )
    suite.rejected(
        "the key is the secret's text",
        "the secret is decoded",
        suite.sign(
            text=b64(
                hmac(
                    secrets[0].encode(), f"{suite.plain.header(key_id)}.{stamp}.".encode() + suite.plain.body
                )
            )
        ),
    )
    nothing = suite.sign(
        text=b64(hmac(b"", f"{suite.plain.header(key_id)}.{stamp}.".encode() + suite.plain.body))
    )
    suite.rejected("an empty key", "whsec_ alone verifies nothing", nothing, secrets=["whsec_"])
    shifted = suite.plain.with_header(key_id, "msg_1.1764244770")
    suite.rejected("an id with the delimiter", "it would make the signed text ambiguous", suite.sign(shifted))
    for number, (secret, identifier, at, body, published) in enumerate(published_secrets, 1):
        request = replace(
            suite.plain,
            body=body.encode(),
            headers=[["Content-Type", "application/json"], [key_id, identifier], [key_time, at]],
            stamp=at,
        )
        assert b64(mac(secret, request)) == published
        suite.accepted(
            f"published: {number}",
            "the specification's own example",
            suite.sign(request, text=published),
            secrets=[secret],
            now=int(at) + 5,
            event={"type": None, "id": identifier, "time": rfc3339(int(at))},
            composed=False,
            origin=f"published: {origin}",
        )
    suite.write()


def standard():
    first = (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        '{"test": 2432232314}',
        "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    )
    second = (
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        "1649367553",
        '{"email":"test@example.com","username":"test_user"}',
        "tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
    )
    standard_webhooks(
        "standard-webhooks",
        "webhook",
        "https://github.com/standard-webhooks/standard-webhooks",
        [first, second],
    )
    standard_webhooks(
        "svix",
        "svix",
        "https://github.com/standard-webhooks/standard-webhooks, under Svix's header names",
        [first],
    )
