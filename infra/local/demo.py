"""Sends every provider's samples through the local gateway to queues and an endpoint: `make demo`.

With --console, a browser shows what became of them before it is deleted: `make console`.

EXPECTED has the expected results. A row that differs is marked, and fails the demo.
"""

import base64
import hmac
import http.server
import json
import os
import re
import secrets
import signal
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
PROVIDERS = ("creative-force", "woodwing", "people-force", "creads", "github", "custom")
# What the samples of a provider need beside their body, and its source beside its name.
HEADERS = {"github": ("X-GitHub-Event: issues", "X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958")}
RECIPES = {"custom": PAYLOADS / "custom" / "recipe.json"}
# The delivery queue is the delivery function's: a message that is received here is not delivered.
QUEUES = {
    "events": "EventsQueueUrl",
    "quarantine": "QuarantineQueueUrl",
    "dead letters": "DeadLetterQueueUrl",
}
DELIVERED_PROVIDER = "creative-force"  # whose events the endpoint gets
RETRY = "2s,10s,1m"
KNOWN_SECONDS = 60  # a new source is known to every function by then
ENDPOINTS_SECONDS = 30  # a running function reads the endpoints again by then
QUEUE_SECONDS = 60  # from an answer to the message; it takes about a second
DELIVERY_SECONDS = 60  # from an answer to the last delivery, with the retry


def event(kind, subject, conflict=False):
    return {
        "answer": "200 accepted",
        "queue": "events",
        "type": kind,
        "subject": subject,
        "conflict": conflict,
    }


def quarantined(line):
    reason = f"the body is not JSON at line {line}, column 1"
    return {"answer": "200 quarantined", "queue": "quarantine", "reason": reason}


def creative_force(what, verb, subject, conflict=False):
    kind = f"io.creativeforce.{what}.{verb}"
    return "creative-force", f"{what}.json", "", event(kind, f"{what}/{subject}", conflict)


def creads(what, verb, subject):
    file = f"composed-{what.replace('_', '-')}-{verb}.json"
    return "creads", file, "", event(f"com.creads.{what}.{verb}", f"{what}/{subject}")


# In the order of sending: provider, file, the way of sending, the expected result. Creative Force's
# document prints one PayloadId in all but two of its samples. The gateway accepts them as conflicts: events
# of the same id with another body. Three of the samples are printed as malformed JSON. Creads prints no
# payload: its tables are the source of these.
EXPECTED = [
    creative_force("product", "reset", "7a782d57-b0bf-4743-8f02-2b1a1e229869"),
    creative_force("task", "completed", "c02f0f73-4665-4aae-aac1-c2fbc65365de", conflict=True),
    creative_force("sample", "checked-in", "4666fcd0-0179-44d8-a66d-bc65a4acd968"),
    creative_force("session", "added-to-session", "cba7640d-452b-417b-8bbc-aaa92a763359"),
    ("creative-force", "job.json", "", quarantined(10)),
    ("creative-force", "user.json", "", quarantined(10)),
    ("creative-force", "work-unit.json", "", quarantined(13)),
    ("creative-force", "product.json", "again", {"answer": "200 duplicate"}),
    (
        "woodwing",
        "properties-updated.json",
        "",
        event("com.woodwing.studio/object/properties-updated", "object"),
    ),
    ("woodwing", "properties-updated.json", "forged", {"answer": "401 Unauthorized"}),
    ("people-force", "employee_create.json", "", event("io.peopleforce.employee_create", "employee/130333")),
    ("people-force", "Hello!", "not JSON", quarantined(1)),
    creads("invitation", "created", "55a3f9c1d2e04"),
    creads("invitation", "deleted", "55a3f9c1d2e04"),
    creads("invitation", "updated", "55a3f9c1d2e04"),
    creads("membership", "created", "55a40d7e91b35"),
    creads("membership", "deleted", "55a40d7e91b35"),
    creads("membership", "updated", "55a40d7e91b35"),
    creads("organization", "updated", "559b9d1f64c2a"),
    creads("product", "updated", "559bba3cd7b10"),
    creads("project", "created", "559befeeab59f"),
    creads("project", "deleted", "559befeeab59f"),
    creads("project_message", "created", "55a41100c7e8d"),
    creads("project", "updated", "559befeeab59f"),
    creads("webhook", "created", "55a3e0b2c4d19"),
    creads("webhook", "deleted", "55a3e0b2c4d19"),
    creads("webhook", "updated", "55a3e0b2c4d19"),
    creads("work", "created", "55a4125f0a7b6"),
    ("github", "issues.json", "", event("com.github.issues.opened", "octocat/Hello-World")),
    # GitHub signs no header: a request that is sent again under another id is known by its body.
    ("github", "issues.json", "another id", {"answer": "200 duplicate"}),
    ("github", "issues.json", "forged", {"answer": "401 Unauthorized"}),
    (
        "custom",
        "invitee.json",
        "",
        event("com.example.booking.invitee.created", "https://api.example.com/invitees/AAAA"),
    ),
]
DELIVERED = [row for row in EXPECTED if row[0] == DELIVERED_PROVIDER and row[3].get("queue") == "events"]


def main(with_console):
    outputs = json.loads((LOCAL / "outputs.json").read_text())
    mark = f"demo-{secrets.token_hex(4)}"
    sources = {provider: f"{mark}-{provider}" for provider in PROVIDERS}
    with tempfile.TemporaryDirectory() as folder, Endpoint() as endpoint:
        os.symlink(LOCAL, Path(folder) / ".local")  # webhookctl looks for the stack there
        tool = Tool(TARGET / "webhookctl", folder)
        created = []
        try:
            say("create one source per provider")
            for provider, source in sources.items():
                recipe = ("--from", str(RECIPES[provider])) if provider in RECIPES else ()
                tool("source", "create", source, "--provider", provider, *recipe)
                created.append(("source", source))
                print(f"   {provider}: {outputs['WebhookUrl']}/{source}", flush=True)
            say(f"create an endpoint for the events of {DELIVERED_PROVIDER}: a server that first answers 503")
            options = ("--url", endpoint.url, "--source", sources[DELIVERED_PROVIDER], "--retry", RETRY)
            [made] = tool("endpoint", "create", "--name", mark, *options)
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
            delivered = await_deliveries(tool, mark)
            if with_console:
                console(tool)
        finally:
            say("delete the sources and the endpoint")
            for noun, name in created:
                tool(noun, "delete", name)
    wrong = show(rows, messages)
    summarize(outputs, sources, rows, endpoint, delivered)
    undelivered = len(DELIVERED) - len(delivered)
    unsigned = sum(not request["is_signed"] for request in endpoint.requests)
    if wrong or undelivered or unsigned or endpoint.retried_after() is None:
        say(f"not as expected: {wrong} rows, {undelivered} deliveries, {unsigned} signatures")
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
            request = {"id": headers["webhook-id"], "status": status, "time": time.monotonic()}
            self.requests.append(request | {"is_signed": is_signed(self.secret, headers, body)})
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
    """Verifies a signature, as https://www.standardwebhooks.com says. A consumer also rejects an old one."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return any(
        hmac.compare_digest(given, f"v1,{signature}")
        for given in headers.get("webhook-signature", "").split()
    )


class Tool:
    """Runs webhookctl on the local stack and returns its results in JSON."""

    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        self.env = {name: value for name, value in os.environ.items() if name != "WEBHOOK_GATEWAY_STACK"}

    def __call__(self, *arguments, text=None, check=True):
        done = subprocess.run(
            [self.path, "--json", *arguments],
            cwd=self.folder,
            env=self.env,
            input=text,
            text=True,
            capture_output=True,
        )
        if check and done.returncode:
            raise SystemExit(f"error: webhookctl {' '.join(arguments)}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]


def console(tool):
    """Shows it all in a browser until Ctrl-C, which the console takes."""
    say("open the console; Ctrl-C ends it and deletes the sources and the endpoint")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    subprocess.run([tool.path, "console"], cwd=tool.folder, env=tool.env)


def send(tool, source, row):
    """Sends one webhook and returns the answer: 404 until the function has read the new source."""
    provider, what, how, _ = row
    arguments = ["send", "--source", source]
    if how == "forged":
        arguments.append("--forge")
    for header in HEADERS.get(provider, ()):
        changed = header.replace("72d3162e", "ffffffff") if how == "another id" else header
        arguments += ["--header", changed]
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
        "sqs",
        endpoint_url=outputs["AwsEndpointUrl"],
        region_name=outputs["AwsRegion"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    ours, others = [], []
    deadline = time.monotonic() + QUEUE_SECONDS
    # After all messages have come, one more round finds unexpected ones.
    complete = False
    while not complete and time.monotonic() < deadline:
        complete = len(ours) >= count
        for queue, output in QUEUES.items():
            url = outputs[output]
            answer = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                WaitTimeSeconds=1,
                VisibilityTimeout=120,
            )
            for message in answer.get("Messages", []):
                receipt = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
                attributes = {
                    name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()
                }
                if attributes.get("gatewaysource") in sources:
                    ours.append(
                        {
                            "queue": queue,
                            "source": attributes["gatewaysource"],
                            "event": json.loads(message["Body"]),
                        }
                    )
                    sqs.delete_message(**receipt)
                else:
                    others.append(receipt)
        print(f"   {len(ours)} of {count} messages", flush=True)
    for receipt in others:
        sqs.change_message_visibility(**receipt, VisibilityTimeout=0)
    return ours


def await_deliveries(tool, endpoint):
    """The deliveries to the endpoint that succeeded, once all have."""
    deadline = time.monotonic() + DELIVERY_SECONDS
    while True:
        delivered = tool("delivery", "list", "--endpoint", endpoint, "--state", "delivered")
        if len(delivered) >= len(DELIVERED) or time.monotonic() > deadline:
            return delivered
        time.sleep(0.5)


def show(rows, messages):
    """Prints the table, and returns how many rows are not as expected."""
    table = [("", "sent", "answer", "events queue", "quarantine", "id")]
    wrong = 0
    for (provider, what, how, expected), row in zip(EXPECTED, rows, strict=True):
        here = lambda message: (message["source"], message["event"]["id"]) == (row["source"], row["id"])
        mine = [message for message in messages if here(message)] if "queue" in expected else []
        is_right = row["answer"] == expected["answer"] and [found(message) for message in mine] == (
            [wanted(expected)] if "queue" in expected else []
        )
        messages = [message for message in messages if message not in mine]
        table.append(
            (
                "ok" if is_right else "WRONG",
                title(provider, what, how),
                row["answer"],
                *cells(mine),
                short(row["id"] or "-"),
            )
        )
        if not is_right:
            wrong += 1
            table.append(
                (
                    "",
                    "  expected",
                    expected["answer"],
                    *cells_of(wanted(expected) if "queue" in expected else None),
                    "",
                )
            )
    for message in messages:
        wrong += 1
        table.append(
            (
                "WRONG",
                f"  not expected, on {message['queue']}",
                "",
                *cells([message]),
                short(message["event"]["id"]),
            )
        )
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    print()
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print("\nconflict: an event with this id came before, with another body; the gateway keeps both\n")
    return wrong


def summarize(outputs, sources, rows, endpoint, delivered):
    """Says in a few lines what happened, and what to try next."""

    def count(answer):
        return sum(row["answer"] == answer for row in rows)

    def queue(name):
        return outputs[QUEUES[name]].rsplit("/", 1)[1]

    retried_after = endpoint.retried_after()
    again = (
        "never sent that event again"
        if retried_after is None
        else f"sent that event again {retried_after:.1f} s later"
    )
    requests = len(endpoint.requests)
    signed = sum(request["is_signed"] for request in endpoint.requests)
    lines = {
        "sent": f"{len(rows)} webhooks of {len(sources)} providers, signed, to {outputs['WebhookUrl']}/…",
        "accepted": f"{count('200 accepted')}, each as a CloudEvent on the queue {queue('events')}",
        "duplicate": f"{count('200 duplicate')}: the same webhook again, which is not published again",
        "quarantined": f"{count('200 quarantined')}: signed, but no JSON; on the queue {queue('quarantine')}",
        "rejected": f"{count('401 Unauthorized')}: their signatures were forged",
        "delivered": f"{len(delivered)} events of {DELIVERED_PROVIDER} to the endpoint {endpoint.url}",
        "retried": f"1: the endpoint answered 503 to the first of {requests} requests; the gateway {again}",
        "verified": f"{signed} of {requests} requests: their Standard Webhooks signature, with Python's hmac",
    }
    print("What happened")
    for name, text in lines.items():
        print(f"  {name:<12}{text}")
    tool = TARGET / "webhookctl"
    tool = tool.relative_to(ROOT) if tool.is_relative_to(ROOT) else tool
    print("\n`make console` does this again, and shows it in a browser.")
    print("\nTry next, with a local AWS that stays until `make down`")
    print("  make up")
    print(f"  {tool} source create studio --provider creative-force")
    print(f"  {tool} send --source studio tests/payloads/creative-force/product.json\n")


def title(provider, what, how):
    return f"{provider} {what}" + (f" ({how})" if how else "")


def found(message):
    """The content of a message, in the form of `wanted`."""
    event = message["event"]
    if message["queue"] == "quarantine":
        return ("quarantine", event["reason"])
    # The id of an event in conflict is the provider's id and the beginning of the body's hash.
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
    """Shortens long ids and keeps the text after them."""
    return re.sub(
        r"([0-9a-f]{8})[0-9a-f]{4,}|([0-9a-f]{8})(-[0-9a-f]{4,}){4}",
        lambda match: f"{match[1] or match[2]}…",
        text,
    )


def say(text):
    print(f"== demo: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(0 if main("--console" in sys.argv[1:]) else 1)
