package lokitest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/paddock-dev/audit/internal/lokitest/logql"
)

// queryInstant answers a metric query for one time.
func (s *Standin) queryInstant(w http.ResponseWriter, r *http.Request, tenant string) {
	expr, err := logql.Parse(r.FormValue("query"))
	if err == nil && logql.RangeOf(expr) == nil {
		http.Error(w, "log queries are not supported as an instant query type, please change your query to a range query type", http.StatusBadRequest)
		return
	}
	at := int64(0)
	if err == nil {
		at, err = moment(r, "time", time.Now().UnixNano())
	}
	var points []logql.Point
	if err == nil {
		points, err = s.points(tenant, expr, at, at)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	result := []any{}
	for _, sample := range logql.At(expr, points, at) {
		result = append(result, map[string]any{"metric": sample.Labels, "value": valueAt(at, sample.Value)})
	}
	success(w, map[string]any{"resultType": "vector", "result": result, "stats": map[string]any{}})
}

// series of a matrix.
type seriesAnswer struct {
	Metric map[string]string `json:"metric"`
	Values [][]any           `json:"values"`
}

func (s *Standin) queryMatrix(w http.ResponseWriter, tenant string, q query) {
	points, err := s.points(tenant, q.expr, q.start, q.end)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	const mostSteps = 11_000
	if (q.end-q.start)/int64(q.step) > mostSteps {
		http.Error(w, "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter", http.StatusBadRequest)
		return
	}
	result := []*seriesAnswer{}
	index := map[string]*seriesAnswer{}
	for _, at := range logql.Steps(q.start, q.end, q.step) {
		for _, sample := range logql.At(q.expr, points, at) {
			key := logql.LabelText(sample.Labels)
			one := index[key]
			if one == nil {
				one = &seriesAnswer{Metric: sample.Labels}
				index[key] = one
				result = append(result, one)
			}
			one.Values = append(one.Values, valueAt(at, sample.Value))
		}
	}
	success(w, map[string]any{"resultType": "matrix", "result": result, "stats": map[string]any{}})
}

// points returns the points that a metric query needs to be evaluated at times from first to last.
func (s *Standin) points(tenant string, expr logql.Expr, first, last int64) (points []logql.Point, err error) {
	span := logql.RangeOf(expr)
	s.store.read(tenant, first-int64(span.Range), last+1, func(st *stream, entries []entry) {
		if err != nil || !logql.Selects(span.Log.Matchers, st.labels) {
			return
		}
		for i := range entries {
			var p logql.Point
			var keep bool
			if p, keep, err = span.Point(entries[i].row(st)); err != nil {
				return
			}
			if keep {
				points = append(points, p)
			}
		}
	})
	return points, err
}

// valueAt returns a value in the form that it has in an answer: [seconds, "value"].
func valueAt(at int64, value float64) []any {
	return []any{float64(at) / float64(time.Second), strconv.FormatFloat(value, 'f', -1, 64)}
}
