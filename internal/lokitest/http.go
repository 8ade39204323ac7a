package lokitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Recorded is the version of Loki from which the facts were recorded.
const Recorded = "3.7.8"

// singleTenant is the tenant of a Loki without auth_enabled, as its answers name it.
const singleTenant = "fake"

// ServeHTTP answers one request.
func (s *Standin) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Standin) routes() {
	s.mux.HandleFunc("POST /loki/api/v1/push", s.ofTenant(s.push))
	s.mux.HandleFunc("GET /loki/api/v1/query_range", s.ofTenant(s.queryRange))
	s.mux.HandleFunc("GET /loki/api/v1/query", s.ofTenant(s.queryInstant))
	s.mux.HandleFunc("GET /loki/api/v1/labels", s.ofTenant(s.labelNames))
	s.mux.HandleFunc("GET /loki/api/v1/label/{name}/values", s.ofTenant(s.labelValues))
	s.mux.HandleFunc("GET /loki/api/v1/series", s.ofTenant(s.series))
	s.mux.HandleFunc("POST /flush", s.flush)
	s.mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ready") })
	s.mux.HandleFunc("GET /loki/api/v1/status/buildinfo", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]string{"version": Recorded, "branch": "stand-in", "revision": "recorded from Loki " + Recorded})
	})
}

// ofTenant returns the tenant of a request.
func (s *Standin) ofTenant(handle func(w http.ResponseWriter, r *http.Request, tenant string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tenant := singleTenant
		if s.auth {
			tenant = r.Header.Get("X-Scope-OrgID")
			if tenant == "" {
				http.Error(w, "no org id", http.StatusUnauthorized)
				return
			}
			if err := checkTenant(tenant); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		handle(w, r, tenant)
	}
}

// checkTenant returns an error for a name that Loki does not take for a tenant.
func checkTenant(tenant string) error {
	for _, c := range tenant {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.ContainsRune("!-_.*'()", c):
		default:
			return fmt.Errorf("tenant ID '%s' contains unsupported character '%c'", tenant, c)
		}
	}
	const longest = 150
	if len(tenant) > longest {
		return fmt.Errorf("tenant ID is too long: max %d characters", longest)
	}
	return nil
}

func (s *Standin) flush(w http.ResponseWriter, _ *http.Request) {
	if err := s.store.flush(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// writeJSON answers 200. It ignores an error of writing, which means that the client has gone.
func writeJSON(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(answer)
}

// success answers in the form of Loki's read paths.
func success(w http.ResponseWriter, data any) {
	writeJSON(w, map[string]any{"status": "success", "data": data})
}
