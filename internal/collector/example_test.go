package collector_test

import (
	"fmt"
	"os"

	"github.com/paddock-dev/audit/internal/collector"
)

func Example() {
	const config = `
receivers: {otlp: {protocols: {http: }}}
exporters: {otlp_http: {endpoint: "https://backend.example:4318"}}
service: {pipelines: {logs: {receivers: [otlp], exporters: [otlp_http]}}}
`
	report, err := collector.Parse("otelcol.yaml", []byte(config), os.Getenv)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range report.Pipelines {
		fmt.Println(p.Name, "is", p.Worth)
		for _, l := range p.Ways[0].Losses {
			if l.Key != "" {
				fmt.Println(l.Cause, l.Key)
			}
		}
	}
	// Output:
	// logs is accepted
	// kill exporters.otlp_http.sending_queue.storage
	// retry-limit exporters.otlp_http.retry_on_failure.max_elapsed_time
}
