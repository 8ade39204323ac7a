package compose_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// dashboard has the parts of Grafana's model that the tests look at.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []target
	}
	Templating struct {
		List []struct {
			Name, Type string
			Query      json.RawMessage
			Datasource source
		}
	}
}

type target struct {
	RefID, Expr, QueryType string
	Datasource             source
}

type source struct{ Type, UID string }

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("grafana/dashboards/audit.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// record writes what several components would: 5 denials, 2 warnings of which
// one stands for 7 writes that failed, and 2 grants.
func record(t *testing.T, l *testenv.Loki) {
	t.Helper()
	trails := map[string][]*v1alpha1.AuditEvent{
		"proxy": {
			auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", RunName: "hr-1", Host: "paste.example.com", Port: 443, Reason: "not on the list"}),
			auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", RunName: "hr-1", Host: "paste.example.com", Port: 443, Reason: "not on the list"}),
			auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-b", RunName: "hr-2", Host: "169.254.169.254", Port: 80, Reason: "not on the list"}),
			auditing.NewEgressAllow(auditing.EgressInput{Namespace: "team-a", RunName: "hr-1", Host: "api.example.com", Port: 443}),
			// As the egress proxy records it.
			auditing.NewEvent(auditing.EventInput{
				Kind: "audit-write-failed", Decision: v1alpha1.AuditDecisionWarned, Namespace: "team-a", RunName: "hr-1",
				Count: 7, Detail: map[string]string{"sink": "loki", "class": "timeout"},
			}),
		},
		"broker": {
			auditing.NewCredentialDenied(auditing.CredentialDeniedInput{Namespace: "team-a", RunName: "hr-1", CredentialName: "token", Reason: "no policy"}),
			auditing.NewCredentialIssued(auditing.CredentialIssuedInput{Namespace: "team-a", RunName: "hr-1", CredentialName: "token"}),
		},
		"webhook": { // no run yet
			auditing.NewPolicyRejected(auditing.AdmissionInput{Namespace: "team-b", Reason: "the template is not allowed"}),
		},
		"controller": {
			auditing.NewBrokerCredsTampered(auditing.BrokerCredsTamperedInput{Namespace: "team-b", RunName: "hr-2", PrunedKeys: []string{"EXTRA"}}),
		},
	}
	for component, events := range trails {
		sink, err := loki.New(l.URL, loki.Options{Component: component})
		if err != nil {
			t.Fatal(err)
		}
		for _, ae := range events {
			if err := sink.Write(t.Context(), ae); err != nil {
				t.Fatal(err)
			}
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// chosen has the values that Grafana gives its variables when everything is shown.
var chosen = strings.NewReplacer("$__interval", "1m", "$__range", "1h", "$component", ".*", "$namespace", ".*", "$run", "")

func TestEveryQueryOfTheDashboardReturnsData(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{ProductionLimits: true})
	record(t, l)
	// One value that shows that the panel counts what its title says.
	want := map[string]string{
		"Denials": "5", "Warnings/A": "1", "Decisions not recorded": "7", "Events": "9",
		"Denials over time": "proxy", "Top blocked destinations": "paste.example.com", "Write failures over time": "timeout",
		"Warnings": "broker-creds-tampered", "Latest events in full": "no policy",
	}
	seen := map[string]bool{}
	for _, panel := range readDashboard(t).Panels {
		if len(panel.Targets) == 0 {
			t.Errorf("panel %q asks nothing", panel.Title)
		}
		for _, q := range panel.Targets {
			expr := chosen.Replace(q.Expr)
			if strings.Contains(strings.ReplaceAll(expr, "{{.", ""), "$") {
				t.Errorf("panel %q has a variable that this test does not know: %s", panel.Title, expr)
			}
			answer, err := ask(t.Context(), l.URL, q.QueryType, expr)
			if err != nil {
				t.Errorf("panel %q: %v", panel.Title, err)
				continue
			}
			if len(answer.Data.Result) == 0 {
				t.Errorf("panel %q shows nothing: %s", panel.Title, expr)
			}
			text := answer.text
			if strings.Contains(text, "__error__") {
				t.Errorf("panel %q has lines that its query cannot read: %s", panel.Title, text)
			}
			key := panel.Title
			if key == "Warnings" && q.QueryType == "instant" {
				key = "Warnings/A"
			}
			seen[key] = true
			value := want[key]
			if answer.Data.ResultType == "vector" && key != "Top blocked destinations" {
				value = `"` + value + `"`
			}
			if value == "" || !strings.Contains(text, value) {
				t.Errorf("panel %q does not show %s: %s", panel.Title, value, text)
			}
		}
	}
	for key := range want {
		if !seen[key] {
			t.Errorf("no panel %q", key)
		}
	}
}

func TestTheDashboardsVariablesOfferWhatLokiHolds(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{ProductionLimits: true})
	record(t, l)
	offered := map[string]string{"component": "webhook", "namespace": "team-b"}
	for _, v := range readDashboard(t).Templating.List {
		if v.Type != "query" {
			continue
		}
		var query struct{ Label, Stream string }
		if err := json.Unmarshal(v.Query, &query); err != nil {
			t.Fatal(err)
		}
		text, err := get(t.Context(), l.URL+"/loki/api/v1/label/"+query.Label+"/values", url.Values{"query": {query.Stream}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, offered[v.Name]) || offered[v.Name] == "" {
			t.Errorf("variable %s offers %s, want %q among them", v.Name, text, offered[v.Name])
		}
		delete(offered, v.Name)
	}
	if len(offered) > 0 {
		t.Errorf("no variable for %v", offered)
	}
}

type answer struct {
	Data struct {
		ResultType string
		Result     []json.RawMessage
	}
	text string
}

// ask sends a query as Grafana does.
func ask(ctx context.Context, lokiURL, queryType, expr string) (a answer, err error) {
	now := time.Now()
	at := func(t time.Time) []string { return []string{strconv.FormatInt(t.UnixNano(), 10)} }
	values := url.Values{"query": {expr}}
	path := "/loki/api/v1/query"
	switch queryType {
	case "instant":
		values["time"] = at(now)
	case "range":
		path += "_range"
		values["start"], values["end"] = at(now.Add(-time.Hour)), at(now.Add(time.Minute))
		values.Set("step", "60s")
		values.Set("limit", "200")
	default:
		return a, fmt.Errorf("a query of type %q", queryType)
	}
	if a.text, err = get(ctx, lokiURL+path, values); err != nil {
		return a, fmt.Errorf("%s: %w", expr, err)
	}
	err = json.Unmarshal([]byte(a.text), &a)
	return a, err
}

func get(ctx context.Context, address string, query url.Values) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status + ": " + string(text))
	}
	return string(text), err
}
