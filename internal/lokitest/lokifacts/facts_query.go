package lokifacts

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/paddock-dev/audit/internal/lokitest"
)

// fourMinutes stores a line for each of the last 4 minutes, and returns the time of the oldest.
func (c *conn) fourMinutes() (first time.Time, err error) {
	const n = 4
	first = now().Add(-n * time.Minute)
	var lines []line
	for i := range n {
		lines = append(lines, line{first.Add(time.Duration(i) * time.Minute), fmt.Sprintf("%04d", i), nil})
	}
	return first, c.stored(c.of(lines))
}

// texts returns the lines that answer a range query, in the order of the answer.
func (c *conn) texts(parameters ...string) ([]string, error) {
	r, err := c.get("/loki/api/v1/query_range", append([]string{"query", c.selector()}, parameters...)...)
	if err == nil {
		err = r.is(http.StatusOK)
	}
	if err != nil {
		return nil, err
	}
	all, err := decode(r.text)
	var texts []string
	for _, f := range all {
		texts = append(texts, f.text)
	}
	return texts, err
}

func (c *conn) wants(want []string, parameters ...string) error {
	got, err := c.texts(parameters...)
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("%v finds %q, want %q", parameters, got, want)
	}
	return err
}

func (c *conn) wrong(words, path string, parameters ...string) error {
	r, err := c.get(path, parameters...)
	if err == nil {
		err = r.is(http.StatusBadRequest, words)
	}
	return err
}

func queryFacts() []Fact {
	p := lokitest.ProfileProduction
	return []Fact{
		{Name: "a range includes its start and not its end", Source: Recorded, Profile: p, ask: func(c *conn) error {
			first, err := c.fourMinutes()
			if err != nil {
				return err
			}
			return c.wants([]string{"0001", "0002"}, "direction", "forward",
				"start", nanoseconds(first.Add(time.Minute)), "end", nanoseconds(first.Add(3*time.Minute)))
		}},
		{Name: "the start and the end of a range may be RFC 3339", Source: Documented, Profile: p, ask: func(c *conn) error {
			first, err := c.fourMinutes()
			if err != nil {
				return err
			}
			return c.wants([]string{"0001"}, "direction", "forward", "start", first.Add(time.Minute).Format(time.RFC3339Nano),
				"end", first.Add(2*time.Minute).Format(time.RFC3339Nano))
		}},
		{Name: "a range is answered newest first, and the limit keeps the newest", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if _, err := c.fourMinutes(); err != nil {
				return err
			}
			return c.wants([]string{"0003", "0002"}, "limit", "2")
		}},
		{Name: "direction=forward is answered oldest first, and the limit keeps the oldest", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if _, err := c.fourMinutes(); err != nil {
				return err
			}
			return c.wants([]string{"0000", "0001"}, "limit", "2", "direction", "forward")
		}},
		{Name: "the limit of a range is 100 when none is given", Source: Recorded, Profile: p, ask: func(c *conn) error {
			var lines []line
			for i := range 130 {
				lines = append(lines, line{now().Add(-time.Duration(i)), fmt.Sprint(i), nil})
			}
			if err := c.stored(c.of(lines)); err != nil {
				return err
			}
			texts, err := c.texts()
			if err == nil && len(texts) != 100 {
				err = fmt.Errorf("it answers %d lines, want 100", len(texts))
			}
			return err
		}},
		{Name: "a limit over 5000 is refused with 400", Source: Recorded, Profile: p, ask: func(c *conn) error {
			return c.wrong("max entries limit per query exceeded", "/loki/api/v1/query_range", "query", c.selector(), "limit", "5001")
		}},
		{Name: "an answer over 4 MiB is an error", Source: Recorded, Profile: lokitest.ProfilePermissive, ask: func(c *conn) error {
			if err := c.fiveMegabytes(); err != nil {
				return err
			}
			r, err := c.get("/loki/api/v1/query_range", "query", c.selector(), "limit", "1000")
			if err == nil {
				err = r.is(http.StatusInternalServerError, "larger than max")
			}
			return err
		}},
		{Name: "an answer over 4 MiB with categorized labels is 200 and incomplete", Source: Recorded, Profile: lokitest.ProfilePermissive, ask: func(c *conn) error {
			if err := c.fiveMegabytes(); err != nil {
				return err
			}
			all, err := c.queryRange(c.selector(), categorized)
			if err == nil && len(all) >= 20 {
				err = fmt.Errorf("it answers all %d lines", len(all))
			}
			return err
		}},
		{Name: "a query that cannot be read is refused with 400", Source: Recorded, Profile: p, ask: func(c *conn) error {
			return c.wrong("parse error", "/loki/api/v1/query_range", "query", `{fact=`)
		}},
		{Name: "a selector that matches every stream is refused with 400", Source: Documented, Profile: p, ask: func(c *conn) error {
			return c.wrong("queries require at least one", "/loki/api/v1/query_range", "query", `{fact=~".*"}`)
		}},
		{Name: "a log query as an instant query is refused with 400", Source: Documented, Profile: p, ask: func(c *conn) error {
			return c.wrong("log queries are not supported as an instant query type", "/loki/api/v1/query", "query", c.selector())
		}},
		{Name: "label names and values are those of the selected streams", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of(one(now(), "x"), "n", "1"), c.of(one(now(), "x"), "n", "2", "m", "1")); err != nil {
				return err
			}
			values, err := c.get("/loki/api/v1/label/n/values", "query", c.selector())
			if err == nil {
				err = values.is(http.StatusOK, `"1"`, `"2"`)
			}
			names, err2 := c.get("/loki/api/v1/labels", "query", fmt.Sprintf(`{fact=%q, n="1"}`, c.id))
			if err2 == nil {
				err2 = names.is(http.StatusOK, `"fact"`, `"n"`, `"service_name"`)
			}
			if err2 == nil && strings.Contains(names.text, `"m"`) {
				err2 = fmt.Errorf("the names of another stream are among %s", names.text)
			}
			return errors.Join(err, err2)
		}},
		{Name: "series are the labels of the selected streams", Source: Documented, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of(one(now(), "x"), "n", "1")); err != nil {
				return err
			}
			r, err := c.get("/loki/api/v1/series", "match[]", c.selector())
			if err == nil {
				err = r.is(http.StatusOK, `"n":"1"`, c.id)
			}
			return err
		}},
	}
}

// fiveMegabytes stores 20 lines of 250 KB.
func (c *conn) fiveMegabytes() error {
	for i := range 20 {
		if err := c.stored(c.of(one(now().Add(time.Duration(i)), fmt.Sprintf("%0250000d", i)))); err != nil {
			return err
		}
	}
	return nil
}
