package kubesource

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/names"
	"github.com/paddock-dev/audit/reading"
)

// maxValues is how many values of a condition the API server is asked for, because they
// stand in the URL. A condition with more is held against each event here.
const maxValues = 50

// selection returns what the API server can select of a query.
func selection(q *reading.Query) (opts metav1.ListOptions) {
	var terms []string
	add := func(label string, values []string) {
		usable := func(value string) bool { return value != "" && names.IsLabelValue(value) }
		if n := len(values); n == 0 || n > maxValues || slices.ContainsFunc(values, func(v string) bool { return !usable(v) }) {
			return
		}
		terms = append(terms, label+" in ("+strings.Join(values, ",")+")")
	}
	add(v1alpha1.LabelComponent, q.Components)
	add(v1alpha1.LabelKind, texts(q.Kinds))
	add(v1alpha1.LabelDecision, texts(q.Decisions))
	var runs []string
	for _, run := range q.Runs {
		label := ""
		if run != "" {
			label = names.RunLabel(run)
		}
		runs = append(runs, label)
	}
	add(v1alpha1.LabelRun, runs)
	opts.LabelSelector = strings.Join(terms, ",")
	if len(q.Names) == 1 {
		opts.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, q.Names[0]).String()
	}
	return opts
}

func texts[T ~string](values []T) (all []string) {
	for _, value := range values {
		all = append(all, string(value))
	}
	return all
}
