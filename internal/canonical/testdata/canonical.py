"""The canonical form of an audit event, version 1, as docs/canonical.md describes it.

    python3 canonical.py vectors.json

reads a list of objects with the keys about, event and form, and compares the form of each
event with the hexadecimal one. It says which differ, and then exits with 1.
"""

import json
import re
import sys

TRAIL_KINDS = {"trail-opened", "trail-checkpoint", "trail-closed", "trail-recovered", "trail-reaped"}
NOT_COUNTED = {"paddock.dev/seal", "paddock.dev/omitted"}
TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))")
EXACT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{0,8}[1-9]))?Z")


def uvarint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def sized(value):
    return uvarint(len(value)) + value


def text(s):
    """The UTF-8 of a text that json has decoded, in which a half of a pair stands alone."""
    return re.sub("[\ud800-\udfff]", "\ufffd", s or "").encode("utf-8")


def number(n):
    return (n or 0).to_bytes(8, "big", signed=True)


def days(year, month, day):
    """Days since 1970-01-01 in the Gregorian calendar."""
    year -= month <= 2
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719468


def moment(s):
    """Seconds since 1970 and nanoseconds of a time."""
    m = TIME.fullmatch(s)
    if m is None:
        raise ValueError("no time: %r" % s)
    year, month, day, hour, minute, second = (int(m[i]) for i in range(1, 7))
    seconds = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    if m[8]:
        offset = int(m[9]) * 3600 + int(m[10]) * 60
        seconds -= offset if m[8] == "+" else -offset
    return seconds, int(((m[7] or "") + "000000000")[:9])


ZERO = moment("0001-01-01T00:00:00Z")[0]


def exact_time(timestamp, annotation):
    seconds, nanoseconds = moment(timestamp) if timestamp else (ZERO, 0)
    m = EXACT.fullmatch(annotation or "")
    if nanoseconds == 0 and m and m[2] and moment(m[1] + "Z")[0] == seconds:
        nanoseconds = int((m[2] + "000000000")[:9])
    return number(seconds) + nanoseconds.to_bytes(4, "big")


def entries(pairs):
    """A map, of (key, value)."""
    encoded = sorted((text(key), text(value)) for key, value in pairs)
    return b"".join(sized(key) + sized(value) for key, value in encoded)


class Fields:
    """The fields of an object, added in the order of their tags."""

    def __init__(self, source):
        self.source, self.out = source, b""

    def add(self, tag, value):
        self.out += bytes([tag]) + sized(value)
        return self

    def text(self, tag, key):
        value = text(self.source.get(key))
        return self.add(tag, value) if value else self

    def number(self, tag, key):
        return self.add(tag, number(self.source[key])) if self.source.get(key) else self

    def object(self, tag, key, encode):
        value = self.source.get(key)
        return self if value is None else self.add(tag, encode(value))

    def list(self, tag, key, encode):
        value = self.source.get(key)
        return self.add(tag, b"".join(sized(encode(element)) for element in value)) if value else self

    def map(self, tag, key, counts):
        value = entries((k, v) for k, v in (self.source.get(key) or {}).items() if counts(k))
        return self.add(tag, value) if value else self

    def time(self, tag, key):
        value = self.source.get(key)
        seconds = moment(value)[0] if value else ZERO
        return self if seconds == ZERO else self.add(tag, number(seconds))


def texts(*keys):
    """An encoder of objects of texts, whose tags are 1 and so on."""
    def encode(source):
        fields = Fields(source)
        for tag, key in enumerate(keys, 1):
            fields.text(tag, key)
        return fields.out
    return encode


def actor(source):
    fields = Fields(source).text(1, "user").list(2, "groups", text)
    return fields.text(3, "serviceAccount").text(4, "sourceAddress").text(5, "userAgent").out


def destination(source):
    return Fields(source or {}).text(1, "host").number(2, "port").out


def canonical(event):
    """The canonical form of the JSON of an event."""
    metadata, spec = event.get("metadata") or {}, event.get("spec") or {}
    own = lambda key: key.startswith("paddock.dev/")
    head = Fields(metadata).text(0x01, "name").text(0x02, "namespace").map(0x03, "labels", own)
    head.map(0x04, "annotations", lambda key: own(key) and key not in NOT_COUNTED)

    annotation = (metadata.get("annotations") or {}).get("paddock.dev/timestamp")
    of_trail = spec.get("kind") in TRAIL_KINDS
    body = Fields(spec).object(0x10, "runRef", texts("name")).text(0x11, "decision").text(0x12, "kind")
    body.add(0x13, exact_time(spec.get("timestamp"), annotation))
    body.object(0x14, "actor", actor)
    body.object(0x15, "object", texts("group", "resource", "namespace", "name", "uid", "subresource"))
    body.object(0x16, "request", texts("id", "verb"))
    body.object(0x17, "trace", texts("traceID", "spanID"))
    body.object(0x18, "destination", destination)
    body.object(0x19, "credential", texts("name", "provider", "purpose"))
    body.object(0x1A, "matchedPolicy", texts("name"))
    body.text(0x1B, "reason").number(0x1C, "count").list(0x1D, "sampleDestinations", destination)
    body.time(0x1E, "windowStart").time(0x1F, "windowEnd")
    body.map(0x20, "detail", lambda key: not (of_trail and key == "note"))
    return head.out + body.out


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    differ = [v for v in vectors if canonical(v["event"]).hex() != v["form"]]
    for v in differ:
        print("%s: the form is %s, and not %s" % (ascii(v["about"]), canonical(v["event"]).hex(), v["form"]))
    print("%d of %d forms agree" % (len(vectors) - len(differ), len(vectors)))
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
