package lokifacts

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/paddock-dev/audit/internal/lokitest"
)

func repeatFacts() []Fact {
	p := lokitest.ProfilePermissive
	return []Fact{
		{Name: "an entry that is pushed again at once is stored once", Source: Recorded, Profile: p, ask: func(c *conn) error {
			s := c.of([]line{{now(), "x", map[string]string{"kind": "tea"}}})
			if err := errors.Join(c.stored(s), c.stored(s)); err != nil {
				return err
			}
			return c.holds("x")
		}},
		{Name: "an entry that is twice in a push is stored once", Source: Derived, Profile: p, ask: func(c *conn) error {
			at := now()
			if err := c.stored(c.of([]line{{at, "x", nil}, {at, "x", nil}})); err != nil {
				return err
			}
			return c.holds("x")
		}},
		{Name: "entries that differ only in timestamp, line or metadata are all stored", Source: Recorded, Profile: p, ask: func(c *conn) error {
			at := now()
			tea, milk := map[string]string{"kind": "tea"}, map[string]string{"kind": "milk"}
			if err := c.stored(c.of([]line{{at, "x", tea}, {at.Add(1), "x", tea}, {at, "y", tea}, {at, "x", milk}})); err != nil {
				return err
			}
			return c.holds("x", "x", "x", "y")
		}},
		{Name: "200 entries with the same timestamp are all stored", Source: Recorded, Profile: p, ask: func(c *conn) error {
			at := now()
			var lines []line
			var want []string
			for i := range 200 {
				lines = append(lines, line{at, fmt.Sprint(i), nil})
				want = append(want, fmt.Sprint(i))
			}
			if err := c.stored(c.of(lines)); err != nil {
				return err
			}
			return c.holds(want...)
		}},
		{
			Name: "a repeat of an entry before the last 256 KiB is stored once after a flush and maybe twice before", Source: Recorded,
			Profile: p, ask: func(c *conn) error {
				at := now()
				first := c.of([]line{{at, "first", nil}})
				if err := errors.Join(c.stored(first), c.stored(c.of(kilobytes(600))), c.stored(first)); err != nil {
					return err
				}
				query := c.selector() + ` |= "first"`
				got, err := c.lines(query)
				if err == nil && len(got) != 1 && len(got) != 2 {
					err = fmt.Errorf("before the flush it holds the repeat %d times, want once or twice", len(got))
				}
				if err != nil {
					return err
				}
				return c.flushedUntil(func() error { return c.finds(query, "first") })
			},
		},
		{Name: "a repeat of a flushed entry is stored once", Source: Recorded, Profile: p, ask: func(c *conn) error {
			s := c.of(one(now(), "x"))
			if err := c.stored(s); err != nil {
				return err
			}
			if err := c.flushedUntil(func() error { return c.holds("x") }); err != nil {
				return err
			}
			if err := c.stored(s); err != nil {
				return err
			}
			return c.flushedUntil(func() error { return c.holds("x") })
		}},
		{Name: "the same entry in another stream is another entry", Source: Recorded, Profile: p, ask: func(c *conn) error {
			at := now()
			if err := c.stored(c.of(one(at, "x"), "n", "1"), c.of(one(at, "x"), "n", "2")); err != nil {
				return err
			}
			return c.holds("x", "x")
		}},
	}
}

// flushedUntil has Loki write its chunks with POST /flush. Loki answers 204 and goes on writing, so flushedUntil repeats the
// check until it returns no error.
func (c *conn) flushedUntil(ask func() error) error {
	r, err := c.do(http.MethodPost, "/flush", nil, nil)
	if err == nil {
		err = r.is(http.StatusNoContent)
	}
	if err != nil {
		return err
	}
	const patience, pause = 30 * time.Second, 50 * time.Millisecond
	deadline := time.Now().Add(patience)
	for err = ask(); err != nil && time.Now().Before(deadline); err = ask() {
		select {
		case <-c.ctx.Done():
			return c.ctx.Err()
		case <-time.After(pause):
		}
	}
	return err
}

func tenantFacts() []Fact {
	p := lokitest.ProfileTenants
	return []Fact{
		{Name: "a request without a tenant is answered 401 where there are tenants", Source: Recorded, Profile: p, ask: func(c *conn) error {
			read, err := c.get("/loki/api/v1/labels")
			if err == nil {
				err = read.is(http.StatusUnauthorized, "no org id")
			}
			return errors.Join(err, c.refused(http.StatusUnauthorized, c.of(one(now(), "x")), "no org id"))
		}},
		{Name: "a tenant with an invalid character is refused with 400", Source: Recorded, Profile: p, ask: func(c *conn) error {
			return c.as("a/b").refused(http.StatusBadRequest, c.of(one(now(), "x")), "unsupported character")
		}},
		{Name: "tenants do not see each other's entries", Source: Recorded, Profile: p, ask: func(c *conn) error {
			red, blue := c.as("red"), c.as("blue")
			if err := red.stored(c.of(one(now(), "x"))); err != nil {
				return err
			}
			return errors.Join(red.holds("x"), blue.holds())
		}},
		{Name: "a Loki without tenants ignores the header", Source: Recorded, Profile: lokitest.ProfilePermissive, ask: func(c *conn) error {
			if err := c.as("red").stored(c.of(one(now(), "x"))); err != nil {
				return err
			}
			return c.holds("x")
		}},
	}
}

func restartFacts() []Fact {
	restart := func(c *conn) error { return c.server.Restart(c.ctx) }
	return []Fact{
		{Name: "an entry that was answered 204 is there after a kill -9", Source: Recorded, Profile: lokitest.ProfilePermissive, OwnProcess: true, ask: func(c *conn) error {
			s := c.of([]line{{now().Add(1), "x", map[string]string{"kind": "tea"}}})
			if err := errors.Join(c.stored(s), restart(c)); err != nil {
				return err
			}
			f, err := c.only()
			if err == nil && (f.text != "x" || f.ns != s.lines[0].at.UnixNano() || f.metadata["kind"] != "tea") {
				err = fmt.Errorf("it holds %+v", f)
			}
			return err
		}},
		{Name: "a repeat is recognised after a kill -9", Source: Recorded, Profile: lokitest.ProfilePermissive, OwnProcess: true, ask: func(c *conn) error {
			s := c.of(one(now(), "x"))
			if err := errors.Join(c.stored(s), restart(c), c.stored(s)); err != nil {
				return err
			}
			return c.flushedUntil(func() error { return c.holds("x") })
		}},
		{Name: "an entry behind its stream is still refused after a kill -9", Source: Derived, Profile: lokitest.ProfileProduction, OwnProcess: true, ask: func(c *conn) error {
			if err := errors.Join(c.stored(c.of(one(now(), "newest"))), restart(c)); err != nil {
				return err
			}
			return errors.Join(c.refused(http.StatusBadRequest, c.of(one(now().Add(-2*time.Hour), "x")), "entry too far behind"), c.holds("newest"))
		}},
	}
}
