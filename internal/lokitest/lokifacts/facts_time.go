package lokifacts

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/paddock-dev/audit/internal/lokitest"
)

// lastSecond is the last second that Loki can represent, in 2262. The sink sends an entry of that time as a proof.
var lastSecond = time.Unix(9223372036, 0)

func timeFacts() []Fact {
	p := lokitest.ProfileProduction
	return []Fact{
		{Name: "an entry older than 7 days is refused with 400 and the oldest acceptable time", Source: Recorded, Profile: p, ask: func(c *conn) error {
			at := now().Add(-8 * 24 * time.Hour)
			r, err := c.push(c.of(one(at, "x")))
			if err == nil {
				err = r.is(http.StatusBadRequest, "has timestamp too old: "+at.Format(time.RFC3339)+", oldest acceptable timestamp is: ")
			}
			return errors.Join(err, near(r.text, "oldest acceptable timestamp is: ", now().Add(-7*24*time.Hour)), c.holds())
		}},
		{Name: "an entry just under 7 days old is stored", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of(one(now().Add(-7*24*time.Hour+10*time.Minute), "x"))); err != nil {
				return err
			}
			return c.holds("x")
		}},
		{Name: "an entry more than 10 minutes ahead is refused with 400 and its time to the second", Source: Recorded, Profile: p, ask: func(c *conn) error {
			at := now().Add(11 * time.Minute)
			err := c.refused(http.StatusBadRequest, c.of(one(at.Add(time.Millisecond), "x")), "has timestamp too new: "+at.Format(time.RFC3339))
			return errors.Join(err, c.holds())
		}},
		{Name: "an entry 9 minutes ahead is stored", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := c.stored(c.of(one(now().Add(9*time.Minute), "x"))); err != nil {
				return err
			}
			return c.holds("x")
		}},
		{Name: "an entry an hour behind its stream's newest is refused with 400 and the oldest acceptable time", Source: Recorded, Profile: p, ask: func(c *conn) error {
			newest := now()
			if err := c.stored(c.of(one(newest, "newest"))); err != nil {
				return err
			}
			at := newest.Add(-2 * time.Hour)
			err := c.refused(http.StatusBadRequest, c.of(one(at, "x")),
				"entry too far behind, entry timestamp is: "+at.Format(time.RFC3339)+
					", oldest acceptable timestamp is: "+newest.Add(-time.Hour).Format(time.RFC3339),
				"total ignored: 1 out of 1 for stream")
			return errors.Join(err, c.holds("newest"))
		}},
		{Name: "an entry just under an hour behind its stream's newest is stored", Source: Recorded, Profile: p, ask: func(c *conn) error {
			if err := errors.Join(c.stored(c.of(one(now(), "newest"))), c.stored(c.of(one(now().Add(-59*time.Minute), "x")))); err != nil {
				return err
			}
			return c.holds("newest", "x")
		}},
		{Name: "another stream does not make an entry late", Source: Recorded, Profile: p, ask: func(c *conn) error {
			err := errors.Join(c.stored(c.of(one(now(), "newest"))), c.stored(c.of(one(now().Add(-5*time.Hour), "x"), "late", "yes")))
			if err != nil {
				return err
			}
			return c.holds("newest", "x")
		}},
		{Name: "an entry of the year 2262 is refused as too new", Source: Recorded, Profile: p, ask: refuses2262},
		{
			Name: "an entry of the year 2262 is refused as too new without limits", Source: Recorded,
			Profile: lokitest.ProfilePermissive, ask: refuses2262,
		},
		{
			Name: "entries of any age are stored and visible at once without limits", Source: Recorded,
			Profile: lokitest.ProfilePermissive, OwnProcess: true, ask: func(c *conn) error {
				const day = 24 * time.Hour
				var want []string
				for _, age := range []time.Duration{20 * day, 8 * day, 0, 2 * time.Hour, -time.Hour} {
					if err := c.stored(c.of(one(now().Add(-age), age.String()))); err != nil {
						return err
					}
					want = append(want, age.String())
				}
				return c.holds(want...)
			},
		},
	}
}

func refuses2262(c *conn) error {
	err := c.refused(http.StatusBadRequest, c.of(one(lastSecond, "x")), "has timestamp too new: 2262-")
	return errors.Join(err, c.holds())
}

// near returns an error unless the time that follows the words is within a minute of want.
func near(text, words string, want time.Time) error {
	m := regexp.MustCompile(regexp.QuoteMeta(words) + `(\d\S*Z)`).FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("%.300s: no time after %q", text, words)
	}
	at, err := time.Parse(time.RFC3339, m[1])
	if err == nil && at.Sub(want).Abs() > time.Minute {
		err = fmt.Errorf("%s%s, want about %s", words, m[1], want.Format(time.RFC3339))
	}
	return err
}
