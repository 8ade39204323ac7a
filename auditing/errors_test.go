package auditing

import (
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var errRefused = errors.New("connection refused")

func TestAWriteErrorSaysWhatFailedForWhichEventAndWhy(t *testing.T) {
	inner := &WriteError{Sink: "loki", Event: "team-a/ae-1", Class: ClassPermanent, Err: errors.New("push refused: 401: check tenantID")}
	for _, c := range []struct {
		err  *WriteError
		want string
	}{
		{
			&WriteError{Sink: "kube", Event: "team-a/ae-1", Class: ClassTransient, Err: errRefused},
			"audit write failed: event team-a/ae-1: kube: transient: connection refused",
		},
		{
			&WriteError{Sink: "kube", Class: ClassPermanent, Err: field.Required(field.NewPath("spec", "kind"), "a DNS label")},
			"audit write failed: kube: permanent: spec.kind: Required value: a DNS label",
		},
		{
			&WriteError{Sink: "retry", Event: "team-a/ae-1", Class: ClassPermanent, Err: inner},
			"audit write failed: event team-a/ae-1: retry: permanent: loki: permanent: push refused: 401: check tenantID",
		},
		{
			&WriteError{Sink: "multi", Event: "team-a/ae-1", Class: ClassPermanent, Err: &WriteError{
				Sink: "retry", Event: "team-a/ae-1", Class: ClassPermanent, Err: inner,
			}},
			"audit write failed: event team-a/ae-1: multi: permanent: retry: permanent: loki: permanent: push refused: 401: check tenantID",
		},
		{
			&WriteError{Sink: "spool", Event: "team-a/ae-2", Class: ClassFull, Err: inner},
			"audit write failed: event team-a/ae-2: spool: full: audit write failed: event team-a/ae-1: loki: permanent: push refused: 401: check tenantID",
		},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		if !errors.Is(c.err, ErrAuditWrite) || !errors.Is(c.err, c.err.Err) {
			t.Errorf("%v does not unwrap to ErrAuditWrite and its cause", c.err)
		}
	}
}

func TestAWriteErrorSaysWhatARetryNeeds(t *testing.T) {
	we := &WriteError{Class: ClassFull, RetryAfter: time.Minute, Err: errRefused}
	if class, after := we.Retry(); class != ClassFull || after != time.Minute {
		t.Errorf("class %s, pause %v", class, after)
	}
}

func TestWriteErrorIsOneLineWithoutControlCharacters(t *testing.T) {
	err := &WriteError{Sink: "kube", Event: "team-a/x\n\x1b[2J\u202e", Class: ClassInvalid, Err: errors.New("no\r\x7f name")}
	want := `audit write failed: event team-a/x\n\u001b[2J\u202e: kube: invalid: no\r\u007f name`
	if got := err.Error(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
