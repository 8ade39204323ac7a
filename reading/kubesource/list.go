package kubesource

import (
	"context"
	"errors"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/reading"
)

const (
	// listTimeout bounds the request for one page.
	listTimeout = time.Minute
	// maxForgotten bounds how often the server may have forgotten the state that is listed.
	// It takes minutes to do so.
	maxForgotten = 1000
)

// listing reads the events of one namespace, or of all, into a Sorter.
type listing struct {
	source    *Source
	query     *reading.Query
	namespace string
	sorter    *reading.Sorter

	// after is a state of the server, by its number: events of it and of earlier ones are
	// left out. 0 for none.
	after uint64
	// unclear gets the error of a query that cannot be held against an event. It returns
	// the one that ends the list. When unclear is nil, the error itself does.
	unclear func(error) error
	// state is that of the server when the list began.
	state string
}

// run reads all pages. When the server has forgotten the state that is being listed, it
// goes on at the same place in the present, which the server offers in its answer, or
// begins again where it does not. Either way no event is missed that was stored when the
// list began; those that are listed twice are left to each.
func (l *listing) run(ctx context.Context) error {
	forgotten := 0
	for next := ""; ; {
		meta, err := l.page(ctx, next)
		if apierrors.IsResourceExpired(err) && next != "" && forgotten < maxForgotten {
			forgotten++
			next = ""
			var status apierrors.APIStatus
			if errors.As(err, &status) {
				next = status.Status().Continue
			}
			continue
		}
		if err != nil {
			return l.source.explain(err, verbList, l.namespace)
		}
		if next == "" {
			l.state = meta.ResourceVersion
		}
		if next = meta.Continue; next == "" {
			return nil
		}
	}
}

// page adds the events of one page that the query takes.
func (l *listing) page(ctx context.Context, next string) (metav1.ListMeta, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, listTimeout, errSlow)
	defer cancel()
	opts := selection(l.query)
	opts.Limit, opts.Continue = int64(l.source.opts.PageSize), next
	body, err := l.source.stream(ctx, l.namespace, opts)
	if err != nil {
		return metav1.ListMeta{}, err
	}
	defer body.Close()
	meta, err := decodeList(body, l.take)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return meta, err
}

func (l *listing) take(ae *v1alpha1.AuditEvent) error {
	if l.after > 0 && number(ae.ResourceVersion) <= l.after {
		return nil
	}
	r := reading.NewRecord(ae, l.source.name, "")
	ok, err := l.query.Takes(r)
	switch {
	case err != nil && l.unclear != nil:
		return l.unclear(err)
	case err != nil || !ok:
		return err
	}
	return l.sorter.Add(r)
}

// number returns a state of the server as a number that grows, or the largest one when it
// is none.
func number(state string) uint64 {
	n, err := strconv.ParseUint(state, 10, 64)
	if err != nil {
		return 1<<64 - 1
	}
	return n
}
