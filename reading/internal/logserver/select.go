package logserver

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"github.com/paddock-dev/audit/internal/lokinames"
	"github.com/paddock-dev/audit/reading"
)

// Condition is a part of a query that the server can hold against labels and metadata.
type Condition struct {
	Name   string // as in package lokinames
	Label  bool   // of the stream
	Values []string
}

// maxValues is how many values of a condition the server is asked for, because they stand
// in the URL. A condition with more is held against each event here.
const maxValues = 50

// Conditions returns what the server can select of a query.
func Conditions(q *reading.Query) (all []Condition) {
	for _, c := range []Condition{
		{lokinames.Namespace, true, q.Namespaces},
		{lokinames.Component, true, q.Components},
		{lokinames.Kind, false, texts(q.Kinds)},
		{lokinames.Decision, false, texts(q.Decisions)},
		{lokinames.Run, false, q.Runs},
		{lokinames.Event, false, q.Names},
	} {
		if usable(c.Values) {
			all = append(all, c)
		}
	}
	return all
}

// usable reports that a label or metadata has one of the values exactly when the event
// does: none is empty, or has runes that sinks/loki replaces.
func usable(values []string) bool {
	for _, v := range values {
		if v == "" || !utf8.ValidString(v) || strings.ContainsAny(v, "\uFFFD\x00") {
			return false
		}
	}
	return len(values) > 0 && len(values) <= maxValues
}

func texts[T ~string](values []T) (all []string) {
	for _, value := range values {
		all = append(all, string(value))
	}
	return all
}

// CheckLabels returns an error for a name that no label has.
func CheckLabels(labels map[string]string) error {
	for name := range labels {
		if !model.LegacyValidation.IsValidLabelName(name) {
			return fmt.Errorf("%q is no name of a label", name)
		}
	}
	return nil
}
