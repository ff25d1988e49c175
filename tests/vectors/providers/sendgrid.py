"""SendGrid: openssl signs with another random number each time."""

import base64
import json
import pathlib
import subprocess
import tempfile
from dataclasses import replace

from kit import HERE, SENT, Signed, b64, hmac, openssl, stamp_header


def ec_verifies(public, signature, signed):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "key").write_bytes(base64.b64decode(public))
        (folder / "signature").write_bytes(signature)
        command = [
            "openssl",
            "dgst",
            "-sha256",
            "-verify",
            folder / "key",
            "-keyform",
            "DER",
            "-signature",
            folder / "signature",
        ]
        return subprocess.run(command, input=signed, capture_output=True).returncode == 0


def sendgrid():
    path = HERE / "sendgrid.json"
    header, stamp_name = "X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp"
    if path.exists():
        for case in json.loads(path.read_text()):
            headers = {name.lower(): value for name, value in case["headers"]}
            if case["expect"]["verified"]:
                signed = headers[stamp_name.lower()].encode() + case["body"].encode()
                assert ec_verifies(
                    case["secrets"][case["expect"]["secret"]],
                    base64.b64decode(headers[header.lower()]),
                    signed,
                ), case["name"]
        return
    with tempfile.TemporaryDirectory() as folder:
        keys = {}
        for number in range(2):
            private = f"{folder}/{number}.pem"
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", private)
            keys[b64(openssl("pkey", "-in", private, "-pubout", "-outform", "DER"))] = private

        def mac(public, r):
            return openssl("dgst", "-sha256", "-sign", keys[public], data=r.stamp.encode() + r.body)

        suite = Signed(
            "sendgrid",
            list(keys),
            '[{"email":"ada@example.com","event":"delivered","sg_event_id":"ZGVsaXZlcmVkLTAtMTIzNDU2Nw","sg_message_id":"14c5d75ce93.dfd.64b469","timestamp":1764244769}]\r\n',
            {"type": "com.sendgrid.events"},
            mac,
            header=header,
            encode=b64,
            stamp=str(SENT),
            headers=[[stamp_name, str(SENT)]],
            signed_headers=[stamp_name],
            stamps=(str, stamp_header(stamp_name)),
        )
        suite.cases_of_all()
        suite.rejected(
            "the line end left out",
            "the body is signed to the last byte",
            replace(suite.sign(), body=suite.plain.body.rstrip()),
        )
        suite.rejected(
            "an HMAC with the public key",
            "a public key is no secret",
            suite.sign(
                text=b64(hmac(suite.secrets[0].encode(), suite.plain.stamp.encode() + suite.plain.body))
            ),
        )
        published = (
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
            "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
            "1600112502",
        )
        body = (
            b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced'
            b' Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
            b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
            b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
        )
        assert ec_verifies(published[0], base64.b64decode(published[1]), published[2].encode() + body)
        request = replace(stamp_header(stamp_name)(suite.plain, published[2]), body=body)
        about = dict(
            now=1600112510,
            composed=False,
            origin="published: https://github.com/sendgrid/sendgrid-python (test_eventwebhook.py)",
        )
        suite.accepted(
            "published: the SDK's test",
            "the provider's own test input",
            suite.sign(request, text=published[1]),
            secrets=[published[0]],
            **about,
        )
        suite.accepted(
            "published: the SDK's test, as the second key",
            "any key may match",
            suite.sign(request, text=published[1]),
            1,
            secrets=[suite.secrets[0], published[0]],
            **about,
        )
        wrong = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqTxd43gyp8IOEto2LdIfjRQrIbsd4SXZkLW6jDutdhXSJCWHw8REntlo7aNDthvj+y7GjUuFDb/R1NGe1OPzpA=="
        other = (
            "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH3j/0="
        )
        suite.rejected(
            "published: the SDK's test, another key",
            "the provider's own test input",
            suite.sign(request, text=published[1]),
            secrets=[wrong],
            **about,
        )
        suite.rejected(
            "published: the SDK's test, another signature",
            "the provider's own test input",
            suite.sign(request, text=other),
            secrets=[published[0]],
            **about,
        )
        suite.write()
