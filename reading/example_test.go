package reading_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/sinks/log"
)

func ExampleFiles() {
	dir, err := os.MkdirTemp("", "reading")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "audit.log")
	sink, err := log.NewFile(path, log.FileOptions{Options: log.Options{Component: "kitchen"}})
	if err != nil {
		panic(err)
	}
	for _, decision := range []v1alpha1.AuditDecision{"granted", "denied"} {
		ae := auditing.NewEvent(auditing.EventInput{Kind: "tea-brewed", Decision: decision, Namespace: "default", Reason: "after five"})
		if err := sink.Write(context.Background(), ae); err != nil {
			panic(err)
		}
	}
	if err := sink.Close(context.Background()); err != nil {
		panic(err)
	}

	where, err := reading.NewWhere(`event.spec.reason.startsWith("after")`)
	if err != nil {
		panic(err)
	}
	q := &reading.Query{Decisions: []v1alpha1.AuditDecision{"denied"}, Where: where}
	for r, err := range reading.Files("log", path).Read(context.Background(), q) {
		if err != nil {
			fmt.Println(err) // lines that are no events, or a file that cannot be read
			continue
		}
		fmt.Println(r.Event.Spec.Kind, r.Event.Spec.Decision, "at", filepath.Base(r.At))
	}
	// Output: tea-brewed denied at audit.log:2
}
