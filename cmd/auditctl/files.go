package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/reading"
)

// files is a source of files with an event a line. "-" is standard input.
type files struct {
	name  string
	stdin io.Reader
	paths []string
}

func newFiles(name string, in io.Reader, paths ...string) *files { return &files{name, in, paths} }

// Name implements reading.Source.
func (f *files) Name() string { return f.name }

// Read implements reading.Source.
func (f *files) Read(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) {
		sorted := &reading.Sorter{Source: f.name}
		defer sorted.Close()
		other := &reading.Foreign{Source: f.name}
		var failed error
		for _, path := range f.paths {
			if failed = f.lines(ctx, path, q, other, sorted.Add, nil); failed != nil {
				break
			}
		}
		for r, err := range sorted.Sorted() {
			if !yield(r, err) || err != nil {
				return
			}
		}
		if other.Count > 0 && !yield(nil, other) {
			return
		}
		if failed != nil {
			yield(nil, failed)
		}
	}
}

// Follow implements reading.Follower.
func (f *files) Follow(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) {
		var one sync.Mutex // yields one record at a time
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		take := func(r *reading.Record, err error) error {
			one.Lock()
			defer one.Unlock()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !yield(r, err) {
				cancel()
				return context.Canceled
			}
			return nil
		}
		var files sync.WaitGroup
		for _, path := range f.paths {
			files.Go(func() {
				wait := wait
				if path == stdin {
					wait = nil
				}
				add := func(r *reading.Record) error { return take(r, nil) }
				if err := f.lines(ctx, path, q, &reading.Foreign{}, add, wait); err != nil && ctx.Err() == nil {
					_ = take(nil, err)
				}
			})
		}
		files.Wait()
	}
}

// wait returns when a file may have grown.
func wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}

// lines calls add for every event in a file that q takes. At the end of the file it calls
// grow, and goes on; it ends there when grow is nil.
func (f *files) lines(
	ctx context.Context, path string, q *reading.Query, other *reading.Foreign, add func(*reading.Record) error, grow func(context.Context) error,
) error {
	from := f.stdin
	if path != stdin {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // it was only read
		from = file
	}
	in := bufio.NewReader(from)
	var line []byte
	for n := 1; ; {
		part, err := in.ReadBytes('\n')
		line = append(line, part...)
		atEnd := errors.Is(err, io.EOF)
		if err != nil && !atEnd {
			return err
		}
		if atEnd && grow != nil {
			if err := grow(ctx); err != nil {
				return err
			}
			continue
		}
		if err := f.line(line, fmt.Sprintf("%s:%d", path, n), q, other, add); err != nil {
			return err
		}
		if atEnd {
			return ctx.Err()
		}
		line = line[:0]
		n++
	}
}

// line adds the event of a line, if it has one.
func (f *files) line(line []byte, at string, q *reading.Query, other *reading.Foreign, add func(*reading.Record) error) error {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return nil
	}
	ae, err := eventjson.Parse(line)
	if err != nil || ae.Kind != "AuditEvent" {
		if other.Count++; other.Count == 1 {
			other.First, other.Err = at, err
		}
		return nil
	}
	r := reading.NewRecord(ae, f.name, at)
	ok, err := q.Takes(r)
	if err != nil || !ok {
		return err
	}
	return add(r)
}
