"""Providers that send a token."""

import json
from dataclasses import replace

from kit import Token


def tokens():
    okta = Token(
        "okta",
        ["okta-3f8a1c9d5e7b2046", "okta-0d9c8b7a6f5e4d3c"],
        '{"eventType":"com.okta.event_hook","eventTypeVersion":"1.0","cloudEventsVersion":"0.1","source":"https://example.okta.com/api/v1/eventHooks/who8vt36qfNpCGz9H1e6",'
        '"eventId":"b5a188b9-5ece-4636-b041-482ffda96311","data":{"events":[{"uuid":"dc3e9f1a-0000-4c1a-9c55-51b2f2a9b1d4","published":"2025-11-27T11:59:28.000Z",'
        '"eventType":"user.lifecycle.create"}]},"eventTime":"2025-11-27T11:59:28.000Z","contentType":"application/json"}',
        {
            "type": "com.okta.event_hook",
            "id": "b5a188b9-5ece-4636-b041-482ffda96311",
            "time": "2025-11-27T11:59:28.000Z",
        },
        "Authorization",
    )
    okta.cases_of_all()
    okta.write()

    graph = Token(
        "microsoft-graph",
        ["graph-3f8a1c9d5e7b2046", "graph-0d9c8b7a6f5e4d3c"],
        "{}",
        {"type": "com.microsoft.graph.notifications"},
        "clientState",
    )

    def notification(*states):
        items = [
            {
                "subscriptionId": "7f105c7d-2dc5-4530-97cd-4e7ae6534c07",
                "subscriptionExpirationDateTime": "2025-12-01T11:00:00.0000000Z",
                "changeType": "created",
                "resource": "Users/ada/Messages/AAMk",
                "resourceData": {"id": "AAMk"},
            }
            | ({} if state is None else {"clientState": state})
            for state in states
        ]
        return replace(graph.plain, body=json.dumps({"value": items}, separators=(",", ":")).encode())

    first, second = graph.secrets
    graph.accepted("authentic", "clientState equals the secret", notification(first))
    graph.accepted("two notifications", "each has the clientState", notification(first, first))
    graph.accepted(
        "rotation: the second secret",
        "a subscription of before",
        notification(first),
        1,
        secrets=[second, first],
    )
    for name, why, states in [
        ("wrong", "only a secret of the source counts", [second]),
        ("one character less", "all of it is compared", [first[:-1]]),
        ("one character more", "all of it is compared", [first + "x"]),
        ("in upper case", "it has a case", [first.upper()]),
        ("empty", "an empty token is none", [""]),
        ("missing", "nothing is verified without it", [None]),
        ("a number", "it is a text", [12345]),
        ("an array", "it is a text", [[first]]),
        ("only in the second notification", "each notification must have it", [None, first]),
        ("only in the first notification", "each notification must have it", [first, None]),
        ("wrong in the second notification", "each notification must have it", [first, first[:-1]]),
        ("of two secrets", "one secret must vouch for all", [first, second]),
    ]:
        graph.rejected(f"clientState: {name}", why, notification(*states))
    graph.rejected("no notification", "nothing is verified without it", notification())
    graph.rejected("not JSON", "nothing is verified without it", replace(graph.plain, body=first.encode()))
    graph.rejected(
        "clientState in a header",
        "it is in the body",
        replace(notification(None), headers=[["clientState", first]]),
    )
    graph.rejected("a retired secret", "it is no longer configured", notification(first), secrets=[second])
    graph.rejected("no secret", "nothing could equal the token", notification(first), secrets=[])
    graph.rejected(
        "empty token and empty secret", "an empty secret verifies nothing", notification(""), secrets=[""]
    )
    graph.write()

    acrobat = Token(
        "acrobat-sign",
        ["UB7E5BXCXY", "CBJCHBCAABAA"],
        '{"webhookId":"234123f0-b5c5-4a3a-9b1c-3c2b1a0f9e8d","webhookName":"gateway","webhookNotificationId":"4c1a4bd5-ecc5-4d2f-8f0a-3f4e5d6c7b80",'
        '"webhookScope":"ACCOUNT","event":"AGREEMENT_ACTION_COMPLETED","eventDate":"2025-11-27T11:59:28Z","eventResourceType":"agreement",'
        '"agreement":{"id":"CBJCHBCAABAAo8Lqz","status":"SIGNED"}}',
        {
            "type": "com.adobe.sign.AGREEMENT_ACTION_COMPLETED",
            "id": "4c1a4bd5-ecc5-4d2f-8f0a-3f4e5d6c7b80",
            "time": "2025-11-27T11:59:28Z",
            "subject": "agreement/CBJCHBCAABAAo8Lqz",
        },
        "X-AdobeSign-ClientId",
    )
    acrobat.cases_of_all()
    acrobat.write()
