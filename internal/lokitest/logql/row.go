package logql

import "maps"

// Row is one log line on its way through a pipeline.
type Row struct {
	Time     int64 // in nanoseconds since 1970
	Line     string
	Labels   map[string]string // of its stream; shared, so it must not be changed
	Metadata map[string]string // shared as well
	Parsed   map[string]string // what stages have made; nil for nothing
}

// value returns the value of a field, "" when there is none.
func (r *Row) value(name string) string {
	for _, fields := range []map[string]string{r.Parsed, r.Metadata, r.Labels} {
		if v, ok := fields[name]; ok {
			return v
		}
	}
	return ""
}

// Fields returns labels, metadata and what was parsed, together. A metadata name that is a label too gets the suffix
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

// Run puts a row through the pipeline. It returns false when the row is left out.
func (e *LogExpr) Run(r *Row) (bool, error) {
	for _, s := range e.Stages {
		if keep, err := s.apply(r); err != nil || !keep {
			return false, err
		}
	}
	return true, nil
}
