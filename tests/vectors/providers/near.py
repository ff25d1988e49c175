"""The providers near the four: creative production, digital assets, product data and human resources."""

from dataclasses import replace

from kit import (
    HOST,
    PAYLOADS,
    Request,
    SENT,
    Signed,
    Token,
    b64,
    digest,
    hmac,
    raw_body,
    rfc3339,
    stamp_header,
    stamped,
    two_headers,
)


def of_the_code(name, header, prefix, secrets, payload, event, dedupe):
    body = (PAYLOADS / name / f"{payload}.json").read_bytes()
    suite = Signed(
        name,
        secrets,
        body,
        event,
        raw_body(),
        header=header,
        prefix=prefix,
        dedupe=dedupe,
        composed=payload.startswith("composed"),
    )
    suite.cases_of_all()
    return suite


def the_four():
    of_the_code(
        "creative-force",
        "X-CF-Signature",
        "",
        ["3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="],
        "product",
        {
            "type": "io.creativeforce.product.reset",
            "id": "c02f0f73-1706-4973-9a4d-38007d6685e9",
            "time": "2020-07-20T00:20:18Z",
            "subject": "product/7a782d57-b0bf-4743-8f02-2b1a1e229869",
            "actor": "19e62847-f302-4e32-9e4a-b6d8c304fcbe",
        },
        "id",
    ).write()
    of_the_code(
        "woodwing",
        "X-Hook-Signature",
        "",
        ["f65b957c-f3e3-988a-8be5-56ddba21c41f", "0b9c5ac5-7d5a-4f0e-9d7d-0f3f3e1f2a6b"],
        "properties-updated",
        {
            "type": "com.woodwing.studio/object/properties-updated",
            "id": "urn:uuid:c67a74cb-d158-3f61-fc4c-7ed91c7de6d2",
            "time": "2021-12-01T19:28:11Z",
            "subject": "object",
        },
        "id",
    ).write()
    creads = of_the_code(
        "creads",
        "X-Partners-Signature",
        "",
        ["your_secret_key", "another_secret_key"],
        "composed-project-updated",
        {"type": "com.creads.project.updated", "subject": "project/559befeeab59f"},
        "body",
    )
    published = hmac(b"my_secret", b"{}").hex()
    assert published.startswith("3c980c81")
    creads.accepted(
        "the SDK's test input",
        "a secret and a body of the provider's own tests",
        creads.sign(replace(creads.plain, body=b"{}"), text=published),
        event={"type": None, "subject": None},
        secrets=["my_secret"],
        composed=False,
        origin="openssl; the first digits as published: https://github.com/creads/partners-sdk-php",
    )
    creads.write()
    of_the_code(
        "people-force",
        "X-PeopleForce-Signature",
        "sha256=",
        ["WEBHOOK_SECRET", "WEBHOOK_SECRET_OF_BEFORE"],
        "employee_create",
        {
            "type": "io.peopleforce.employee_create",
            "time": "2022-09-05T18:33:55.526+03:00",
            "subject": "employee/130333",
        },
        "body",
    ).write()


def near():
    akeneo = Signed(
        "akeneo",
        ["akeneo-primary-9f2c61d7", "akeneo-secondary-41ab07e5"],
        '{"specversion":"1.0","id":"018e197c-dfe2-70f8-9346-1a8e016f5fbb","source":"pim","type":"com.akeneo.pim.v1.product.deleted",'
        '"subject":"0190fe8a-6213-76ce-8a9f-ba36a5ef555a","datacontenttype":"application/json",'
        '"dataschema":"https://event.prd.sdk.akeneo.cloud/spec/com.akeneo.pim.v1.product.deleted.schema.json","time":"2024-03-07T15:16:37Z",'
        '"data":{"product":{"uuid":"3444ec1b-058e-4208-9b6c-284f47a7aa17"},"author":{"identifier":"b238e9f7-fcec-45bd-9431-d43cd624b244","type":"api"}}}',
        {
            "type": "com.akeneo.pim.v1.product.deleted",
            "id": "018e197c-dfe2-70f8-9346-1a8e016f5fbb",
            "time": "2024-03-07T15:16:37Z",
            "subject": "product/3444ec1b-058e-4208-9b6c-284f47a7aa17",
            "actor": "b238e9f7-fcec-45bd-9431-d43cd624b244",
        },
        raw_body(),
        header="X-AKENEO-SIGNATURE-PRIMARY",
        headers=[["X-AKENEO-SIGNATURE-ALGORITHM", "HmacSHA256"]],
        dedupe="id",
    )
    akeneo.cases_of_all()
    two_headers(akeneo, "X-AKENEO-SIGNATURE-PRIMARY", "X-AKENEO-SIGNATURE-SECONDARY")
    akeneo.write()

    events = Signed(
        "akeneo-events",
        [
            "3ha6eonoa9icsckw8kccos084w0c0000g08g40oo4kww0gc8w4",
            "1xk2m0h8q4kg0cw84o0ccs8kk44s0wgo8c8gs4ow0okc4s0oc",
        ],
        '{"events":[{"action":"product.updated","event_id":"e30d0a3f-7a4c-4c7e-8a6b-3b8a3a0a7c11","event_datetime":"2025-11-27T11:59:29+00:00",'
        '"author":"julia","author_type":"ui","pim_source":"https://demo.akeneo.com","data":{"resource":{"identifier":"top-1"}}}]}',
        {"type": "com.akeneo.pim.events"},
        stamped("T.B"),
        header="X-Akeneo-Request-Signature",
        headers=[["X-Akeneo-Request-Timestamp", str(SENT)]],
        stamp=str(SENT),
        signed_headers=["X-Akeneo-Request-Timestamp"],
        stamps=(str, stamp_header("X-Akeneo-Request-Timestamp")),
    )
    events.cases_of_all()
    events.write()

    frontify = Signed(
        "frontify",
        ["Yq3t6w9z$C&F)J@NcRfUjXn2r5u8x!A%", "kXp2s5v8y/B?E(H+MbQeThWmZq4t7w!z"],
        '{"event":{"action":"ASSET_CREATED","occurredAt":"2025-11-27T11:59:28+00:00","processedAt":"2025-11-27T11:59:29+00:00"},"payload":{"id":42}}',
        {"type": "com.frontify.ASSET_CREATED", "time": "2025-11-27T11:59:28+00:00"},
        raw_body(),
        header="X-Frontify-Webhook-Signature",
        encode=b64,
    )
    frontify.cases_of_all()
    frontify.write()

    def plain_hash(secret, r):
        return digest(r.body + r.stamp.encode() + secret.encode(), "sha1")

    cloudinary = Signed(
        "cloudinary",
        ["a676b67565c6767a6767d6767f676fe1", "b87b6b8b8e6f4c1d9a0f3e2d1c0b9a88"],
        '{"notification_type":"upload","timestamp":"2025-11-27T11:59:29+00:00","request_id":"4c1a4bd5ecc5a9d2f0f0a3f4e5d6c7b8",'
        '"asset_id":"b5e6d2b39ba3e0869d67141ba7dba6cf","public_id":"shoes/red","version":1764244769,"resource_type":"image","type":"upload"}',
        {"type": "com.cloudinary.upload", "time": "2025-11-27T11:59:29+00:00", "subject": "shoes/red"},
        plain_hash,
        header="X-Cld-Signature",
        headers=[["X-Cld-Timestamp", str(SENT)]],
        stamp=str(SENT),
        signed_headers=["X-Cld-Timestamp"],
        tolerance=7200,
        stamps=(str, stamp_header("X-Cld-Timestamp")),
    )
    cloudinary.cases_of_all()
    cloudinary.rejected(
        "an HMAC in its place",
        "the scheme is a plain hash",
        cloudinary.sign(
            text=hmac(
                cloudinary.secrets[0].encode(),
                cloudinary.plain.body + cloudinary.plain.stamp.encode(),
                "sha1",
            ).hex()
        ),
    )
    cloudinary.rejected(
        "the secret first",
        "the secret comes last",
        cloudinary.sign(
            text=digest(
                cloudinary.secrets[0].encode() + cloudinary.plain.body + cloudinary.plain.stamp.encode(),
                "sha1",
            ).hex()
        ),
    )
    published = "f9aa4471d2a88ff244424cca2444edf7d7ac3596"
    assert digest(b"{}0someApiSecret", "sha1").hex() == published
    old = replace(cloudinary.plain, body=b"{}").with_header("X-Cld-Timestamp", "0")
    cloudinary.accepted(
        "published: the SDK's test",
        "the provider's own test input",
        cloudinary.sign(old, text=published),
        secrets=["someApiSecret"],
        now=60,
        event={"type": None, "time": None, "subject": None},
        composed=False,
        origin=(
            "published: https://github.com/cloudinary/cloudinary_java "
            "(NotificationRequestSignatureVerifierTest)"
        ),
    )
    cloudinary.write()

    frame = Signed(
        "frame-io",
        ["sigk_8c1f0e5a7b3d4e2f9a6b", "sigk_0d9e8f7a6b5c4d3e2f1a"],
        '{"type":"file.ready","resource":{"id":"1f1c2a56-1e5d-4b1f-9a3e-8f1f3a2b4c5d","type":"file"},"account":{"id":"6f70f1bd-7e89-4a7e-b4d3-7e576585a181"},'
        '"workspace":{"id":"378fcbf7-6f88-4224-8139-6a743ed940b2"},"project":{"id":"7e46e495-4444-4555-8649-bee4d391a997"},'
        '"user":{"id":"56556a3f-859f-4b38-b6c6-e8625b5da8a5"}}',
        {
            "type": "io.frame.file.ready",
            "subject": "file/1f1c2a56-1e5d-4b1f-9a3e-8f1f3a2b4c5d",
            "actor": "56556a3f-859f-4b38-b6c6-e8625b5da8a5",
        },
        stamped("v0:T:B"),
        header="X-Frameio-Signature",
        prefix="v0=",
        headers=[["X-Frameio-Request-Timestamp", str(SENT)]],
        stamp=str(SENT),
        signed_headers=["X-Frameio-Request-Timestamp"],
        stamps=(str, stamp_header("X-Frameio-Request-Timestamp")),
    )
    frame.cases_of_all()
    frame.write()

    bamboo = Signed(
        "bamboohr",
        ["f9f1b1c2d3e4a5968778695a4b3c2d1e", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"],
        '{"type":"employee.updated","timestamp":"2025-11-27T11:59:29Z","data":{"employeeId":"123","changedFields":["jobTitle"]}}',
        {"type": "com.bamboohr.employee.updated"},
        stamped("BT"),
        header="X-BambooHR-Signature",
        headers=[["X-BambooHR-Timestamp", str(SENT)]],
        stamp=str(SENT),
        signed_headers=["X-BambooHR-Timestamp"],
    )
    bamboo.cases_of_all()
    for name, stamp in [("RFC 3339", "2025-11-27T11:59:30Z"), ("of a year ago", str(SENT - 31536000))]:
        bamboo.accepted(
            f"timestamp: {name}",
            "its format is not documented: its age is not checked",
            bamboo.sign(stamp_header("X-BambooHR-Timestamp")(bamboo.plain, stamp)),
        )
    bamboo.rejected(
        "the timestamp first",
        "the body comes first",
        bamboo.sign(
            text=hmac(bamboo.secrets[0].encode(), bamboo.plain.stamp.encode() + bamboo.plain.body).hex()
        ),
    )
    older = replace(
        bamboo.plain,
        body=b'{"employees":[{"id":"123","changedFields":["jobTitle"],"fields":{"jobTitle":{"value":"Senior"}}}]}',
    )
    bamboo.accepted(
        "a webhook of the older kind",
        "it has no type and is quarantined, until the source has an own event.type",
        bamboo.sign(older),
        event={"type": None},
    )
    bamboo.write()

    bob = Signed(
        "hibob",
        ["hibob-secret-5e1f7a90c3", "hibob-secret-0a9b8c7d6e"],
        '{"companyId":606765,"type":"employee.created","triggeredBy":"2834578234","triggeredAt":"2025-11-27T11:59:28.123Z","version":"v2",'
        '"data":{"employeeId":"3332883894904193024"}}',
        {"type": "com.hibob.employee.created", "time": "2025-11-27T11:59:28.123Z"},
        raw_body("sha512"),
        header="Bob-Signature",
        encode=b64,
    )
    bob.cases_of_all()
    bob.rejected(
        "HMAC-SHA256", "another algorithm", bob.sign(text=b64(hmac(bob.secrets[0].encode(), bob.plain.body)))
    )
    bob.write()

    greenhouse = Signed(
        "greenhouse",
        ["greenhouse-secret-key-1", "greenhouse-secret-key-0"],
        '{"action":"hire_candidate","payload":{"application":{"id":46194062,"status":"hired","candidate":{"id":37031511,"first_name":"Carl"}}}}',
        {"type": "io.greenhouse.hire_candidate", "id": "1234567890"},
        raw_body(),
        header="Signature",
        prefix="sha256 ",
        headers=[["Greenhouse-Event-ID", "1234567890"]],
        id_header="Greenhouse-Event-ID",
    )
    greenhouse.cases_of_all()
    greenhouse.rejected(
        "the prefix with an equals sign",
        "the prefix ends with a space",
        greenhouse.sign(text="").with_header(
            "Signature", "sha256=" + greenhouse.mac(greenhouse.secrets[0], greenhouse.plain).hex()
        ),
    )
    escaped = replace(
        greenhouse.plain,
        body=b'{"action":"job_post_updated","payload":{"content":"\\u003cp\\u003ehello\\u003c/p\\u003e"}}',
    )
    greenhouse.accepted(
        "escapes in the body",
        "the exact bytes are signed",
        greenhouse.sign(escaped),
        event={"type": "io.greenhouse.job_post_updated"},
    )
    greenhouse.write()

    ashby = Signed(
        "ashby",
        ["8b943c474f5d1e1712f13e1a870b485c9b6b2b57", "5f1d0e9c8b7a69584736251403f2e1d0c9b8a796"],
        '{"action":"candidateHire","data":{"application":{"id":"8e8c3f2a-0d3f-4a53-8d3d-2f6c1a3b5e7f","status":"Hired"}}}',
        {"type": "com.ashbyhq.candidateHire"},
        raw_body(),
        header="Ashby-Signature",
        prefix="sha256=",
    )
    ashby.cases_of_all()
    ping = replace(ashby.plain, body=b'{"action":"ping","data":{"webhookActionType":"candidateHire"}}')
    ashby.accepted("ping", "it is an event like others", ashby.sign(ping), event={"type": "com.ashbyhq.ping"})
    ashby.write()

    contentful = Token(
        "contentful",
        ["mE3x0Qh7aVwP9rTzYb5c", "Zk8d1Sg4uJnL6yXe2oHf"],
        '{"sys":{"type":"Entry","id":"7o2bOlUEzZZ2lzbSWrKbNT","version":13,"updatedAt":"2025-11-27T11:59:28.465Z"},"fields":{"title":{"en-US":"Hello"}}}',
        {
            "type": "com.contentful.ContentManagement.Entry.publish",
            "id": "9d3c1c0f8f5c0f1f7a8f3a1d2b4c6e8fa0b1c2d3e4f5061728394a5b6c7d8e9f",
            "time": "2025-11-27T11:59:28.465Z",
            "subject": "Entry/7o2bOlUEzZZ2lzbSWrKbNT",
        },
        "X-Webhook-Token",
        headers=[
            ["X-Contentful-Topic", "ContentManagement.Entry.publish"],
            ["X-Contentful-Webhook-Name", "gateway"],
            [
                "X-Contentful-Idempotency-Key",
                "9d3c1c0f8f5c0f1f7a8f3a1d2b4c6e8fa0b1c2d3e4f5061728394a5b6c7d8e9f",
            ],
        ],
        id_header="X-Contentful-Idempotency-Key",
    )
    contentful.cases_of_all()
    contentful.write()

    contentstack = Token(
        "contentstack",
        ["cs-Rk3w9Lp0Vt7Qx2Nd", "cs-Hy6b4Mf8Zs1Jc5Ga"],
        '{"module":"entry","api_key":"blt38776c9acaae33b3","event":"publish","triggered_at":"2025-11-27T11:59:28.000Z","data":{"entry":{"uid":"blt36952eb","title":"Sample'
        ' Entry","locale":"en-us"}}}',
        {"type": "com.contentstack.entry.publish", "time": "2025-11-27T11:59:28.000Z"},
        "X-Webhook-Token",
    )
    contentstack.cases_of_all()
    contentstack.write()

    box()


def box():
    stamp = "2025-11-27T11:59:30Z"
    suite = Signed(
        "box",
        ["4py2I9eSFb0ezXH5iPeQRcFK1LRLCdip", "Aq5EEEjAu4ssbz8n9UMu7EerI0LKj2TL"],
        '{"type":"webhook_event","id":"eb0c4e06-751f-442c-86f8-fd5bb404dbec","created_at":"2025-11-27T03:59:29-08:00","trigger":"FILE.UPLOADED",'
        '"webhook":{"id":"53","type":"webhook"},"created_by":{"type":"user","id":"226067247","name":"Ada"},'
        '"source":{"id":"73835521473","type":"file","name":"picture.jpg"}}',
        {
            "type": "com.box.FILE.UPLOADED",
            "id": "eb0c4e06-751f-442c-86f8-fd5bb404dbec",
            "time": "2025-11-27T03:59:29-08:00",
            "subject": "file/73835521473",
            "actor": "226067247",
        },
        stamped("BT"),
        header="BOX-SIGNATURE-PRIMARY",
        encode=b64,
        dedupe="id",
        stamp=stamp,
        tolerance=600,
        headers=[
            ["BOX-DELIVERY-ID", "673a081b-bb4b-4d45-b4f1-4131a29c1d07"],
            ["BOX-DELIVERY-TIMESTAMP", stamp],
            ["BOX-SIGNATURE-VERSION", "1"],
            ["BOX-SIGNATURE-ALGORITHM", "HmacSHA256"],
        ],
        signed_headers=["BOX-DELIVERY-TIMESTAMP"],
        stamps=(rfc3339, stamp_header("BOX-DELIVERY-TIMESTAMP")),
    )
    suite.cases_of_all()
    two_headers(suite, "BOX-SIGNATURE-PRIMARY", "BOX-SIGNATURE-SECONDARY")
    again = suite.plain.with_header("BOX-DELIVERY-ID", "00000000-bb4b-4d45-b4f1-4131a29c1d07")
    suite.accepted("a retry", "its delivery id is new, and the id in the body remains", suite.sign(again))
    offset = "2025-11-27T04:59:30-07:00"
    suite.accepted(
        "timestamp with an offset",
        "it is the same time",
        suite.sign(stamp_header("BOX-DELIVERY-TIMESTAMP")(suite.plain, offset)),
    )
    body = '{"type":"webhook_event","webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED","source":{"id":"1234567890","type":"file","name":"Test.txt"}}'
    old = "2020-01-01T00:00:00-07:00"
    primary, secondary = (
        "6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI=",
        "v+1CD1Jdo3muIcbpv5lxxgPglOqMfsNHPV899xWYydo=",
    )
    assert b64(hmac(b"SamplePrimaryKey", (body + old).encode())) == primary
    assert b64(hmac(b"SampleSecondaryKey", (body + old).encode())) == secondary
    request = Request(
        body.encode(),
        [
            ["box-delivery-id", "f96bb54b-ee16-4fc5-aa65-8c2d9e5b546f"],
            ["box-delivery-timestamp", old],
            ["box-signature-algorithm", "HmacSHA256"],
            ["box-signature-primary", primary],
            ["box-signature-secondary", secondary],
            ["box-signature-version", "1"],
        ],
        url=HOST + "box",
    )
    event = {"id": None, "time": None, "subject": "file/1234567890", "actor": None, "dedupe": "body"}
    published = dict(
        now=1577862000,
        event=event,
        composed=False,
        origin="published: https://github.com/box/box-python-sdk (test_webhook.py)",
    )
    suite.accepted(
        "published: the SDK's test",
        "the provider's own test input",
        request,
        secrets=["SamplePrimaryKey", "SampleSecondaryKey"],
        **published,
    )
    suite.accepted(
        "published: the SDK's test, secondary key",
        "the provider's own test input",
        request,
        secrets=["SampleSecondaryKey"],
        **published,
    )
    suite.rejected(
        "published: the SDK's test, ten minutes later",
        "beyond the tolerance",
        request,
        secrets=["SamplePrimaryKey"],
        now=1577862601,
        composed=False,
        origin=published["origin"],
    )
    suite.write()
