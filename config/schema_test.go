package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

const schemaFile = "../deploy/audit-configuration.schema.json"

// goodFiles are all configurations of this repository.
func goodFiles(tb testing.TB) []string {
	tb.Helper()
	paths := []string{"default.yaml"}
	for _, pattern := range []string{"testdata/good/*.yaml", "../examples/*/audit.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			tb.Fatal(err)
		}
		paths = append(paths, found...)
	}
	return paths
}

func TestSchemaInDeployIsGenerated(t *testing.T) {
	want, err := builtin.Types().JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what auditctl schema prints: run make generate (%v)", schemaFile, err)
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestSchemaTakesWhatDecoderTakes(t *testing.T) {
	schema := compiled(t)
	for _, path := range goodFiles(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Parse(path, data, builtin.Types()); err != nil {
			t.Errorf("the decoder refuses %v", err)
		}
		var value any
		if err := yaml.Unmarshal(data, &value); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("the schema refuses %s: %v", path, err)
		}
	}
}

// beyondSchema are messages about mistakes that a schema cannot see: references, keys
// that depend on each other, the length of a duration, texts that a type refuses, and
// what the YAML parser drops.
var beyondSchema = []string{
	"VictoriaLogs takes numbers", "VictoriaLogs confirms any timestamp", // the server is another key

	"stands in front of the", "is that of one component", "stores the checkpoints in the API server", "give it a name such as",

	"there is no sink", "the chain comes back", "closed promises", "uses what the sink", "is not YAML", "stands in line", "document",
	"is an alias", "not a plain word", "is out of range: want 1ms", "sinks.a.http: ", "sinks.a.http.tls_config: ", "sinks.a.http.follow_redirects: ",
	"cannot be read",
	"the URL", "sinks.a.labels", "names a sink twice", "asks for what is not in next", "must be at least minBackoff",
	"needs kubeconfig", "stands beside key", "is for a file", "in octal", "sinks.a.path: is a value of another kind",
}

func TestSchemaRefusesMostOfWhatDecoderRefuses(t *testing.T) {
	schema := compiled(t)
	files, wanted := badFiles(t)
	both := 0
	for path, text := range files {
		var value any
		switch {
		case yaml.Unmarshal([]byte(text), &value) != nil: // an editor cannot parse it either
		case schema.Validate(value) != nil:
			both++
		case !containsAny(wanted[path], beyondSchema):
			t.Errorf("the schema takes %s, although %s", path, wanted[path])
		}
	}
	if both < 40 {
		t.Errorf("the schema refuses only %d of %d bad files", both, len(files))
	}
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
