package kubesource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

const (
	resource  = "auditevents"
	verbList  = "list"
	verbWatch = "watch"

	// maxObject bounds what is read of one object, in bytes. An event of the largest size
	// that the schema allows has 280 KB.
	maxObject = 8 << 20
	// maxRefusal bounds what is read of an answer other than 200.
	maxRefusal = 64 << 10
	// maxTail bounds what stands in a list beside its events.
	maxTail = 1 << 20
)

var (
	errSlow    = errors.New("the API server did not answer in time")
	errEndless = fmt.Errorf("the answer has an object of more than %d MiB: it is none of an API server", maxObject>>20)
)

// stream asks for a list or a watch. The caller closes the body, which can be read until
// ctx ends.
func (s *Source) stream(ctx context.Context, namespace string, opts metav1.ListOptions) (*bounded, error) {
	ctx = s.secrets.Tracing(logr.NewContext(ctx, logr.Discard())) // the error says all that client-go would log
	body, err := s.rest.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource).
		VersionedParams(&opts, s.codec).Stream(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	return &bounded{ReadCloser: body, left: maxObject}, nil
}

// shortRefusals cuts answers other than 200, which client-go reads to their end.
type shortRefusals struct{ next http.RoundTripper }

func (s shortRefusals) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxRefusal), resp.Body}
	}
	return resp, err
}

// bounded fails when more is read of it than is left.
type bounded struct {
	io.ReadCloser

	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errEndless
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// decodeList calls take with each event of a list as it is read, so that no more than one
// is in memory.
func decodeList(body *bounded, take func(*v1alpha1.AuditEvent) error) (meta metav1.ListMeta, err error) {
	d := json.NewDecoder(body)
	if err := delimiter(d, '{'); err != nil {
		return meta, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return meta, unreadable(err)
		}
		switch key {
		case "items":
			err = decodeItems(d, body, take)
		case "metadata":
			err = unreadable(d.Decode(&meta))
		default:
			body.left = maxTail
			var other json.RawMessage
			err = unreadable(d.Decode(&other))
		}
		if err != nil {
			return meta, err
		}
	}
	return meta, delimiter(d, '}')
}

func decodeItems(d *json.Decoder, body *bounded, take func(*v1alpha1.AuditEvent) error) error {
	token, err := d.Token()
	if token == nil && err == nil {
		return nil // null
	}
	if token != json.Delim('[') {
		return unreadable(errors.Join(err, errors.New("its items are no list")))
	}
	for d.More() {
		body.left = maxObject
		ae := &v1alpha1.AuditEvent{}
		if err := d.Decode(ae); err != nil {
			return unreadable(err)
		}
		if err := take(ae); err != nil {
			return err
		}
	}
	body.left = maxTail
	return delimiter(d, ']')
}

func delimiter(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err != nil {
		return unreadable(err)
	}
	if token != want {
		return unreadable(fmt.Errorf("%v instead of %s", token, want))
	}
	return nil
}

func unreadable(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the answer cannot be read: %w", err)
}

// explain returns an error of the API server with what to do, and without secrets.
func (s *Source) explain(err error, verb, namespace string) error {
	where := "every namespace"
	if namespace != "" {
		where = "namespace " + namespace
	}
	err = fmt.Errorf("%s %s in %s: %w", verb, resource, where, err)
	switch {
	case apierrors.IsForbidden(err):
		err = fmt.Errorf("%w: reading needs the verb %s on %s.%s in %s", err, verb, resource, v1alpha1.GroupVersion.Group, where)
	case apierrors.IsUnauthorized(err):
		err = fmt.Errorf("%w: check the credentials", err)
	case apierrors.IsNotFound(err):
		err = fmt.Errorf("%w: the API server does not know AuditEvent, apply deploy/crd", err)
	}
	return s.secrets.Hidden(err)
}
