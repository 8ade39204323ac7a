package verify

import (
	"strings"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/texts"
	"github.com/paddock-dev/audit/reading"
)

// What sinks/loki sets where it left something out of a line that is too long.
const (
	annotationOmitted = "paddock.dev/omitted"
	detailOmitted     = "audit.omitted"
)

// shortened reports that something shortened the event, visibly.
func shortened(ae *v1alpha1.AuditEvent) bool {
	if ae.Annotations[annotationOmitted] != "" || ae.Spec.Detail[detailOmitted] != "" {
		return true
	}
	for text := range eventjson.Texts(&ae.Spec) {
		if texts.Cut(*text) {
			return true
		}
	}
	for _, text := range ae.Spec.Detail {
		if texts.Cut(text) {
			return true
		}
	}
	return false
}

// separator stands between the parts of where, none of which has it.
const separator = "\x00"

// where returns in one text which event a record is of, and where in its source it stands.
func where(r *reading.Record) string {
	return r.Event.Namespace + "/" + r.Event.Name + separator + r.At
}

// name and at are what where was made of.
func (s *sighting) name() string {
	name, _, _ := strings.Cut(s.where, separator)
	return name
}

func (s *sighting) at() string {
	_, at, _ := strings.Cut(s.where, separator)
	return at
}

// of returns a finding about a sighting.
func (v *Verifier) of(t *log, s *sighting, code Code, level Level, text string) Finding {
	return Finding{Code: code, Level: level, Trail: t.id, Index: s.index, Last: s.index, Name: s.name(), Place: v.places[s.place], At: s.at(), Text: text}
}

// ofRange returns a finding about indices of a trail.
func ofRange(t *log, from, to int64, code Code, level Level, text string) Finding {
	return Finding{Code: code, Level: level, Trail: t.id, Index: from, Last: to - 1, Text: text}
}
