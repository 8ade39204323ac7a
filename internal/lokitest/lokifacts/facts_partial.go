package lokifacts

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/paddock-dev/audit/internal/lokitest"
)

func partialFacts() []Fact {
	p := lokitest.ProfileProduction
	return []Fact{
		{Name: "a 400 stores the good entries of its push", Source: Recorded, Profile: p, ask: func(c *conn) error {
			lines := []line{{now(), "good", nil}, {now().Add(-8 * 24 * time.Hour), "old", nil}, {now(), "good too", nil}}
			err := c.refused(http.StatusBadRequest, c.of(lines), "has timestamp too old")
			return errors.Join(err, c.holds("good", "good too"))
		}},
		{Name: "a 400 for entries behind their stream says how many were ignored", Source: Recorded, Profile: p, ask: func(c *conn) error {
			lines := []line{{now(), "newest", nil}, {now().Add(-2 * time.Hour), "behind", nil}, {now().Add(-3 * time.Hour), "behind too", nil}}
			err := c.refused(http.StatusBadRequest, c.of(lines), "entry too far behind", "total ignored: 2 out of 3 for stream")
			return errors.Join(err, c.holds("newest"))
		}},
		{Name: "a push of two streams is answered 204 although the first one was refused as behind", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of(one(now(), "newest"), "n", "1")); err != nil {
				return err
			}
			behind, good := c.of(one(now().Add(-2*time.Hour), "behind"), "n", "1"), c.of(one(now(), "good"), "n", "2")
			if err := c.stored(behind, good); err != nil {
				return err
			}
			return c.holds("newest", "good")
		}},
		{Name: "a push of two streams is answered 400 when the last one was refused as behind", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of(one(now(), "newest"), "n", "1")); err != nil {
				return err
			}
			r, err := c.push(c.of(one(now(), "good"), "n", "2"), c.of(one(now().Add(-2*time.Hour), "behind"), "n", "1"))
			if err == nil {
				err = r.is(http.StatusBadRequest, "entry too far behind")
			}
			return errors.Join(err, c.holds("newest", "good"))
		}},
		{Name: "a 400 can hide entries that were only over a stream's rate", Source: Recorded, Profile: lokitest.ProfileSmall, ask: func(c *conn) error {
			var lines []line
			for i := range 300 { // 300 KB, of which the stream accepts 100 KiB at once
				lines = append(lines, line{now(), fmt.Sprintf("%d %01000d", i, 0), nil})
			}
			lines = append(lines, line{now().Add(-2 * time.Hour), "behind", nil})
			if err := c.refused(http.StatusBadRequest, c.of(lines), "total ignored: "); err != nil {
				return err
			}
			return c.someOf(len(lines) - 1)
		}},
		{
			Name: "a stream over its rate is answered 429 without Retry-After, and some entries are stored", Source: Derived,
			Profile: lokitest.ProfileSmall, ask: func(c *conn) error {
				var lines []line
				for i := range 300 {
					lines = append(lines, line{now(), fmt.Sprintf("%d %01000d", i, 0), nil})
				}
				r, err := c.push(c.of(lines))
				if err == nil {
					err = r.is(http.StatusTooManyRequests, "total ignored: ")
				}
				if err == nil && r.header.Get("Retry-After") != "" {
					err = errors.New("the 429 has a Retry-After")
				}
				return errors.Join(err, c.someOf(len(lines)))
			},
		},
	}
}

// someOf returns an error unless the streams hold some of the lines and not all.
func (c *conn) someOf(all int) error {
	lines, err := c.lines(c.selector())
	if err == nil && (len(lines) == 0 || len(lines) >= all) {
		err = fmt.Errorf("it holds %d of %d lines, want some", len(lines), all)
	}
	return err
}

func rateFacts() []Fact {
	p := lokitest.ProfileProduction
	return []Fact{
		{Name: "a push over the tenant's burst of 6 MB is answered 429 however often it is sent", Source: Recorded, Profile: p, Alone: true, ask: func(c *conn) error {
			s := c.of(kilobytes(7 << 10))
			for range 3 {
				r, err := c.push(s)
				if err == nil {
					err = r.is(http.StatusTooManyRequests, "ingestion rate limit exceeded")
				}
				if err == nil && r.header.Get("Retry-After") != "" {
					err = errors.New("the 429 has a Retry-After")
				}
				if err != nil {
					return err
				}
			}
			return c.holds()
		}},
		{Name: "a push over 4 MiB and under the burst is answered 500", Source: Recorded, Profile: p, Alone: true, ask: func(c *conn) error {
			return errors.Join(c.refused(http.StatusInternalServerError, c.of(kilobytes(5<<10)), "larger than max"), c.holds())
		}},
		{
			Name: "a push over the rate of 4 MB/s is answered 429, stored in no part, and accepted later", Source: Recorded,
			Profile: p, Alone: true, ask: func(c *conn) error {
				const most, megabyte = 100, 1 << 10
				for i := range most {
					s := c.of(kilobytes(megabyte), "push", strconv.Itoa(i))
					r, err := c.push(s)
					if err != nil {
						return err
					}
					if r.status == http.StatusNoContent {
						continue
					}
					if err := r.is(http.StatusTooManyRequests, "ingestion rate limit exceeded"); err != nil {
						return err
					}
					if err := c.finds(fmt.Sprintf(`{fact=%q, push="%d"}`, c.id, i)); err != nil {
						return err
					}
					return c.eventually(s)
				}
				return fmt.Errorf("%d pushes of 1 MiB in a row were all taken", most)
			},
		},
	}
}

// eventually repeats the push until it is answered 204.
func (c *conn) eventually(s stream) error {
	const patience = 10 * time.Second
	for deadline := time.Now().Add(patience); ; {
		r, err := c.push(s)
		if err != nil || r.status == http.StatusNoContent {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s later it still answers %d %.300s", patience, r.status, r.text)
		}
	}
}

// kilobytes returns n lines of 1 KiB.
func kilobytes(n int) (lines []line) {
	for i := range n {
		lines = append(lines, line{now(), fmt.Sprintf("%01024d", i), nil})
	}
	return lines
}

func blockedFacts() []Fact {
	return []Fact{
		{Name: "a blocked Loki answers 260 and stores nothing", Source: Recorded, Profile: lokitest.ProfileBlocked, ask: func(c *conn) error {
			return errors.Join(c.refused(260, c.of(one(now(), "x")), "ingestion blocked for user", "260"), c.holds())
		}},
		{Name: "a blocked Loki answers 260 by default", Source: Recorded, Profile: lokitest.ProfileBlockedPermissive, ask: func(c *conn) error {
			return errors.Join(c.refused(260, c.of(one(now(), "x")), "ingestion blocked for user"), c.holds())
		}},
		{Name: "a Loki that is blocked with status 200 answers 204 and stores nothing", Source: Recorded, Profile: lokitest.ProfileBlockedUnseen, ask: func(c *conn) error {
			return errors.Join(c.stored(c.of(one(now(), "x"))), c.holds())
		}},
		{Name: "a Loki that is blocked with status 200 answers 204 to an entry of the year 2262", Source: Recorded, Profile: lokitest.ProfileBlockedUnseen, ask: func(c *conn) error {
			return c.stored(c.of(one(lastSecond, "x")))
		}},
	}
}
