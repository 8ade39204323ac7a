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

// caught is a stand-in with one thing wrong, and the facts that have to catch it.
type caught struct {
	wrong wrong
	facts []string
}

// status answers one status in another one's place.
func status(from, to int) wrong {
	return wrong{answer: func(_ *http.Request, status int, body string) (int, string) {
		if status == from {
			return to, body
		}
		return status, body
	}}
}

// reads changes what reading answers.
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

// wrongs are stand-ins that are wrong on purpose, by what is wrong with them.
var wrongs = map[string]caught{
	"answers 200 to a push": {status(204, 200), []string{
		"a push that is stored is answered 204 without a body", "a stream without service_name gets one",
	}},
	"keeps seconds only":    {replaces(`"(\d{10})\d{9}"`, `"${1}000000000"`), []string{"a timestamp is kept to the nanosecond", "a push in JSON is stored, with its metadata"}},
	"spoils what is hidden": {replaces(`\\u0001`, `?`), []string{"a line comes back byte for byte"}},
	"takes no gzip":         {status(204, 415), []string{"a push in JSON may be compressed with gzip"}},
	"answers 500 to what it cannot read": {status(400, 500), []string{
		"a body that is not what it says is refused with 400", "a query that cannot be read is refused with 400",
		"a selector that would take every stream is refused with 400", "a log query as an instant query is refused with 400",
		"a stream without labels is refused with 400", "a tenant with a character that none may have is refused with 400",
	}},
	"answers 400 to what is too large": {status(413, 400), []string{"a body over distributor.max_recv_msg_size is refused with 413"}},
	"knows no 404":                     {status(404, 204), []string{"an unknown path is 404"}},
	"is never ready":                   {status(200, 503), []string{"GET /ready answers 200"}},
	"takes short lines only":           {limits("max_line_size", "1KB"), []string{"a line of 256 KiB is stored"}},
	"takes lines of any length":        {limits("max_line_size", 0), []string{"a longer line is refused with 400 and words about its size"}},
	"refuses what it is to cut":        {limits("max_line_size_truncate", false), []string{"a longer line is cut and answered 204 where the operator allows it"}},
	"loses labels of odd text":         {replaces(`}, x=`, `}; x=`), []string{"labels of any text come back as they were"}},
	"refuses nothing for what it is": {status(400, 204), []string{
		"16 labels beside service_name are refused with 400", "a label's name may have 1024 bytes and not 1025",
		"a label's value may have 2048 bytes and not 2049", "128 pairs of metadata are stored and 129 are refused with 400",
		"more than 64 KiB of metadata are refused with 400", "a 400 stores the good entries of its push",
	}},
	"stores nothing": {replaces(`"result":.*`, `"result":[]}}`), []string{
		"15 labels beside service_name are stored", "a label with an empty value is the same as none",
		"another stream does not make an entry late", "200 entries of one timestamp are all held",
		"a range has its start and not its end", "the start and the end of a range may be RFC 3339",
		"a range is answered newest first, and the limit keeps the newest",
		"direction=forward is answered oldest first, and the limit keeps the oldest",
		"the limit of a range is 100 when none is given", "a Loki without tenants does not mind the header",
		"the same entry in another stream is another entry", "line_format writes the line anew",
		"sum adds up what count_over_time counts", "sum by keeps labels and metadata apart",
		"sum_over_time adds up a number of the line", "topk keeps the largest", "a metric over a range is answered as a matrix",
	}},
	"loses metadata": {replaces(`"kind":"[a-z]*"`, `"k":"v"`), []string{
		"metadata is kept apart from labels when it is asked for so", "metadata is among the labels when it is not asked for",
		"U+FFFD is taken out of metadata",
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
		"an entry of the year 2262 is refused as too new", "an entry of the year 2262 is refused as too new even where limits let everything through",
	}},
	"takes what is hours behind": {chunkAge("48h"), []string{
		"an entry an hour behind its stream's newest is refused with 400 and what would do",
		"a 400 for entries behind their stream says how many of how many",
		"a push of two streams is answered 204 although the first one was refused as behind",
		"a push of two streams is answered 400 when the last one was refused as behind",
		"what is behind a stream is still behind it after a kill -9",
	}},
	"takes nothing that is behind":              {chunkAge("10m"), []string{"an entry just under an hour behind its stream's newest is stored"}},
	"is not as permissive as it was told":       {chunkAge("2h"), []string{"entries of any age are stored and visible at once where limits let everything through"}},
	"knows no rate of a stream":                 {limits("per_stream_rate_limit", "1GB", "per_stream_rate_limit_burst", "1GB"), []string{"a stream over its rate is answered 429 without Retry-After, and some entries are stored"}},
	"refuses a push over a stream's rate whole": {limits("shard_streams", map[string]any{"enabled": true}), []string{"a 400 can hide entries that were only over a stream's rate"}},
	"knows no rate of a tenant": {limits("ingestion_rate_mb", 1024, "ingestion_burst_size_mb", 1024), []string{
		"a push over the tenant's burst of 6 MB is answered 429 however often it is sent",
		"a tenant over its rate of 4 MB/s is answered 429, nothing of the push is stored, and later it is",
	}},
	"has a small burst": {limits("ingestion_burst_size_mb", 4), []string{"a push over 4 MiB and under the burst is answered 500"}},
	"blocks nothing": {limits("block_ingestion_until", "2000-01-01T00:00:00Z"), []string{
		"a blocked Loki answers 260 and stores nothing", "a blocked Loki answers 260 by default",
		"a Loki that is blocked with status 200 answers 204 and stores nothing",
		"a Loki that is blocked with status 200 answers 204 to the year 2262 too",
	}},
	"recognises no repeat": {reads(func(body string) string {
		return regexp.MustCompile(`(\["\d{19}","(?:[^"\\]|\\.)*"(?:,\{[^]]*\})?\])`).ReplaceAllString(body, "$1,$1")
	}), []string{
		"an entry that is pushed again at once is held once", "an entry that is twice in a push is held once",
		"entries that differ in timestamp, line or metadata alone are all held",
	}},
	"answers as another tenant":               {status(401, 204), []string{"a request without a tenant is answered 401 where there are tenants"}},
	"tells no tenants apart":                  {wrong{config: func(c *lokitest.Config) { c.AuthEnabled = false }}, []string{"tenants do not see each other's entries"}},
	"answers as many lines as were asked for": {limits("max_entries_limit_per_query", 10_000), []string{"a limit over 5000 is refused with 400"}},
	"answers lines of any size":               {status(500, 200), []string{"an answer over 4 MiB is an error"}},
	"loses a label": {replaces(`"n"`, `"o"`), []string{
		"label names and values are those of the streams that a selector takes", "series are the labels of the streams that a selector takes",
	}},
	"filters nothing": {reads(func(body string) string { return strings.ReplaceAll(body, `\"n\":1`, `\"n\":3`) }), []string{
		"streams are selected with = != =~ !~, and a pattern is of the whole value", "metadata is filtered with = != =~ !~, and and or",
		"lines are filtered with |= != |~ !~", "json makes fields of the line, which can be filtered and grouped by",
	}},
	"cannot be flushed": {wrong{answer: func(r *http.Request, status int, body string) (int, string) {
		if r.URL.Path == "/flush" {
			status = http.StatusInternalServerError
		}
		return status, body
	}}, []string{
		"a repeat of an entry before the last 256 KiB of its stream is held once after a flush, and maybe twice before",
		"a repeat of an entry that was flushed is held once", "a repeat is recognised after a kill -9",
	}},
	"answers all lines with categorized labels": {
		replaces(`"result":\[\]`, `"result":[{"stream":{},"values":[`+strings.Repeat(`["1","x"],`, 19)+`["1","x"]]}]`),
		[]string{"an answer over 4 MiB with categorized labels is 200 without what did not fit"},
	},
	"forgets what it confirmed": {wrong{forget: true}, []string{"what was answered 204 is there after a kill -9"}},
}

func TestWrongStandinsAreCaughtByName(t *testing.T) {
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
