package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/pages"
)

// runner says which test runs the commands of one program in the blocks of a kind. The test has to run all of them, also
// those that are added later.
type runner struct {
	page    string // below the root; empty for any
	block   string
	program string
	test    string // its folder, a dot, and its name
	reason  string // instead of test: why these are not run
}

// A command within a text is often a part of one, such as `auditctl verify`, or has NAME or FILE in it. Such a command is
// checked: the target of make, the test, the command of auditctl and its flags exist. Those of kubectl are run.
var runners = []runner{
	{page: "docs/auditctl.md", block: "console", program: "auditctl", test: "cmd/auditctl.TestTheDocsShowWhatAuditctlPrints"},
	{page: "docs/auditctl.md", block: "text", program: "auditctl", test: "cmd/auditctl.TestVerifyPrintsWhatThePageShows"},
	{page: "docs/auditctl.md", block: pages.Indented, program: "ln", test: "deploy/deploytest.TestCommandsOfPagesRunOnACluster"},
	{page: "docs/controls.md", block: "console", program: "auditctl", test: "cmd/auditctl.TestTheControlsShowWhatAuditctlPrints"},
	{page: "docs/controls.md", block: "text", program: "kubectl", test: "deploy/deploytest.TestCommandsOfPagesRunOnACluster"},
	{page: "docs/guides/chain.md", block: "console", program: "auditctl", test: "cmd/auditctl.TestGuidesShowWhatTheirCommandsPrint"},
	{page: "docs/guides/incident.md", block: "console", program: "auditctl", test: "cmd/auditctl.TestGuideToAnIncidentShowsWhatAuditctlPrints"},
	{page: "docs/guides/incident.md", block: "console", program: "sed", test: "cmd/auditctl.TestGuideToAnIncidentShowsWhatAuditctlPrints"},
	{page: "docs/guides/outage.md", block: "console", program: "auditctl", test: "cmd/auditctl.TestGuidesShowWhatTheirCommandsPrint"},
	{page: "docs/guides/outage.md", block: "console", program: "sed", test: "cmd/auditctl.TestGuidesShowWhatTheirCommandsPrint"},
	{page: "docs/guides/proof.md", block: "console", program: "auditctl", test: "cmd/auditctl.TestGuidesShowWhatTheirCommandsPrint"},
	{page: "docs/guides/proof.md", block: "console", program: "sed", test: "cmd/auditctl.TestGuidesShowWhatTheirCommandsPrint"},
	{page: "docs/guides/volume.md", block: "console", program: "auditctl", test: "cmd/auditctl.TestGuidesShowWhatTheirCommandsPrint"},
	{page: "docs/install.md", block: pages.Indented, program: "kubectl", test: "deploy/deploytest.TestCommandsOfPagesRunOnACluster"},
	{page: "docs/loki-facts.md", block: pages.Indented, program: "go", test: "internal/testenv.TestStandinStartsAsThePageSays"},
	{page: "docs/migrating.md", block: "sh", program: "grep", test: "examples/migration/after/step1.TestCommandsOfThePageMakeStep1OfBefore"},
	{page: "docs/migrating.md", block: "sh", program: "rm", test: "examples/migration/after/step1.TestCommandsOfThePageMakeStep1OfBefore"},
	{page: "docs/migrating.md", block: "sh", program: "go", test: "examples/migration/after/step1.TestCommandsOfThePageMakeStep1OfBefore"},
	{page: "docs/migrating.md", block: "sh", program: "kubectl", test: "deploy/deploytest.TestCommandsOfPagesRunOnACluster"},
	{page: "docs/operations.md", block: pages.Indented, program: "go", test: "sinks/kube.TestBenchmarksOfThePageRun"},
	{page: "docs/proof.md", block: pages.Indented, program: "auditctl", test: "deploy/deploytest.TestCommandsOfPagesRunOnACluster"},
	{page: "docs/proof.md", block: pages.Indented, program: "kubectl", test: "deploy/deploytest.TestCommandsOfPagesRunOnACluster"},
	{page: "docs/proof.md", block: "text", program: "auditctl", test: "examples/egressproxy.TestProofScriptFindsEachChange"},
	{page: "docs/reading.md", block: "console", program: "auditctl", test: "cmd/auditctl.TestTheIncidentInTheDocsIsReal"},
	{page: "docs/reading.md", block: "console", program: "cat", test: "cmd/auditctl.TestTheIncidentInTheDocsIsReal"},
	{page: "docs/redaction.md", block: "console", program: "auditctl", test: "cmd/auditctl.TestRedactHashPrintsWhatThePageShows"},
	{page: "docs/redaction.md", block: pages.Indented, program: "kubectl", test: "deploy/deploytest.TestCommandsOfPagesRunOnACluster"},
	{block: pages.Indented, program: "make", test: "docs.TestMakeTargetsOfPagesExist"},
	{block: pages.Inline, program: "make", test: "docs.TestMakeTargetsOfPagesExist"},
	{block: pages.Inline, program: "go", test: "docs.TestGoCommandsOfPagesNameWhatExists"},
	{block: pages.Inline, program: "audit-reaper", test: "docs.TestFlagsOfTheReaperInPagesExist"},
	{block: pages.Inline, program: "auditctl", test: "cmd/auditctl.TestAuditctlKnowsTheCommandsOfPages"},
	{block: pages.Inline, program: "kubectl", test: "deploy/deploytest.TestCommandsOfPagesRunOnACluster"},
	{page: "examples/compose/README.md", block: pages.Inline, program: "docker", reason: "needs a Docker engine"},
}

func (r runner) runs(c pages.Command) bool {
	return (r.page == "" || r.page == c.Page) && r.block == c.Block && r.program == c.Program()
}

// unrun says which commands have neither a test nor a reason.
func unrun(commands []pages.Command) (problems []string) {
	for _, c := range commands {
		if c.NotRun == "" && !slices.ContainsFunc(runners, func(r runner) bool { return r.runs(c) }) {
			problems = append(problems, fmt.Sprintf("%s: no test runs this. Write one that runs all commands of %s in such blocks of the page, "+
				"and name it in runners in docs/commands_test.go; or say why not, in front of the block: <!-- not run: REASON -->", c, c.Program()))
		}
	}
	return problems
}

func commands(t *testing.T) []pages.Command {
	t.Helper()
	all, err := pages.All(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 200 {
		t.Fatalf("only %d commands are found", len(all))
	}
	return all
}

func TestEveryCommandOfEveryPageIsRun(t *testing.T) {
	t.Parallel()
	all := commands(t)
	for _, problem := range unrun(all) {
		t.Error(problem)
	}
	for _, r := range runners {
		at := slices.IndexFunc(all, func(c pages.Command) bool { return c.NotRun == "" && r.runs(c) })
		if at < 0 {
			t.Errorf("no page has a command of the row %+v any more: remove it", r)
			continue
		}
		if r.test != "" {
			checkTest(t, r)
		} else if r.reason == "" {
			t.Errorf("the row %+v has no test and no reason", r)
		}
	}
}

// checkTest tests that the test exists, and that its folder reads the page, or pages at all.
func checkTest(t *testing.T, r runner) {
	t.Helper()
	folder, name, _ := strings.Cut(r.test, ".")
	source := tests(t, folder)
	if !regexp.MustCompile(`(?m)^func ` + name + `\(`).MatchString(source) {
		t.Errorf("%s has no test %s, which is to run %s", folder, name, r.program)
	}
	page := strings.TrimSuffix(filepath.Base(r.page), ".md")
	if !strings.Contains(source, page) || page == "." && !strings.Contains(source, "pages.All(") {
		t.Errorf("no test in %s reads %s", folder, r.page)
	}
}

// tests returns the source of the tests of a folder.
func tests(t *testing.T, folder string) string {
	t.Helper()
	return source(t, filepath.Join(folder, "*_test.go"))
}

// source returns the text of all files that a pattern below the root matches.
func source(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func TestCommandThatNoTestRunsIsFound(t *testing.T) {
	t.Parallel()
	const page = "docs/guides/chain.md"
	for block, program := range map[string]string{"console": "jq", pages.Indented: "auditctl", "sh": "make", pages.Inline: "curl"} {
		c := pages.Command{Page: page, Line: 7, Block: block, Text: program + " x"}
		if problems := unrun([]pages.Command{c}); len(problems) != 1 || !strings.HasPrefix(problems[0], page+":7: "+program+" x: no test runs this.") {
			t.Errorf("%s: %q", c, problems)
		}
		c.NotRun = "needs a reason"
		if problems := unrun([]pages.Command{c}); problems != nil {
			t.Errorf("%s is marked: %q", c, problems)
		}
	}
}
