package reading_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/reading"
)

const sealOfTest = "v1 01M8BM8PG55H0G31P377EG9DW1 3 bd5oIZdwhwWAVS5c"

func TestStrictReadingTellsWhatIsDamaged(t *testing.T) {
	ae := event(t, 0)
	ae.Annotations[v1alpha1.AnnotationSeal] = sealOfTest
	whole := string(eventjson.Append(nil, ae))
	logged := `{"level":"info","ts":"x","logger":"audit","msg":"y",` + strings.Replace(whole[1:], `"kind":"AuditEvent","apiVersion":"paddock.dev/v1alpha1"`, `"apiVersion":"paddock.dev/v1alpha1","kind":"AuditEvent"`, 1)
	twice := strings.Replace(whole, `"spec":{`, `"spec":{"count":1,"count":2,`, 1)
	for name, c := range map[string]struct {
		line    string
		foreign bool
		want    string
	}{
		"an event":          {whole, false, ""},
		"a line of the log": {logged, false, ""},
		"a key twice":       {twice, true, "stands twice"},
		"no JSON before it": {strings.Replace(logged, `"ts":"x"`, "\"ts\":\"\x1d\"", 1), true, "is not JSON"},
		"bytes behind it":   {whole + "x", true, "has what only events have"},
		"another kind":      {strings.Replace(whole, "AuditEvent", "AuditEvents", 1), true, "has what only events have"},
		"another program's": {`{"msg":"hello"}`, true, ""},
		"a broken object":   {strings.Replace(whole, `"spec":{`, `"spec":`, 1), true, "invalid character"},
	} {
		text := "a line of another program\n" + c.line + "\n"
		var foreign *reading.Foreign
		records := 0
		for _, err := range reading.FilesWithInput("a", bytes.NewReader([]byte(text)), "-").Read(t.Context(), &reading.Query{Strict: true}) {
			switch {
			case errors.As(err, &foreign):
			case err != nil:
				t.Fatal(err)
			default:
				records++
			}
		}
		switch {
		case foreign == nil || (records == 0) != c.foreign:
			t.Errorf("%s: %d records, foreign %v", name, records, foreign)
		case c.want == "" && foreign.Err != nil, c.want != "" && (foreign.Err == nil || !strings.Contains(foreign.Err.Error(), c.want)):
			t.Errorf("%s: %v, want %s", name, foreign.Err, c.want)
		case c.want != "" && (len(foreign.Seals) != 1 || foreign.Seals[0] != sealOfTest || foreign.First != "-:2"):
			t.Errorf("%s: %+v", name, foreign)
		}
	}
}

func TestStrictReadingTellsTornLinesApart(t *testing.T) {
	ae := event(t, 0)
	ae.Annotations[v1alpha1.AnnotationSeal] = sealOfTest
	line := string(logged(t, ae))
	text := "a line of another program\n" + line[:len(line)/2] + "\n" + line + line[:len(line)-2] + "\n" + line[:9]
	for strict, want := range map[bool][]string{
		true:  {"1 lines are no events, the first is -:1", "2 lines are no events, the first is -:2: the line ends within", "1 lines are no events, the first is -:5: the last line"},
		false: {"3 lines are no events, the first is -:1", "1 lines are no events, the first is -:5: the last line"},
	} {
		var got []error
		for _, err := range reading.FilesWithInput("a", strings.NewReader(text), "-").Read(t.Context(), &reading.Query{Strict: strict}) {
			if err != nil {
				got = append(got, err)
			}
		}
		if !slices.EqualFunc(got, want, func(err error, want string) bool { return strings.HasPrefix(err.Error(), "a: "+want) }) {
			t.Errorf("strict %t: %v", strict, got)
		}
		if strict && !errors.Is(got[1], reading.ErrTorn) {
			t.Errorf("%v is not ErrTorn", got[1])
		}
	}
}

// A line that is too long to look at may hide an event, also behind lines of another program.
func TestStrictReadingTellsOfLinesThatAreTooLong(t *testing.T) {
	for _, end := range []string{"\n", ""} {
		text := io.MultiReader(strings.NewReader("a line of another program\n"), io.LimitReader(endless{}, 128<<20), strings.NewReader(end))
		var got []error
		runtime.GC() // what other tests have left is not counted
		most := peak(func() {
			for _, err := range reading.FilesWithInput("a", text, "-").Read(t.Context(), &reading.Query{Strict: true}) {
				got = append(got, err)
			}
		})
		if len(got) != 1 || !strings.Contains(got[0].Error(), "the first is -:2: the line is longer than 4 MiB") || most > 64<<20 {
			t.Errorf("it takes %d MiB, and says %v", most>>20, got)
		}
	}
}

// endless is a line without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		n += copy(p[n:], `{"a":[`)
	}
	return len(p), nil
}
