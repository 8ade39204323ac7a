package lokifacts

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/paddock-dev/audit/internal/lokitest"
)

func labelFacts() []Fact {
	p := lokitest.ProfileProduction
	return []Fact{
		{Name: "labels with any text are read back unchanged", Source: Recorded, Profile: p, ask: func(c *conn) error {
			odd := "a \"quoted\" \\ one\ntwo\r\tthree }, x=\"y\" räksmörgås 😀 \u2028"
			if err := c.stored(c.of(one(now(), "x"), "odd", odd)); err != nil {
				return err
			}
			f, err := c.only()
			if err == nil && f.labels["odd"] != odd {
				err = fmt.Errorf("the label is %q, want %q", f.labels["odd"], odd)
			}
			return err
		}},
		{Name: "15 labels in addition to service_name are stored", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of(one(now(), "x"), manyLabels(14)...)); err != nil {
				return err
			}
			return c.holds("x")
		}},
		{Name: "16 labels in addition to service_name are refused with 400", Source: Recorded, Profile: p, ask: func(c *conn) error {
			err := c.refused(http.StatusBadRequest, c.of(one(now(), "x"), manyLabels(15)...), "label names; limit 15")
			return errors.Join(err, c.holds())
		}},
		{Name: "a label name of 1024 bytes is stored and one of 1025 is refused", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of(one(now(), "x"), strings.Repeat("n", 1024), "v")); err != nil {
				return err
			}
			return errors.Join(
				c.refused(http.StatusBadRequest, c.of(one(now(), "y"), strings.Repeat("n", 1025), "v"), "has label name too long"),
				c.holds("x"))
		}},
		{Name: "a label value of 2048 bytes is stored and one of 2049 is refused", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of(one(now(), "x"), "n", strings.Repeat("v", 2048))); err != nil {
				return err
			}
			return errors.Join(
				c.refused(http.StatusBadRequest, c.of(one(now(), "y"), "n", strings.Repeat("v", 2049)), "has label value too long"),
				c.holds("x"))
		}},
		{Name: "a stream without labels is refused with 400", Source: Documented, Profile: p, ask: func(c *conn) error {
			return c.refused(http.StatusBadRequest, stream{lines: one(now(), "x")}, "at least one label pair is required")
		}},
		{Name: "a label with an empty value is left out", Source: Recorded, Profile: p, ask: func(c *conn) error {
			at := now()
			if err := errors.Join(c.stored(c.of(one(at, "x"), "empty", "")), c.stored(c.of(one(at, "x")))); err != nil {
				return err
			}
			return c.holds("x")
		}},
		{Name: "a stream without service_name gets that label", Source: Documented, Profile: p, ask: func(c *conn) error {
			s := c.of(one(now(), "x"))
			delete(s.labels, "service_name")
			if err := c.stored(s); err != nil {
				return err
			}
			f, err := c.only()
			if err == nil && f.labels["service_name"] != "unknown_service" {
				err = fmt.Errorf("service_name is %q, want unknown_service", f.labels["service_name"])
			}
			return err
		}},
	}
}

// manyLabels returns n labels, in pairs of name and value. A stream of a conn has the label fact in addition.
func manyLabels(n int) (pairs []string) {
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("label_%d", i), "v")
	}
	return pairs
}

func metadataFacts() []Fact {
	p := lokitest.ProfileProduction
	return []Fact{
		{Name: "metadata is apart from labels with categorized labels", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of([]line{{now(), "x", map[string]string{"kind": "tea"}}})); err != nil {
				return err
			}
			f, err := c.only()
			if err == nil && (f.metadata["kind"] != "tea" || f.labels["kind"] != "" || f.labels["fact"] != c.id) {
				err = fmt.Errorf("labels %v, metadata %v; want kind in the metadata alone", f.labels, f.metadata)
			}
			return err
		}},
		{Name: "metadata is among the labels without categorized labels", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of([]line{{now(), "x", map[string]string{"kind": "tea"}}})); err != nil {
				return err
			}
			all, err := c.queryRange(c.selector(), nil)
			if err == nil && (len(all) != 1 || all[0].labels["kind"] != "tea") {
				err = fmt.Errorf("it answers %+v, want kind among the labels", all)
			}
			return err
		}},
		{Name: "128 pairs of metadata are stored and 129 are refused with 400", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of([]line{{now(), "x", manyPairs(128, "v")}})); err != nil {
				return err
			}
			return errors.Join(
				c.refused(http.StatusBadRequest, c.of([]line{{now(), "y", manyPairs(129, "v")}}), "too many structured metadata labels"),
				c.holds("x"))
		}},
		{Name: "more than 64 KiB of metadata are refused with 400", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of([]line{{now(), "x", map[string]string{"m": strings.Repeat("v", 64<<10-1)}}})); err != nil {
				return err
			}
			return errors.Join(
				c.refused(http.StatusBadRequest, c.of([]line{{now(), "y", map[string]string{"m": strings.Repeat("v", 64<<10)}}}), "structured metadata too large"),
				c.holds("x"))
		}},
		{Name: "metadata with an empty name is answered 500 for the whole push", Source: Recorded, Profile: p, ask: func(c *conn) error {
			return c.badMetadata("")
		}},
		{Name: "metadata whose name cannot be normalised is answered 500 for the whole push", Source: Recorded, Profile: p, ask: func(c *conn) error {
			return c.badMetadata("***")
		}},
		{Name: "U+FFFD is removed from metadata", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of([]line{{now(), "x", map[string]string{"kind": "te\uFFFDa"}}})); err != nil {
				return err
			}
			f, err := c.only()
			if err == nil && f.metadata["kind"] != "tea" {
				err = fmt.Errorf("the metadata is %q, want tea", f.metadata["kind"])
			}
			return err
		}},
	}
}

func (c *conn) badMetadata(name string) error {
	lines := []line{{now(), "good", nil}, {now(), "bad", map[string]string{name: "v"}}}
	return errors.Join(c.refused(http.StatusInternalServerError, c.of(lines)), c.holds())
}

func manyPairs(n int, value string) map[string]string {
	pairs := map[string]string{}
	for i := range n {
		pairs[fmt.Sprintf("pair_%d", i)] = value
	}
	return pairs
}
