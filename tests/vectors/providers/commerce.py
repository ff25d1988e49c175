"""Shops, documents and files."""

from dataclasses import replace

from kit import (
    SENT,
    Signed,
    b64,
    b64url,
    hmac,
    in_a_list,
    lists,
    milliseconds,
    plain_hmac,
    stamped,
    two_headers,
    whsec,
)


def files_and_forms():
    docusign = plain_hmac(
        "docusign",
        ["ds-Qw3Er5Ty7Ui9Op1As2Df4", "ds-Zx2Cv4Bn6Ml8Kj0Hg1Fd3"],
        '{"event":"envelope-completed","apiVersion":"v2.1","uri":"/restapi/v2.1/accounts/1703061/envelopes/b5e6d2b3-9ba3-4086-9d67-141ba7dba6cf","retryCount":0,'
        '"configurationId":10510061,"generatedDateTime":"2025-11-27T11:59:28.4330000Z","data":{"accountId":"1703061b-0000-4c1a-9c55-51b2f2a9b1d4",'
        '"userId":"18f3be12-0000-4883-8da5-ec2c1c21b1e8","envelopeId":"b5e6d2b3-9ba3-4086-9d67-141ba7dba6cf"}}',
        {
            "type": "com.docusign.envelope-completed",
            "time": "2025-11-27T11:59:28.4330000Z",
            "subject": "envelope/b5e6d2b3-9ba3-4086-9d67-141ba7dba6cf",
            "actor": "18f3be12-0000-4883-8da5-ec2c1c21b1e8",
        },
        "X-DocuSign-Signature-1",
        encode=b64,
    )
    two_headers(docusign, "X-DocuSign-Signature-1", "X-DocuSign-Signature-2")
    text = b64(docusign.mac(docusign.secrets[0], docusign.plain))
    for number in range(3, 11):
        numbered = replace(
            docusign.plain, headers=docusign.plain.headers + [[f"X-DocuSign-Signature-{number}", text]]
        )
        docusign.accepted(f"only header {number}", "DocuSign numbers its keys", numbered)
    docusign.write()

    shopify = plain_hmac(
        "shopify",
        ["hush-3f8a1c9d5e7b2046a1b2c3d4", "hush-0d9c8b7a6f5e4d3c2b1a0918"],
        '{"id":820982911946154508,"admin_graphql_api_id":"gid://shopify/Order/820982911946154508","created_at":"2025-11-27T06:59:28-05:00","total_price":"403.00"}',
        {
            "type": "com.shopify.orders/create",
            "id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
            "time": "2025-11-27T11:59:28.877041743Z",
            "subject": "gid://shopify/Order/820982911946154508",
        },
        "X-Shopify-Hmac-SHA256",
        encode=b64,
        id_header="X-Shopify-Webhook-Id",
        headers=[
            ["X-Shopify-Topic", "orders/create"],
            ["X-Shopify-Shop-Domain", "example.myshopify.com"],
            ["X-Shopify-API-Version", "2026-01"],
            ["X-Shopify-Webhook-Id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"],
            ["X-Shopify-Event-Id", "98880550-7158-44d4-b7cd-2c97c8a091b5"],
            ["X-Shopify-Triggered-At", "2025-11-27T11:59:28.877041743Z"],
        ],
    )
    good = shopify.sign()
    alias = replace(
        good,
        headers=[
            ["shopify-hmac-sha256" if name == "X-Shopify-Hmac-SHA256" else name, value]
            for name, value in good.headers
        ],
    )
    shopify.accepted("the header's newer name", "Shopify sends either", alias)
    shopify.accepted(
        "both names",
        "any of the headers may match",
        replace(good, headers=good.headers + [["shopify-hmac-sha256", good.header("X-Shopify-Hmac-SHA256")]]),
    )
    shopify.write()

    woo = plain_hmac(
        "woocommerce",
        ["wc-3f8a1c9d5e7b2046", "wc-0d9c8b7a6f5e4d3c"],
        '{"id":727,"parent_id":0,"status":"processing","currency":"USD","date_modified_gmt":"2025-11-27T11:59:28","total":"29.35"}',
        {
            "type": "com.woocommerce.order.created",
            "id": "b8c1d2e3f4a5061728394a5b6c7d8e9f",
            "subject": "order/727",
        },
        "X-WC-Webhook-Signature",
        encode=b64,
        id_header="X-WC-Webhook-Delivery-ID",
        headers=[
            ["X-WC-Webhook-Source", "https://shop.example.com/"],
            ["X-WC-Webhook-Topic", "order.created"],
            ["X-WC-Webhook-Resource", "order"],
            ["X-WC-Webhook-Event", "created"],
            ["X-WC-Webhook-ID", "5"],
            ["X-WC-Webhook-Delivery-ID", "b8c1d2e3f4a5061728394a5b6c7d8e9f"],
        ],
    )
    woo.write()

    asana = plain_hmac(
        "asana",
        [
            "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81",
            "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9",
        ],
        '{"events":[{"user":{"gid":"12345","resource_type":"user"},"created_at":"2025-11-27T11:59:28.000Z","action":"changed",'
        '"resource":{"gid":"1337","resource_type":"task"},"parent":null,"change":{"field":"name","action":"changed"}}]}',
        {"type": "com.asana.events"},
        "X-Hook-Signature",
    )
    asana.accepted("heartbeat", "it has no events", asana.sign(replace(asana.plain, body=b'{"events":[]}')))
    rekeyed = replace(asana.plain, body=b"", headers=asana.plain.headers + [["X-Hook-Secret", "0" * 64]])
    asana.rejected("a new secret", "the source has a secret: the first request is over", rekeyed)
    asana.write()

    plain_hmac(
        "dropbox",
        ["dbx-q1w2e3r4t5y6u7i", "dbx-p0o9i8u7y6t5r4e"],
        '{"list_folder":{"accounts":["dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQngc"]},"delta":{"users":[12345678]}}',
        {"type": "com.dropbox.changed"},
        "X-Dropbox-Signature",
    ).write()

    meta = plain_hmac(
        "meta",
        ["3f8a1c9d5e7b2046a1b2c3d4e5f60718", "0d9c8b7a6f5e4d3c2b1a09182736f5e4"],
        '{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",'
        '"messages":[{"from":"16315551234","id":"wamid.ABGGFlCGg0cvAgo-sJQh43L5Pe4W","timestamp":"1764244769","type":"text","text":{"body":"Hello"}}]}}]}]}',
        {"type": "com.facebook.whatsapp_business_account"},
        "X-Hub-Signature-256",
        "sha256=",
    )
    meta.rejected(
        "the verify token as the key",
        "it is no signing key",
        meta.sign(secret="a-verify-token-of-the-operator"),
    )
    meta.write()

    airtable = plain_hmac(
        "airtable",
        ["dGhpcyBpcyBhIG1hYyBzZWNyZXQgb2YgYWlydGFibGU=", "YW5vdGhlciBtYWMgc2VjcmV0IG9mIGFpcnRhYmxlISE="],
        '{"base":{"id":"app00000000000000"},"webhook":{"id":"ach00000000000000"},"timestamp":"2022-02-01T21:25:05.663Z"}',
        {
            "type": "com.airtable.notification",
            "time": "2022-02-01T21:25:05.663Z",
            "subject": "app00000000000000",
        },
        "X-Airtable-Content-MAC",
        "hmac-sha256=",
        key=whsec,
    )
    airtable.rejected(
        "the key is the secret's text",
        "the secret is decoded",
        airtable.sign(text=hmac(airtable.secrets[0].encode(), airtable.plain.body).hex()),
    )
    airtable.write()

    sanity = Signed(
        "sanity",
        ["sanity-secret-3f8a1c9d", "sanity-secret-0d9c8b7a"],
        '{"_id":"resume","_type":"page","title":"Hello"}',
        {"type": "io.sanity.changed", "id": "idem-5b1c7a4e9d2f", "subject": "resume"},
        stamped("T.B"),
        header="sanity-webhook-signature",
        prefix="v1=",
        encode=b64url,
        carry=in_a_list("sanity-webhook-signature", "t=", "v1=", ","),
        stamp=milliseconds(SENT),
        headers=[["idempotency-key", "idem-5b1c7a4e9d2f"]],
        id_header="idempotency-key",
    )
    sanity.cases_of_all()
    lists(sanity, "v1=", ",", "t=")
    sanity.accepted(
        "timestamp of a year ago",
        "the provider sets no limit to its age",
        sanity.sign(replace(sanity.plain, stamp=milliseconds(SENT - 31536000))),
    )
    sanity.rejected(
        "timestamp changed",
        "it is signed",
        sanity.sign(
            replace(sanity.plain, stamp=milliseconds(SENT + 1)),
            text=b64url(sanity.mac(sanity.secrets[0], sanity.plain)),
        ),
    )
    origin = "https://github.com/sanity-io/webhook-toolkit (test/signature.test.ts)"
    for number, (secret, at, body, published) in enumerate(
        [
            ("test", "1633519811129", b'{"_id":"resume"}', "tLa470fx7qkLLEcMOcEUFuBbRSkGujyskxrNXcoh0N0"),
            (
                "try-me",
                "1633518820676",
                b'{"title":"GROQ-Hooks are neat"}',
                "e7C9h2sfbFfc4V7TEz7PSOp4IoNzl0UdVsBV-1wgdeA",
            ),
        ],
        1,
    ):
        request = replace(sanity.plain, body=body, stamp=at)
        assert b64url(sanity.mac(secret, request)) == published
        sanity.accepted(
            f"published: {number}",
            "the provider's own test input",
            sanity.sign(request, text=published),
            secrets=[secret],
            composed=False,
            event={"subject": "resume" if number == 1 else None},
            origin=f"published: {origin}",
        )
    sanity.write()
