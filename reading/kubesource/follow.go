package kubesource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/reading"
)

const (
	// watchFor is how long one watch lasts. The server ends it then; when it does not, the
	// watch is given up watchGrace later.
	watchFor   = 5 * time.Minute
	watchGrace = 30 * time.Second
	// firstPause and longestPause are between a failure and the next request.
	firstPause   = 250 * time.Millisecond
	longestPause = 15 * time.Second
)

// Follow lists the events and watches for more. It watches from the state that it has
// listed, so none is missed. After a failure it goes on where it was, with pauses of up to
// 15 s; where the server has forgotten that state, it lists again and leaves out what was
// there before. An event whose labels are changed in the meantime may come again.
func (s *Source) Follow(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		results := make(chan result)
		var following sync.WaitGroup
		defer following.Wait()
		defer cancel()
		for _, ns := range namespaces(q) {
			f := follower{source: s, query: q, namespace: ns, results: results}
			following.Go(func() { f.run(ctx) })
		}
		go func() {
			following.Wait()
			close(results)
		}()
		for next := range results {
			if !yield(next.record, next.err) {
				return
			}
		}
	}
}

type result struct {
	record *reading.Record
	err    error
}

// follower follows one namespace, or all.
type follower struct {
	source    *Source
	query     *reading.Query
	namespace string
	results   chan<- result

	// state is where the next watch begins; "" where a list has to be next.
	state string
	// seen is the last state whose events have all been handed on; "" for none.
	seen string
	// moved reports that a watch has got anything from the server.
	moved bool
}

func (f *follower) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		f.moved = false
		err := f.next(ctx)
		if f.moved {
			pause = firstPause
		}
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, errForgotten) { // which the next list mends
			f.hand(ctx, result{err: err})
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// errForgotten is a watch from a state that the server has forgotten.
var errForgotten = errors.New("the state is forgotten")

// next makes a list or a watch.
func (f *follower) next(ctx context.Context) error {
	if f.state == "" {
		return f.list(ctx)
	}
	err := f.watch(ctx)
	switch {
	case err == nil:
		return nil
	case expired(err):
		f.state = ""
		return errForgotten
	}
	return f.source.explain(err, verbWatch, f.namespace)
}

// expired reports that the server has forgotten the state that a watch begins at, or does
// not know it yet, because it was restored from a backup.
func expired(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) ||
		apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge)
}

// hand reports false when nobody wants more.
func (f *follower) hand(ctx context.Context, r result) bool {
	select {
	case f.results <- r:
		return true
	case <-ctx.Done():
		return false
	}
}

// list hands on the events that are stored, without those that were handed on before.
func (f *follower) list(ctx context.Context) error {
	sorter := &reading.Sorter{Source: f.source.name}
	defer sorter.Close()
	l := listing{source: f.source, query: f.query, namespace: f.namespace, sorter: sorter}
	l.unclear = func(err error) error { // the expression fails for an event, and not the list
		f.hand(ctx, result{err: err})
		return nil
	}
	l.after, _ = strconv.ParseUint(f.seen, 10, 64) // 0, and so everything again, for what is no number
	if err := l.run(ctx); err != nil {
		return err
	}
	if l.after > number(l.state) { // another cluster, or one that was restored
		f.seen = ""
		return nil
	}
	for r, err := range each(sorter) {
		if err != nil {
			return err
		}
		if !f.hand(ctx, result{record: r}) {
			return ctx.Err()
		}
	}
	f.moved = true
	f.state, f.seen = l.state, l.state
	return nil
}

// errShort is a watch that the server ended at once.
var errShort = errors.New("the API server ended the watch before it sent anything")

// watch hands on events as they are stored, until the server ends the watch.
func (f *follower) watch(ctx context.Context) error {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, watchFor+watchGrace, errSlow)
	defer cancel()
	opts := selection(f.query)
	seconds := int64(watchFor / time.Second)
	opts.Watch, opts.AllowWatchBookmarks, opts.TimeoutSeconds, opts.ResourceVersion = true, true, &seconds, f.state
	body, err := f.source.stream(ctx, f.namespace, opts)
	if err != nil {
		return err
	}
	defer body.Close()
	for d := json.NewDecoder(body); ; {
		body.left = maxObject
		var next struct {
			Type   watch.EventType
			Object json.RawMessage
		}
		err := d.Decode(&next)
		switch {
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF) && (f.moved || time.Since(began) > time.Second):
			return nil
		case errors.Is(err, io.EOF):
			return errShort
		case err != nil:
			return unreadable(err)
		}
		if err := f.take(ctx, next.Type, next.Object); err != nil {
			return err
		}
		f.moved = true
	}
}

// take hands on what a watch tells of one object.
func (f *follower) take(ctx context.Context, what watch.EventType, object json.RawMessage) error {
	if what == watch.Error {
		status := &metav1.Status{}
		if err := json.Unmarshal(object, status); err != nil {
			return unreadable(err)
		}
		return apierrors.FromObject(status)
	}
	ae := &v1alpha1.AuditEvent{}
	if err := json.Unmarshal(object, ae); err != nil {
		return unreadable(err)
	}
	if ae.ResourceVersion == "" {
		return fmt.Errorf("the API server sends a %s without a resourceVersion", what)
	}
	if what == watch.Added {
		r := reading.NewRecord(ae, f.source.name, "")
		ok, err := f.query.Takes(r)
		if err != nil { // the expression fails for an event, and not the watch
			f.hand(ctx, result{err: err})
		} else if ok && !f.hand(ctx, result{record: r}) {
			return ctx.Err()
		}
	}
	f.state, f.seen = ae.ResourceVersion, ae.ResourceVersion
	return nil
}
