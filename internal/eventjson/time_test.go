package eventjson_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/eventjson"
)

func TestATimeIsWrittenAsPackageTimeWritesIt(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	times := []time.Time{
		{},
		time.Unix(0, 0),
		time.Unix(0, 1),
		time.Unix(-1, 999_999_999),
		time.Unix(0, 120_000_000),
		time.Unix(1e18, 0),
		time.Date(-1, 12, 31, 23, 59, 59, 1, time.UTC),
		time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9, 9, 9, 9, 9, 9, 9, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for range 10_000 {
		at := time.Unix(random.Int64N(300e9)-50e9, random.Int64N(1e9))
		times = append(times, at, at.Truncate(time.Millisecond), at.In(time.FixedZone("", random.IntN(86400)-43200)))
	}
	for _, at := range times {
		got, want := string(eventjson.AppendTime([]byte("0"), at)), "0"+at.UTC().Format(time.RFC3339Nano)
		if got != want {
			t.Errorf("%v is written as %q, want %q", at, got, want)
		}
	}
}

func TestConcurrentWritersGetTheirOwnSecond(t *testing.T) {
	var wg sync.WaitGroup
	for writer := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				at := time.Unix(int64(i), int64(writer))
				if got, want := string(eventjson.AppendTime(nil, at)), at.UTC().Format(time.RFC3339Nano); got != want {
					t.Errorf("%v is written as %q, want %q", at, got, want)
				}
			}
		})
	}
	wg.Wait()
}
