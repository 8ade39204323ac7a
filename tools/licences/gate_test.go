package main

import (
	"os"
	"path/filepath"
	"testing"
)

// inUses are a go.mod for each use.
var inUses = []struct{ use, gomod string }{
	{"linked", "go.mod"}, {"linked by a nested module", "sinks/x/go.mod"}, {"tool", "tools/x/go.mod"}, {"benchmark", "benchmarks/go.mod"},
}

func TestForbiddenLicenceIsRefusedInEveryUse(t *testing.T) {
	for _, licence := range []string{"AGPL-3.0", "SSPL-1.0", "BUSL-1.1"} {
		for _, in := range inUses {
			t.Run(licence+" "+in.use, func(t *testing.T) {
				serve(t, map[string]files{
					"example.com/good@v1.0.0":  {"LICENSE": sample(t, "MIT")},
					"example.com/plant@v1.2.3": {"LICENSE": sample(t, licence)},
				})
				// The planted module comes in by an indirect line.
				res := judgeRepo(t, "", files{in.gomod: requiring("example.com/good@v1.0.0", "example.com/plant@v1.2.3")})
				wantProblem(t, res, in.gomod+" requires example.com/plant v1.2.3, whose LICENSE is under "+licence, "nothing here may require that")
			})
		}
	}
}

func TestModuleWithoutLicenceIsRefusedInEveryUse(t *testing.T) {
	for _, in := range inUses {
		t.Run(in.use, func(t *testing.T) {
			// What lies in a folder below is code of others, and NOTICE grants nothing.
			serve(t, map[string]files{"example.com/plant@v1.2.3": {
				"NOTICE": "Copyright Example", "third_party/LICENSE": sample(t, "MIT"), "license.go": "package code\n",
			}})
			res := judgeRepo(t, "", files{in.gomod: requiring("example.com/plant@v1.2.3")})
			wantProblem(t, res, in.gomod+" requires example.com/plant v1.2.3, which has no licence text in its root folder")
		})
	}
}

func TestCopyleftIsForWhatIsOnlyRun(t *testing.T) {
	for _, licence := range []string{"GPL-3.0", "MPL-2.0", "LGPL-3.0", "EPL-2.0"} {
		for _, in := range inUses {
			t.Run(licence+" "+in.use, func(t *testing.T) {
				serve(t, map[string]files{"example.com/plant@v1.2.3": {"COPYING": sample(t, licence)}})
				res := judgeRepo(t, "", files{in.gomod: requiring("example.com/plant@v1.2.3")})
				if useOf(in.gomod) == run {
					wantAccepted(t, res, map[string]int{licence: 1})
					return
				}
				wantProblem(t, res, in.gomod+" requires example.com/plant v1.2.3, whose COPYING is under "+licence, "only what tools/ and benchmarks/ require")
			})
		}
	}
}

func TestEveryRequireLineOfEveryGoModIsJudged(t *testing.T) {
	serve(t, map[string]files{
		"example.com/a@v1.0.0": {"LICENSE": sample(t, "MIT")},
		"example.com/a@v1.1.0": {"LICENSE": sample(t, "Apache-2.0")},
		"example.com/b@v1.0.0": {"License.txt": sample(t, "ISC"), "LICENSE-APACHE": sample(t, "Apache-2.0")},
		"example.com/c@v1.0.0": {"UNLICENSE": sample(t, "Unlicense")},
		"example.com/d@v1.0.0": {"LICENCE.md": sample(t, "GPL-3.0")},
	})
	res := judgeRepo(t, "", files{
		"go.mod":         requiring("example.com/a@v1.0.0", "example.com/b@v1.0.0"),
		"x/y/go.mod":     requiring("example.com/a@v1.1.0", "example.com/b@v1.0.0", "example.com/c@v1.0.0"),
		"tools/t/go.mod": requiring("example.com/d@v1.0.0", "example.com/a@v1.0.0"),
	})
	wantAccepted(t, res, map[string]int{"MIT": 1, "Apache-2.0": 2, "ISC": 1, "Unlicense": 1, "GPL-3.0": 1})
	report, ok := res.report()
	const want = "licences: 5 module versions of 3 go.mod files, some under several: Apache-2.0 2, GPL-3.0 1, ISC 1, MIT 1, Unlicense 1"
	if !ok || report != want {
		t.Errorf("report: %s, %t\nwant:   %s, true", report, ok, want)
	}
}

func TestEachOfSeveralTextsMustBeAccepted(t *testing.T) {
	serve(t, map[string]files{"example.com/dual@v1.0.0": {"LICENSE-MIT": sample(t, "MIT"), "LICENSE-GPL": sample(t, "GPL-3.0")}})
	res := judgeRepo(t, "", files{"go.mod": requiring("example.com/dual@v1.0.0")})
	wantProblem(t, res, "example.com/dual v1.0.0, whose LICENSE-GPL is under GPL-3.0")
}

func TestReplacedModuleIsJudgedByWhatIsUsed(t *testing.T) {
	serve(t, map[string]files{
		"example.com/old@v1.0.0":  {"LICENSE": sample(t, "AGPL-3.0")},
		"example.com/fork@v1.1.0": {"LICENSE": sample(t, "MIT")},
	})
	res := judgeRepo(t, "", files{"go.mod": requiring("example.com/old@v1.0.0") + "replace example.com/old => example.com/fork v1.1.0\n"})
	wantAccepted(t, res, map[string]int{"MIT": 1})
}

func TestCopyOfAModuleInTheRepositoryIsJudged(t *testing.T) {
	serve(t, map[string]files{"example.com/old@v1.0.0": {"LICENSE": sample(t, "MIT")}})
	res := judgeRepo(t, "", files{
		"go.mod":                  requiring("example.com/old@v1.0.0") + "replace example.com/old v1.0.0 => ./third_party/old\n",
		"third_party/old/go.mod":  "module example.com/old\n\ngo 1.26.0\n",
		"third_party/old/LICENSE": sample(t, "AGPL-3.0"),
	})
	wantProblem(t, res, "go.mod requires example.com/old (replaced by ", "third_party/old), whose LICENSE is under AGPL-3.0")
}

func TestOwnModulesAreNotJudged(t *testing.T) {
	serve(t, map[string]files{"example.com/a@v1.0.0": {"LICENSE": sample(t, "MIT")}})
	res := judgeRepo(t, "", files{
		"go.mod":   "module example.com/own\n\ngo 1.26.0\n\nrequire example.com/a v1.0.0\n",
		"x/go.mod": "module example.com/own/x\n\ngo 1.26.0\n\nrequire example.com/own v0.0.0\n\nrequire example.com/a v1.0.0 // indirect\n\nreplace example.com/own => ..\n",
	})
	wantAccepted(t, res, map[string]int{"MIT": 1})
}

func TestModuleThatCannotBeHadFails(t *testing.T) {
	proxy := serve(t, map[string]files{"example.com/gone@v1.0.0": {}})
	if err := os.Remove(filepath.Join(proxy, "example.com", "gone", "@v", "v1.0.0.zip")); err != nil {
		t.Fatal(err)
	}
	res := judgeRepo(t, "", files{"tools/x/go.mod": requiring("example.com/gone@v1.0.0")})
	wantProblem(t, res, "tools/x/go.mod requires example.com/gone v1.0.0, which cannot be had")
}
