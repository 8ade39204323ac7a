package loki

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/eventjson"
)

const (
	// annotationOmitted says what was left out of metadata to keep to the limit.
	annotationOmitted = "paddock.dev/omitted"
	// detailOmitted is the same for spec.detail, under the key that package
	// driver uses.
	detailOmitted = "audit.omitted"
)

// lineOf returns the line of e: its JSON, or that of a shortened copy when it has more
// than limit bytes. Equal events give equal bytes.
func lineOf(e *driver.Event, limit int) []byte {
	line := e.JSON()
	for step := 0; len(line) > limit && step < len(shortenings); step++ {
		line = eventjson.Append(nil, shortenings[step].of(e))
	}
	return line
}

// shortening is one way to make a line shorter. Limits are in bytes, 0 for none.
type shortening struct {
	annotations  int
	omitMetadata bool
	spec         int
	omitDetail   bool
}

// shortenings bring a line under the limit, the least loss first: metadata of the
// caller's goes before what was decided, and long text before whole entries. After
// the last one a line is shorter than the least value of Options.MaxLineBytes.
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
func (s shortening) of(e *driver.Event) *v1alpha1.AuditEvent {
	ae := e.Object()
	for k, v := range ae.Annotations {
		if s.annotations > 0 {
			ae.Annotations[k] = driver.Shorten(v, s.annotations)
		}
	}
	if s.omitMetadata {
		omitMetadata(ae)
	}
	if n := len(ae.Spec.Detail); s.omitDetail && n > 0 {
		ae.Spec.Detail = map[string]string{detailOmitted: fmt.Sprintf("all %d entries left out: the line would be too long", n)}
	}
	if s.spec > 0 {
		shortenSpec(&ae.Spec, s.spec)
	}
	return ae
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
	s.Reason = driver.Shorten(s.Reason, limit)
	for text := range eventjson.Names(s) {
		*text = driver.Shorten(*text, limit)
	}
	for k, v := range s.Detail {
		if k != detailOmitted {
			s.Detail[k] = driver.Shorten(v, limit)
		}
	}
}
