package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const ownTerms = "You may do with this what you like, as long as you tell me about it.\n"

// entry returns an entry for a text of the module example.com/odd.
func entry(file, content, licence string) string {
	return fmt.Sprintf("- {module: example.com/odd, file: %s, sha256: %x, licence: %s, reason: read}\n", file, sha256.Sum256([]byte(content)), licence)
}

func TestUnknownTextFailsWithItsName(t *testing.T) {
	serve(t, map[string]files{"example.com/odd@v1.0.0": {"LICENSE": ownTerms}})
	res := judgeRepo(t, "", files{"tools/x/go.mod": requiring("example.com/odd@v1.0.0")})
	wantProblem(t, res, "tools/x/go.mod requires example.com/odd v1.0.0, whose LICENSE the classifier does not know",
		filepath.Join("example.com", "odd@v1.0.0", "LICENSE"), fmt.Sprintf("SHA-256 %x", sha256.Sum256([]byte(ownTerms))),
		"read it, and record it in tools/licences/known.yaml or drop the module")
}

func TestTextThatIsMostlySomethingElseIsUnknown(t *testing.T) {
	text := sample(t, "MIT") + strings.Repeat("But not on a Sunday. ", 40)
	serve(t, map[string]files{"example.com/odd@v1.0.0": {"LICENSE": text}})
	res := judgeRepo(t, "", files{"go.mod": requiring("example.com/odd@v1.0.0")})
	wantProblem(t, res, "whose LICENSE the classifier does not know", "% like MIT")
}

func TestKnownTextHoldsForVersionsWithTheSameText(t *testing.T) {
	serve(t, map[string]files{
		"example.com/odd@v1.0.0": {"LICENSE": ownTerms},
		"example.com/odd@v1.1.0": {"LICENSE": ownTerms},
	})
	res := judgeRepo(t, entry("LICENSE", ownTerms, "MIT"), files{
		"go.mod": requiring("example.com/odd@v1.0.0"), "tools/x/go.mod": requiring("example.com/odd@v1.1.0"),
	})
	wantAccepted(t, res, map[string]int{"MIT": 2})
}

func TestKnownTextThatChangedFails(t *testing.T) {
	serve(t, map[string]files{"example.com/odd@v1.0.0": {"LICENSE": ownTerms + "And pay.\n"}})
	res := judgeRepo(t, entry("LICENSE", ownTerms, "MIT"), files{"go.mod": requiring("example.com/odd@v1.0.0")})
	// The entry for the text of before is not needed any more, which is a problem of its own.
	if len(res.problems) != 2 || !strings.Contains(res.problems[0], "is not the text recorded in tools/licences/known.yaml any more") {
		t.Errorf("problems: %q, want the changed text and the entry that is not needed", res.problems)
	}
}

func TestKnownTextMustFitTheUse(t *testing.T) {
	serve(t, map[string]files{"example.com/odd@v1.0.0": {"LICENSE": ownTerms}})
	known := entry("LICENSE", ownTerms, "GPL-3.0")
	res := judgeRepo(t, known, files{"go.mod": requiring("example.com/odd@v1.0.0"), "tools/x/go.mod": requiring("example.com/odd@v1.0.0")})
	wantProblem(t, res, "go.mod requires example.com/odd v1.0.0, whose LICENSE is under GPL-3.0, as recorded", "only what tools/ and benchmarks/ require")
	if strings.Contains(res.problems[0], "tools/x") {
		t.Errorf("problem: %s\nwant only the go.mod that may not require it", res.problems[0])
	}
}

func TestRecordedChoiceSettlesTheTextNotChosen(t *testing.T) {
	gpl := sample(t, "GPL-3.0")
	serve(t, map[string]files{"example.com/odd@v1.0.0": {"LICENSE-MIT": sample(t, "MIT"), "LICENSE-GPL": gpl}})
	res := judgeRepo(t, entry("LICENSE-GPL", gpl, "MIT"), files{"go.mod": requiring("example.com/odd@v1.0.0")})
	wantAccepted(t, res, map[string]int{"MIT": 1})
}

func TestTextOfAFolderBelowCountsWhenRecorded(t *testing.T) {
	mit := sample(t, "MIT")
	serve(t, map[string]files{"example.com/odd@v1.0.0": {"internal/LICENSE": mit}})
	res := judgeRepo(t, entry("internal/LICENSE", mit, "MIT"), files{"go.mod": requiring("example.com/odd@v1.0.0")})
	wantAccepted(t, res, map[string]int{"MIT": 1})
}

func TestNoEntryLiftsWhatIsForbidden(t *testing.T) {
	agpl := sample(t, "AGPL-3.0")
	serve(t, map[string]files{"example.com/odd@v1.0.0": {"LICENSE": agpl}})
	res := judgeRepo(t, entry("LICENSE", agpl, "MIT"), files{"tools/x/go.mod": requiring("example.com/odd@v1.0.0")})
	if len(res.problems) != 2 || !strings.Contains(res.problems[0], "LICENSE is under AGPL-3.0") {
		t.Errorf("problems: %q, want the AGPL text and the entry that is not needed", res.problems)
	}
}

func TestEntryThatIsNotNeededFails(t *testing.T) {
	mit := sample(t, "MIT")
	serve(t, map[string]files{"example.com/odd@v1.0.0": {"LICENSE": mit}})
	for _, known := range []string{
		entry("LICENSE", mit, "MIT"), // the classifier knows it
		"- {module: example.com/gone, file: LICENSE, sha256: 00, licence: MIT, reason: read}\n",
	} {
		res := judgeRepo(t, known, files{"go.mod": requiring("example.com/odd@v1.0.0")})
		wantProblem(t, res, "known.yaml: the entry for LICENSE of example.com/", "is not needed", "remove it")
	}
}

func TestMalformedEntryIsRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"- {module: a, file: LICENSE, sha256: 00, licence: MIT}\n", "lacks a field"},
		{"- {module: a, file: LICENSE, sha256: 00, license: MIT, reason: b}\n", "license"},
		{"- {module: a, file: ../LICENSE, sha256: 00, licence: MIT, reason: b}\n", "outside the module"},
		{"- {module: a, file: LICENSE, sha256: 00, licence: AGPL-3.0, reason: b}\n", "nothing here may require"},
	} {
		file := filepath.Join(t.TempDir(), "known.yaml")
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readKnown(file); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("readKnown(%q) = %v, want an error that names the file and %q", c.text, err, c.want)
		}
	}
}

func TestFileOfKnownTextsIsWellFormed(t *testing.T) {
	if _, err := readKnown("known.yaml"); err != nil {
		t.Error(err)
	}
}
