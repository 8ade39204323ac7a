package reading

import (
	"bytes"
	"maps"
	"strconv"
	"strings"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/texts"
)

const (
	// ownPrefix begins the keys of labels and annotations that this project sets.
	ownPrefix = "paddock.dev/"
	// annotationOmitted says what sinks/loki left out.
	annotationOmitted = ownPrefix + "omitted"
	// detailOmitted says the same for spec.detail.
	detailOmitted = "audit.omitted"
)

// content returns what is compared of an event, as an event of its own.
func content(ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent {
	c := &v1alpha1.AuditEvent{}
	c.Name, c.Namespace = ae.Name, ae.Namespace
	c.Labels, c.Annotations = own(ae.Labels), own(ae.Annotations)
	ae.Spec.DeepCopyInto(&c.Spec)
	return c
}

func own(all map[string]string) map[string]string {
	kept := maps.Clone(all)
	maps.DeleteFunc(kept, func(key, _ string) bool { return !strings.HasPrefix(key, ownPrefix) || key == annotationOmitted })
	return kept
}

func equal(a, b *v1alpha1.AuditEvent) bool {
	return bytes.Equal(encode(content(a)), encode(content(b)))
}

// ShortenedFrom reports that a sink made short of whole: it differs from it in texts that
// carry the mark of having been shortened from those of whole, or in what a note says was
// left out.
func ShortenedFrom(short, whole *v1alpha1.AuditEvent) bool {
	a, b := content(short), content(whole)
	if bytes.Equal(encode(a), encode(b)) {
		return false
	}
	restoreGroups(&a.Spec, &b.Spec)
	restoreDetail(&a.Spec, &b.Spec)
	var shortTexts []*string
	for text := range eventjson.Texts(&a.Spec) {
		shortTexts = append(shortTexts, text)
	}
	i := 0
	for text := range eventjson.Texts(&b.Spec) {
		if i < len(shortTexts) {
			restore(shortTexts[i], *text)
		}
		i++
	}
	for key, value := range b.Annotations { // the owner may be long
		if cut, has := a.Annotations[key]; has {
			restore(&cut, value)
			a.Annotations[key] = cut
		} else if key != v1alpha1.AnnotationTimestamp && short.Annotations[annotationOmitted] != "" {
			a.Annotations[key] = value
		}
	}
	return bytes.Equal(encode(a), encode(b))
}

// restore replaces a text that was shortened from whole by whole.
func restore(short *string, whole string) {
	if texts.IsShortened(*short, whole) {
		*short = whole
	}
}

// restoreGroups puts groups back that a note stands for.
func restoreGroups(short, whole *v1alpha1.AuditEventSpec) {
	if short.Actor == nil || whole.Actor == nil || len(short.Actor.Groups) != 1 {
		return
	}
	if n := len(whole.Actor.Groups); n > 1 && strings.HasPrefix(short.Actor.Groups[0], "all "+strconv.Itoa(n)+" groups left out") {
		short.Actor.Groups = whole.Actor.Groups
	}
}

// restoreDetail puts entries back that were shortened or that a note stands for.
func restoreDetail(short, whole *v1alpha1.AuditEventSpec) {
	note := short.Detail[detailOmitted]
	if n := len(whole.Detail); len(short.Detail) == 1 && n > 0 && strings.HasPrefix(note, "all "+strconv.Itoa(n)+" entries left out") {
		short.Detail = whole.Detail
		return
	}
	for key, value := range short.Detail {
		if texts.IsShortened(value, whole.Detail[key]) {
			short.Detail[key] = whole.Detail[key]
		}
	}
}
