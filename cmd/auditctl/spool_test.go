package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

// refusedSpool makes a spool with one dead letter. It returns the directory and the ID.
func refusedSpool(t *testing.T) (dir, id string) {
	t.Helper()
	dir = t.TempDir()
	next := &sinktest.Recorder{}
	next.FailWith(driver.Permanent(errors.New("the lake refuses it")))
	dead := make(chan string, 1)
	s, err := spool.New(dir, next, spool.Options{OnFailure: func(_ context.Context, _ *v1alpha1.AuditEvent, err error) {
		var letter *spool.DeadLetterError
		if errors.As(err, &letter) {
			dead <- letter.ID
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ae := auditing.NewEgressBlock(auditing.EgressInput{RunName: "hr-1", Namespace: "team-a", Host: "example.com", Port: 443})
	if err := s.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	id = <-dead
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir, id
}

func TestSpoolListsShowsAndRequeuesDeadLetters(t *testing.T) {
	dir, id := refusedSpool(t)
	for verb, want := range map[string]string{
		"stats " + dir:             "dead letters  1, on their way back 0",
		"list " + dir:              "the lake refuses it",
		"show " + dir + " " + id:   `"host": "example.com"`,
		"requeue " + dir + " none": "",
	} {
		code, out, errOut := auditctl(t, append([]string{"spool"}, strings.Fields(verb)...)...)
		if want == "" {
			if code != 1 || !strings.Contains(errOut, "none") {
				t.Errorf("%s: %d %s", verb, code, errOut)
			}
			continue
		}
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s%s", verb, code, out, errOut)
		}
	}
	if code, out, errOut := auditctl(t, "spool", "requeue", dir, "--all"); code != 0 || !strings.HasPrefix(out, "requeued 1") {
		t.Fatalf("%d %s%s", code, out, errOut)
	}
	next := &sinktest.Recorder{}
	s, err := spool.New(dir, next, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for len(next.Events()) == 0 {
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatal("the requeued event did not arrive")
		}
	}
}

func TestSpoolRefusesWhatItDoesNotUnderstand(t *testing.T) {
	dir := t.TempDir()
	for args, want := range map[string]int{
		"spool": 2, "spool list": 2, "spool burn " + dir: 2, "spool show " + dir: 2, "spool stats " + dir + "/none": 1,
		"spool requeue " + dir + " --x": 2, "spool requeue " + dir: 2, "spool requeue " + dir + " id --all": 2,
	} {
		if code, _, errOut := auditctl(t, strings.Fields(args)...); code != want || errOut == "" {
			t.Errorf("%s: exit %d, want %d: %s", args, code, want, errOut)
		}
	}
}

func TestSpoolPrintsNoControlCharacters(t *testing.T) {
	dir, id := refusedSpool(t)
	path := filepath.Join(dir, "dead", id+".json")
	letter, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hostile := strings.ReplaceAll(string(letter), "example.com", "\u202emoc.elpmaxe\x7f\u009b2J")
	hostile = strings.ReplaceAll(hostile, "team-a", `team-a\u001b[2J\u202e`)
	if err := os.WriteFile(path, []byte(hostile), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list", dir}, {"show", dir, id}} {
		code, out, errOut := auditctl(t, append([]string{"spool"}, args...)...)
		if code != 0 || !strings.Contains(out, `\u202e`) {
			t.Errorf("%s: %d %s%s", args[0], code, out, errOut)
		}
		for _, r := range out {
			if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Errorf("%s prints %U", args[0], r)
			}
		}
	}
}

func TestRequeueOfAllPassesOverUnreadableLetters(t *testing.T) {
	dir, id := refusedSpool(t)
	if err := os.Mkdir(filepath.Join(dir, "dead", "0-unreadable.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := auditctl(t, "spool", "requeue", dir, "--all")
	if code != 1 || !strings.HasPrefix(out, "requeued 1") || !strings.Contains(errOut, "0-unreadable") {
		t.Errorf("%d %s%s, want one requeued and the other named", code, out, errOut)
	}
	if _, err := os.Stat(filepath.Join(dir, "requeue", id+".json")); err != nil {
		t.Error(err)
	}
}

func TestSpoolRefusesADirectoryThatIsNoSpool(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"stats", dir}, {"list", dir}, {"show", dir, "1"}, {"requeue", dir, "--all"}} {
		code, out, errOut := auditctl(t, append([]string{"spool"}, args...)...)
		if code != 1 || out != "" || !strings.Contains(errOut, dir+" is no spool") {
			t.Errorf("%v: %d %s%s", args, code, out, errOut)
		}
	}
}

func TestSpoolPrintsJSON(t *testing.T) {
	dir, id := refusedSpool(t)
	for verb, want := range map[string]string{"stats": `"deadLetters": 1`, "list": `"id": "` + id + `"`} {
		if code, out, errOut := auditctl(t, "spool", verb, dir, "-o", "json"); code != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s%s", verb, code, out, errOut)
		}
	}
}
