package auditotel_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/paddock-dev/audit/adapters/auditotel"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

func Example() {
	var sink sinktest.Recorder // yours stores them
	broker := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = sink.Write(r.Context(), auditing.NewRunCompleted(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"}))
	})
	traced := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		broker.ServeHTTP(w, r.WithContext(auditotel.With(r.Context())))
	})

	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	traced.ServeHTTP(httptest.NewRecorder(), r.WithContext(inSpan(r.Context(), 1))) // in a program, otelhttp starts the span
	fmt.Println(sink.Events()[0].Spec.Trace.TraceID)
	// Output: ab000000000000000000000000000001
}
