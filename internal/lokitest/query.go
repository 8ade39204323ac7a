package lokitest

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paddock-dev/audit/internal/lokitest/logql"
)

const (
	defaultEntries = 100
	defaultSpan    = time.Hour
)

// queryRange answers a log query with the lines of start <= time < end, and a metric query with values from start to
// end.
func (s *Standin) queryRange(w http.ResponseWriter, r *http.Request, tenant string) {
	q, err := readQuery(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	log, ok := q.expr.(*logql.LogExpr)
	if !ok {
		s.queryMatrix(w, tenant, q)
		return
	}
	if most := s.limitsOf(tenant).MaxEntries; q.limit > most {
		http.Error(w, fmt.Sprintf("max entries limit per query exceeded, limit > max_entries_limit_per_query (%d > %d)", q.limit, most), http.StatusBadRequest)
		return
	}
	rows, err := s.rows(tenant, log, q)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	size := 0
	for _, row := range rows {
		size += len(row.Line)
		for name, value := range row.Metadata {
			size += len(name) + len(value)
		}
	}
	categorized := slices.Contains(strings.Split(r.Header.Get("X-Loki-Response-Encoding-Flags"), ","), "categorize-labels")
	if size > maxMessage {
		if !categorized {
			http.Error(w, fmt.Sprintf("rpc error: code = ResourceExhausted desc = trying to send message larger than max (%d vs. %d)", size, maxMessage),
				http.StatusInternalServerError)
			return
		}
		rows = nil // with categorized labels Loki 3.7.8 loses that error, and leaves the entries out
	}
	success(w, logAnswer(rows, categorized))
}

// rows returns the lines that a log query selects, in the order of the answer, and no more than the limit. It orders only as
// many entries as it needs: a reader with small pages asks for few of very many.
func (s *Standin) rows(tenant string, log *logql.LogExpr, q query) (rows []*logql.Row, err error) {
	found := &queue{backward: q.backward}
	s.store.read(tenant, q.start, q.end, func(st *stream, entries []entry) {
		if !logql.Selects(log.Matchers, st.labels) {
			return
		}
		for _, e := range entries {
			found.all = append(found.all, queued{e, st})
		}
	})
	heap.Init(found)
	for found.Len() > 0 {
		for _, e := range found.next() {
			if len(rows) == q.limit {
				return rows, nil
			}
			row := e.row(e.stream)
			keep, err := log.Run(row)
			if err != nil {
				return nil, err
			}
			if keep {
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

// queue is a heap of entries by time.
type queue struct {
	all      []queued
	backward bool
}

// queued is an entry and its stream.
type queued struct {
	entry

	stream *stream
}

func (q *queue) Len() int      { return len(q.all) }
func (q *queue) Swap(i, j int) { q.all[i], q.all[j] = q.all[j], q.all[i] }
func (q *queue) Less(i, j int) bool {
	if q.backward {
		i, j = j, i
	}
	return q.all[i].Time < q.all[j].Time
}
func (q *queue) Push(e any) { q.all = append(q.all, e.(queued)) } //nolint:forcetypeassert // only entries are pushed
func (q *queue) Pop() any {
	last := q.all[len(q.all)-1]
	q.all = q.all[:len(q.all)-1]
	return last
}

// next takes all entries of the first time, in the order of the answer.
func (q *queue) next() (group []queued) {
	for at := q.all[0].Time; q.Len() > 0 && q.all[0].Time == at; {
		group = append(group, heap.Pop(q).(queued)) //nolint:forcetypeassert // only entries are pushed
	}
	if len(group) == 1 {
		return group
	}
	scrambled := make(map[string]uint64, len(group))
	for _, e := range group {
		scrambled[e.Line] = scramble(e.Line)
	}
	slices.SortFunc(group, func(a, b queued) int {
		order := cmp.Compare(scrambled[a.Line], scrambled[b.Line])
		if q.backward {
			return -order
		}
		return order
	})
	return group
}

// scramble puts entries with the same timestamp into an arbitrary order, so that no test relies on theirs.
func scramble(line string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(line)) // never fails
	return h.Sum64()
}

func (e *entry) row(st *stream) *logql.Row {
	row := &logql.Row{Time: e.Time, Line: e.Line, Labels: st.labels, Metadata: make(map[string]string, len(e.Metadata))}
	for _, p := range e.Metadata {
		if p.Value != "" {
			row.Metadata[p.Name] = p.Value
		}
	}
	return row
}

// query holds the parameters of a request. Times are in nanoseconds since 1970.
type query struct {
	expr       logql.Expr
	start, end int64
	step       time.Duration
	limit      int
	backward   bool
}

func readQuery(r *http.Request) (q query, err error) {
	if q.expr, err = logql.Parse(r.FormValue("query")); err != nil {
		return q, err
	}
	now := time.Now().UnixNano()
	if q.end, err = moment(r, "end", now); err != nil {
		return q, err
	}
	if q.start, err = moment(r, "start", q.end-int64(defaultSpan)); err != nil {
		return q, err
	}
	if q.end < q.start {
		return q, errors.New("end timestamp must not be before or equal to start time")
	}
	q.limit = defaultEntries
	if text := r.FormValue("limit"); text != "" {
		if q.limit, err = strconv.Atoi(text); err != nil || q.limit <= 0 {
			return q, errors.New("limit must be a positive value")
		}
	}
	switch strings.ToLower(r.FormValue("direction")) {
	case "", "backward":
		q.backward = true
	case "forward":
	default:
		return q, fmt.Errorf("invalid direction '%s'", r.FormValue("direction"))
	}
	q.step = time.Duration(max(1, (q.end-q.start)/250/int64(time.Second))) * time.Second
	if text := r.FormValue("step"); text != "" {
		if seconds, err := strconv.ParseFloat(text, 64); err == nil {
			q.step = time.Duration(seconds * float64(time.Second))
		} else if q.step, err = time.ParseDuration(text); err != nil {
			return q, fmt.Errorf("cannot parse %q to a valid duration", text)
		}
		if q.step <= 0 {
			return q, errors.New("zero or negative query resolution step widths are not accepted")
		}
	}
	return q, nil
}

// moment parses a time in RFC 3339, in seconds with a fraction, or in nanoseconds.
func moment(r *http.Request, name string, otherwise int64) (int64, error) {
	text := r.FormValue(name)
	if text == "" {
		return otherwise, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UnixNano(), nil
	}
	const digitsOfSeconds = 10
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if len(text) <= digitsOfSeconds {
			n *= int64(time.Second)
		}
		return n, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot parse %s=%q to a valid timestamp", name, text)
	}
	return int64(seconds * float64(time.Second)), nil
}
