package eventjson

import (
	"bytes"
	"time"
)

// AppendTime appends t in UTC as layout has it, which is time.RFC3339 or time.RFC3339Nano. It
// takes less than half as long as AppendFormat of package time, and every write needs both.
func AppendTime(out []byte, t time.Time, layout string) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(out, layout)
	}
	hour, minute, second := t.Clock()
	out = append2(append2(out, year/100), year%100)
	out = append2(append(out, '-'), int(month))
	out = append2(append(out, '-'), day)
	out = append2(append(out, 'T'), hour)
	out = append2(append(out, ':'), minute)
	out = append2(append(out, ':'), second)
	if n := t.Nanosecond(); n > 0 && layout == time.RFC3339Nano {
		out = append(out, '.')
		for unit := 10_000_000; unit > 1; unit /= 100 {
			out = append2(out, n/unit%100)
		}
		out = bytes.TrimRight(append(out, '0'+byte(n%10)), "0")
	}
	return append(out, 'Z')
}

// append2 appends the two digits of n.
func append2(out []byte, n int) []byte { return append(out, '0'+byte(n/10), '0'+byte(n%10)) }
