// Package lines makes the lines and other texts that sinks/loki and lokiclient send to
// Loki.
package lines

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// Clean replaces bytes that are not UTF-8, because protobuf cannot carry them, and U+FFFD,
// because Loki removes it from metadata.
func Clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\uFFFD", "?")
}

const (
	annotationOmitted = "paddock.dev/omitted" // says what was left out of metadata
	detailOmitted     = "audit.omitted"       // the same for spec.detail, as package driver has it
)

// Of returns the line of e: its JSON, or that of a shortened copy when it has more
// than limit bytes. Equal events give equal bytes.
func Of(e *driver.Event, limit int) []byte {
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

// shortenings make a line shorter, those with the least loss first. They shorten the
// caller's metadata before what was decided, and long texts before they leave out whole
// entries. After the last one, every line is shorter than the smallest
// Options.MaxLineBytes.
var shortenings = []shortening{
	{annotations: 1024},
	{annotations: 128},
	{omitMetadata: true},
	{omitMetadata: true, spec: 512},
	{omitMetadata: true, spec: 128},
	{omitMetadata: true, spec: 128, omitDetail: true},
	{omitMetadata: true, spec: 64, omitDetail: true},
}

// of returns a shortened copy of the whole event, and not of a copy that was shortened
// before, so that the mark in a text gives the size of the whole text.
func (s shortening) of(e *driver.Event) *v1alpha1.AuditEvent {
	ae := e.Object()
	if s.annotations > 0 {
		shortenAll(ae.Annotations, s.annotations)
	}
	if s.omitMetadata {
		OmitMetadata(ae)
	}
	if n := len(ae.Spec.Detail); s.omitDetail && n > 0 {
		ae.Spec.Detail = map[string]string{detailOmitted: fmt.Sprintf("all %d entries left out: the line would be too long", n)}
	} else if s.spec > 0 {
		shortenAll(ae.Spec.Detail, s.spec)
	}
	if a := ae.Spec.Actor; s.omitDetail && a != nil && len(a.Groups) > 1 {
		a.Groups = []string{fmt.Sprintf("all %d groups left out: the line would be too long", len(a.Groups))}
	}
	if s.spec > 0 {
		for text := range eventjson.Texts(&ae.Spec) {
			*text = driver.Shorten(*text, s.spec)
		}
	}
	return ae
}

func shortenAll(texts map[string]string, limit int) {
	for k, v := range texts {
		if utf8.RuneCountInString(v) > limit { // what is not UTF-8 is repaired as in a line that is not shortened
			texts[k] = driver.Shorten(v, limit)
		}
	}
}

// OmitMetadata removes from ae all metadata that this project does not set itself, and says
// so in an annotation.
func OmitMetadata(ae *v1alpha1.AuditEvent) {
	before := len(ae.Annotations) + len(ae.Labels)
	own := []string{v1alpha1.AnnotationTimestamp, v1alpha1.AnnotationSeal, v1alpha1.LabelRun, v1alpha1.LabelDecision, v1alpha1.LabelKind, v1alpha1.LabelComponent}
	foreign := func(key, _ string) bool { return !slices.Contains(own, key) }
	maps.DeleteFunc(ae.Annotations, foreign)
	maps.DeleteFunc(ae.Labels, foreign)
	omitted := before - len(ae.Annotations) - len(ae.Labels) + len(ae.OwnerReferences) + len(ae.Finalizers)
	ae.OwnerReferences, ae.Finalizers = nil, nil
	if omitted > 0 {
		metav1.SetMetaDataAnnotation(&ae.ObjectMeta, annotationOmitted,
			strconv.Itoa(omitted)+" labels, annotations, owners and finalizers left out: the line would be too long")
	}
}
