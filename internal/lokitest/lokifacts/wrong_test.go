package lokifacts_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/lokitest"
	"github.com/paddock-dev/audit/internal/lokitest/lokifacts"
)

// caught is a stand-in with one fault, and the facts that have to fail because of it.
type caught struct {
	wrong wrong
	facts []string
}

// status is the fault of answering the status to instead of from.
func status(from, to int) wrong {
	return wrong{answer: func(_ *http.Request, status int, body string) (int, string) {
		if status == from {
			return to, body
		}
		return status, body
	}}
}

// reads is the fault of changed answers to GET requests.
func reads(change func(body string) string) wrong {
	return wrong{answer: func(r *http.Request, status int, body string) (int, string) {
		if r.Method == http.MethodGet {
			body = change(body)
		}
		return status, body
	}}
}

func replaces(pattern, with string) wrong {
	return reads(func(body string) string { return regexp.MustCompile(pattern).ReplaceAllString(body, with) })
}

func limits(pairs ...any) wrong {
	all := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i].(string)] = pairs[i+1] //nolint:forcetypeassert // a name
	}
	return wrong{limits: all}
}

func chunkAge(age string) wrong {
	return wrong{config: func(c *lokitest.Config) { c.MaxChunkAge = age }}
}

// wrongs are stand-ins that are wrong on purpose, by a description of their fault.
var wrongs = map[string]caught{
	"answers 200 to a push": {status(204, 200), []string{
		"a push that is stored is answered 204 without a body", "a stream without service_name gets that label",
	}},
	"keeps seconds only":    {replaces(`"(\d{10})\d{9}"`, `"${1}000000000"`), []string{"a timestamp is stored to the nanosecond", "a push in JSON is stored, with its metadata"}},
	"spoils what is hidden": {replaces(`\\u0001`, `?`), []string{"a line is read back byte for byte"}},
	"takes no gzip":         {status(204, 415), []string{"a push in JSON may be compressed with gzip"}},
	"answers 500 to what it cannot read": {status(400, 500), []string{
		"a body that does not match its content type is refused with 400", "a query that cannot be read is refused with 400",
		"a selector that matches every stream is refused with 400", "a log query as an instant query is refused with 400",
		"a stream without labels is refused with 400", "a tenant with an invalid character is refused with 400",
	}},
	"answers 400 to what is too large": {status(413, 400), []string{"a body over distributor.max_recv_msg_size is refused with 413"}},
	"knows no 404":                     {status(404, 204), []string{"an unknown path is answered 404"}},
	"is never ready":                   {status(200, 503), []string{"GET /ready answers 200"}},
	"takes short lines only":           {limits("max_line_size", "1KB"), []string{"a line of 256 KiB is stored"}},
	"takes lines of any length":        {limits("max_line_size", 0), []string{"a line over 256 KiB is refused with 400 and its size"}},
	"refuses what it is to cut":        {limits("max_line_size_truncate", false), []string{"a long line is cut and answered 204 if the operator allows it"}},
	"loses labels of odd text":         {replaces(`}, x=`, `}; x=`), []string{"labels with any text are read back unchanged"}},
	"refuses nothing for what it is": {status(400, 204), []string{
		"16 labels in addition to service_name are refused with 400", "a label name of 1024 bytes is stored and one of 1025 is refused",
		"a label value of 2048 bytes is stored and one of 2049 is refused", "128 pairs of metadata are stored and 129 are refused with 400",
		"more than 64 KiB of metadata are refused with 400", "a 400 stores the good entries of its push",
	}},
	"stores nothing": {replaces(`"result":.*`, `"result":[]}}`), []string{
		"15 labels in addition to service_name are stored", "a label with an empty value is left out",
		"another stream does not make an entry late", "200 entries with the same timestamp are all stored",
		"a range includes its start and not its end", "the start and the end of a range may be RFC 3339",
		"a range is answered newest first, and the limit keeps the newest",
		"direction=forward is answered oldest first, and the limit keeps the oldest",
		"the limit of a range is 100 when none is given", "a Loki without tenants ignores the header",
		"the same entry in another stream is another entry", "line_format replaces the line",
		"sum adds up the counts of count_over_time", "sum by groups by labels and by metadata",
		"sum_over_time adds up a number in the lines", "topk keeps the largest values", "a metric over a range is answered as a matrix",
	}},
	"loses metadata": {replaces(`"kind":"[a-z]*"`, `"k":"v"`), []string{
		"metadata is apart from labels with categorized labels", "metadata is among the labels without categorized labels",
		"U+FFFD is removed from metadata",
	}},
	"takes metadata of any name": {status(500, 204), []string{
		"metadata with an empty name is answered 500 for the whole push",
		"metadata whose name cannot be normalised is answered 500 for the whole push",
	}},
	"takes entries of any age":      {limits("reject_old_samples", false), []string{"an entry older than 7 days is refused with 400 and the oldest acceptable time"}},
	"takes entries of an hour":      {limits("reject_old_samples_max_age", "1h"), []string{"an entry just under 7 days old is stored"}},
	"takes entries of tomorrow":     {limits("creation_grace_period", "24h"), []string{"an entry more than 10 minutes ahead is refused with 400 and its time to the second"}},
	"takes nothing from the future": {limits("creation_grace_period", "0s"), []string{"an entry 9 minutes ahead is stored"}},
	"takes entries of 2262": {limits("creation_grace_period", "2100000h"), []string{
		"an entry of the year 2262 is refused as too new", "an entry of the year 2262 is refused as too new without limits",
	}},
	"takes what is hours behind": {chunkAge("48h"), []string{
		"an entry an hour behind its stream's newest is refused with 400 and the oldest acceptable time",
		"a 400 for entries behind their stream says how many were ignored",
		"a push of two streams is answered 204 although the first one was refused as behind",
		"a push of two streams is answered 400 when the last one was refused as behind",
		"an entry behind its stream is still refused after a kill -9",
	}},
	"takes nothing that is behind":              {chunkAge("10m"), []string{"an entry just under an hour behind its stream's newest is stored"}},
	"is not as permissive as it was told":       {chunkAge("2h"), []string{"entries of any age are stored and visible at once without limits"}},
	"knows no rate of a stream":                 {limits("per_stream_rate_limit", "1GB", "per_stream_rate_limit_burst", "1GB"), []string{"a stream over its rate is answered 429 without Retry-After, and some entries are stored"}},
	"refuses a push over a stream's rate whole": {limits("shard_streams", map[string]any{"enabled": true}), []string{"a 400 can hide entries that were only over a stream's rate"}},
	"knows no rate of a tenant": {limits("ingestion_rate_mb", 1024, "ingestion_burst_size_mb", 1024), []string{
		"a push over the tenant's burst of 6 MB is answered 429 however often it is sent",
		"a push over the rate of 4 MB/s is answered 429, stored in no part, and accepted later",
	}},
	"has a small burst": {limits("ingestion_burst_size_mb", 4), []string{"a push over 4 MiB and under the burst is answered 500"}},
	"blocks nothing": {limits("block_ingestion_until", "2000-01-01T00:00:00Z"), []string{
		"a blocked Loki answers 260 and stores nothing", "a blocked Loki answers 260 by default",
		"a Loki that is blocked with status 200 answers 204 and stores nothing",
		"a Loki that is blocked with status 200 answers 204 to an entry of the year 2262",
	}},
	"recognises no repeat": {reads(func(body string) string {
		return regexp.MustCompile(`(\["\d{19}","(?:[^"\\]|\\.)*"(?:,\{[^]]*\})?\])`).ReplaceAllString(body, "$1,$1")
	}), []string{
		"an entry that is pushed again at once is stored once", "an entry that is twice in a push is stored once",
		"entries that differ only in timestamp, line or metadata are all stored",
	}},
	"answers as another tenant":               {status(401, 204), []string{"a request without a tenant is answered 401 where there are tenants"}},
	"tells no tenants apart":                  {wrong{config: func(c *lokitest.Config) { c.AuthEnabled = false }}, []string{"tenants do not see each other's entries"}},
	"answers as many lines as were asked for": {limits("max_entries_limit_per_query", 10_000), []string{"a limit over 5000 is refused with 400"}},
	"answers lines of any size":               {status(500, 200), []string{"an answer over 4 MiB is an error"}},
	"loses a label": {replaces(`"n"`, `"o"`), []string{
		"label names and values are those of the selected streams", "series are the labels of the selected streams",
	}},
	"filters nothing": {reads(func(body string) string { return strings.ReplaceAll(body, `\"n\":1`, `\"n\":3`) }), []string{
		"streams are selected with = != =~ !~, and a pattern matches the whole value", "metadata is filtered with = != =~ !~, joined by and, or",
		"lines are filtered with |= != |~ !~", "json makes fields of the line to filter and group by",
	}},
	"cannot be flushed": {wrong{answer: func(r *http.Request, status int, body string) (int, string) {
		if r.URL.Path == "/flush" {
			status = http.StatusInternalServerError
		}
		return status, body
	}}, []string{
		"a repeat of an entry before the last 256 KiB is stored once after a flush and maybe twice before",
		"a repeat of a flushed entry is stored once", "a repeat is recognised after a kill -9",
	}},
	"answers all lines with categorized labels": {
		replaces(`"result":\[\]`, `"result":[{"stream":{},"values":[`+strings.Repeat(`["1","x"],`, 19)+`["1","x"]]}]`),
		[]string{"an answer over 4 MiB with categorized labels is 200 and incomplete"},
	},
	"forgets what it confirmed": {wrong{forget: true}, []string{"an entry that was answered 204 is there after a kill -9"}},
}

func TestWrongStandinsFailTheirFacts(t *testing.T) {
	facts := map[string]lokifacts.Fact{}
	for _, f := range lokifacts.All() {
		facts[f.Name] = f
	}
	var caughtFacts []string
	for what, w := range wrongs {
		for _, name := range w.facts {
			caughtFacts = append(caughtFacts, name)
			t.Run(what+"/"+name, func(t *testing.T) {
				f, ok := facts[name]
				if !ok {
					t.Fatal("there is no such fact")
				}
				if err := f.Ask(t.Context(), serve(t, f.Profile, w.wrong)); err == nil {
					t.Error("the fact does not catch it")
				}
			})
		}
	}
	for name := range facts {
		if !slices.Contains(caughtFacts, name) {
			t.Errorf("no wrong stand-in shows that this fact can fail: %s", name)
		}
	}
}
