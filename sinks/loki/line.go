package loki

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/eventjson"
)

const (
	// annotationOmitted says what was left out of metadata to keep to the limit.
	annotationOmitted = "paddock.dev/omitted"
	// detailOmitted is the same for spec.detail, under the key that package
	// auditing uses.
	detailOmitted = "audit.omitted"
)

// lines makes the JSON of an event. Equal events give equal bytes.
type lines struct{ limit int }

var lineBuffers = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled keeps what a rare giant event needed out of the pools.
const maxPooled = 64 << 10

// encode calls use with the line, which is valid only until use returns.
func (l lines) encode(ae *v1alpha1.AuditEvent, use func(line []byte)) error {
	buffer, ok := lineBuffers.Get().(*[]byte)
	if !ok {
		panic("loki: the pool of lines holds something else")
	}
	defer func() {
		if cap(*buffer) <= maxPooled {
			lineBuffers.Put(buffer)
		}
	}()
	line := eventjson.Append((*buffer)[:0], ae)
	for step := 0; len(line) > l.limit && step < len(shortenings); step++ {
		line = eventjson.Append(line[:0], shortenings[step].of(ae))
	}
	*buffer = line
	if len(line) > l.limit {
		return fmt.Errorf("the line has %d bytes, at most %d, and nothing is left to shorten", len(line), l.limit)
	}
	use(line)
	return nil
}

// shortening is one way to make a line shorter. Limits are in bytes, 0 for none.
type shortening struct {
	annotations  int
	omitMetadata bool
	spec         int
	omitDetail   bool
}

// shortenings bring a line under the limit, the least loss first: what the
// caller hung onto metadata goes before what was decided, and long text before
// whole entries. After the last one a line has less than minMaxLine bytes.
var shortenings = []shortening{
	{annotations: 1024},
	{annotations: 128},
	{omitMetadata: true},
	{omitMetadata: true, spec: 512},
	{omitMetadata: true, spec: 128},
	{omitMetadata: true, spec: 128, omitDetail: true},
	{omitMetadata: true, spec: 64, omitDetail: true},
}

// of returns a shortened copy. Each starts from the whole event, so that the
// mark in a text tells of the whole text.
func (s shortening) of(ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent {
	ae = ae.DeepCopy()
	if s.annotations > 0 {
		shortenAnnotations(ae, s.annotations)
	}
	if s.omitMetadata {
		omitMetadata(ae)
	}
	if s.omitDetail {
		omitDetail(ae)
	}
	if s.spec > 0 {
		shortenSpec(&ae.Spec, s.spec)
	}
	return ae
}

func shortenAnnotations(ae *v1alpha1.AuditEvent, limit int) {
	for k, v := range ae.Annotations {
		ae.Annotations[k] = auditing.Shorten(v, limit)
	}
}

// omitMetadata leaves only what this project sets itself, and says so.
func omitMetadata(ae *v1alpha1.AuditEvent) {
	before := len(ae.Annotations) + len(ae.Labels)
	maps.DeleteFunc(ae.Annotations, func(k, _ string) bool { return k != v1alpha1.AnnotationTimestamp })
	maps.DeleteFunc(ae.Labels, func(k, _ string) bool {
		return !slices.Contains([]string{v1alpha1.LabelRun, v1alpha1.LabelDecision, v1alpha1.LabelKind, v1alpha1.LabelComponent}, k)
	})
	omitted := before - len(ae.Annotations) - len(ae.Labels) + len(ae.OwnerReferences) + len(ae.Finalizers)
	ae.OwnerReferences, ae.Finalizers = nil, nil
	if omitted > 0 {
		metav1.SetMetaDataAnnotation(&ae.ObjectMeta, annotationOmitted,
			strconv.Itoa(omitted)+" labels, annotations, owners and finalizers left out: the line would be too long")
	}
}

func shortenSpec(s *v1alpha1.AuditEventSpec, limit int) {
	s.Reason = auditing.Shorten(s.Reason, limit)
	for _, ref := range []*v1alpha1.LocalReference{s.RunRef, s.MatchedPolicy} {
		if ref != nil {
			ref.Name = auditing.Shorten(ref.Name, limit)
		}
	}
	if c := s.Credential; c != nil {
		for _, text := range []*string{&c.Name, &c.Provider, &c.Purpose} {
			*text = auditing.Shorten(*text, limit)
		}
	}
	if s.Destination != nil {
		s.Destination.Host = auditing.Shorten(s.Destination.Host, limit)
	}
	for i := range s.SampleDestinations {
		s.SampleDestinations[i].Host = auditing.Shorten(s.SampleDestinations[i].Host, limit)
	}
	for k, v := range s.Detail {
		if k != detailOmitted {
			s.Detail[k] = auditing.Shorten(v, limit)
		}
	}
}

func omitDetail(ae *v1alpha1.AuditEvent) {
	if n := len(ae.Spec.Detail); n > 0 {
		ae.Spec.Detail = map[string]string{detailOmitted: fmt.Sprintf("all %d entries left out: the line would be too long", n)}
	}
}
