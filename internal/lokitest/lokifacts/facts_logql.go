package lokifacts

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/paddock-dev/audit/internal/lokitest"
)

// trail stores five lines of JSON with metadata, in two streams.
func (c *conn) trail() error {
	at := now().Add(-time.Minute)
	entry := func(i int, kind, decision, host string, count int) line {
		return line{
			at:       at.Add(time.Duration(i)),
			text:     fmt.Sprintf(`{"n":%d,"spec":{"count":%d,"destination":{"host":%q},"detail":{"b":1}}}`, i, count, host),
			metadata: map[string]string{"kind": kind, "decision": decision},
		}
	}
	return c.stored(
		c.of([]line{entry(1, "block", "denied", "a.example.com", 1), entry(2, "block", "denied", "b.example.com", 2), entry(3, "allow", "granted", "", 3)}, "component", "proxy"),
		c.of([]line{entry(4, "block", "denied", "a.example.com", 4), entry(5, "fail", "warned", "", 5)}, "component", "broker"))
}

// finding is a pipeline, and the numbers of the lines of the trail that it finds.
type finding struct {
	query string
	lines []int
}

func (c *conn) findings(all ...finding) error {
	if err := c.trail(); err != nil {
		return err
	}
	var errs []error
	for _, f := range all {
		query := fmt.Sprintf(f.query, c.id)
		found, err := c.queryRange(query, nil)
		var got []int
		for _, f := range found {
			var line struct{ N int }
			err = errors.Join(err, json.Unmarshal([]byte(f.text), &line))
			got = append(got, line.N)
		}
		slices.Sort(got)
		if err == nil && !slices.Equal(got, f.lines) {
			err = fmt.Errorf("%s finds the lines %v, want %v", query, got, f.lines)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func logqlFacts() []Fact {
	p := lokitest.ProfileProduction
	return []Fact{
		{Name: "streams are selected with = != =~ !~, and a pattern matches the whole value", Source: Documented, Profile: p, ask: func(c *conn) error {
			return c.findings(
				finding{`{fact=%q, component="proxy"}`, []int{1, 2, 3}},
				finding{`{fact=%q, component!="proxy"}`, []int{4, 5}},
				finding{`{fact=%q, component=~"pro.*|x"}`, []int{1, 2, 3}},
				finding{`{fact=%q, component=~"pro"}`, nil},
				finding{`{fact=%q, component!~"pro.*"}`, []int{4, 5}},
				finding{`{fact=%q, nothing=""}`, []int{1, 2, 3, 4, 5}})
		}},
		{Name: "metadata is filtered with = != =~ !~, joined by and, or", Source: Documented, Profile: p, ask: func(c *conn) error {
			return c.findings(
				finding{`{fact=%q} | decision="denied"`, []int{1, 2, 4}},
				finding{`{fact=%q} | decision!="denied"`, []int{3, 5}},
				finding{`{fact=%q} | kind=~"a.*|fail"`, []int{3, 5}},
				finding{`{fact=%q} | kind!~"b.*"`, []int{3, 5}},
				finding{`{fact=%q} | kind="allow" or kind="fail"`, []int{3, 5}},
				finding{`{fact=%q} | decision="denied" and component="broker"`, []int{4}},
				finding{`{fact=%q} | nothing=~"x.*"`, nil},
				finding{`{fact=%q} | nothing=~".*"`, []int{1, 2, 3, 4, 5}})
		}},
		{Name: "lines are filtered with |= != |~ !~", Source: Documented, Profile: p, ask: func(c *conn) error {
			return c.findings(
				finding{`{fact=%q} |= "a.example"`, []int{1, 4}},
				finding{`{fact=%q} != "a.example"`, []int{2, 3, 5}},
				finding{`{fact=%q} |~ "[ab].example"`, []int{1, 2, 4}},
				finding{"{fact=%q} !~ `[ab]\\.example` | kind=\"fail\"", []int{5}})
		}},
		{Name: "json makes fields of the line to filter and group by", Source: Documented, Profile: p, ask: func(c *conn) error {
			return c.findings(
				finding{`{fact=%q} | json host="spec.destination.host" | host="a.example.com"`, []int{1, 4}},
				finding{`{fact=%q} | json host="spec.destination.host" | host!=""`, []int{1, 2, 4}},
				finding{`{fact=%q} | json nothing="spec.nothing" | nothing!=""`, nil})
		}},
		{Name: "line_format replaces the line", Source: Documented, Profile: p, ask: func(c *conn) error {
			if err := c.trail(); err != nil {
				return err
			}
			return c.finds(c.selector()+` | kind="fail" | json detail="spec.detail" | line_format "{{.component}} {{.kind}} {{.detail}} {{.nothing}}."`,
				`broker fail {"b":1} .`)
		}},
	}
}

// vector returns the values that an instant query is answered with, by the value of one label.
func (c *conn) vector(query, label string) (map[string]string, error) {
	r, err := c.get("/loki/api/v1/query", "query", query, "time", nanoseconds(time.Now()))
	if err == nil {
		err = r.is(http.StatusOK)
	}
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			ResultType string
			Result     []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(r.text), &answer); err != nil {
		return nil, err
	}
	if answer.Data.ResultType != "vector" {
		return nil, fmt.Errorf("%s is answered a %s, want a vector", query, answer.Data.ResultType)
	}
	values := map[string]string{}
	for _, s := range answer.Data.Result {
		values[s.Metric[label]] = fmt.Sprint(s.Value[1])
	}
	return values, nil
}

func (c *conn) measures(query, label string, want map[string]string) error {
	got, err := c.vector(fmt.Sprintf(query, c.id), label)
	if err == nil && !maps.Equal(got, want) {
		err = fmt.Errorf("%s is %v, want %v", query, got, want)
	}
	return err
}

func metricFacts() []Fact {
	p := lokitest.ProfileProduction
	return []Fact{
		{Name: "sum adds up the counts of count_over_time", Source: Documented, Profile: p, ask: func(c *conn) error {
			if err := c.trail(); err != nil {
				return err
			}
			return errors.Join(
				c.measures(`sum(count_over_time({fact=%q} | decision="denied" [1h]))`, "", map[string]string{"": "3"}),
				c.measures(`sum(count_over_time({fact=%q} | decision="nothing" [1h]))`, "", map[string]string{}))
		}},
		{Name: "sum by groups by labels and by metadata", Source: Documented, Profile: p, ask: func(c *conn) error {
			if err := c.trail(); err != nil {
				return err
			}
			return errors.Join(
				c.measures(`sum by (component) (count_over_time({fact=%q}[1h]))`, "component", map[string]string{"proxy": "3", "broker": "2"}),
				c.measures(`sum by (kind) (count_over_time({fact=%q}[1h]))`, "kind", map[string]string{"block": "3", "allow": "1", "fail": "1"}))
		}},
		{Name: "sum_over_time adds up a number in the lines", Source: Documented, Profile: p, ask: func(c *conn) error {
			if err := c.trail(); err != nil {
				return err
			}
			return c.measures(`sum(sum_over_time({fact=%q} | json count="spec.count" | unwrap count [1h]))`, "", map[string]string{"": "15"})
		}},
		{Name: "topk keeps the largest values", Source: Documented, Profile: p, ask: func(c *conn) error {
			if err := c.trail(); err != nil {
				return err
			}
			return c.measures(`topk(1, sum by (host) (count_over_time({fact=%q} | json host="spec.destination.host" | host!="" [1h])))`, "host",
				map[string]string{"a.example.com": "2"})
		}},
		{Name: "a metric over a range is answered as a matrix", Source: Documented, Profile: p, ask: func(c *conn) error {
			if err := c.trail(); err != nil {
				return err
			}
			r, err := c.get("/loki/api/v1/query_range", "query", fmt.Sprintf(`sum by (kind) (count_over_time({fact=%q}[1h]))`, c.id),
				"start", nanoseconds(now()), "end", nanoseconds(now().Add(2*time.Minute)), "step", "60s")
			if err == nil {
				err = r.is(http.StatusOK, `"resultType":"matrix"`, `"kind":"block"`, `"3"`)
			}
			return err
		}},
	}
}
