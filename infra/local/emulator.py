"""ministack, with corrections of its pinned release: where it differs from AWS and this stack needs AWS."""

import contextvars
import json
import os
import re
import time
import uuid

import aws_rules
from ministack import app
from ministack.core import iam_actions
from ministack.services import apigateway, cloudwatch, lambda_svc, sqs
from ministack.services.cloudformation import provisioners

# Invocations of one function in one chain of requests:
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
LINEAGE_LIMIT = 16

# The trace header of the current SQS request, or of the current invocation.
trace_header = contextvars.ContextVar("trace_header", default=None)


def authorize_batches_as_single_calls():
    """AWS authorizes SendMessageBatch as sqs:SendMessage, and so on: there is no IAM action for batches."""
    original = iam_actions.extract_iam_action

    def action(service, *request):
        name = original(service, *request)
        return name.removesuffix("Batch") if name and name.startswith("sqs:") else name

    iam_actions.extract_iam_action = action


def take_loopback_for_tls():
    """The emulator speaks plain HTTP on loopback. The TLS-only policies of the stack would deny that."""
    original = app.pin_request_origin
    app.pin_request_origin = lambda source_ip, _secure: original(source_ip, True)


def route_options_without_cors():
    """An HTTP API without a CORS configuration sends OPTIONS to its routes like any other method."""
    original = apigateway._handle_execute_in_scope

    class Routed(str):
        __hash__ = str.__hash__

        def __eq__(self, other):  # the emulator must not take it for a preflight
            return False

    async def execute(api_id, stage, path, method, *rest, **more):
        api = apigateway._apis.get(api_id) or {}
        if method == "OPTIONS" and not api.get("corsConfiguration"):
            method = Routed(method)
        return await original(api_id, stage, path, method, *rest, **more)

    apigateway._handle_execute_in_scope = execute


def tell_functions_their_log_format():
    """Lambda passes a function its LoggingConfig in two environment variables."""
    original = lambda_svc._provided_worker_env

    def environment(config, *rest):
        logging = config.get("LoggingConfig") or {}
        variables = {
            "AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat"),
            "AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel"),
        }
        return original(config, *rest) | {name: value for name, value in variables.items() if value}

    lambda_svc._provided_worker_env = environment


def deploy_recursion_settings():
    """CloudFormation passes RecursiveLoop to the function."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    create, update = handlers["create"], handlers["update"]

    def created(logical_id, properties, *rest, **more):
        return configured(create(logical_id, properties, *rest, **more), properties)

    def updated(physical_id, before, properties, *rest, **more):
        return configured(update(physical_id, before, properties, *rest, **more), properties)

    def configured(result, properties):
        lambda_svc._functions[result[0]]["recursive_loop"] = properties.get("RecursiveLoop", "Terminate")
        return result

    handlers |= {"create": created, "update": updated}


def take_concurrency_from_a_parameter():
    """A parameter's value is a string. CloudFormation passes it on as the number that a mapping takes."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]

    def in_numbers(properties):
        scaling = properties.get("ScalingConfig")
        return (
            properties | {"ScalingConfig": {name: int(value) for name, value in scaling.items()}}
            if scaling
            else properties
        )

    def numbered(handler, at):
        return lambda *arguments, **more: handler(
            *arguments[:at], in_numbers(arguments[at]), *arguments[at + 1 :], **more
        )

    handlers |= {"create": numbered(handlers["create"], 1), "update": numbered(handlers["update"], 2)}


def keep_trace_headers_with_messages():
    """SQS keeps the X-Amzn-Trace-Id of a request with the messages of the request."""
    handle, attributes = sqs.handle_request, sqs._build_send_sys_attrs

    async def handle_request(method, path, headers, *rest, **more):
        token = trace_header.set(headers.get("x-amzn-trace-id"))
        try:
            return await handle(method, path, headers, *rest, **more)
        finally:
            trace_header.reset(token)

    def build(now, given):
        sender = trace_header.get()
        return ({"AWSTraceHeader": sender} if sender else {}) | attributes(now, given)

    sqs.handle_request, sqs._build_send_sys_attrs = handle_request, build


def stop_recursive_loops_of_queues():
    """Lambda counts the invocations of a chain in the trace header, which the function's SDK passes on to
    SQS. It stops the chain, and the messages stay on the queue. AWS does not document how it treats a batch
    of several chains; here the longest one counts."""
    run, trace_of = lambda_svc._run_sqs_batch, lambda_svc._xray_trace_id_for_invocation

    def run_batch(mapping, function, event, batch, *rest, **more):
        depth = max(lineage(message) for message in batch)
        if depth >= LINEAGE_LIMIT and function.get("recursive_loop") != "Allow":
            mapping["LastProcessingResult"] = "PROBLEM: RecursiveInvocationException"
            name = mapping["FunctionName"].rsplit(":", 1)[-1]
            cloudwatch.record_metric(
                "AWS/Lambda", "RecursiveInvocationsDropped", 1, "Count", {"FunctionName": name}
            )
            return
        root = (
            f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=0"
        )
        token = trace_header.set(f"{root};Lineage=1:00000001:{depth + 1}")
        try:
            run(mapping, function, event, batch, *rest, **more)
        finally:
            trace_header.reset(token)

    lambda_svc._run_sqs_batch = run_batch
    lambda_svc._xray_trace_id_for_invocation = lambda *config: trace_header.get() or trace_of(*config)


def lineage(message):
    """The number of invocations that led to a message."""
    found = re.search(r"Lineage=1:[0-9a-f]+:(\d+)", message["sys"].get("AWSTraceHeader", ""))
    return int(found[1]) if found else 0


def name_errors_of_keys_as_sqs_does():
    """The SDKs know an error by the header x-amzn-query-error: KmsDisabled is KMS.DisabledException there."""
    names = ("AccessDenied", "Disabled", "InvalidKeyUsage", "InvalidState", "NotFound")
    sqs._QUERY_COMPAT_CODES.update({f"Kms{name}": f"KMS.{name}Exception" for name in names})
    sqs._QUERY_COMPAT_CODES.update(
        {"KmsOptInRequired": "KMS.OptInRequired", "KmsThrottled": "KMS.ThrottlingException"}
    )


def offer_the_rest_of_a_stream_batch():
    """A function may name the first record of a batch that it has not handled. The stream goes on there."""
    original = lambda_svc._execute_function
    first_left = {}  # sequence numbers, by function

    def execute(func, event, *rest, **more):
        records = event.get("Records") or [{}]
        function = func["config"]["FunctionArn"]
        if records[0].get("eventSource") != "aws:dynamodb" or not reports_item_failures(function):
            return original(func, event, *rest, **more)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        done = numbers.index(first_left[function]) if first_left.get(function) in numbers else 0
        result = original(func, event | {"Records": records[done:]}, *rest, **more)
        body = result.get("body")
        failures = (
            body.get("batchItemFailures") if isinstance(body, dict) and not result.get("error") else None
        )
        if not failures:
            return result
        first_left[function] = min((failure["itemIdentifier"] for failure in failures), key=numbers.index)
        # The mapping stops after an error. The handled records are left out when the batch comes again.
        return result | {
            "error": True,
            "body": {"errorType": "BatchItemFailures", "errorMessage": f"from {first_left[function]} on"},
        }

    lambda_svc._execute_function = execute


def reports_item_failures(function):
    mappings = (
        mapping for _, _, mapping in lambda_svc._iter_all_esms() if mapping.get("FunctionArn") == function
    )
    return any(
        ":dynamodb:" in mapping.get("EventSourceArn", "")
        and "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", [])
        for mapping in mappings
    )


def make_metrics_of_log_lines():
    """CloudWatch reads the lines of a log that are in the embedded metric format."""
    original = lambda_svc._emit_lambda_logs

    def emit(func, request_id, log_text, *rest, **more):
        original(func, request_id, log_text, *rest, **more)
        lines = [
            line
            for line in (log_text or "").splitlines()
            if line.startswith("{") and '"CloudWatchMetrics"' in line
        ]
        for line in lines:
            store_metrics(json.loads(line))
        if lines:
            cloudwatch._evaluate_all_alarms()

    lambda_svc._emit_lambda_logs = emit


def take_alarms_on_expressions():
    """CloudFormation creates alarms on expressions of metrics. Here such alarms exist and never go off."""
    original = provisioners._cw_metric_alarm_record

    def record(name, properties):
        properties = dict(properties)
        if properties.pop("Metrics", None):
            properties |= {"Namespace": "expressions", "MetricName": name}
        return original(name, properties)

    provisioners._cw_metric_alarm_record = record


def store_metrics(line):
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            value = line.get(metric["Name"])
            if value is None:  # the line names the metric without a count
                continue
            values, counts = [value], None
            if isinstance(value, dict):
                values, counts = value["Values"], value["Counts"]
            elif isinstance(value, list):
                values = value
            for names in directive["Dimensions"]:
                dimensions = {name: line[name] for name in names}
                at = line["_aws"]["Timestamp"] / 1000
                cloudwatch._store_datum(
                    directive["Namespace"],
                    metric["Name"],
                    dimensions,
                    at,
                    metric.get("Unit", "None"),
                    None,
                    values,
                    counts,
                    None,
                )


def check_requests(path):
    """AWS rejects requests that the emulator takes. `path` gets a line for each rule that one breaks."""
    original = app._dispatch_service_request

    async def dispatch(method, url_path, headers, body, query, *rest):
        service = app.detect_service(method, url_path, headers, query)
        try:
            broken = aws_rules.violations(service, method, url_path, headers, body)
        except Exception as error:  # the check itself must not hide a request
            broken = [f"the check of {service} {headers.get('x-amz-target', url_path)} failed: {error!r}"]
        if broken:
            with open(path, "a", encoding="utf-8") as log:
                log.writelines(f"{line}\n" for line in broken)
        return await original(method, url_path, headers, body, query, *rest)

    app._dispatch_service_request = dispatch


if __name__ == "__main__":
    if "BROKEN_RULES" in os.environ:
        check_requests(os.environ["BROKEN_RULES"])
    authorize_batches_as_single_calls()
    take_loopback_for_tls()
    route_options_without_cors()
    tell_functions_their_log_format()
    deploy_recursion_settings()
    take_concurrency_from_a_parameter()
    keep_trace_headers_with_messages()
    stop_recursive_loops_of_queues()
    name_errors_of_keys_as_sqs_does()
    offer_the_rest_of_a_stream_batch()
    make_metrics_of_log_lines()
    take_alarms_on_expressions()
    app.main()
