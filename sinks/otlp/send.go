package otlp

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

// item is one event in the form in which it is sent.
type item struct {
	event  *driver.Event
	record []byte
	again  bool // the receiver may have stored it from an earlier request
}

// send sends one request, and returns the outcome of each item. Those whose outcome
// the answer does not tell are marked with batcher.Again, and come again in parts.
func (s *store) send(ctx context.Context, items []item) []error {
	a := s.post(ctx, items)
	switch {
	case a.Verdict == httpdriver.Stored:
		return s.outcomes(a, items)
	case a.Status == http.StatusRequestEntityTooLarge:
		return driver.All(len(items), batcher.Again(a.Err))
	case a.Verdict != httpdriver.Refused && items[0].again:
		return driver.All(len(items), fmt.Errorf("%s: %w", httpdriver.Unclear, a.Cause))
	}
	return driver.All(len(items), a.Err)
}

// outcomes returns the outcomes of items after a 200, whose body judge has taken for OTLP.
func (s *store) outcomes(a httpdriver.Answer, items []item) []error {
	r, _ := readResponse(a.Header.Get("Content-Type"), a.Body)
	text := s.client.Shown(r.message)
	if r.rejected == 0 {
		s.warn(text)
		return nil
	}
	if text == "" {
		text = "it does not say why"
	}
	s.metrics.rejected.Add(float64(r.rejected))
	n := len(items)
	if r.rejected >= int64(n) {
		return driver.All(n, driver.Permanent(fmt.Errorf("the receiver rejected %d of %d records: %s", r.rejected, n, text)))
	}
	err := fmt.Errorf("the receiver rejected %d of %d records, and which is not said: %s", r.rejected, n, text)
	if !s.opts.ResendPartial {
		return driver.All(n, driver.Permanent(fmt.Errorf(
			"%w; it may hold this one; where its backend folds records by log.record.uid, set Options.ResendPartial", err)))
	}
	for i := range items {
		items[i].again = true
	}
	return driver.All(n, batcher.Again(driver.Permanent(err)))
}

// warn reports what the receiver says without a rejection.
func (s *store) warn(text string) {
	if text == "" {
		return
	}
	s.metrics.warnings.Inc()
	s.mu.Lock()
	known := s.warned == text
	s.warned = text
	s.mu.Unlock()
	if !known && s.opts.OnWarning != nil {
		s.opts.OnWarning(text)
	}
}

// post sends one request with these items, which may be none.
func (s *store) post(ctx context.Context, items []item) httpdriver.Answer {
	records := make([][]byte, len(items))
	for i := range items {
		records[i] = items[i].record
	}
	body := s.frame.request(records...)
	m, size, start := s.metrics, len(body), time.Now()
	if s.opts.Compression == compressionGzip {
		body = compress(body)
	}
	m.InFlight.Inc()
	a := s.client.Post(ctx, body, nil)
	m.InFlight.Dec()
	m.Observe(a.Status, len(items), size, time.Since(start))
	return a
}

var compressors = sync.Pool{New: func() any {
	fast, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // there is such a level
	return fast
}}

// compress returns body in gzip. There is no time in it, so equal bodies give equal bytes. The
// result is in memory of its own: net/http may read it after the request has returned.
func compress(body []byte) []byte {
	packed := bytes.NewBuffer(make([]byte, 0, len(body)/4+64))
	w := compressors.Get().(*gzip.Writer) //nolint:forcetypeassert // it holds nothing else
	w.Reset(packed)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	compressors.Put(w)
	return packed.Bytes()
}

// judge says what a status means by OTLP, where that differs from what it means elsewhere. Only 200
// with an OTLP answer is success. A 200 with another body and any other 2xx
// are transient: nobody has refused the events, and what answers may be a page of a gateway.
func judge(a *httpdriver.Answer) {
	switch a.Status {
	case http.StatusOK:
		if _, err := readResponse(a.Header.Get("Content-Type"), a.Body); err != nil {
			a.Verdict, a.Advice = httpdriver.Unclear, err.Error()+": check that the URL is that of an OTLP receiver"
		}
		return
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return
	}
	switch a.Status / 100 {
	case 2:
		a.Verdict, a.Advice = httpdriver.Unclear, "only 200 says that the records were taken: check that the URL is that of an OTLP receiver"
	case 5:
		a.Verdict, a.Advice = httpdriver.Refused, "OTLP forbids sending it again"
	}
}
