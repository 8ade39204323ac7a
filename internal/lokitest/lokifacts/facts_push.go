package lokifacts

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/paddock-dev/audit/internal/lokitest"
)

func pushFacts() []Fact {
	p := lokitest.ProfileProduction
	return []Fact{
		{Name: "a push that is stored is answered 204 without a body", Source: Recorded, Profile: p, ask: func(c *conn) error {
			r, err := c.push(c.of(one(now(), "x")))
			if err == nil {
				err = r.is(http.StatusNoContent)
			}
			if err == nil && r.text != "" {
				err = fmt.Errorf("the 204 has the body %q", r.text)
			}
			return errors.Join(err, c.holds("x"))
		}},
		{Name: "a timestamp is stored to the nanosecond", Source: Recorded, Profile: p, ask: func(c *conn) error {
			at := now().Add(123_456_789)
			if err := c.stored(c.of(one(at, "x"))); err != nil {
				return err
			}
			f, err := c.only()
			if err == nil && f.ns != at.UnixNano() {
				err = fmt.Errorf("it holds the line at %d, want %d", f.ns, at.UnixNano())
			}
			return err
		}},
		{Name: "a line is read back byte for byte", Source: Recorded, Profile: p, ask: func(c *conn) error {
			text := "quotes \" ' `, a newline \n, \\ and \x01, räksmörgås 😀 \u2028 {a=\"b\"} | json"
			if err := c.stored(c.of(one(now(), text))); err != nil {
				return err
			}
			return c.holds(text)
		}},
		{Name: "a push in JSON is stored, with its metadata", Source: Recorded, Profile: p, ask: func(c *conn) error { return c.storesJSON(false) }},
		{Name: "a push in JSON may be compressed with gzip", Source: Documented, Profile: p, ask: func(c *conn) error { return c.storesJSON(true) }},
		{Name: "a body that does not match its content type is refused with 400", Source: Recorded, Profile: p, ask: func(c *conn) error {
			for mediaType, body := range map[string]string{"application/json": "{", "application/x-protobuf": "not snappy \xff"} {
				r, err := c.do(http.MethodPost, pushPath, http.Header{"Content-Type": {mediaType}}, []byte(body))
				if err == nil {
					err = r.is(http.StatusBadRequest)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", mediaType, err)
				}
			}
			return nil
		}},
		{Name: "a body over distributor.max_recv_msg_size is refused with 413", Source: Documented, Profile: p, ask: func(c *conn) error {
			// Only the beginning of a compressed body, which states that it has 200 MiB uncompressed.
			body := append(protowire.AppendVarint(nil, 200<<20), s2.EncodeSnappy(nil, []byte("x"))...)
			r, err := c.do(http.MethodPost, pushPath, http.Header{"Content-Type": {"application/x-protobuf"}}, body)
			if err == nil {
				err = r.is(http.StatusRequestEntityTooLarge)
			}
			return err
		}},
		{Name: "an unknown path is answered 404", Source: Recorded, Profile: p, ask: func(c *conn) error {
			r, err := c.do(http.MethodPost, "/loki/api/v1/pushes", nil, nil)
			if err == nil {
				err = r.is(http.StatusNotFound)
			}
			return err
		}},
		{Name: "a line of 256 KiB is stored", Source: Recorded, Profile: p, ask: func(c *conn) error {
			text := strings.Repeat("x", 256<<10)
			if err := c.stored(c.of(one(now(), text))); err != nil {
				return err
			}
			return c.holds(text)
		}},
		{Name: "a line over 256 KiB is refused with 400 and its size", Source: Recorded, Profile: p, ask: func(c *conn) error {
			err := c.refused(http.StatusBadRequest, c.of(one(now(), strings.Repeat("x", 256<<10+1))), "max entry size '262144' bytes exceeded")
			return errors.Join(err, c.holds())
		}},
		{Name: "a long line is cut and answered 204 if the operator allows it", Source: Documented, Profile: lokitest.ProfileCutLines, ask: func(c *conn) error {
			if err := c.stored(c.of(one(now(), strings.Repeat("x", 10_000)))); err != nil {
				return err
			}
			return c.holds(strings.Repeat("x", 8192))
		}},
		{Name: "GET /ready answers 200", Source: Recorded, Profile: p, ask: func(c *conn) error {
			r, err := c.get("/ready")
			if err == nil {
				err = r.is(http.StatusOK)
			}
			return err
		}},
	}
}

func (c *conn) storesJSON(zip bool) error {
	at := now().Add(1)
	r, err := c.pushJSON(zip, c.of([]line{{at, "x", map[string]string{"kind": "tea"}}}))
	if err == nil {
		err = r.is(http.StatusNoContent)
	}
	if err != nil {
		return err
	}
	f, err := c.only()
	if err == nil && (f.ns != at.UnixNano() || f.text != "x" || f.metadata["kind"] != "tea") {
		err = fmt.Errorf("it holds %+v, want x of kind tea at %d", f, at.UnixNano())
	}
	return err
}
