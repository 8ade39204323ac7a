package verify_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/reading"
	logsink "github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/verify"
)

// A component seals its events. An auditor has the component's long-term public key, and verifies
// them twice: before somebody edits an event, and after it.
func Example() {
	if err := example(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// intact
	// tampered
	// edited index 1
}

func example(ctx context.Context) error {
	private, public, err := note.GenerateKey(rand.Reader, "prod-root")
	if err != nil {
		return err
	}
	authority, err := seal.LongTermKey(private)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	out, err := logsink.NewWriter(&file, logsink.Options{})
	if err != nil {
		return err
	}
	sink, err := seal.New(out, seal.Options{Component: "proxy", Cluster: "prod", Authority: authority})
	if err != nil {
		return err
	}
	err = sink.Write(ctx, auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", Host: "evil.example.com", Port: 443, Reason: "no policy"}))
	if err != nil {
		return err
	}
	if err := sink.Close(ctx); err != nil {
		return err
	}

	trust, err := verify.ParseTrust(fmt.Appendf(nil, "keys: [{name: root, key: %q, components: [proxy]}]", public))
	if err != nil {
		return err
	}
	for _, text := range [][]byte{file.Bytes(), bytes.ReplaceAll(file.Bytes(), []byte("evil"), []byte("good"))} {
		v := verify.New(trust, verify.Options{})
		if err := v.Read(ctx, reading.FilesWithInput("log", bytes.NewReader(text), "-")); err != nil {
			return err
		}
		report := v.Report()
		fmt.Println(report.Verdict)
		for _, f := range report.Findings {
			fmt.Println(f.Code, "index", f.Index)
		}
	}
	return nil
}
