package disktest

import (
	"flag"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

var (
	states = flag.Int("powerloss", 0, "how many states after a power loss a test looks at; when 0, 1000, or 250 with -short")
	seed   = flag.Uint64("powerloss.seed", 0, "seed of these states; chosen by the clock when 0")
)

// statesOfARun is how many states are made of one run of a program.
const statesOfARun = 250

// LookFunc looks at the state in dir after a power loss behind the first n operations. It
// returns what was confirmed and is there, and what was confirmed and is lost. It fails the
// test for anything else that is wrong.
type LookFunc func(n int, dir string) (kept, lost int)

// Look makes states after power losses, as many as the flag powerloss says, and fails when
// anything that was confirmed is lost. run lets a program use the disk, and returns what looks
// at the states.
func Look(t *testing.T, run func(*Recorder) LookFunc) {
	t.Helper()
	from := *seed
	if from == 0 {
		from = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", from)
	random := rand.New(rand.NewPCG(from, 1))
	count := *states
	switch {
	case count == 0 && testing.Short():
		count = statesOfARun
	case count == 0:
		count = 4 * statesOfARun
	}
	kept, lost := 0, 0
	for left := count; left > 0 && !t.Failed(); left -= statesOfARun {
		d := NewRecorder(t.TempDir())
		look := run(d)
		for range min(left, statesOfARun) {
			n := random.IntN(d.Now() + 1)
			k, l := d.look(t, random, n, look)
			kept, lost = kept+k, lost+l
			if l > 0 {
				t.Errorf("power loss after %d of %d operations: %d confirmed are lost", n, d.Now(), l)
			}
		}
	}
	t.Logf("%d states: %d confirmed found, %d lost", count, kept, lost)
}

// FindsMissingSync fails when nothing is lost without the syncs of files, or without those of
// directories. Then Look would not find that a sync is missing.
func FindsMissingSync(t *testing.T, run func(*Recorder) LookFunc) {
	t.Helper()
	for name, missing := range map[string]kind{"files": syncFile, "directories": syncDir} {
		d := NewRecorder(t.TempDir())
		look := run(d)
		for i := range d.ops {
			if d.ops[i].kind == missing {
				d.ops[i].before = 0 // it makes nothing durable
			}
		}
		random := rand.New(rand.NewPCG(1, 1))
		lost := 0
		for range 20 {
			_, l := d.look(t, random, d.Now()/2+random.IntN(d.Now()/2), look)
			lost += l
		}
		if lost == 0 {
			t.Errorf("without the syncs of %s nothing is lost", name)
		}
	}
}

func (r *Recorder) look(t *testing.T, random *rand.Rand, n int, look LookFunc) (kept, lost int) {
	t.Helper()
	dir := t.TempDir()
	if err := powerLoss(random, r.ops[:n], r.Root, dir); err != nil {
		t.Fatal(err)
	}
	kept, lost = look(n, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	return kept, lost
}
