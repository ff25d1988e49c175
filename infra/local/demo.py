"""Sends every provider's sample payloads through the local gateway, delivers some to an endpoint, and shows the results: `make demo`.

EXPECTED has the expected results. A row that differs is marked, and fails the demo.
"""

import base64
import hmac
import http.server
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import boto3

from stack import TARGET

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / os.environ.get("LOCAL_DIR", ".local")
PAYLOADS = ROOT / "tests" / "payloads"
PROVIDERS = ("creative-force", "woodwing", "people-force", "creads")
# The delivery queue is the delivery function's: a message that is received here is not delivered.
QUEUES = {"events": "EventsQueueUrl", "quarantine": "QuarantineQueueUrl", "dead letters": "DeadLetterQueueUrl"}
DELIVERED = "creative-force"  # the provider whose events are delivered to the endpoint
RETRY = "2s,10s,1m"
KNOWN_SECONDS = 60  # a new source is known to every function by then
ENDPOINTS_SECONDS = 30  # a running function reads the endpoints again by then
QUEUE_SECONDS = 60  # from an answer to the message; it takes about a second
DELIVERY_SECONDS = 60  # from an answer to the last delivery, with the retry
NOT_JSON = "the body is not JSON at line"


def event(kind, subject, conflict=False):
    return {"answer": "200 accepted", "queue": "events", "type": kind, "subject": subject, "conflict": conflict}


def quarantined(reason):
    return {"answer": "200 quarantined", "queue": "quarantine", "reason": reason}


# In the order of sending: provider, file, how it is sent, what is to become of it. Creative Force's document prints one PayloadId in
# all but two of its samples: as events of the same id and another body, they are accepted as conflicts. Three of the samples are
# printed as malformed JSON. Creads prints no payload: these are composed from its tables.
EXPECTED = [
    ("creative-force", "product.json", "", event("io.creativeforce.product.reset", "product/7a782d57-b0bf-4743-8f02-2b1a1e229869")),
    ("creative-force", "task.json", "", event("io.creativeforce.task.completed", "task/c02f0f73-4665-4aae-aac1-c2fbc65365de", conflict=True)),
    ("creative-force", "sample.json", "", event("io.creativeforce.sample.checked-in", "sample/4666fcd0-0179-44d8-a66d-bc65a4acd968")),
    ("creative-force", "session.json", "", event("io.creativeforce.session.added-to-session", "session/cba7640d-452b-417b-8bbc-aaa92a763359")),
    ("creative-force", "job.json", "", quarantined(f"{NOT_JSON} 10, column 1")),
    ("creative-force", "user.json", "", quarantined(f"{NOT_JSON} 10, column 1")),
    ("creative-force", "work-unit.json", "", quarantined(f"{NOT_JSON} 13, column 1")),
    ("creative-force", "product.json", "again", {"answer": "200 duplicate"}),
    ("woodwing", "properties-updated.json", "", event("com.woodwing.studio/object/properties-updated", "object")),
    ("woodwing", "properties-updated.json", "forged", {"answer": "401 Unauthorized"}),
    ("people-force", "employee_create.json", "", event("io.peopleforce.employee_create", "employee/130333")),
    ("people-force", "Hello!", "not JSON", quarantined(f"{NOT_JSON} 1, column 1")),
    ("creads", "composed-invitation-created.json", "", event("com.creads.invitation.created", "invitation/55a3f9c1d2e04")),
    ("creads", "composed-invitation-deleted.json", "", event("com.creads.invitation.deleted", "invitation/55a3f9c1d2e04")),
    ("creads", "composed-invitation-updated.json", "", event("com.creads.invitation.updated", "invitation/55a3f9c1d2e04")),
    ("creads", "composed-membership-created.json", "", event("com.creads.membership.created", "membership/55a40d7e91b35")),
    ("creads", "composed-membership-deleted.json", "", event("com.creads.membership.deleted", "membership/55a40d7e91b35")),
    ("creads", "composed-membership-updated.json", "", event("com.creads.membership.updated", "membership/55a40d7e91b35")),
    ("creads", "composed-organization-updated.json", "", event("com.creads.organization.updated", "organization/559b9d1f64c2a")),
    ("creads", "composed-product-updated.json", "", event("com.creads.product.updated", "product/559bba3cd7b10")),
    ("creads", "composed-project-created.json", "", event("com.creads.project.created", "project/559befeeab59f")),
    ("creads", "composed-project-deleted.json", "", event("com.creads.project.deleted", "project/559befeeab59f")),
    ("creads", "composed-project-message-created.json", "", event("com.creads.project_message.created", "project_message/55a41100c7e8d")),
    ("creads", "composed-project-updated.json", "", event("com.creads.project.updated", "project/559befeeab59f")),
    ("creads", "composed-webhook-created.json", "", event("com.creads.webhook.created", "webhook/55a3e0b2c4d19")),
    ("creads", "composed-webhook-deleted.json", "", event("com.creads.webhook.deleted", "webhook/55a3e0b2c4d19")),
    ("creads", "composed-webhook-updated.json", "", event("com.creads.webhook.updated", "webhook/55a3e0b2c4d19")),
    ("creads", "composed-work-created.json", "", event("com.creads.work.created", "work/55a4125f0a7b6")),
]


def main():
    outputs = json.loads((LOCAL / "outputs.json").read_text())
    mark = f"demo-{secrets.token_hex(4)}"
    sources = {provider: f"{mark}-{provider}" for provider in PROVIDERS}
    with tempfile.TemporaryDirectory() as folder, Endpoint() as endpoint:
        os.symlink(LOCAL, Path(folder) / ".local")  # where webhookctl looks for the stack
        tool = Tool(TARGET / "webhookctl", folder)
        created = []
        try:
            say("create one source per provider")
            for provider, source in sources.items():
                tool("source", "add", source, "--provider", provider)
                created.append(("source", source))
                print(f"   {provider}: {outputs['WebhookUrl']}/{source}", flush=True)
            say(f"create an endpoint for the events of {DELIVERED}: a small HTTP server in this script, which answers 503 to its first request")
            [made] = tool("endpoint", "create", "--name", mark, "--url", endpoint.url, "--source", sources[DELIVERED], "--retry", RETRY)
            endpoint.secret = made["secret"]
            created.append(("endpoint", mark))
            print(f"   {endpoint.url}", flush=True)
            if os.environ.get("STACK_RAN_BEFORE"):
                say(f"wait {ENDPOINTS_SECONDS} s, until the running function has read the new endpoint")
                time.sleep(ENDPOINTS_SECONDS)
            say(f"send {len(EXPECTED)} webhooks, signed as their providers sign")
            rows = [send(tool, sources[row[0]], row) for row in EXPECTED]
            say("read the queues")
            messages = receive(outputs, set(sources.values()), sum("queue" in row[3] for row in EXPECTED))
            say("wait for the deliveries")
            to_deliver = sum(provider == DELIVERED and expected.get("queue") == "events" for provider, _, _, expected in EXPECTED)
            delivered = await_deliveries(tool, mark, to_deliver)
        finally:
            say("delete the sources and the endpoint")
            for noun, name in created:
                tool(noun, "remove" if noun == "source" else "delete", name)
    wrong = show(rows, messages)
    summarize(outputs, sources, rows, endpoint, delivered)
    undelivered = to_deliver - len(delivered)
    unsigned = sum(not request["is_signed"] for request in endpoint.requests)
    if wrong or undelivered or unsigned or endpoint.retried_after() is None:
        say(f"not as expected: {wrong} rows, {undelivered} deliveries, {unsigned} signatures. The log of the local AWS is {LOCAL / 'ministack.log'}")
        return False
    say("all as expected, and nothing else on the queues")
    return True


class Endpoint:
    """An HTTP server that takes deliveries: it answers 503 to its first request and 200 to each later one."""

    def __init__(self):
        self.secret = None
        self.requests = []
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(endpoint.take(self.headers, body))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.lock = threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def take(self, headers, body):
        """Records a request, and returns the status to answer."""
        with self.lock:
            status = 200 if self.requests else 503
            request = {"id": headers["webhook-id"], "status": status, "time": time.monotonic(), "is_signed": is_signed(self.secret, headers, body)}
            self.requests.append(request)
        print(f"   the endpoint answers {status} to {short(json.loads(body)['id'])}", flush=True)
        return status

    def retried_after(self):
        """The seconds from the failed request to the one that repeats it; none if it was not repeated."""
        for failed in self.requests[:1]:
            for request in self.requests[1:]:
                if request["id"] == failed["id"]:
                    return request["time"] - failed["time"]
        return None


def is_signed(secret, headers, body):
    """Verifies a signature as https://www.standardwebhooks.com says. A consumer also rejects an old timestamp."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return any(hmac.compare_digest(given, f"v1,{signature}") for given in headers["webhook-signature"].split())


class Tool:
    """webhookctl, for the local stack; its results as they are in JSON."""

    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        self.env = {name: value for name, value in os.environ.items() if name != "WEBHOOK_GATEWAY_STACK"}

    def __call__(self, *arguments, text=None, check=True):
        done = subprocess.run([self.path, "--json", *arguments], cwd=self.folder, env=self.env, input=text, text=True, capture_output=True)
        if check and done.returncode:
            raise SystemExit(f"error: webhookctl {' '.join(arguments)}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]


def send(tool, source, row):
    """Sends one webhook and returns its answer. A function that has not read the new source yet answers 404."""
    provider, what, how, _ = row
    arguments = ["send", "--source", source]
    if how == "forged":
        arguments.append("--forge")
    arguments.append("-" if how == "not JSON" else str(PAYLOADS / provider / what))
    deadline = time.monotonic() + KNOWN_SECONDS
    waiting = False
    while True:
        [sent] = tool(*arguments, text=what if how == "not JSON" else None, check=False) or [{"status": None}]
        if sent["status"] != 404 or time.monotonic() > deadline:
            break
        if not waiting:
            print(f"   {provider}: the gateway does not know the new source yet", flush=True)
            waiting = True
        time.sleep(1)
    answer = f"{sent['status']} {sent.get('answer') or sent.get('error')}"
    print(f"   {title(provider, what, how)}: {answer}", flush=True)
    return {"source": source, "answer": answer, "id": sent.get("id")}


def receive(outputs, sources, count):
    """All messages of these sources, on any of QUEUES; those of others become visible again."""
    sqs = boto3.client(
        "sqs", endpoint_url=outputs["AwsEndpointUrl"], region_name=outputs["AwsRegion"], aws_access_key_id="test", aws_secret_access_key="test"
    )
    ours, others = [], []
    deadline = time.monotonic() + QUEUE_SECONDS
    # Once all have come, one more round finds what should not be there.
    complete = False
    while not complete and time.monotonic() < deadline:
        complete = len(ours) >= count
        for queue, output in QUEUES.items():
            url = outputs[output]
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1, VisibilityTimeout=120)
            for message in answer.get("Messages", []):
                receipt = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
                attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
                if attributes.get("gatewaysource") in sources:
                    ours.append({"queue": queue, "source": attributes["gatewaysource"], "event": json.loads(message["Body"])})
                    sqs.delete_message(**receipt)
                else:
                    others.append(receipt)
        print(f"   {len(ours)} of {count} messages", flush=True)
    for receipt in others:
        sqs.change_message_visibility(**receipt, VisibilityTimeout=0)
    return ours


def await_deliveries(tool, endpoint, count):
    """The deliveries that came to their end, once there are so many."""
    deadline = time.monotonic() + DELIVERY_SECONDS
    while True:
        delivered = tool("delivery", "list", "--endpoint", endpoint, "--state", "delivered")
        if len(delivered) >= count or time.monotonic() > deadline:
            return delivered
        time.sleep(0.5)


def show(rows, messages):
    """Prints the table, and returns how many rows are not as expected."""
    table = [("", "sent", "answer", "events queue", "quarantine", "id")]
    wrong = 0
    for (provider, what, how, expected), row in zip(EXPECTED, rows, strict=True):
        here = lambda message: (message["source"], message["event"]["id"]) == (row["source"], row["id"])
        mine = [message for message in messages if here(message)] if "queue" in expected else []
        is_right = row["answer"] == expected["answer"] and [found(message) for message in mine] == ([wanted(expected)] if "queue" in expected else [])
        messages = [message for message in messages if message not in mine]
        table.append(("ok" if is_right else "WRONG", title(provider, what, how), row["answer"], *cells(mine), short(row["id"] or "-")))
        if not is_right:
            wrong += 1
            table.append(("", "  expected", expected["answer"], *cells_of(wanted(expected) if "queue" in expected else None), ""))
    for message in messages:
        wrong += 1
        table.append(("WRONG", f"  not expected, on {message['queue']}", "", *cells([message]), short(message["event"]["id"])))
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    print()
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print("\nconflict: an event with this id came before, with another body; the gateway keeps both\n")
    return wrong


def summarize(outputs, sources, rows, endpoint, delivered):
    """Says in a few lines what happened, and what to try next."""
    count = lambda answer: sum(row["answer"] == answer for row in rows)
    queue = lambda name: outputs[QUEUES[name]].rsplit("/", 1)[1]
    retried_after = endpoint.retried_after()
    retry = "the gateway did not send this event again" if retried_after is None else f"the gateway sent this event again {retried_after:.1f} s later"
    signed = sum(request["is_signed"] for request in endpoint.requests)
    tool = TARGET / "webhookctl"
    tool = tool.relative_to(ROOT) if tool.is_relative_to(ROOT) else tool
    print(f"""What happened
  sent         {len(rows)} webhooks of {len(sources)} providers, signed as each provider signs, to {outputs["WebhookUrl"]}/SOURCE
  accepted     {count("200 accepted")}: a CloudEvent each, on the queue {queue("events")}, for any consumer
  duplicate    {count("200 duplicate")}: the same webhook came again; the gateway publishes it once
  quarantined  {count("200 quarantined")}: correctly signed, but no JSON; on the queue {queue("quarantine")}, for repair and release
  rejected     {count("401 Unauthorized")}: the signature was forged
  delivered    {len(delivered)} events of {DELIVERED} to the endpoint {endpoint.url}, in {len(endpoint.requests)} requests:
               the endpoint answered 503 to the first one, and {retry}
  verified     {signed} of {len(endpoint.requests)} requests have a valid Standard Webhooks signature, by `hmac` of Python's standard library

Try next
  make up                                                                   start this local AWS, and keep it until `make down`
  {tool} source create studio --provider creative-force
  {tool} send --source studio tests/payloads/creative-force/product.json
""")


def title(provider, what, how):
    return f"{provider} {what}" + (f" ({how})" if how else "")


def found(message):
    """What a message says, in the form of `wanted`."""
    event = message["event"]
    if message["queue"] == "quarantine":
        return ("quarantine", event["reason"])
    # The id of an event in conflict is the provider's and the beginning of the body's hash.
    is_conflict = event.get("conflict", False) and re.search("#[0-9a-f]{16}$", event["id"]) is not None
    return (message["queue"], event["type"], event.get("subject"), is_conflict)


def wanted(expected):
    if expected["queue"] == "quarantine":
        return ("quarantine", expected["reason"])
    return ("events", expected["type"], expected["subject"], expected["conflict"])


def cells(messages):
    """The columns of both queues."""
    if not messages:
        return cells_of(None)
    return cells_of(found(messages[0]))


def cells_of(says):
    match says:
        case None:
            return "-", "-"
        case ("quarantine", reason):
            return "-", reason
        case (_, kind, subject, conflict):
            return f"{kind}  {short(subject or '-')}{'  conflict' if conflict else ''}", "-"


def short(text):
    """Long ids by their beginning; what follows them stays."""
    return re.sub(r"([0-9a-f]{8})[0-9a-f]{4,}|([0-9a-f]{8})(-[0-9a-f]{4,}){4}", lambda match: f"{match[1] or match[2]}…", text)


def say(text):
    print(f"== demo: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
