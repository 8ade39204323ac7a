package lokifacts

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// conn checks one fact with one Loki. Its streams have a label that the streams of no other conn have.
type conn struct {
	ctx    context.Context
	server Server
	http   *http.Client
	id     string
	tenant string // sent as X-Scope-OrgID; "" for none
}

func newConn(ctx context.Context, s Server) *conn {
	return &conn{ctx: ctx, server: s, http: &http.Client{Transport: &http.Transport{}}, id: strings.ToLower(rand.Text()[:12])}
}

func (c *conn) close() { c.http.CloseIdleConnections() }

// as returns the same connection for another tenant.
func (c *conn) as(tenant string) *conn {
	other := *c
	other.tenant = tenant
	return &other
}

// line is one log line.
type line struct {
	at       time.Time
	text     string
	metadata map[string]string
}

// stream is one stream of a push.
type stream struct {
	labels map[string]string
	lines  []line
}

// of returns a stream that belongs to this conn, with further labels in pairs of name and value.
func (c *conn) of(lines []line, labels ...string) stream {
	all := map[string]string{"service_name": "lokifacts", "fact": c.id}
	for i := 0; i+1 < len(labels); i += 2 {
		all[labels[i]] = labels[i+1]
	}
	return stream{labels: all, lines: lines}
}

// selector selects the streams of this conn.
func (c *conn) selector() string { return fmt.Sprintf("{fact=%q}", c.id) }

// now returns the time without its fraction of a second, which the texts of answers leave out as well.
func now() time.Time { return time.Now().Truncate(time.Second).UTC() }

func one(at time.Time, text string) []line { return []line{{at: at, text: text}} }

// reply is an answer of Loki.
type reply struct {
	status int
	text   string
	header http.Header
}

// is returns an error unless the reply has this status, and its text contains these parts.
func (r reply) is(status int, parts ...string) error {
	if r.status != status {
		return fmt.Errorf("it answers %d %.500s, want %d", r.status, r.text, status)
	}
	for _, part := range parts {
		if !strings.Contains(r.text, part) {
			return fmt.Errorf("it answers %d %.500s, want the words %q", r.status, r.text, part)
		}
	}
	return nil
}

func (c *conn) do(method, path string, header http.Header, body []byte) (reply, error) {
	req, err := http.NewRequestWithContext(c.ctx, method, c.server.URL+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	maps.Copy(req.Header, header)
	if c.tenant != "" {
		req.Header.Set("X-Scope-OrgID", c.tenant)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, text: string(text), header: resp.Header}, err
}

const pushPath = "/loki/api/v1/push"

// push sends streams as protobuf with snappy.
func (c *conn) push(streams ...stream) (reply, error) {
	header := http.Header{"Content-Type": {"application/x-protobuf"}, "Content-Encoding": {"snappy"}}
	return c.do(http.MethodPost, pushPath, header, encode(streams))
}

// pushJSON sends streams as JSON, compressed or not.
func (c *conn) pushJSON(zip bool, streams ...stream) (reply, error) {
	var all []any
	for _, s := range streams {
		var values []any
		for _, l := range s.lines {
			value := []any{strconv.FormatInt(l.at.UnixNano(), 10), l.text}
			if l.metadata != nil {
				value = append(value, l.metadata)
			}
			values = append(values, value)
		}
		all = append(all, map[string]any{"stream": s.labels, "values": values})
	}
	body, err := json.Marshal(map[string]any{"streams": all})
	if err != nil {
		return reply{}, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if zip {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, _ = w.Write(body) // in memory, so it cannot fail
		if err := w.Close(); err != nil {
			return reply{}, err
		}
		body = zipped.Bytes()
		header.Set("Content-Encoding", "gzip")
	}
	return c.do(http.MethodPost, pushPath, header, body)
}

// stored returns an error unless Loki answers 204 to the push.
func (c *conn) stored(streams ...stream) error {
	r, err := c.push(streams...)
	if err == nil {
		err = r.is(http.StatusNoContent)
	}
	return err
}

// refused returns an error unless Loki answers the push with this status and these words.
func (c *conn) refused(status int, s stream, parts ...string) error {
	r, err := c.push(s)
	if err == nil {
		err = r.is(status, parts...)
	}
	return err
}

// get sends a GET for a path with parameters, in pairs of name and value.
func (c *conn) get(path string, parameters ...string) (reply, error) {
	return c.do(http.MethodGet, path+"?"+encodeQuery(parameters), nil, nil)
}

// encodeQuery encodes parameters, in pairs of name and value. Of two with the same name, the later one is taken.
func encodeQuery(parameters []string) string {
	values := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		values.Set(parameters[i], parameters[i+1])
	}
	return values.Encode()
}
