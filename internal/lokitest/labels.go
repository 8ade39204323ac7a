package lokitest

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/paddock-dev/audit/internal/lokitest/logql"
)

// labelNames, labelValues and series answer for the streams that match the selector in the parameter query, or in
// match[], and have an entry from start to end. Without start, the range begins six hours ago.
func (s *Standin) labelNames(w http.ResponseWriter, r *http.Request, tenant string) {
	s.ofStreams(w, r, tenant, func(streams []*stream) any {
		names := map[string]bool{}
		for _, st := range streams {
			for name := range st.labels {
				names[name] = true
			}
		}
		return sorted(names)
	})
}

func (s *Standin) labelValues(w http.ResponseWriter, r *http.Request, tenant string) {
	s.ofStreams(w, r, tenant, func(streams []*stream) any {
		values := map[string]bool{}
		for _, st := range streams {
			if value := st.labels[r.PathValue("name")]; value != "" {
				values[value] = true
			}
		}
		return sorted(values)
	})
}

func (s *Standin) series(w http.ResponseWriter, r *http.Request, tenant string) {
	s.ofStreams(w, r, tenant, func(streams []*stream) any {
		all := []map[string]string{}
		for _, st := range streams {
			all = append(all, st.labels)
		}
		return all
	})
}

func sorted(set map[string]bool) []string {
	all := slices.AppendSeq([]string{}, maps.Keys(set))
	slices.Sort(all)
	return all
}

func (s *Standin) ofStreams(w http.ResponseWriter, r *http.Request, tenant string, data func([]*stream) any) {
	const defaultLabelSpan = 6 * time.Hour
	end, err := moment(r, "end", time.Now().UnixNano())
	var start int64
	if err == nil {
		start, err = moment(r, "start", end-int64(defaultLabelSpan))
	}
	selector := r.FormValue("query")
	if selector == "" {
		selector = r.FormValue("match[]")
	}
	var matchers []logql.Matcher
	if err == nil && selector != "" {
		matchers, err = logql.ParseSelector(selector)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var streams []*stream
	s.store.read(tenant, start, end+1, func(st *stream, _ []entry) {
		if logql.Selects(matchers, st.labels) {
			streams = append(streams, st)
		}
	})
	success(w, data(streams))
}
