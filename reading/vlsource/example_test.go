package vlsource_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/vlsource"
)

func Example() {
	server := httptest.NewServer(http.HandlerFunc(answer)) // in place of a VictoriaLogs
	defer server.Close()

	lake, err := vlsource.New("lake", server.URL, vlsource.Options{TenantID: "12:34", Overlap: 5 * time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	for record, err := range lake.Read(context.Background(), &reading.Query{Namespaces: []string{"team-a"}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(record.Source, record.Time.Format(time.RFC3339Nano), record.Event.Spec.Reason)
	}
	// Output: lake 2026-04-25T12:00:00.123456789Z it was four o'clock
}

// answer has one row, in the regular streams.
func answer(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("query") == "" || r.Header.Get("AccountID") != "12" {
		http.Error(w, "no query", http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprintln(w, `{"_time":"2026-04-25T12:00:00.123456789Z","event":"tea-1","_msg":"{\"kind\":\"AuditEvent\",\"metadata\":{\"name\":\"tea-1\",\"namespace\":\"team-a\",`+
		`\"annotations\":{\"paddock.dev/timestamp\":\"2026-04-25T12:00:00.123456789Z\"}},\"spec\":{\"kind\":\"tea-brewed\",\"decision\":\"granted\",`+
		`\"timestamp\":\"2026-04-25T12:00:00Z\",\"reason\":\"it was four o'clock\"}}"}`)
}
