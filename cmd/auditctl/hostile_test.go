package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"github.com/paddock-dev/audit/internal/eventjson"
)

func TestNoFormPrintsWhatATerminalActsOn(t *testing.T) {
	inTrail(t)
	for _, form := range []string{"table", "wide", "json", "ndjson", "csv", "yaml"} {
		for _, args := range []string{"get", "logs", "show ae-proxy-0000", "diff audit.log"} {
			if strings.HasPrefix(args, "show") && form == "wide" {
				continue
			}
			env := &environment{terminal: true, width: 100}
			_, out, errOut := auditctlIn(t, env, append(strings.Fields(args), "hostile.log", "-o", form, "--color", "never")...)
			if out == "" {
				t.Errorf("%s -o %s prints nothing: %s", args, form, errOut)
			}
			for _, r := range out + errOut {
				if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' {
					t.Errorf("%s -o %s prints %U", args, form, r)
				}
			}
		}
	}
}

func TestErrorsPrintNothingATerminalActsOn(t *testing.T) {
	inTrail(t)
	for _, args := range [][]string{
		{"get", "\x1b[2J\u202e"},
		{"\x1b[2J"},
		{"get", "--\x1b[2J"},
		{"get", "--since", "\x1b[2J", "x"},
		{"get", "--where", "\x1b[2J\u202e", "x"},
		{"show", "\x1b[2J", "audit.log"},
		{"diff", "\x1b[2J", "audit.log"},
		{"check", "\x1b[2J"},
		{"spool", "stats", "\x1b[2J"},
		{"get", "\x9b2J"},
	} {
		code, _, errOut := auditctl(t, args...)
		if code == 0 || errOut == "" {
			t.Errorf("%q: %d %s", args, code, errOut)
		}
		if !utf8.ValidString(errOut) {
			t.Errorf("%q prints %q", args, errOut)
		}
		for _, r := range errOut {
			if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Errorf("%q prints %U", args, r)
			}
		}
	}
}

func TestACSVHoldsNoFormula(t *testing.T) {
	inTrail(t)
	_, out, _ := auditctl(t, "get", "-o", "csv", "hostile.log")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != len(hostileTexts)+1 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(strings.TrimLeft(cell, " ")[:1], "=+-@\t\r\n") {
				t.Errorf("the cell %q is a formula", cell)
			}
		}
	}
}

func TestEscapesInJSONAndYAMLKeepTheText(t *testing.T) {
	inTrail(t)
	for i, ae := range hostile(t) {
		want := eventjson.Append(nil, ae)
		for _, form := range []string{"ndjson", "json", "yaml"} {
			_, out, _ := auditctl(t, "get", "hostile.log", "-o", form, "--where", "event.metadata.name == '"+ae.Name+"'")
			data := []byte(out)
			if form == "yaml" {
				var err error
				if data, err = yaml.YAMLToJSON(data); err != nil {
					t.Fatalf("%d: %v\n%s", i, err, out)
				}
			}
			if form == "json" {
				var list struct{ Items []json.RawMessage }
				if err := json.Unmarshal(data, &list); err != nil || len(list.Items) != 1 {
					t.Fatalf("%d: %v\n%s", i, err, out)
				}
				data = list.Items[0]
			}
			if !sameJSON(t, data, want) {
				t.Errorf("%s gives %s, want %s", form, data, want)
			}
		}
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	for data, value := range map[*[]byte]*any{&a: &x, &b: &y} {
		d := json.NewDecoder(bytes.NewReader(*data))
		if err := d.Decode(value); err != nil {
			t.Fatalf("%v: %s", err, *data)
		}
		if _, err := d.Token(); err != io.EOF {
			t.Fatalf("more than one value: %s", *data)
		}
	}
	return reflect.DeepEqual(x, y)
}

func TestAnExportIsReadBackAsItWas(t *testing.T) {
	inTrail(t)
	_, first, _ := auditctl(t, "export", "audit.log", "hostile.log")
	write(t, "again.log", first)
	code, again, errOut := auditctl(t, "export", "again.log")
	if code != 0 || again != first || errOut != "" || strings.Count(first, "\n") != len(hostileTexts)+6 {
		t.Errorf("%d %s\n%s\nwant\n%s", code, errOut, again, first)
	}
	if code, out, errOut := auditctl(t, "diff", "again.log", "audit.log", "--component", "broker"); code != 0 {
		t.Errorf("%d %s%s", code, out, errOut)
	}
}
