package main

import (
	"errors"
	"fmt"

	"github.com/paddock-dev/audit/reading"
)

// maxTrouble bounds the errors of sources that are kept.
const maxTrouble = 100

// trouble collects the errors of sources, which are printed after the rows.
type trouble struct {
	env    *environment
	live   bool // print them at once
	found  []error
	more   int
	failed bool // a source was not read to its end
}

// add takes an error of reading.Merge, Diff or Follow.
func (t *trouble) add(err error) {
	var foreign *reading.Foreign
	if !errors.As(err, &foreign) {
		t.failed = true
	}
	if t.live {
		printError(t.env, said(err))
		return
	}
	if len(t.found) == maxTrouble {
		t.more++
		return
	}
	t.found = append(t.found, err)
}

// said adds to an error whether its source failed.
func said(err error) error {
	var failed *reading.Failed
	if errors.As(err, &failed) {
		return fmt.Errorf("auditctl: the source %s failed: %w", failed.Source, failed.Err)
	}
	return fmt.Errorf("auditctl: %w", err)
}

// end prints the errors. It returns an error when a source failed, and passes err on.
func (t *trouble) end(err error) error {
	for _, found := range t.found {
		printError(t.env, said(found))
	}
	if t.more > 0 {
		printError(t.env, fmt.Errorf("auditctl: and %d errors more", t.more))
	}
	switch {
	case err != nil:
		return &exitError{sourceFailed, err}
	case t.failed:
		return &exitError{code: sourceFailed}
	}
	return nil
}
