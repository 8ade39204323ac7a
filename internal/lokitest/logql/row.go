package logql

import "maps"

// Row is one log line in a pipeline.
type Row struct {
	Time     int64 // in nanoseconds since 1970
	Line     string
	Labels   map[string]string // of its stream; shared with other rows, so never changed
	Metadata map[string]string // shared and never changed, too
	Parsed   map[string]string // fields that stages have made; nil when there are none
}

// value returns the value of a field, or "" for a missing one.
func (r *Row) value(name string) string {
	for _, fields := range []map[string]string{r.Parsed, r.Metadata, r.Labels} {
		if v, ok := fields[name]; ok {
			return v
		}
	}
	return ""
}

// Fields returns the labels, the metadata and the parsed fields. A name of metadata that is also a label gets the suffix
// _extracted.
func (r *Row) Fields() map[string]string {
	all := maps.Clone(r.Labels)
	if all == nil {
		all = map[string]string{}
	}
	for name, v := range r.Metadata {
		if _, taken := r.Labels[name]; taken {
			name += "_extracted"
		}
		all[name] = v
	}
	maps.Copy(all, r.Parsed)
	return all
}

// Run runs the pipeline on a row. It returns false when the pipeline leaves the row out.
func (e *LogExpr) Run(r *Row) (bool, error) {
	for _, s := range e.Stages {
		if keep, err := s.apply(r); err != nil || !keep {
			return false, err
		}
	}
	return true, nil
}
