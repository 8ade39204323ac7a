package trail_test

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/trail"
)

func tombstone() *trail.Tombstone {
	return &trail.Tombstone{
		Place: "cluster", Keep: "7d", Cutoff: time.Unix(9, 1).UTC(), Archive: "log(archive.log)", Checkpoints: true,
		Reaped: []trail.Reaped{{trail.NewID(), trail.Ranges{{3, 4}, {6, 9}}}, {trail.NewID(), trail.Ranges{{0, 1}}}},
	}
}

func TestTombstonesComeBackAsTheyWere(t *testing.T) {
	want := tombstone()
	got, err := trail.ParseTombstone(want.Detail())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTombstoneThatIsNotAsWrittenIsRefused(t *testing.T) {
	good := tombstone().Detail()
	for key, text := range map[string]string{
		"place": "", "cutoff": "1970-01-01T00:00:09.0Z", "checkpoints": "yes", "reaped": "x", "other": "x",
	} {
		bad := maps.Clone(good)
		bad[key] = text
		if _, err := trail.ParseTombstone(bad); err == nil {
			t.Errorf("%s: %q is taken", key, text)
		}
	}
}

func TestReapedIndicesFitIntoTombstones(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var all []trail.Reaped
	for range 40 {
		one := trail.Reaped{Trail: trail.NewID()}
		for range 1 + random.IntN(400) {
			one.Ranges.Add(random.Int64N(trail.MaxIndex))
		}
		all = append(all, one)
	}
	got := map[string]trail.Ranges{}
	for _, part := range trail.Fit(all) {
		if n := len((&trail.Tombstone{Reaped: part}).Detail()["reaped"]); n > trail.MaxText || n == 0 {
			t.Errorf("a part has %d bytes", n)
		}
		for _, one := range part {
			got[one.Trail] = append(got[one.Trail], one.Ranges...)
		}
	}
	for _, one := range all {
		if !reflect.DeepEqual(got[one.Trail], one.Ranges) {
			t.Errorf("%v become %v", one.Ranges, got[one.Trail])
		}
	}
	if trail.Fit(nil) != nil {
		t.Error("nothing needs a tombstone")
	}
}
