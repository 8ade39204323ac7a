package redact_test

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/redact"
)

// A person is hashed, so that events of the same person can be found, and tokens are
// masked wherever somebody put one.
func Example() {
	next := &sinktest.Recorder{}
	sink, err := redact.New(next, redact.Options{
		Rules: []redact.Rule{
			{Fields: []string{"spec.actor.user"}, Action: redact.HMAC},
			{Fields: []string{"*"}, Pattern: `ghp_[A-Za-z0-9]+`, Action: redact.Mask},
		},
		Keys: []redact.Key{{ID: "2026", Secret: bytes.Repeat([]byte("k"), redact.MinSecret)}}, // use random bytes
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	ctx := auditing.With(context.Background(), auditing.Facts{Actor: &v1alpha1.AuditActor{User: "jane@example.com"}})
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: "push-refused", Decision: v1alpha1.AuditDecisionDenied, Namespace: "team-a", Reason: "the token ghp_16C7e42F is revoked",
	})
	if err := sink.Write(ctx, ae); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	stored := next.Events()[0].Spec
	fmt.Println(stored.Reason)
	fmt.Println(stored.Actor.User)
	// Output:
	// the token [masked] is revoked
	// hmac.2026.424fcebed56d1a1762e3175fea30fbd8
}
