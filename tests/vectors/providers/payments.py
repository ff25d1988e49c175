"""Payments and accounting."""

from dataclasses import replace

from kit import (
    SENT,
    Signed,
    b64,
    hmac,
    in_a_list,
    in_signature,
    lists,
    plain_hmac,
    published_body,
    raw_body,
    stamped,
)


def payments():
    stripe = Signed(
        "stripe",
        ["whsec_8f3a1c9d5e7b2046a1b2c3d4e5f60718", "whsec_0d9c8b7a6f5e4d3c2b1a09182736f5e4"],
        '{"id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","object":"event","api_version":"2019-02-19","created":1764244769,"type":"invoice.paid",'
        '"data":{"object":{"id":"in_1NG8DkLkdIwHu7ixq0z1MgRS","object":"invoice","amount_due":600}}}',
        {
            "type": "com.stripe.invoice.paid",
            "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
            "time": "2025-11-27T11:59:29Z",
            "subject": "invoice/in_1NG8DkLkdIwHu7ixq0z1MgRS",
        },
        stamped("T.B"),
        header="Stripe-Signature",
        prefix="v1=",
        carry=in_a_list("Stripe-Signature", "t=", "v1=", ","),
        stamp=str(SENT),
        dedupe="id",
        stamps=(str, in_signature),
    )
    stripe.cases_of_all()
    lists(stripe, "v1=", ",", "t=")
    stripe.rejected(
        "the secret decoded",
        "the whole secret with whsec_ is the key",
        stripe.sign(
            text=hmac(b"8f3a1c9d5e7b2046a1b2c3d4e5f60718", f"{SENT}.".encode() + stripe.plain.body).hex()
        ),
    )
    stripe.write()

    paddle = Signed(
        "paddle",
        [
            "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh",
            "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_vB/yIOnTOCWIvpBadM5jzBZPHc7OmdSo",
        ],
        '{"event_id":"evt_01gvkfw3a8v8v4d5c2t1h4k9m6","event_type":"transaction.completed","occurred_at":"2025-11-27T11:59:28.553246Z",'
        '"notification_id":"ntf_01gvkfw4b2c3d4e5f6g7h8j9k0","data":{"id":"txn_01gvkfqzp8c7n6m5b4v3x2z1a0","status":"completed"}}',
        {
            "type": "com.paddle.transaction.completed",
            "id": "evt_01gvkfw3a8v8v4d5c2t1h4k9m6",
            "time": "2025-11-27T11:59:28.553246Z",
            "subject": "txn_01gvkfqzp8c7n6m5b4v3x2z1a0",
        },
        stamped("T:B"),
        header="Paddle-Signature",
        prefix="h1=",
        carry=in_a_list("Paddle-Signature", "ts=", "h1=", ";"),
        stamp=str(SENT),
        dedupe="id",
        stamps=(str, in_signature),
    )
    paddle.cases_of_all()
    lists(paddle, "h1=", ";", "ts=")
    published = "d96299976a6eb066f484d7fde011ac56fc32b38fc9940bc419d6e537fdc6ef02"
    request = replace(paddle.plain, body=b"hello-world", stamp="1696195954")
    assert paddle.mac(paddle.secrets[0], request).hex() == published
    sdk = [
        "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_TjIG2BXbm83HPXqNfziwe506sBEdqL/4",
        paddle.secrets[1],
        paddle.secrets[0],
    ]
    paddle.accepted(
        "published: the SDK's test",
        "the provider's own test input",
        paddle.sign(request, text=["dummy", published]),
        2,
        secrets=sdk,
        now=1696195956,
        event={"type": None, "id": None, "time": None, "subject": None, "dedupe": "body"},
        composed=False,
        origin="published: https://github.com/PaddleHQ/paddle-python-sdk (test_Verifier.py)",
    )
    paddle.write()

    plain_hmac(
        "lemon-squeezy",
        ["lemon-3f8a1c9d5e7b", "lemon-0d9c8b7a6f5e"],
        '{"meta":{"event_name":"order_created","custom_data":{}},"data":{"type":"orders","id":"1","attributes":{"total":999}}}',
        {"type": "com.lemonsqueezy.order_created", "subject": "orders/1"},
        "X-Signature",
    ).write()

    def url_then_body(secret, r):
        return hmac(secret.encode(), r.public_url.encode() + r.body)

    body = (
        '{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f",'
        '"created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}'
    )
    event = {
        "type": "com.squareup.webhooks.test_notification",
        "id": "ac3ac95b-f97d-458c-a6e6-18981597e05f",
        "time": "2022-07-13T20:30:59.037339943Z",
        "subject": "webhooks/bc368e64-01aa-407e-b46e-3231809b1129",
    }
    square = Signed(
        "square",
        ["Ibxx_5AKakO-3qeNVR61Dw", "MCmhFRxGX82xMwg5FsaoQA"],
        body,
        event,
        url_then_body,
        header="x-square-hmacsha256-signature",
        encode=b64,
        public_url="https://hooks.example.com/webhooks/square",
        dedupe="id",
        composed=False,
    )
    square.cases_of_all()
    published, url = (
        "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=",
        "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9",
    )
    request = replace(square.plain, public_url=url, url=url)
    assert b64(url_then_body(square.secrets[0], request)) == published
    origin = "published: https://github.com/square/square-python-sdk (test_webhooks_helper.py)"
    square.accepted(
        "published: the SDK's test",
        "the provider's own test input",
        square.sign(request, text=published),
        origin=origin,
    )
    square.rejected(
        "published: the SDK's test with another URL",
        "the provider's own test input",
        replace(
            square.sign(request, text=published),
            public_url="https://webhook.site/79a4f3a-dcfa-49ee-bac5-9d0edad886b9",
        ),
        origin=origin,
    )
    url, published = "https://webhook.site/webhooks", "Cxt7+aTi4rKgcA0bC4g9EHdVtLSDWdqccmL5MvihU4U="
    request = replace(square.plain, public_url=url, url=url, body=b'{"data":{"type":"webhooks","id":">id<"}}')
    assert b64(url_then_body("signature-key", request)) == published
    square.accepted(
        "published: the SDK's test of escapes",
        "the provider's own test input",
        square.sign(request, text=published),
        secrets=["signature-key"],
        event={"type": None, "id": None, "time": None, "subject": "webhooks/>id<", "dedupe": "body"},
        origin=origin,
    )
    square.write()

    adyen = Signed(
        "adyen-platform",
        [
            "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
            "11223344D785FBAE710E7F943F307971BB61B21281C98C9129B3D4018A57B2EB",
        ],
        '{"data":{"balancePlatform":"YOUR_BALANCE_PLATFORM","id":"AH00000000000000000000001"},"environment":"test","createdAt":"2025-11-27T12:59:28+01:00",'
        '"type":"balancePlatform.accountHolder.updated"}',
        {"type": "com.adyen.balancePlatform.accountHolder.updated", "time": "2025-11-27T12:59:28+01:00"},
        raw_body(key=bytes.fromhex),
        header="HmacSignature",
        encode=b64,
    )
    adyen.cases_of_all()
    adyen.accepted(
        "the secret in lower case",
        "hexadecimal has no case",
        adyen.sign(),
        secrets=[adyen.secrets[0].lower()],
    )
    adyen.rejected(
        "the key is the secret's text",
        "the secret is decoded",
        adyen.sign(text=b64(hmac(adyen.secrets[0].encode(), adyen.plain.body))),
    )
    adyen.rejected(
        "an empty key",
        "an empty secret verifies nothing",
        adyen.sign(text=b64(hmac(b"", adyen.plain.body))),
        secrets=[""],
    )
    body = """
        {
            "type": "merchant.created",
            "environment": "test",
            "createdAt": "01-01-2024",
            "data": {
                "capabilities": {
                    "sendToTransferInstrument": {
                        "requested": true,
                        "requestedLevel": "notApplicable"
                    }
                },
                "companyId": "YOUR_COMPANY_ID",
                "merchantId": "YOUR_MERCHANT_ACCOUNT",
                "status": "PreActive"
            }
        }
        """
    published_body(
        adyen,
        adyen.secrets[0],
        body.encode(),
        "fX74xUdztFmaXAn3IusMFFUBUSkLmDQUK0tm8xL6ZTU=",
        "https://github.com/Adyen/adyen-python-api-library (UtilTest.py)",
        {"type": "com.adyen.merchant.created", "time": None},
    )
    adyen.write()

    xero = plain_hmac(
        "xero",
        ["Kq3hVn8Zx0Tb5Rm2Lw7Yp1Jc6Gd9Fs4A", "Az1Sx2Dc3Fv4Gb5Hn6Jm7Kq8Lw9Er0Ty"],
        '{"events":[{"resourceUrl":"https://api.xero.com/api.xro/2.0/Contacts/717f2bfc-c6d4-41fd-b238-3f2f0c0cf777",'
        '"resourceId":"717f2bfc-c6d4-41fd-b238-3f2f0c0cf777","eventDateUtc":"2025-11-27T11:59:28.123","eventType":"Update","eventCategory":"CONTACT",'
        '"tenantId":"c2cc9b6e-9458-4c7d-93cc-f02b81b0594f","tenantType":"ORGANISATION"}],"lastEventSequence":1,"firstEventSequence":1,"entropy":"S0m3r4Nd0mt3xt"}',
        {"type": "com.xero.events"},
        "x-xero-signature",
        encode=b64,
    )
    intent = replace(
        xero.plain,
        body=b'{"events":[],"lastEventSequence":0,"firstEventSequence":0,"entropy":"YSXCMKAQBJOEMGUZEFFR"}',
    )
    xero.accepted("intent to receive", "it is signed, and has no events", xero.sign(intent))
    xero.rejected(
        "intent to receive, wrong signature",
        "the provider tests it, and wants 401",
        xero.sign(intent, secret="another key of the same length"),
    )
    xero.write()
