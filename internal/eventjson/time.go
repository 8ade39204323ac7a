package eventjson

import (
	"bytes"
	"sync/atomic"
	"time"
)

// AppendTime appends t in UTC as time.RFC3339Nano has it.
func AppendTime(out []byte, t time.Time) []byte {
	out = appendSecond(out, t)
	if n := uint32(t.Nanosecond()); n > 0 {
		var fraction [10]byte
		for i := 9; i > 0; i, n = i-1, n/10 {
			fraction[i] = '0' + byte(n%10)
		}
		fraction[0] = '.'
		out = append(out, bytes.TrimRight(fraction[:], "0")...)
	}
	return append(out, 'Z')
}

// second is a second of Unix time, and its text without a zone.
type second struct {
	unix int64
	text string
}

// lastSecond is the second whose text was made last. An event has its second twice, and most events
// have the same second as the event before.
var lastSecond atomic.Pointer[second]

func appendSecond(out []byte, t time.Time) []byte {
	s := lastSecond.Load()
	if s == nil || s.unix != t.Unix() {
		s = &second{t.Unix(), t.UTC().Format("2006-01-02T15:04:05")}
		lastSecond.Store(s)
	}
	return append(out, s.text...)
}
