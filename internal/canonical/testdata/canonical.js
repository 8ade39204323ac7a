// The canonical form of an audit event, version 1, as docs/canonical.md describes it.
//
//     node canonical.js vectors.json
//
// reads a list of objects with the keys about, event and form, and compares the form of each event with the hexadecimal
// one. It says which differ, and then exits with 1. The file has to be UTF-8.
//
// Bytes are strings of two hexadecimal digits each. Such strings join with +, and have the order of their bytes.
"use strict";

const TRAIL_KINDS = ["trail-opened", "trail-checkpoint", "trail-closed", "trail-recovered", "trail-reaped"];
const NOT_COUNTED = ["paddock.dev/seal", "paddock.dev/omitted"];
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/;
const EXACT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{0,8}[1-9]))?Z$/;

function byte(n) {
  return n.toString(16).padStart(2, "0");
}

function uvarint(n) {
  let out = "";
  for (; n >= 0x80; n >>>= 7) {
    out += byte((n & 0x7f) | 0x80);
  }
  return out + byte(n);
}

function sized(bytes) {
  return uvarint(bytes.length / 2) + bytes;
}

// later is a byte of a character other than its first: six bits of the code point.
function later(code, shift) {
  return byte(0x80 | ((code >> shift) & 0x3f));
}

function character(code) {
  if (code >= 0xd800 && code <= 0xdfff) {
    code = 0xfffd; // half of a surrogate pair
  }
  if (code < 0x80) {
    return byte(code);
  }
  if (code < 0x800) {
    return byte(0xc0 | (code >> 6)) + later(code, 0);
  }
  if (code < 0x10000) {
    return byte(0xe0 | (code >> 12)) + later(code, 6) + later(code, 0);
  }
  return byte(0xf0 | (code >> 18)) + later(code, 12) + later(code, 6) + later(code, 0);
}

function utf8(text) {
  let out = "";
  for (const c of text ?? "") { // by code points, and not by halves of surrogate pairs
    out += character(c.codePointAt(0));
  }
  return out;
}

function eightBytes(n) {
  if (!Number.isSafeInteger(n)) {
    throw new Error("no integer that JSON.parse keeps exactly: " + n);
  }
  return BigInt.asUintN(64, BigInt(n)).toString(16).padStart(16, "0");
}

// moment returns the seconds since 1970 and the nanoseconds of a time.
function moment(text) {
  const m = TIME.exec(text);
  const milliseconds = m === null ? NaN : Date.parse(m[1] + m[3]);
  if (Number.isNaN(milliseconds)) {
    throw new Error("no time: " + ascii(text));
  }
  return [milliseconds / 1000, nanoseconds(m[2])];
}

function nanoseconds(fraction) {
  return Number((fraction ?? "").padEnd(9, "0").slice(0, 9));
}

const [ZERO] = moment("0001-01-01T00:00:00Z");

// Each encoder below takes a value out of JSON, and returns its bytes, or undefined when the field is left out.

function text(value) {
  return utf8(value) || undefined;
}

function number(value) {
  return value ? eightBytes(value) : undefined;
}

function time(value) {
  const seconds = value ? moment(value)[0] : ZERO;
  return seconds === ZERO ? undefined : eightBytes(seconds);
}

// exactTime makes the encoder of a time whose nanoseconds may stand in the annotation.
function exactTime(annotation) {
  return (value) => {
    let [seconds, rest] = value ? moment(value) : [ZERO, 0];
    const m = EXACT.exec(annotation ?? "");
    if (rest === 0 && m !== null && m[1] === new Date(seconds * 1000).toISOString().slice(0, 19)) {
      rest = nanoseconds(m[2]);
    }
    return eightBytes(seconds) + rest.toString(16).padStart(8, "0");
  };
}

// map makes the encoder of a map, of which the entries are taken whose keys count.
function map(counts) {
  return (value) => {
    const entries = Object.entries(value ?? {}).filter(([key]) => counts(key)).map((entry) => entry.map(utf8));
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return entries.map(([key, bytes]) => sized(key) + sized(bytes)).join("") || undefined;
  };
}

function list(element) {
  return (value) => (value ?? []).map((v) => sized(element(v))).join("") || undefined;
}

function object(rows) {
  return (value) => (value === null || value === undefined ? undefined : fields(value, rows));
}

// fields returns the bytes of an object. A row is a tag, a key and the encoder of what stands there.
function fields(source, rows) {
  let out = "";
  for (const [tag, key, encode] of rows) {
    const bytes = encode(source[key]);
    if (bytes !== undefined) {
      out += byte(tag) + sized(bytes);
    }
  }
  return out;
}

// texts returns the rows of an object of texts, whose tags are 1 and so on.
function texts(...keys) {
  return keys.map((key, i) => [i + 1, key, text]);
}

const ACTOR = [
  [0x01, "user", text], [0x02, "groups", list(utf8)], [0x03, "serviceAccount", text],
  [0x04, "sourceAddress", text], [0x05, "userAgent", text],
];
const DESTINATION = [[0x01, "host", text], [0x02, "port", number]];

// canonical returns the canonical form of the JSON of an event.
function canonical(event) {
  const metadata = event.metadata ?? {};
  const spec = event.spec ?? {};
  const own = (key) => key.startsWith("paddock.dev/");
  const ofTrail = TRAIL_KINDS.includes(spec.kind);
  return fields(metadata, [
    [0x01, "name", text],
    [0x02, "namespace", text],
    [0x03, "labels", map(own)],
    [0x04, "annotations", map((key) => own(key) && !NOT_COUNTED.includes(key))],
  ]) + fields(spec, [
    [0x10, "runRef", object(texts("name"))],
    [0x11, "decision", text],
    [0x12, "kind", text],
    [0x13, "timestamp", exactTime((metadata.annotations ?? {})["paddock.dev/timestamp"])],
    [0x14, "actor", object(ACTOR)],
    [0x15, "object", object(texts("group", "resource", "namespace", "name", "uid", "subresource"))],
    [0x16, "request", object(texts("id", "verb"))],
    [0x17, "trace", object(texts("traceID", "spanID"))],
    [0x18, "destination", object(DESTINATION)],
    [0x19, "credential", object(texts("name", "provider", "purpose"))],
    [0x1a, "matchedPolicy", object(texts("name"))],
    [0x1b, "reason", text],
    [0x1c, "count", number],
    [0x1d, "sampleDestinations", list((value) => fields(value ?? {}, DESTINATION))],
    [0x1e, "windowStart", time],
    [0x1f, "windowEnd", time],
    [0x20, "detail", map((key) => !(ofTrail && key === "note"))],
  ]);
}

// ascii quotes a text so that a terminal shows it and obeys nothing in it.
function ascii(value) {
  return JSON.stringify(value).replace(/[^ -~]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

function main() {
  if (process.argv.length !== 3) {
    throw new Error("name the file: node canonical.js vectors.json");
  }
  const vectors = JSON.parse(require("fs").readFileSync(process.argv[2], "utf8"));
  let agree = 0;
  for (const { about, event, form } of vectors) {
    const found = canonical(event);
    if (found === form) {
      agree++;
    } else {
      console.log(`${ascii(about)}: the form is ${found}, and not ${form}`);
      process.exitCode = 1;
    }
  }
  console.log(`${agree} of ${vectors.length} forms agree`);
}

main();
