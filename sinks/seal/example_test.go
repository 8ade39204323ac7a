package seal_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/seal"
)

// The trail of a component is sealed under a long-term key, whose public half auditors have. Package verify has the other end.
func Example() {
	private, _, err := note.GenerateKey(rand.Reader, "prod/broker-2026") // auditctl keys new makes one
	if err != nil {
		fmt.Println(err)
		return
	}
	authority, err := seal.LongTermKey(private)
	if err != nil {
		fmt.Println(err)
		return
	}
	lake := &sinktest.Recorder{} // stands for a destination
	sink, err := seal.New(lake, seal.Options{Component: "broker", Cluster: "prod", Authority: authority})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(auditing.Chain(sink))

	ctx := context.Background()
	issued := auditing.NewCredentialIssued(auditing.CredentialIssuedInput{RunName: "hr-1", Namespace: "team-a", CredentialName: "DEPLOY_TOKEN"})
	if err := sink.Write(ctx, issued); err != nil {
		fmt.Println(err)
		return
	}
	if err := sink.Close(ctx); err != nil { // stores the last checkpoint
		fmt.Println(err)
		return
	}
	for _, ae := range lake.Events() {
		fmt.Println(ae.Spec.Kind, strings.HasPrefix(ae.Annotations[v1alpha1.AnnotationSeal], "v1 "))
	}
	// Unordered output:
	// seal(recorder)
	// trail-opened true
	// credential-issued true
	// trail-closed true
}
