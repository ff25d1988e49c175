"""Checks each request to the emulator by AWS's rules, because the emulator is more lenient.

botocore's service models define the members, types, lengths, patterns and values of a request. AWS's
documentation has further rules: reserved words, keys, duplicates in batches, sizes, characters. This file
checks both. `violations` returns one sentence for each broken rule.
"""

import base64
import binascii
import datetime
import decimal
import functools
import json
import re
import urllib.parse

import botocore.session
from botocore.model import OperationNotFoundError
from botocore.validate import ParamValidator
from ministack.services import dynamodb
from ministack.services._dynamodb_keywords import AWS_KEYWORDS

# The prefix of X-Amz-Target, and the name of the model.
JSON_SERVICES = {
    "DynamoDB_20120810": "dynamodb",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "AmazonSQS": "sqs",
    "TrentService": "kms",
    "secretsmanager": "secretsmanager",
    "Logs_20140328": "logs",
    "GraniteServiceVersion20100801": "cloudwatch",
}
# The services that take forms, by the name in the credential's scope.
FORM_SERVICES = {
    "sns": "sns",
    "cloudformation": "cloudformation",
    "monitoring": "cloudwatch",
    "iam": "iam",
    "sts": "sts",
}

MIB = 1024 * 1024


def violations(service, method, path, headers, body):
    """The rules that a request breaks. An empty list means that AWS would accept its form."""
    target = headers.get("x-amz-target", "")
    prefix, _, operation = target.partition(".")
    if prefix in JSON_SERVICES:
        return json_violations(JSON_SERVICES[prefix], operation, body)
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return form_violations(FORM_SERVICES.get(service, service), body)
    if service == "s3":
        return s3_violations(path)
    return []


def json_violations(service, operation, body):
    """A request in one of the JSON protocols."""
    try:
        request = json.loads(body or b"{}")
        shape = model(service).operation_model(operation).input_shape
    except json.JSONDecodeError as error:
        return [f"{service}.{operation}: the body is not JSON: {error}"]
    except OperationNotFoundError:
        return [f"{service}.{operation}: the service has no such operation"]
    found = []
    if shape:
        request, undecoded = decoded(shape, request)
        found += undecoded
        report = ParamValidator().validate(request, shape)
        found += report.generate_report().splitlines() if report.has_errors() else []
        found += shape_violations(shape, request, operation)
    if not found:  # the rules below need a valid form
        found += {"dynamodb": dynamodb_violations, "sqs": sqs_violations}.get(service, none)(
            operation, request
        )
    return [f"{service}.{operation}: {text}" for text in found]


def form_violations(service, body):
    """A request in the query protocol: its action, parameter names, and SNS's rules for a message."""
    form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
    action = form.get("Action", "")
    try:
        shape = model(service).operation_model(action).input_shape
    except OperationNotFoundError:
        return [f"{service}.{action}: the service has no such operation"]
    members = set(shape.members if shape else ())
    unknown = {name.split(".")[0] for name in form} - members - {"Action", "Version"}
    found = [f"unknown parameter {name}" for name in sorted(unknown)]
    if (service, action) == ("sns", "Publish"):
        found += sns_violations(form)
    return [f"{service}.{action}: {text}" for text in found]


@functools.cache
def model(service):
    return botocore.session.get_session().get_service_model(service)


def none(_operation, _request):
    return []


def decoded(shape, value, path=""):
    """A JSON value with blobs and times in botocore's form, and the parts that could not be decoded."""
    kind, broken = shape.type_name, []

    def inner(shape, value, name):
        value, more = decoded(shape, value, f"{path}.{name}")
        broken.extend(more)
        return value

    if kind == "blob" and isinstance(value, str):
        try:
            value = base64.b64decode(value, validate=True)
        except binascii.Error:
            broken.append(f"{path} is not Base64")
    elif kind == "structure" and isinstance(value, dict):
        value = {
            name: inner(shape.members[name], it, name) if name in shape.members else it
            for name, it in value.items()
        }
    elif kind == "list" and isinstance(value, list):
        value = [inner(shape.member, it, index) for index, it in enumerate(value)]
    elif kind == "map" and isinstance(value, dict):
        value = {name: inner(shape.value, it, name) for name, it in value.items()}
    elif kind == "timestamp" and isinstance(value, (int, float)):
        value = datetime.datetime.fromtimestamp(value, datetime.UTC)
    return value, broken


def shape_violations(shape, value, path):
    """The rules of a model that botocore leaves to the service: upper bounds, patterns and enumerations."""
    found, kind = [], shape.type_name
    if kind == "structure" and isinstance(value, dict):
        for name, it in value.items():
            found += (
                shape_violations(shape.members[name], it, f"{path}.{name}") if name in shape.members else []
            )
    elif kind == "list":
        found += [
            text
            for index, it in enumerate(value)
            for text in shape_violations(shape.member, it, f"{path}[{index}]")
        ]
    elif kind == "map":
        for name, it in value.items():
            found += shape_violations(shape.key, name, f"{path} (key)") + shape_violations(
                shape.value, it, f"{path}.{name}"
            )
    most = shape.metadata.get("max")
    if most is not None and kind in ("string", "blob", "list", "map") and len(value) > most:
        found.append(f"{path} has a length of {len(value)}, above {most}")
    if most is not None and kind in ("integer", "long", "float", "double") and value > most:
        found.append(f"{path} is {value}, above {most}")
    pattern = shape.metadata.get("pattern")
    if pattern and kind == "string" and (known := compiled(pattern)) and not known.fullmatch(value):
        found.append(f"{path} does not match {pattern}: {value[:80]!r}")
    if kind == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        found.append(f"{path} is none of {', '.join(shape.enum)}: {value[:80]!r}")
    return found


@functools.cache
def compiled(pattern):
    """A pattern of a model, in Java's syntax. The few patterns that Python cannot read are left out."""
    try:
        return re.compile(pattern)
    except re.error:
        return None


# ---- DynamoDB ------------------------------------------------------------------------------------
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html

EXPRESSIONS = (
    "UpdateExpression",
    "ConditionExpression",
    "KeyConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
)
SYNTAX = {
    "SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN", "attribute_exists",
    "attribute_not_exists", "if_not_exists",
    "begins_with", "contains", "size", "list_append", "attribute_type",
}  # fmt: skip
MAX_ITEM = 400 * 1024
MAX_HASH_KEY, MAX_RANGE_KEY = 2048, 1024
MAX_EXPRESSION = 4096


def dynamodb_violations(operation, request):
    match operation:
        case "PutItem" | "UpdateItem" | "DeleteItem" | "GetItem" | "Query" | "Scan":
            return single_violations(request)
        case "BatchGetItem":
            return batch_get_violations(request)
        case "BatchWriteItem":
            return batch_write_violations(request)
        case "TransactWriteItems":
            return transaction_violations(request)
    return []


def single_violations(request):
    table, found = request["TableName"], expression_violations(request)
    if "Item" in request:
        found += item_violations(table, request["Item"])
    for name in ("Key", "ExclusiveStartKey"):
        if request.get(name):
            found += key_violations(table, request[name])
    values = request.get("ExpressionAttributeValues", {})
    condition = request.get("KeyConditionExpression", "")
    for name in re.findall(r":\w+", condition):
        if values.get(name) in ({"S": ""}, {"B": b""}):
            found.append(f"the key condition compares with the empty value {name}")
    for low, high in re.findall(r"BETWEEN\s+(:\w+)\s+AND\s+(:\w+)", condition):
        low, high = (next(iter(values[name].values())) for name in (low, high))
        if str(low).encode() > str(high).encode():
            found.append(f"the bounds of BETWEEN are reversed: {low!r}, {high!r}")
    return found


def batch_get_violations(request):
    found, count = [], 0
    for table, wanted in request["RequestItems"].items():
        keys = wanted["Keys"]
        count += len(keys)
        found += duplicate_violations(table, keys) + expression_violations(wanted)
        found += [text for key in keys for text in key_violations(table, key)]
    if not 1 <= count <= 100:
        found.append(f"{count} keys, not 1 to 100")
    return found


def batch_write_violations(request):
    found, count = [], 0
    for table, writes in request["RequestItems"].items():
        count += len(writes)
        items = [write["PutRequest"]["Item"] for write in writes if "PutRequest" in write]
        deleted = [write["DeleteRequest"]["Key"] for write in writes if "DeleteRequest" in write]
        found += duplicate_violations(table, items + deleted)
        found += [text for item in items for text in item_violations(table, item)]
        found += [text for key in deleted for text in key_violations(table, key)]
    if not 1 <= count <= 25:
        found.append(f"{count} writes, not 1 to 25")
    return found


def transaction_violations(request):
    found, keys = [], []
    for write in request["TransactItems"]:
        (part,) = write.values()
        table = part["TableName"]
        found += expression_violations(part)
        found += (
            item_violations(table, part["Item"]) if "Item" in part else key_violations(table, part["Key"])
        )
        keys.append((table, key_of(table, part.get("Item") or part["Key"])))
    if len(keys) != len(set(keys)):
        found.append("the transaction names an item twice")
    return found


def key_names(table):
    """The names of a table's key attributes, from the emulator; none if there is no such table."""
    schema = (dynamodb._tables.get(table.rsplit("/", 1)[-1]) or {}).get("KeySchema", [])
    return [element["AttributeName"] for element in sorted(schema, key=lambda it: it["KeyType"] == "RANGE")]


def key_of(table, item):
    return repr([item.get(name) for name in key_names(table)])


def duplicate_violations(table, items):
    keys = [key_of(table, item) for item in items]
    return (
        [f"the batch names an item of {table} twice"]
        if key_names(table) and len(keys) != len(set(keys))
        else []
    )


def key_violations(table, key):
    names, found = key_names(table), []
    if names and set(key) != set(names):
        found.append(f"the key of {table} has the attributes {sorted(key)}, not {sorted(names)}")
    for name, most in zip(names, (MAX_HASH_KEY, MAX_RANGE_KEY)):
        length = size(key[name]) if name in key else None
        if length is None:
            found.append(f"the key attribute {name} is missing")
        elif not 1 <= length <= most:
            found.append(f"the key attribute {name} has {length} bytes, not 1 to {most}")
    return found


def item_violations(table, item):
    names = key_names(table)
    found = key_violations(table, {name: item[name] for name in names if name in item})
    total = sum(len(name.encode()) + size(value) for name, value in item.items())
    if total > MAX_ITEM:
        found.append(f"the item has {total} bytes, above {MAX_ITEM}")
    return found + [text for name, value in item.items() for text in value_violations(name, value)]


def value_violations(path, value):
    """An AttributeValue: its sets and its numbers."""
    ((kind, content),) = value.items()
    if kind in ("SS", "NS", "BS") and (not content or len(set(content)) != len(content)):
        return [f"{path} is a set that is empty or names a value twice"]
    if kind == "N":
        try:
            digits = "".join(map(str, decimal.Decimal(content).as_tuple().digits)).strip("0")
        except decimal.InvalidOperation:
            return [f"{path} is not a number: {content!r}"]
        return [f"{path} has {len(digits)} digits, above 38"] if len(digits) > 38 else []
    if kind == "M":
        return [text for name, it in content.items() for text in value_violations(f"{path}.{name}", it)]
    if kind == "L":
        return [text for index, it in enumerate(content) for text in value_violations(f"{path}[{index}]", it)]
    return []


def size(value):
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html"""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return len(content) // 2 + 2
        case "BOOL" | "NULL":
            return 1
        case "M":
            return 3 + sum(len(name.encode()) + 1 + size(it) for name, it in content.items())
        case "L":
            return 3 + sum(1 + size(it) for it in content)
        case "SS":
            return sum(len(it.encode()) for it in content)
        case "NS":
            return sum(len(it) // 2 + 2 for it in content)
    return sum(len(it) for it in content)


def expression_violations(request):
    expressions = {name: request[name] for name in EXPRESSIONS if name in request}
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    text = " ".join(expressions.values())
    found = []
    for kind, used, given in (("name", r"#\w+", names), ("value", r":\w+", values)):
        used = set(re.findall(used, text))
        found += [f"the {kind} {it} is used and not given" for it in sorted(used - set(given))]
        found += [f"the {kind} {it} is given and not used" for it in sorted(set(given) - used)]
    for name, expression in expressions.items():
        if not expression.strip():
            found.append(f"{name} is empty")
        if len(expression.encode()) > MAX_EXPRESSION:
            found.append(f"{name} is longer than {MAX_EXPRESSION} bytes")
        words = re.findall(r"(?<![:#\w])[A-Za-z_]\w*", expression)
        found += [
            f"{name} has the reserved word {word}: {expression}"
            for word in words
            if word not in SYNTAX and word.upper() in AWS_KEYWORDS
        ]
    found += update_violations(expressions.get("UpdateExpression", ""), names)
    return found + [text for name, value in values.items() for text in value_violations(name, value)]


def update_violations(expression, names):
    parts = re.split(r"\b(SET|REMOVE|ADD|DELETE)\b", expression)[1:]
    clauses = list(zip(parts[::2], parts[1::2]))
    found = []
    if len({clause for clause, _ in clauses}) != len(clauses):
        found.append(f"a clause stands twice in {expression}")
    paths = []
    for _, actions in clauses:
        for action in re.split(r",(?![^(]*\))", actions):
            path = re.split(r"[\s=]", action.strip(), maxsplit=1)[0]
            paths.append([names.get(step, step) for step in re.split(r"[.\[]", path)])
    for index, path in enumerate(paths):
        if any(path == other[: len(path)] or other == path[: len(other)] for other in paths[index + 1 :]):
            found.append(f"two paths overlap in {expression}")
    return found


# ---- SQS and SNS ---------------------------------------------------------------------------------
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html

REFUSED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
BATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
GROUP = re.compile(r"""[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}""")
ATTRIBUTE = re.compile(r"(?!(?i:aws|amazon)\.)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
MAX_DELAY, MAX_VISIBILITY = 900, 12 * 3600


def sqs_violations(operation, request):
    entries, found = request.get("Entries", [request]), []
    if "Entries" in request:
        ids = [entry["Id"] for entry in entries]
        if not 1 <= len(ids) <= 10:
            found.append(f"a batch of {len(ids)} entries, not 1 to 10")
        if len(ids) != len(set(ids)):
            found.append("two entries of the batch have one id")
        found += [f"the entry's id is {it!r}" for it in ids if not BATCH_ID.fullmatch(it)]
    if operation in ("SendMessage", "SendMessageBatch"):
        found += [text for entry in entries for text in message_violations(entry)]
        total = sum(message_size(entry) for entry in entries)
        if total > MIB:
            found.append(f"the messages have {total} bytes with their attributes, above {MIB}")
    for entry in entries:
        if not 0 <= entry.get("VisibilityTimeout", 0) <= MAX_VISIBILITY:
            found.append(f"a visibility timeout of {entry['VisibilityTimeout']} s, not 0 to {MAX_VISIBILITY}")
        if entry.get("ReceiptHandle") == "":
            found.append("the receipt handle is empty")
    return found


def message_violations(message):
    found, attributes = [], message.get("MessageAttributes", {})
    if not message["MessageBody"]:
        found.append("the message is empty")
    if refused := REFUSED.search(message["MessageBody"]):
        found.append(f"the message has the character {refused[0]!r}")
    if len(attributes) > 10:
        found.append(f"{len(attributes)} message attributes, above 10")
    for name, attribute in attributes.items():
        value = attribute.get("StringValue", attribute.get("BinaryValue", ""))
        if not ATTRIBUTE.fullmatch(name) or len(name) > 256:
            found.append(f"the message attribute is named {name!r}")
        if not value:
            found.append(f"the message attribute {name} is empty")
        if isinstance(value, str) and (refused := REFUSED.search(value)):
            found.append(f"the message attribute {name} has the character {refused[0]!r}")
        if attribute["DataType"].startswith("Number") and not re.fullmatch(
            r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", str(value)
        ):
            found.append(f"the message attribute {name} is not a number: {value!r}")
    group, delay = message.get("MessageGroupId"), message.get("DelaySeconds", 0)
    if group is not None and not GROUP.fullmatch(group):
        found.append(f"the message group is {group!r}")
    if not 0 <= delay <= MAX_DELAY:
        found.append(f"a delay of {delay} s, not 0 to {MAX_DELAY}")
    return found


def message_size(message):
    attributes = message.get("MessageAttributes", {}).items()
    values = [
        (name, it["DataType"], it.get("StringValue", "").encode() or it.get("BinaryValue", b""))
        for name, it in attributes
    ]
    return len(message["MessageBody"].encode()) + sum(
        len(name) + len(kind) + len(value) for name, kind, value in values
    )


def sns_violations(form):
    """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
    found, subject = [], form.get("Subject")
    if subject is not None and not re.fullmatch(r"[!-~][ -~]{0,98}", subject):
        found.append(f"the subject is empty, too long or not printable ASCII: {subject!r}")
    if not 1 <= len(form.get("Message", "").encode()) <= 256 * 1024:
        found.append("the message is empty or above 256 KiB")
    return found


# ---- S3 ------------------------------------------------------------------------------------------


def s3_violations(path):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
    _, _, key = urllib.parse.unquote(path).lstrip("/").partition("/")
    found = []
    if len(key.encode()) > 1024:
        found.append(f"s3: the key has {len(key.encode())} bytes, above 1024")
    if re.search(r"[\x00-\x1f\x7f]", key) or any(part in (".", "..") for part in key.split("/")):
        found.append(f"s3: the key has a control character, or a part that is a period: {key!r}")
    return found
