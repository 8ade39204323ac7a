package config

import (
	"errors"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/metrics"
)

// kind is a kind of event of the user's own, as the file names it.
type kind v1alpha1.AuditKind

var errKind = errors.New("want a DNS label, such as tea-brewed: at most 63 lower-case letters, digits and dashes, and not other, which stands for all kinds without a name")

// FromYAML reads a kind.
func (k *kind) FromYAML(v any) error {
	text, ok := v.(string)
	if !ok || text == metrics.Other || len(validation.IsDNS1123Label(text)) > 0 {
		return errKind
	}
	*k = kind(text)
	return nil
}

// JSONSchema describes a kind.
func (*kind) JSONSchema() map[string]any {
	return map[string]any{
		"type": "string", "pattern": kindPattern, "maxLength": maxNameLength, "not": map[string]any{"const": metrics.Other},
	}
}

func (d *decoder) readKinds(f *File, h *header) {
	if len(h.Kinds) > metrics.MaxKinds {
		d.problemAt("kinds", "are %d, at most %d: each is several series for every component", len(h.Kinds), metrics.MaxKinds)
	}
	for _, k := range h.Kinds {
		f.kinds = append(f.kinds, v1alpha1.AuditKind(k))
	}
}
