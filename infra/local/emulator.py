"""ministack, put right where it differs from AWS in what this stack relies on. Each correction is of the pinned release."""

import json
import os

import aws_rules
from ministack import app
from ministack.core import iam_actions
from ministack.services import apigateway, cloudwatch, lambda_svc


def authorize_batches_as_single_calls():
    """AWS authorizes SendMessageBatch as sqs:SendMessage, and so on: sqs:SendMessageBatch is no IAM action."""
    original = iam_actions.extract_iam_action

    def action(service, *request):
        name = original(service, *request)
        return name.removesuffix("Batch") if name and name.startswith("sqs:") else name

    iam_actions.extract_iam_action = action


def take_loopback_for_tls():
    """The emulator speaks plain HTTP on loopback, which the TLS-only policies of the stack would refuse."""
    original = app.pin_request_origin
    app.pin_request_origin = lambda source_ip, _secure: original(source_ip, True)


def route_options_without_cors():
    """An HTTP API without a CORS configuration sends OPTIONS to its routes like any other method."""
    original = apigateway._handle_execute_in_scope

    class Routed(str):
        __hash__ = str.__hash__

        def __eq__(self, other):  # is not taken for the "OPTIONS" of a preflight
            return False

    async def execute(api_id, stage, path, method, *rest, **more):
        api = apigateway._apis.get(api_id) or {}
        if method == "OPTIONS" and not api.get("corsConfiguration"):
            method = Routed(method)
        return await original(api_id, stage, path, method, *rest, **more)

    apigateway._handle_execute_in_scope = execute


def tell_functions_their_log_format():
    """Lambda passes a function its LoggingConfig in two variables."""
    original = lambda_svc._provided_worker_env

    def environment(config, *rest):
        logging = config.get("LoggingConfig") or {}
        variables = {"AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat"), "AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel")}
        return original(config, *rest) | {name: value for name, value in variables.items() if value}

    lambda_svc._provided_worker_env = environment


def make_metrics_of_log_lines():
    """CloudWatch reads the lines of a log that are in the embedded metric format."""
    original = lambda_svc._emit_lambda_logs

    def emit(func, request_id, log_text, *rest, **more):
        original(func, request_id, log_text, *rest, **more)
        lines = [line for line in (log_text or "").splitlines() if line.startswith("{") and '"CloudWatchMetrics"' in line]
        for line in lines:
            store_metrics(json.loads(line))
        if lines:
            cloudwatch._evaluate_all_alarms()

    lambda_svc._emit_lambda_logs = emit


def store_metrics(line):
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            value = line.get(metric["Name"])
            if value is None:  # named, and not counted this time
                continue
            values, counts = [value], None
            if isinstance(value, dict):
                values, counts = value["Values"], value["Counts"]
            elif isinstance(value, list):
                values = value
            for names in directive["Dimensions"]:
                dimensions = {name: line[name] for name in names}
                at = line["_aws"]["Timestamp"] / 1000
                cloudwatch._store_datum(directive["Namespace"], metric["Name"], dimensions, at, metric.get("Unit", "None"), None, values, counts, None)


def check_requests(path):
    """AWS refuses requests that the emulator takes. Each rule that a request breaks is a line of the file at `path`."""
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
    make_metrics_of_log_lines()
    app.main()
