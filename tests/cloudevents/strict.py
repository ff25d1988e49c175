"""Reads messages from standard input, one JSON string per line, and validates each with the CloudEvents SDK for Python.

Writes one line {"line": …, "error": …} for each invalid message, and at the end the number of messages.
"""

import json
import re
import sys

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

# What the SDK does not check: https://github.com/cloudevents/spec/blob/ce%40v1.0.2/cloudevents/spec.md#type-system
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(chr(p << 16 | 0xFFFE) + chr(p << 16 | 0xFFFF) for p in range(17)) + "]")


def check(text):
    event = JSONFormat().read(CloudEvent, text)
    JSONFormat().write(event)
    for name, value in event.get_attributes().items():
        if isinstance(value, str) and FORBIDDEN.search(value):
            raise ValueError(f"{name} has a character that no attribute has")
        if isinstance(value, int) and not -(2**31) <= value < 2**31:
            raise ValueError(f"{name} is no 32-bit integer")
        if name != "time" and not isinstance(value, (str, int)):
            raise ValueError(f"{name} is a {type(value).__name__}")


count = 0
for line in sys.stdin:
    count += 1
    try:
        check(json.loads(line))
    except Exception as error:  # whatever it is, a consumer would not get the event
        print(json.dumps({"line": count, "error": f"{type(error).__name__}: {error}"}))
print(count)
