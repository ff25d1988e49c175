// The same as strict.py, with the CloudEvents SDK for JavaScript.

import { createInterface } from "node:readline";
import { CloudEvent, HTTP } from "cloudevents";

function check(text) {
  new CloudEvent(JSON.parse(text)); // strict by default
  const headers = { "content-type": "application/cloudevents+json" };
  HTTP.toEvent({ headers, body: text }).validate();
}

let count = 0;
for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  count += 1;
  try {
    check(JSON.parse(line));
  } catch (error) {
    console.log(JSON.stringify({ line: count, error: `${error.name}: ${error.message}` }));
  }
}
console.log(count);
