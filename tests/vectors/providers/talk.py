"""Messages, meetings, tickets and forms."""

import base64
from dataclasses import replace

from kit import HOST, NOW, Request, SENT, Signed, b64, hmac, plain_hmac, rfc3339, stamp_header, stamped


def sent_at(request, seconds):
    """A request of Linear that was sent at a time, which is in its body."""
    return replace(request, body=request.body.replace(b"1764244769508", b"%d508" % seconds))


def talk():
    slack = Signed(
        "slack",
        ["8f742231b10e8888abcd99yyyzzz85a5", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"],
        '{"token":"one-long-verification-token","team_id":"T061EG9R6","api_app_id":"A0PNCHHK2","event":{"type":"message","channel":"C024BE91L","user":"U2147483697",'
        '"text":"Hello","ts":"1764244769.000200"},"type":"event_callback","event_id":"Ev0PV52K25","event_time":1764244769}',
        {
            "type": "com.slack.message",
            "id": "Ev0PV52K25",
            "time": "2025-11-27T11:59:29Z",
            "subject": "channel/C024BE91L",
            "actor": "U2147483697",
        },
        stamped("v0:T:B"),
        header="X-Slack-Signature",
        prefix="v0=",
        headers=[["X-Slack-Request-Timestamp", str(SENT)]],
        stamp=str(SENT),
        dedupe="id",
        signed_headers=["X-Slack-Request-Timestamp"],
        stamps=(str, stamp_header("X-Slack-Request-Timestamp")),
    )
    slack.cases_of_all()
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA"
        "&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
        "96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    published = "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    request = replace(
        stamp_header("X-Slack-Request-Timestamp")(slack.plain, "1531420618"), body=body.encode()
    )
    assert slack.mac(slack.secrets[0], request).hex() == published
    nothing = {"type": None, "id": None, "time": None, "subject": None, "actor": None, "dedupe": "body"}
    origin = "published: https://docs.slack.dev/authentication/verifying-requests-from-slack"
    slack.accepted(
        "published",
        "the provider's own example: authentic, and quarantined as it is no JSON",
        slack.sign(request, text=published),
        now=1531420620,
        event=nothing,
        composed=False,
        origin=origin,
    )
    slack.rejected(
        "published, a year later",
        "beyond the tolerance",
        slack.sign(request, text=published),
        now=1562956620,
        composed=False,
        origin=origin,
    )
    other = replace(
        slack.plain, body=b'{"type":"app_rate_limited","team_id":"T123456","minute_rate_limited":1518467820}'
    )
    slack.accepted(
        "without event.type",
        "its type is that of the envelope",
        slack.sign(other),
        event=nothing | {"type": "com.slack.app_rate_limited"},
    )
    for name, body in [("no type at all", b'{"team_id":"T123456"}'), ("a type of null", b'{"type":null}')]:
        slack.accepted(name, "it is quarantined", slack.sign(replace(slack.plain, body=body)), event=nothing)
    slack.write()

    zoom = Signed(
        "zoom",
        ["zm-Qw3Er5Ty7Ui9Op1As", "zm-Zx2Cv4Bn6Ml8Kj0Hg"],
        '{"event":"meeting.started","event_ts":1764244769123,"payload":{"account_id":"AAAAAABBBB","object":{"id":"1234567890","uuid":"4444AAAiAAAAAiAiAiiAii==","topic":"My'
        ' Meeting"}}}',
        {"type": "us.zoom.meeting.started", "time": "2025-11-27T11:59:29.123Z", "subject": "1234567890"},
        stamped("v0:T:B"),
        header="x-zm-signature",
        prefix="v0=",
        headers=[["x-zm-request-timestamp", str(SENT)]],
        stamp=str(SENT),
        signed_headers=["x-zm-request-timestamp"],
        stamps=(str, stamp_header("x-zm-request-timestamp")),
    )
    zoom.cases_of_all()
    oracle = hmac(zoom.secrets[0].encode(), b"qgg8vlvZRS6UYooatFL8Aw").hex()
    zoom.rejected("the answer to a handshake as a signature", "it signs another text", zoom.sign(text=oracle))
    zoom.write()

    notion = plain_hmac(
        "notion",
        [
            "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl",
            "secret_Zs8d6f5g4h3j2k1l0QwErTyUiOpAsDfGhJkLzXcVbNm",
        ],
        '{"id":"367cba44-b6f3-4c92-81e7-6a2e9659efd4","timestamp":"2024-12-05T23:55:34.285Z","workspace_id":"13950b26-c203-4f3b-b97d-93ec06319565",'
        '"subscription_id":"29d75c0d-5546-4414-8459-7b7a92f1fc4b","integration_id":"0ef2e755-4912-8096-91c1-00376a88a5ca","type":"page.created",'
        '"authors":[{"id":"c7c11cca-1d73-471d-9b6e-bdef51470190","type":"person"}],"attempt_number":1,"entity":{"id":"153104cd-477e-809d-8dc4-ff2d96ae3090","type":"page"}}',
        {
            "type": "so.notion.page.created",
            "id": "367cba44-b6f3-4c92-81e7-6a2e9659efd4",
            "time": "2024-12-05T23:55:34.285Z",
            "subject": "page/153104cd-477e-809d-8dc4-ff2d96ae3090",
            "actor": "c7c11cca-1d73-471d-9b6e-bdef51470190",
        },
        "X-Notion-Signature",
        "sha256=",
        dedupe="id",
    )
    token = Request(
        b'{"verification_token":"secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"}',
        [["Content-Type", "application/json"]],
        url=HOST + "notion",
    )
    notion.rejected(
        "a verification token, unsigned", "the source has a secret: the first request is over", token
    )
    notion.write()

    linear = plain_hmac(
        "linear",
        ["lin_wh_3f8a1c9d5e7b2046a1b2", "lin_wh_0d9c8b7a6f5e4d3c2b1a"],
        '{"action":"create","type":"Issue","createdAt":"2025-11-27T11:59:28.084Z","actor":{"id":"b5ea5f1f-8adc-4f52-b4bd-ab4e84cf51ba","type":"user","name":"Julian"},'
        '"data":{"id":"539068e2-ae88-4d09-bd75-22eb4a59612f","title":"Crash"},"organizationId":"8d1c7f2e-0000-4c1a-9c55-51b2f2a9b1d4",'
        '"webhookTimestamp":1764244769508,"webhookId":"000042e3-d123-4980-b49f-8e140eef9329"}',
        {
            "type": "app.linear.Issue.create",
            "id": "234d1a4e-b617-4388-90fe-adc3633d6b72",
            "time": "2025-11-27T11:59:28.084Z",
            "subject": "Issue/539068e2-ae88-4d09-bd75-22eb4a59612f",
            "actor": "b5ea5f1f-8adc-4f52-b4bd-ab4e84cf51ba",
        },
        "Linear-Signature",
        headers=[["Linear-Delivery", "234d1a4e-b617-4388-90fe-adc3633d6b72"], ["Linear-Event", "Issue"]],
        id_header="Linear-Delivery",
    )
    for name, offset in [("almost too old", -59), ("almost too far ahead", 59)]:
        linear.accepted(
            f"webhookTimestamp {name}",
            "within the minute that Linear advises",
            linear.sign(sent_at(linear.plain, NOW + offset)),
        )
    for name, offset in [("too old", -61), ("too far ahead", 61), ("of a year ago", -31536000)]:
        linear.rejected(
            f"webhookTimestamp {name}",
            "a captured request is sent again",
            linear.sign(sent_at(linear.plain, NOW + offset)),
        )
    for name, value in [
        ("missing", b'"other":1'),
        ("a text", b'"webhookTimestamp":"soon"'),
        ("null", b'"webhookTimestamp":null'),
    ]:
        request = replace(
            linear.plain, body=linear.plain.body.replace(b'"webhookTimestamp":1764244769508', value)
        )
        linear.rejected(f"webhookTimestamp {name}", "an age is known only of a time", linear.sign(request))
    linear.write()

    plain_hmac(
        "intercom",
        ["intercom-3f8a1c9d5e7b2046", "intercom-0d9c8b7a6f5e4d3c"],
        '{"type":"notification_event","app_id":"a86dr8yl","topic":"conversation.user.created","id":"notif_ccd8a4d0-f965-11e3-a367-c779cae3e1b3","created_at":1764244769,'
        '"delivery_attempts":1,"data":{"type":"notification_event_data","item":{"type":"conversation","id":"1039067180"}}}',
        {
            "type": "io.intercom.conversation.user.created",
            "id": "notif_ccd8a4d0-f965-11e3-a367-c779cae3e1b3",
            "time": "2025-11-27T11:59:29Z",
            "subject": "conversation/1039067180",
        },
        "X-Hub-Signature",
        "sha1=",
        "sha1",
        dedupe="id",
    ).write()

    def words(secret, r):
        return hmac(secret.encode(), r.stamp.encode() + r.body)

    zendesk = Signed(
        "zendesk",
        ["dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", "YW5vdGhlcl9zZWNyZXRfZm9yX3Rlc3Rpbmdfb25seSE="],
        '{"account_id":"12514403","detail":{"id":"5158","status":"OPEN"},"event":{"current":"OPEN","previous":"NEW"},"id":"95eb0c1a-a8c5-4a96-8a5c-1f6e7d9b0c2d",'
        '"subject":"zen:ticket:5158","time":"2025-11-27T11:59:28.123456789Z","type":"zen:event-type:ticket.status_changed","zendesk_event_version":"2022-06-20"}',
        {
            "type": "com.zendesk.zen:event-type:ticket.status_changed",
            "id": "95eb0c1a-a8c5-4a96-8a5c-1f6e7d9b0c2d",
            "time": "2025-11-27T11:59:28.123456789Z",
            "subject": "zen:ticket:5158",
        },
        words,
        header="X-Zendesk-Webhook-Signature",
        encode=b64,
        stamp=rfc3339(SENT),
        dedupe="id",
        headers=[["X-Zendesk-Webhook-Signature-Timestamp", rfc3339(SENT)]],
        signed_headers=["X-Zendesk-Webhook-Signature-Timestamp"],
        stamps=(rfc3339, stamp_header("X-Zendesk-Webhook-Signature-Timestamp")),
    )
    zendesk.cases_of_all()
    zendesk.rejected(
        "the secret decoded",
        "the key is the secret's text",
        zendesk.sign(
            text=b64(
                hmac(base64.b64decode(zendesk.secrets[0]), zendesk.plain.stamp.encode() + zendesk.plain.body)
            )
        ),
    )
    zendesk.accepted(
        "no body",
        "it may be empty: authentic, and quarantined",
        zendesk.sign(replace(zendesk.plain, body=b"")),
        event={"type": None, "id": None, "time": None, "subject": None, "dedupe": "body"},
    )
    zendesk.write()

    plain_hmac(
        "typeform",
        ["tf-3f8a1c9d5e7b2046", "tf-0d9c8b7a6f5e4d3c"],
        '{"event_id":"LtWXD3crgy","event_type":"form_response","form_response":{"form_id":"lT4Z3j","token":"a3a12ec67a1365927098a606107fac15",'
        '"submitted_at":"2025-11-27T11:59:28Z","landed_at":"2025-11-27T11:58:00Z","answers":[]}}',
        {
            "type": "com.typeform.form_response",
            "id": "LtWXD3crgy",
            "time": "2025-11-27T11:59:28Z",
            "subject": "lT4Z3j",
        },
        "Typeform-Signature",
        "sha256=",
        encode=b64,
        dedupe="id",
    ).write()
