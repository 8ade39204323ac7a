package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what has to come.
const patience = "60"

// tree writes a source tree with two modules, and makes tools with the given recipe. The plain package of the first
// module leaves the file plain-ran in the root, and the package behind a server asks for the file servers.
func tree(t *testing.T, recipe, plain string) suite {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"Makefile":                    "tools:\n\t" + recipe + "\n",
		"go.mod":                      "module example.com/a\n\ngo 1.26.0\n",
		"internal/testenv/testenv.go": "package testenv\n",
		"empty/empty.go":              "package empty\n",
		"plain/plain_test.go":         "package plain\n\nimport (\n\t\"os\"\n\t\"strconv\"\n\t\"testing\"\n\t\"time\"\n)\n\nvar pid = strconv.Itoa(os.Getpid())\n\nfunc sleep() { time.Sleep(10 * time.Minute) }\n\nfunc Test(t *testing.T) {\n\tif err := os.WriteFile(\"../plain-ran\", nil, 0o600); err != nil {\n\t\tt.Fatal(err)\n\t}\n" + plain + "\n}\n",
		"server/server_test.go":       "package server\n\nimport (\n\t\"os\"\n\t\"testing\"\n\n\t_ \"example.com/a/internal/testenv\"\n)\n\nfunc Test(t *testing.T) {\n\tif _, err := os.Stat(\"../servers\"); err != nil {\n\t\tt.Fatal(err)\n\t}\n}\n",
		"nested/go.mod":               "module example.com/nested\n\ngo 1.26.0\n",
		"nested/nested_test.go":       "package nested\n\nimport \"testing\"\n\nfunc Test(*testing.T) {}\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return suite{root: root, modules: []string{".", "nested"}, flags: []string{"-count=1"}}
}

// waitForPlain is a recipe that waits until the plain package is tested.
const waitForPlain = `for i in $$(seq ` + patience + `0); do if test -e plain-ran; then touch servers; exit 0; fi; sleep 0.1; done; exit 1`

func TestPlainPackagesAreTestedDuringTheBuild(t *testing.T) {
	s := tree(t, waitForPlain, "")
	s.serverFlags = []string{"-p", "1"}
	if err := s.run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEachFailureIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		recipe, plain, flags string
		want                 []string
	}{
		"a failed build":   {recipe: "exit 7", want: []string{"servers could not be built", "example.com/a/server (0 times)"}},
		"a failed test":    {recipe: "touch servers", plain: "t.Fail()", want: []string{"go test in ."}},
		"no server":        {recipe: "true", want: []string{"go test in ."}},
		"an unknown flag":  {recipe: "touch servers", flags: "-none", want: []string{"example.com/a/plain (0 times)"}},
		"no Go in a test":  {recipe: "touch servers", plain: "!", want: []string{"list the packages of ."}},
		"only what builds": {recipe: "touch servers", flags: "-run=^$"},
	} {
		t.Run(name, func(t *testing.T) {
			s := tree(t, c.recipe, c.plain)
			s.flags = append(s.flags, strings.Fields(c.flags)...)
			err := s.run(t.Context())
			if (err != nil) != (len(c.want) > 0) {
				t.Fatalf("the error is %v", err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in the error: %v", part, err)
				}
			}
		})
	}
}

func TestMissedFindsWhatWasNotTestedOnce(t *testing.T) {
	counted := tests{ended: map[string]int{}}
	if err := counted.count(strings.NewReader(`{"Action":"pass","Package":"a"}
{"Action":"pass","Package":"b","Test":"TestB"}
a line that is not JSON
{"Action":"skip","Package":"c"}
{"Action":"fail","Package":"c"}
`), io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := counted.missed([]module{{all: []string{"a"}}}); err != nil {
		t.Error(err)
	}
	err := counted.missed([]module{{all: []string{"a", "b"}}, {all: []string{"c"}}})
	if err == nil || !strings.HasSuffix(err.Error(), ": b (0 times), c (2 times)") {
		t.Errorf("the error is %v", err)
	}
}

func TestInterruptEndsTheBuildAndTheTests(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	s := tree(t, `echo $$$$ > build-pid; sleep 600`, `if err := os.WriteFile("../test-pid", []byte(pid), 0o600); err != nil {
		t.Fatal(err)
	}
	sleep()`)
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	build, test := pid(t, filepath.Join(s.root, "build-pid")), pid(t, filepath.Join(s.root, "test-pid"))
	interrupt()
	select {
	case err := <-ended:
		if err == nil || err.Error() != "interrupted" {
			t.Errorf("the error is %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on a minute after the interrupt")
	}
	for name, process := range map[string]int{"the build": build, "the test": test} {
		eventually(t, name+" still runs", func() bool { return syscall.Kill(process, 0) != nil })
	}
}

// pid waits for a file with the ID of a process, and returns that.
func pid(t *testing.T, path string) (process int) {
	t.Helper()
	eventually(t, "no process wrote "+path, func() bool {
		text, _ := os.ReadFile(path) // it is not there at first
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		process = n
		return err == nil
	})
	return process
}

func eventually(t *testing.T, otherwise string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}
