package webhook

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// caught is a Driver that keeps the last event.
type caught struct {
	driver.Base
	event *driver.Event
}

func (*caught) Info() driver.Info {
	return driver.Info{Name: "caught", Component: "broker", Level: auditing.LevelAccepted}
}

func (c *caught) Store(_ context.Context, events []*driver.Event) []error {
	c.event = events[0]
	return nil
}

// prepared returns an event as a Store gets it.
func prepared(tb testing.TB, name, run string) *driver.Event {
	tb.Helper()
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindEgressBlock, Decision: v1alpha1.AuditDecisionDenied, Namespace: "team-a", RunName: run,
		Reason: "because", When: time.Date(2026, 11, 26, 12, 0, 0, 123456789, time.FixedZone("", 3600)),
	})
	ae.Name = name
	c := &caught{}
	if err := driver.Write(tb.Context(), c, ae); err != nil {
		tb.Fatal(err)
	}
	return c.event
}

// Prepared is prepared for the tests outside the package.
var Prepared = prepared

func TestEventInJSONFormat(t *testing.T) {
	e := prepared(t, "ae-1", "run\n\"1\" \u202eä\xff\ufdd0")
	var got map[string]any
	if err := json.Unmarshal(appendEvent(nil, e, "/audit"), &got); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(got["data"])
	if err != nil {
		t.Fatal(err)
	}
	delete(got, "data")
	want := map[string]any{
		"specversion": "1.0", "id": "ae-1", "source": "/audit/namespaces/team-a/components/broker",
		"type": "dev.paddock.audit.egress-block.v1alpha1", "subject": "run\ufffd\"1\" \u202eä\ufffd\ufffd",
		"time": "2026-11-26T11:00:00.123456789Z", "datacontenttype": "application/json",
		"component": "broker", "decision": "denied",
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("attributes are %v, want %v", got, want)
	}
	var sent, made any
	if json.Unmarshal(data, &sent) != nil || json.Unmarshal(e.JSON(), &made) != nil || !equalJSON(t, sent, made) {
		t.Errorf("data is %s, want %s", data, e.JSON())
	}
}

func equalJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func TestEventWithoutRunHasNoSubject(t *testing.T) {
	if text := appendEvent(nil, prepared(t, "ae-1", ""), "/audit"); bytes.Contains(text, []byte(`"subject"`)) {
		t.Errorf("%s", text)
	}
}

func TestPercentEncodingOfSpecification(t *testing.T) {
	// The example of section 3.1.3.2 of the HTTP binding.
	if got, want := percentEncoded("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := percentEncoded("a\"b%c\r\nd~!"), "a%22b%25c%0D%0Ad~!"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEveryAttributeNameIsValid(t *testing.T) {
	for _, a := range attributesOf(prepared(t, "ae-1", "run-1"), "/audit") {
		if a.value == "" || len(a.name) > 20 || strings.Trim(a.name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("attribute %q: %q", a.name, a.value)
		}
	}
}

// decodedHeader decodes the value of a header of the binary mode by the rules for receivers.
func decodedHeader(value string) (string, bool) {
	text, err := url.PathUnescape(value)
	return text, err == nil && utf8.ValidString(text)
}

// FuzzHeader sends any run in the headers of the binary mode, and reads the request with
// net/http.
func FuzzHeader(f *testing.F) {
	for _, run := range []string{"run-1", "a\r\nX-Evil: 1", "\x00", "ü €😀", "%0d%0a", "\xff\xfe", "\"quoted\"", " ", "\u0085\u2028", strings.Repeat("€", 1000)} {
		f.Add(run)
	}
	f.Fuzz(func(t *testing.T, run string) {
		e := prepared(t, "ae-1", run)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://receiver.example/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		setHeader(req.Header, e, "/audit")
		names := len(req.Header)
		var wire bytes.Buffer
		if err := req.Write(&wire); err != nil {
			t.Fatal(err)
		}
		got, err := http.ReadRequest(bufio.NewReader(&wire))
		if err != nil {
			t.Fatal(err)
		}
		got.Header.Del("User-Agent")
		got.Header.Del("Content-Length")
		if len(got.Header) != names {
			t.Fatalf("%d headers arrived of %d: %q", len(got.Header), names, got.Header)
		}
		subject, ok := decodedHeader(got.Header.Get("ce-subject"))
		if !ok || subject != clean(e.Run()) {
			t.Errorf("subject %q arrived as %q (%v)", clean(e.Run()), subject, ok)
		}
		if strings.ContainsFunc(subject, unicode.IsControl) {
			t.Errorf("subject %q holds control characters", subject)
		}
	})
}
