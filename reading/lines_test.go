package reading

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFileTruncatedWhileItIsReadIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	f := newFeed(t.Context(), 4)
	f.whole(in)
	close(f.order)
	for b := range f.order {
		err = b.err
	}
	if err == nil || !strings.Contains(err.Error(), path+": it was truncated") {
		t.Errorf("the error is %v", err)
	}
}
