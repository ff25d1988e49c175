#!/usr/bin/env python3
"""Writes <preset>.json for each preset, and ../handshakes.json, ../recipes.json and ../recipes-refused.json.

The openssl command line makes every digest and signature, by the document of the provider and not by the preset: a
mistake in a preset makes its cases fail. A published case is written as it was published, and openssl checks it as
well. To check a case by hand, with the signed text in a file:

    openssl dgst -sha256 -hmac "$SECRET" < signed

A case has `verified` and, if it is true: the position of the `secret` that matched, `type`, `id`, `time`, `subject`
and `actor` of the event (null: the provider says none; a `type` of null: the event is quarantined), the
`authenticity`, and whether a copy is known by its `id` or its `body` (`dedupe`). A time that the provider sends as
RFC 3339 remains as it is; a number becomes UTC. `now` is the gateway's clock in Unix seconds. `composed` says that
the body is written by hand, with documented members.

The keys of sendgrid.json and ../recipes.json are new each time. These files are written only if they are missing.
"""

from commerce import files_and_forms
from handshakes import handshakes
from hosting import code_hosts, standard
from near import near, the_four
from payments import payments
from recipes import recipes
from sendgrid import sendgrid
from talk import talk
from tokens import tokens
from urls import hubspot, twilio

for make in (
    the_four,
    near,
    code_hosts,
    standard,
    payments,
    talk,
    files_and_forms,
    hubspot,
    twilio,
    tokens,
    sendgrid,
    handshakes,
    recipes,
):
    make()
