package eventjson_test

import (
	"testing"

	"github.com/paddock-dev/audit/internal/eventjson"
)

func TestEveryBeginOfALineIsTorn(t *testing.T) {
	const line = `{"level":"info","a":[1,{"b":null,"c":"x\"} A é"},true,-1.5e3],"d":{"a":{}},"e":"f"}`
	for n := 1; n < len(line); n++ {
		if !eventjson.Torn([]byte(line[:n])) {
			t.Errorf("not torn: %s", line[:n])
		}
	}
}

func TestWhatNoCrashLeavesIsNotTorn(t *testing.T) {
	for _, line := range []string{
		``, `x`, `[`, `[{`, ` {"a":1`, `{}`, `{"a":1}`, `{"a":1}x`, `{"a":1}{`, `{"a":1},{`, `{"a" x`, `{"a":1 "b`, `{"a":x`, `{"a":1,}`, `{"a":1]`,
		`{a`, "{\"a\":\"\x00", `{"a":"\x`, `{"a":1,"a":`, `{"a":{"b":1,"b":`, `{"a":[{"b":1,"b":2},`, `{,`, `{"a":1,"a":2,"c`,
	} {
		if eventjson.Torn([]byte(line)) {
			t.Errorf("torn: %q", line)
		}
	}
}
