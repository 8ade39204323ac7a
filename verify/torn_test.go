package verify_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/verify"
)

// cut returns lines with the first n bytes of one of them, as sinks/log ends it when it goes on
// behind it.
func cut(all [][]byte, i, n int) []byte {
	changed := slices.Clone(all)
	changed[i] = append(slices.Clip(all[i][:n]), '\n')
	return bytes.Join(changed, nil)
}

// A process is killed within a line, and the next one writes on behind it. With -short, it is killed at fewer bytes.
func TestALineThatAKillTearsIsNoAlarm(t *testing.T) {
	r, steps := newRoot(t), []int{3, 19}
	if testing.Short() {
		steps = []int{13, 37}
	}
	for name, last := range map[string]func(s *sealer){
		"an event":     func(s *sealer) { s.write(1) },
		"a checkpoint": func(s *sealer) { s.checkpoint(canonical.KindTrailCheckpoint) },
	} {
		for form, step := range steps { // of lines
			killed, next := newSealer(t, r, "broker"), newSealer(t, r, "broker")
			killed.write(2 + form)
			killed.checkpoint(canonical.KindTrailCheckpoint)
			last(killed)
			next.write(1)
			next.close()
			all := lines(slices.Concat(killed.stored, next.stored))
			torn := len(killed.stored) - 1
			for n := 1; n < len(all[torn])-1; n += step {
				got := fileReport(t, r, cut(all, torn, n))
				mustFindOnly(t, got, verify.Intact)
				if i := slices.IndexFunc(got.Findings, func(f verify.Finding) bool { return f.Code == verify.CodeTorn }); i < 0 || !strings.HasPrefix(got.Findings[i].At, "-:") {
					t.Errorf("%+v", got.Findings)
				}
				if t.Failed() {
					t.Fatalf("%s, %d bytes of %s", name, n, all[torn])
				}
			}
		}
	}
}

// Somebody cuts the line of an event or a checkpoint that was stored.
func TestALineThatSomebodyTearsIsFound(t *testing.T) {
	r, all := closedTrails(t)
	for i := 2; i <= 4; i++ { // the events of both forms, and the checkpoint
		for n := 0; n < len(all[i])-1; n += 19 {
			mustFindOnly(t, fileReport(t, r, cut(all, i, n)), verify.Tampered, verify.CodeDeleted)
			if t.Failed() {
				t.Fatalf("%d bytes of %s", n, all[i])
			}
		}
	}
}

func TestATornLineHidesNoOtherDamage(t *testing.T) {
	r, all := closedTrails(t)
	extra := strings.Replace(string(all[2][:len(all[2])-20]), `"spec":{`, `"spec":{"count":1,"count":2,`, 1) + "\n"
	mustFindOnly(t, fileReport(t, r, append([]byte(extra), bytes.Join(all, nil)...)), verify.Undetermined, verify.CodeUnreadable)
}
