package collector_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/collector"
)

func noEnvironment(string) string { return "" }

// good is a configuration that the tests below damage.
const good = `receivers:
  otlp: {protocols: {http: }}
exporters:
  otlp_http:
    endpoint: https://backend.example
    sending_queue:
      storage: file_storage/q
    retry_on_failure:
      max_elapsed_time: 0s
extensions:
  file_storage/q:
    fsync: true
service:
  extensions: [file_storage/q]
  pipelines:
    logs:
      receivers: [otlp]
      exporters: [otlp_http]
`

func TestBadConfigurationsSayWhatIsWrongAndWhere(t *testing.T) {
	deep := "a: &a0 [x, x]\n"
	for i := range 9 {
		n, p := string(rune('1'+i)), string(rune('0'+i))
		deep += "b" + n + ": &a" + n + " [" + strings.Repeat("*a"+p+", ", 9) + "*a" + p + "]\n"
	}
	for _, c := range []struct{ name, old, text, want string }{
		{"empty", good, "", "c.yaml: is empty: want a collector's configuration"},
		{"a list", good, "[a, b]", "c.yaml: is no mapping"},
		{"two documents", good, good + "---\n" + good, "c.yaml: has a second document"},
		{"no YAML", "{protocols: {http: }}", "{protocols: ", "cannot be read as YAML"},
		{"a tab", "    fsync", "\tfsync", "cannot be read as YAML"},
		{"a key twice", "    fsync: true", "    fsync: true\n    fsync: false", "c.yaml:13: cannot be read as YAML: a key is there twice"},
		{"an unknown anchor", "[otlp_http]", "*hunter2", "names no anchor"},
		{"aliases without end", good, deep, "its aliases expand without end"},
		{"an alias of itself", good, "a: &a {b: *a}\n", "its aliases expand without end"},
		{"10 MB", good, good + strings.Repeat("# a comment\n", 900_000), "c.yaml: is larger than 4 MiB"},
		{"an unknown section", "receivers:", "inputs:", "c.yaml:1: inputs: is not a known key: there are receivers,"},
		{"an unknown key of the queue", "storage: file", "storag: file", "c.yaml:7: exporters.otlp_http.sending_queue.storag: is not a known key: there are enabled, "},
		{"an unknown key of retries", "max_elapsed_time: 0s", "max_elapsed: 0s", "c.yaml:9: exporters.otlp_http.retry_on_failure.max_elapsed: is not a known key"},
		{"an unknown key of the storage", "fsync: true", "fsnyc: true", "c.yaml:12: extensions.file_storage/q.fsnyc: is not a known key"},
		{"a missing exporter", "[otlp_http]", "[otlp_http, otlp/2]", "c.yaml:18: service.pipelines.logs.exporters: names otlp/2, which is not in exporters or connectors"},
		{"a missing receiver", "[otlp]", "[otlp, x]", "c.yaml:17: service.pipelines.logs.receivers: names x, which is not in receivers or connectors"},
		{"a missing processor", "      receivers", "      processors: [batch]\n      receivers", "names batch, which is not in processors"},
		{"a missing extension", "extensions: [file_storage/q]", "extensions: [file_storage]", "c.yaml:14: service.extensions: names file_storage, which is not in extensions"},
		{"a storage that is not started", "  extensions: [file_storage/q]\n", "", "names file_storage/q, which is not in service.extensions"},
		{"a storage that is not there", "storage: file_storage/q", "storage: file_storage", "names file_storage, which is not in extensions"},
		{"a secret in the place of a name", "[otlp_http]", `["https://me:hunter2@backend"]`, "names something that is no name"},
		{"no exporter", "[otlp_http]", "[]", "c.yaml:16: service.pipelines.logs: has no exporters: name one at least"},
		{"a name in the place of a list", "[otlp_http]", "otlp_http", "c.yaml:18: service.pipelines.logs.exporters: want a list of names"},
		{"a number in the place of a section", "  otlp: {protocols: {http: }}", "  otlp: {protocols: {http: }}\nprocessors: 7", "c.yaml:3: processors: want a mapping of keys to values"},
		{"a word in the place of a boolean", "fsync: true", "fsync: hunter2", "c.yaml:12: extensions.file_storage/q.fsync: want true or false"},
		{"no duration", "max_elapsed_time: 0s", "max_elapsed_time: hunter2", "c.yaml:9: exporters.otlp_http.retry_on_failure.max_elapsed_time: want a duration such as 30s"},
		{"a negative duration", "max_elapsed_time: 0s", "max_elapsed_time: -1s", "want a duration such as 30s"},
		{"storage that waits", "storage: file_storage/q", "storage: file_storage/q\n      wait_for_result: true", "c.yaml:8: exporters.otlp_http.sending_queue.wait_for_result: does not go with storage"},
		{"no pipelines", "  pipelines:\n    logs:\n      receivers: [otlp]\n      exporters: [otlp_http]\n", "", "service.pipelines: is missing"},
		{"a pipeline of no signal", "    logs:", "    log:", "c.yaml:16: service.pipelines.log: is of no known signal"},
		{"no pipeline of logs", "    logs:", "    traces:", "no pipeline of logs has a receiver otlp"},
		{"a section from a file", "    sending_queue:\n      storage: file_storage/q", "    sending_queue: ${file:q.yaml}", "c.yaml:6: exporters.otlp_http.sending_queue: is ${file:q.yaml}, whose value is not known here"},
		{"a name from the environment", "[otlp_http]", `["${EXPORTER}"]`, "service.pipelines.logs.exporters: is ${EXPORTER}, whose"},
		{"a nested reference", "fsync: true", "fsync: ${env:${A}}", "whose value is not known here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.text, 1)
			if text == good {
				t.Fatal("nothing is damaged")
			}
			report, err := collector.Parse("c.yaml", []byte(text), noEnvironment)
			var bad *collector.Error
			if !errors.As(err, &bad) || report != nil {
				t.Fatalf("%v, %v", report, err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("it quotes a value: %v", err)
			}
		})
	}
}

func TestConnectorsInACircleAreRefused(t *testing.T) {
	text := strings.Replace(good, "[otlp_http]", "[forward, otlp_http]\n    logs/2: {receivers: [forward], exporters: [forward]}\nconnectors: {forward: }", 1)
	if _, err := collector.Parse("c.yaml", []byte(text), noEnvironment); err == nil || !strings.Contains(err.Error(), "service.pipelines.logs/2: hands events on to itself") {
		t.Error(err)
	}
	text = strings.Replace(good, "[otlp_http]", "[forward, otlp_http]\nconnectors: {forward: }", 1)
	if _, err := collector.Parse("c.yaml", []byte(text), noEnvironment); err == nil || !strings.Contains(err.Error(), "connectors.forward: is the receiver of no pipeline of logs") {
		t.Error(err)
	}
}

func TestAThousandProblemsAreNotAllPrinted(t *testing.T) {
	text := "receivers: {otlp: }\n"
	for i := range 1000 {
		text += "y" + strings.Repeat("z", i) + ": 1\n"
	}
	_, err := collector.Parse("c.yaml", []byte(text), noEnvironment)
	if err == nil || strings.Count(err.Error(), "\n") != 99 || !strings.Contains(err.Error(), "more problems: mend these first") {
		t.Error(err)
	}
}
