package driver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// File appends events to a file, each as a line of JSON.
type File struct{ driver.Sink }

// NewFile opens the file at path.
func NewFile(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	return &File{driver.New(lines{file: f})}, nil
}

type lines struct {
	driver.Base // Check: there is nothing to ask
	file        *os.File
}

func (lines) Info() driver.Info {
	return driver.Info{Name: "file", Level: auditing.LevelAccepted}
}

func (l lines) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Each(ctx, events, l.append)
}

func (l lines) append(_ context.Context, e *driver.Event) error {
	// A line that a full disk has cut short must not spoil the next one.
	_, err := l.file.Write(append(e.AppendJSON([]byte("\n")), '\n'))
	if errors.Is(err, os.ErrClosed) {
		return driver.WithClass(auditing.ClassClosed, err)
	}
	return err
}

func (l lines) Close(context.Context) error {
	if err := l.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// A destination stores events in a way of its own. What comes before and after that is
// done for it. 40 lines.
func ExampleDriver() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit.jsonl")
	sink, err := NewFile(path)
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	fmt.Println(sink.Write(ctx, auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"})))
	fmt.Println(sink.Close(ctx))
	err = sink.Write(ctx, auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "hr-2", Namespace: "team-a"}))
	class, _ := driver.ClassOf(err)
	fmt.Println(class)

	stored, err := os.ReadFile(path)
	fmt.Println(bytes.Count(stored, []byte(`"kind":"run-failed"`)), err)
	// Output:
	// <nil>
	// <nil>
	// closed
	// 1 <nil>
}
