package paths_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/paddock-dev/audit/internal/paths"
)

func TestResolveFollowsLinksToWhatMayBeMissing(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(at("real"), 0o700))
	must(os.WriteFile(at("real/there.log"), nil, 0o600))
	must(os.Symlink("real", at("dir")))
	must(os.Symlink("dir/there.log", at("file")))
	must(os.Symlink("dir/missing.log", at("dangling")))
	must(os.Symlink("../dangling", at("real/twice")))
	must(os.Symlink("round", at("round")))
	t.Chdir(dir)
	for path, want := range map[string]string{
		at("real/there.log"):     at("real/there.log"),
		"real/../real/there.log": at("real/there.log"),
		at("dir/there.log"):      at("real/there.log"),
		"file":                   at("real/there.log"),
		"dir/missing.log":        at("real/missing.log"),
		"dangling":               at("real/missing.log"),
		"dir/twice":              at("real/missing.log"),
		"dir/no/such.log":        at("real/no/such.log"),
		"round":                  at("round"),
	} {
		if got := paths.Resolve(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}
