package texts_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/paddock-dev/audit/internal/texts"
)

func TestTerminalGetsNothingToActOn(t *testing.T) {
	var out bytes.Buffer
	const hostile = "a\tb\n\x1b[2Jc\u009b1m\u202ed\r\xff\n"
	if n, err := (texts.Terminal{To: &out}).Write([]byte(hostile)); n != len(hostile) || err != nil {
		t.Fatal(n, err)
	}
	if want := "a\tb\n\\u001b[2Jc\\u009b1m\\u202ed\\r\uFFFD\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	closed, w := io.Pipe()
	_ = closed.Close()
	if n, err := (texts.Terminal{To: w}).Write([]byte("a")); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Error(n, err)
	}
}

func TestTerminalKeepsTheMeaningOfJSON(t *testing.T) {
	var out bytes.Buffer
	const hostile = "\u009b1m\u202eexe.gpj\x1b\t\n\u2028"
	e := json.NewEncoder(texts.Terminal{To: &out})
	e.SetIndent("", "\t")
	e.SetEscapeHTML(false)
	if err := e.Encode([]string{hostile}); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got) != 1 || got[0] != hostile || bytes.ContainsAny(out.Bytes(), "\u009b\u202e\u2028\x1b") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
