"""Tries a deployed gateway on AWS: `make aws-smoke STACK=webhook-gateway`. It has not run on AWS yet.

    aws_smoke.py STACK       the stack of this name, with your AWS credentials (AWS_PROFILE, AWS_REGION)
    aws_smoke.py --local     the local AWS that `make up` started, to try this script itself

It creates sources, a queue that is encrypted under a key of its own, a subscription of that queue, and an
endpoint, which is a Lambda function with a public URL. It sends each kind of webhook; takes the endpoint down
for 500 events and up again; and runs `doctor` and `reconcile`. At the end it deletes all of these, also after
a failure. Webhooks and deliveries stay in the tables until they expire. It costs some cents, and a dollar a
month for the key until AWS deletes it, 7 days later.

It needs permissions for Lambda, IAM, KMS and SQS beside those of webhookctl.
"""

import concurrent.futures
import contextlib
import hashlib
import hmac
import http.server
import io
import json
import os
import secrets
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import boto3

ROOT = Path(__file__).resolve().parents[1]
PAYLOADS = ROOT / "tests" / "payloads"
SAMPLES = {
    "creative-force": "creative-force/product.json",
    "woodwing": "woodwing/properties-updated.json",
    "people-force": "people-force/employee_create.json",
    "creads": "creads/composed-work-created.json",
}
EVENTS_WHILE_DOWN = 500
PATIENCE = 900  # seconds for anything to happen; most of it takes a few
NAME = f"smoke-{secrets.token_hex(4)}"

# The endpoint on AWS. Its environment says whether it is down.
ENDPOINT = """
import os
def handler(event, context):
    return {"statusCode": int(os.environ["STATUS"]), "body": "smoke test"}
"""


def main(arguments):
    match arguments:
        case ["--local"]:
            stack = None
        case [name] if not name.startswith("-"):
            stack = name
        case _:
            raise SystemExit(__doc__)
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with contextlib.ExitStack() as cleanup:
        smoke = Smoke(stack, cleanup)
        smoke.each_kind_of_webhook()
        smoke.an_endpoint_that_is_down()
        smoke.nothing_is_lost(started)
    say("all is well")


class Smoke:
    """A run: its clients, and in `cleanup` the things to delete."""

    def __init__(self, stack, cleanup):
        self.cleanup = cleanup
        self.stack = stack
        if stack:
            self.session = boto3.Session()
            stacks = self.session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
            self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
        else:
            local = ROOT / os.environ.get("LOCAL_DIR", ".local") / "outputs.json"
            self.outputs = json.loads(local.read_text())
            self.session = boto3.Session("test", "test", region_name=self.outputs["AwsRegion"])
        self.role = self.client("lambda").get_function_configuration(
            FunctionName=self.outputs["IngressFunctionName"]
        )["Role"]
        self.sources = {provider: self.create_source(provider) for provider in SAMPLES}
        self.queue = self.subscribe_encrypted_queue()
        self.arrived = {}

    def client(self, service):
        return self.session.client(service, endpoint_url=self.outputs.get("AwsEndpointUrl"))

    def tool(self, *arguments, succeeds=True):
        """Runs webhookctl, and returns its lines of JSON."""
        tool = os.environ.get("WEBHOOKCTL", str(ROOT / "target" / "debug" / "webhookctl"))
        stack = ["--stack", self.stack] if self.stack else []
        done = subprocess.run(
            [tool, *stack, "--json", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if succeeds and done.returncode:
            raise SystemExit(f"error: webhookctl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    # ---- resources -------------------------------------------------------------------------------

    def create_source(self, provider):
        name = f"{NAME}-{provider}"
        self.cleanup.callback(self.tool, "source", "delete", name, succeeds=False)
        source = self.tool("source", "create", name, "--provider", provider)[0]
        return {"name": name, "url": f"{self.outputs['WebhookUrl']}/{name}", "secret": source["secret"]}

    def subscribe_encrypted_queue(self):
        """A queue under a customer's key. The policies of both admit the ingress function."""
        kms, sqs = self.client("kms"), self.client("sqs")
        account = self.role.split(":")[4]
        partition = self.role.split(":")[1]
        owner = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
        uses = ["kms:GenerateDataKey", "kms:Decrypt"]
        gateway = {"Effect": "Allow", "Principal": {"AWS": self.role}, "Action": uses, "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [owner, gateway]}
        key = kms.create_key(Description=NAME, Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
        self.cleanup.callback(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
        attributes = {"KmsMasterKeyId": key, "MaximumMessageSize": "1048576"}
        queue = sqs.create_queue(QueueName=NAME, Attributes=attributes)["QueueUrl"]
        self.cleanup.callback(sqs.delete_queue, QueueUrl=queue)
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        send = {
            "Effect": "Allow",
            "Principal": {"AWS": self.role},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = {"Version": "2012-10-17", "Statement": [send]}
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
        self.cleanup.callback(self.tool, "subscription", "delete", NAME, succeeds=False)
        sources = [argument for source in self.sources.values() for argument in ("--source", source["name"])]
        self.tool("subscription", "create", NAME, "--queue", queue, *sources)
        say(f"a queue under a key of its own: {queue}")
        time.sleep(35)  # the ingress function reads subscriptions every 30 s
        return queue

    def endpoint(self):
        """A public URL, and a function that sets the status of its answers."""
        return self.endpoint_on_aws() if self.stack else self.endpoint_on_this_machine()

    def endpoint_on_aws(self):
        iam, functions = self.client("iam"), self.client("lambda")
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
        self.cleanup.callback(iam.delete_role, RoleName=NAME)
        time.sleep(15)  # until Lambda sees the role
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("index.py", ENDPOINT)
        functions.create_function(
            FunctionName=NAME,
            Runtime="python3.13",
            Handler="index.handler",
            Role=role,
            Code={"ZipFile": code.getvalue()},
            Environment={"Variables": {"STATUS": "200"}},
        )
        self.cleanup.callback(functions.delete_function, FunctionName=NAME)
        functions.get_waiter("function_active_v2").wait(FunctionName=NAME)
        url = functions.create_function_url_config(FunctionName=NAME, AuthType="NONE")["FunctionUrl"]
        public = {"FunctionName": NAME, "Principal": "*"}
        functions.add_permission(
            StatementId="url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE", **public
        )
        functions.add_permission(
            StatementId="invoke", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True, **public
        )

        def answer(status):
            functions.update_function_configuration(
                FunctionName=NAME, Environment={"Variables": {"STATUS": str(status)}}
            )
            functions.get_waiter("function_updated_v2").wait(FunctionName=NAME)

        return url, answer

    def endpoint_on_this_machine(self):
        state = {"status": 200}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(state["status"])
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.cleanup.callback(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/", lambda status: state.update(status=status)

    # ---- trials ----------------------------------------------------------------------------------

    def each_kind_of_webhook(self):
        for provider, sample in SAMPLES.items():
            body = (PAYLOADS / sample).read_bytes()
            self.accepted(provider, body)
            self.answers("duplicate", self.sources[provider], body, provider)
            wrong = self.sources[provider] | {"secret": "wrong"}
            self.answers(401, wrong, body, provider)
            self.answers("quarantined", self.sources[provider], b"no JSON", provider)
        source = self.sources["creative-force"]
        known = product("known")
        self.accepted("creative-force", known)
        self.accepted("creative-force", known + b" ")  # a conflict: an event of its own
        self.accepted("creative-force", product("large", "x" * 300_000))
        self.accepted("creative-force", product("larger than a message", "x" * 1_100_000))
        self.answers(404, source | {"url": source["url"] + "-unknown"}, known, "creative-force")
        self.wait_for_messages()
        rejected = self.tool("quarantine", "list", "--rejected", "--source", source["name"])
        check(len(rejected) == 1, "one rejected request is kept", rejected)
        quarantined = eventually(
            lambda: self.tool("quarantine", "list", "--source", source["name"]),
            "the quarantined webhook is listed",
        )
        check(quarantined[0]["state"] == "quarantined", "it is quarantined", quarantined)
        say("each kind of webhook is answered, and the accepted ones are on the encrypted queue")

    def an_endpoint_that_is_down(self):
        url, answer = self.endpoint()
        source = self.sources["creative-force"]
        self.cleanup.callback(self.tool, "endpoint", "delete", NAME, succeeds=False)
        self.tool(
            "endpoint",
            "create",
            "--name",
            NAME,
            "--url",
            url,
            "--source",
            source["name"],
            "--retry",
            "5s,5m,30m,2h",
        )
        self.tool("endpoint", "ping", NAME)
        answer(503)
        time.sleep(35)  # the ingress function reads endpoints every 30 s
        bodies = [product(f"down-{number}") for number in range(EVENTS_WHILE_DOWN)]
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            for result in pool.map(lambda body: self.accepted("creative-force", body), bodies):
                del result
        say(f"the endpoint is down, and {EVENTS_WHILE_DOWN} events are accepted")
        self.wait_for_messages()
        circuit = lambda: self.tool("endpoint", "show", NAME)[0].get("held") or None
        held = eventually(circuit, "the circuit opens, and deliveries are held")
        say(f"{held} deliveries are held")
        answer(200)
        self.tool("endpoint", "enable", NAME)

        def delivered():
            found = self.tool("delivery", "list", "--endpoint", NAME, "--state", "delivered")
            return len({delivery["id"] for delivery in found}) >= EVENTS_WHILE_DOWN or None

        eventually(delivered, "all of them are delivered")
        say(f"the endpoint is up, and has all {EVENTS_WHILE_DOWN}")

    def nothing_is_lost(self, since):
        findings = self.tool("doctor", succeeds=False)
        # The rejected and the odd webhooks of this very run set off alarms.
        wrong = [
            finding for finding in findings if finding["level"] == "wrong" and finding["check"] != "alarms"
        ]
        check(findings and not wrong, "doctor finds nothing wrong", wrong)
        time.sleep(125)  # an event younger than two minutes counts as in flight
        self.tool("reconcile", "--since", since)
        say("doctor finds nothing wrong, and nothing is missing")

    # ---- webhooks --------------------------------------------------------------------------------

    def accepted(self, provider, body):
        answer = self.answers("accepted", self.sources[provider], body, provider)
        self.arrived.setdefault(answer["id"], False)

    def answers(self, wanted, source, body, provider):
        """Sends a webhook, and checks its answer: an HTTP status, or the outcome in a 200."""
        answer = eventually(
            lambda: known(send(source, body, provider), wanted), f"{provider} is answered {wanted}", every=2
        )
        status, text = answer
        got = status if isinstance(wanted, int) else json.loads(text).get("status")
        check(got == wanted, f"{provider} is answered {wanted}", answer)
        return json.loads(text)

    def wait_for_messages(self):
        """Waits until each accepted event is on the encrypted queue."""
        sqs = self.client("sqs")
        deadline = time.monotonic() + PATIENCE
        while not all(self.arrived.values()):
            check(
                time.monotonic() < deadline,
                "each event is on the queue",
                [event for event, is_here in self.arrived.items() if not is_here][:10],
            )
            received = sqs.receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=5, MessageAttributeNames=["All"]
            )
            for message in received.get("Messages", []):
                # An event above 1 MiB is a pointer. Its id is an attribute as well.
                self.arrived[message["MessageAttributes"]["ce-id"]["StringValue"]] = True
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])


def product(name, note=""):
    body = {
        "PayloadId": f"{NAME}-{name}",
        "EventGroupName": "product",
        "Action": "ProductReset",
        "ProductId": NAME,
        "Note": note,
    }
    return json.dumps(body).encode()


def send(source, body, provider):
    """Posts a webhook, signed as its provider does; the status and the text of the answer."""
    digest = hmac.new(source["secret"].encode(), body, hashlib.sha256).hexdigest()
    header, value = {
        "creative-force": ("x-cf-signature", digest),
        "woodwing": ("x-hook-signature", digest),
        "creads": ("x-partners-signature", digest),
        "people-force": ("x-peopleforce-signature", f"sha256={digest}"),
    }[provider]
    request = urllib.request.Request(source["url"], body, {header: value, "content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=35) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def known(answer, wanted):
    """The answer, unless the function does not know the new source yet."""
    return None if answer[0] in (404, 429, 503) and answer[0] != wanted else answer


def eventually(attempt, what, every=5):
    deadline = time.monotonic() + PATIENCE
    while (result := attempt()) in (None, []):
        check(time.monotonic() < deadline, what, f"not within {PATIENCE} s")
        time.sleep(every)
    return result


def check(holds, what, found):
    if not holds:
        raise SystemExit(f"error: expected that {what}. Found: {found}")


def say(text):
    print(f"== {text}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
